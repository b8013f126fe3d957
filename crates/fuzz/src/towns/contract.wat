;; What the applications of a town run. Operations, messages and arguments are commands, one byte each with what belongs to it; numbers
;; are little-endian. See `commands.rs`. The arms between the two marks are cut out of the honest contract.
;;
;; 32: an operation's response. 64: what the host answers. 304: a batch. 1024: a message. 8192: what is left for the finalization.
;; 40960: a key. 65536: the heap.
(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/storage" "read-value" (func $read_value (param i32 i32 i32)))
    (import "resident:app/storage" "contains-key" (func $contains_key (param i32 i32) (result i32)))
    (import "resident:app/storage" "find-keys" (func $find_keys (param i32 i32 i32)))
    (import "resident:app/runtime" "send-message" (func $send_message (param i32)))
    (import "resident:app/runtime" "message-is-bouncing" (func $is_bouncing (param i32)))
    (import "resident:app/runtime" "call-application"
        (func $call_application (param i32 i64 i64 i64 i64 i32 i32 i32)))
    (import "resident:app/runtime" "assert-data-blob-exists"
        (func $assert_blob (param i64 i64 i64 i64)))
    (import "resident:app/runtime" "read-event"
        (func $read_event (param i64 i64 i64 i64 i32 i32 i32 i32)))
    (import "resident:app/runtime" "query-service"
        (func $query_service (param i64 i64 i64 i64 i32 i32 i32)))
    (import "resident:app/runtime" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
    (import "resident:app/runtime" "subscribe-to-events"
        (func $subscribe (param i64 i64 i64 i64 i64 i64 i64 i64 i32 i32)))
    (import "resident:app/runtime" "http-request"
        (func $http_request (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (memory (export "memory") 16 512)
    (data (i32.const 40952) "cn")
    (data (i32.const 40960) "k")
    (global $heap (mut i32) (i32.const 65536))
    (global $cursor (mut i32) (i32.const 0))
    ;; Bytes of commands that the finalization runs.
    (global $later (mut i32) (i32.const 0))
    ;; What was counted in this block and is not stored yet.
    (global $pending (mut i32) (i32.const 0))
    (global $key (mut i32) (i32.const 0))
    (global $gathered (mut i32) (i32.const 0))
    (global $refuses (mut i32) (i32.const 0))
    (global $is_jealous (mut i32) (i32.const 0))

    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))

    ;; Takes so many bytes of the commands, and gives their address.
    (func $take (param $length i32) (result i32)
        (global.get $cursor)
        (global.set $cursor (i32.add (global.get $cursor) (local.get $length))))
    (func $number (result i32) (i32.load align=1 (call $take (i32.const 4))))
    (func $hash (param $at i32) (result i64 i64 i64 i64)
        (i64.load align=1 (local.get $at))
        (i64.load offset=8 align=1 (local.get $at))
        (i64.load offset=16 align=1 (local.get $at))
        (i64.load offset=24 align=1 (local.get $at)))

    (func $write (param $key i32) (param $key_length i32) (param $value i32) (param $length i32)
        (i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (local.get $key))
        (i32.store (i32.const 312) (local.get $key_length))
        (i32.store (i32.const 316) (local.get $value))
        (i32.store (i32.const 320) (local.get $length))
        (call $write_batch (i32.const 304) (i32.const 1)))

    ;; How much was counted, what is stored and what is not.
    (func $counted (result i64) (local $count i64)
        (call $read_value (i32.const 40952) (i32.const 1) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then
            (local.set $count (i64.load align=1 (i32.load (i32.const 68))))))
        (i64.add (local.get $count) (i64.extend_i32_u (global.get $pending))))

    (func $store_count
        (if (global.get $pending) (then
            (i64.store (i32.const 48) (call $counted))
            (global.set $pending (i32.const 0))
            (call $write (i32.const 40952) (i32.const 1) (i32.const 48) (i32.const 8)))))

    ;; The record of a message is at 1024.
    (func $address (param $to i32)
        (memory.copy (i32.const 1024) (local.get $to) (i32.const 32))
        (memory.fill (i32.const 1056) (i32.const 0) (i32.const 144)))
    (func $send (local $length i32) (local $flags i32)
        (call $address (call $take (i32.const 32)))
        (local.set $flags (i32.load8_u (call $take (i32.const 1))))
        (i32.store8 (i32.const 1056) (i32.and (local.get $flags) (i32.const 1)))
        (i32.store8 (i32.const 1057) (i32.shr_u (local.get $flags) (i32.const 1)))
        (i64.store (i32.const 1064) (i64.load align=1 (call $take (i32.const 8))))
        (local.set $length (call $number))
        (i32.store (i32.const 1192) (call $take (local.get $length)))
        (i32.store (i32.const 1196) (local.get $length))
        (call $send_message (i32.const 1024)))

    ;; One event each on so many streams from a number on.
    (func $emit_all (local $stream i32) (local $left i32)
        (local.set $stream (call $number))
        (local.set $left (call $number))
        (loop $again
            (i32.store (i32.const 96) (local.get $stream))
            (drop (call $emit (i32.const 96) (i32.const 4) (i32.const 96) (i32.const 1)))
            (local.set $stream (i32.add (local.get $stream) (i32.const 1)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))
    (func $follow (local $chain i32) (local $id i32) (local $stream i32) (local $left i32)
        (local.set $chain (call $take (i32.const 32)))
        (local.set $id (call $take (i32.const 32)))
        (local.set $stream (call $number))
        (local.set $left (call $number))
        (loop $again
            (i32.store (i32.const 96) (local.get $stream))
            (call $subscribe (call $hash (local.get $chain)) (call $hash (local.get $id))
                (i32.const 96) (i32.const 4))
            (local.set $stream (i32.add (local.get $stream) (i32.const 1)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))

    (func $spin (local $left i32)
        (local.set $left (call $number))
        (loop $again
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))
    (func $next_key
        (global.set $key (i32.add (global.get $key) (i32.const 1)))
        (i32.store offset=1 align=1 (i32.const 40960) (global.get $key)))
    (func $put (local $left i32)
        (local.set $left (call $number))
        (loop $again
            (call $next_key)
            (call $write (i32.const 40960) (i32.const 5) (i32.const 40960) (i32.const 1))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))
    (func $look (local $left i32)
        (local.set $left (call $number))
        (loop $again
            (call $next_key)
            (drop (call $contains_key (i32.const 40960) (i32.const 5)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))
    (func $find (local $left i32) (local $heap i32)
        (local.set $left (call $number))
        (local.set $heap (global.get $heap))
        (loop $again
            (call $find_keys (i32.const 40960) (i32.const 1) (i32.const 64))
            (global.set $heap (local.get $heap))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))
    (func $grow (local $pages i32) (local $page i32)
        (local.set $pages (call $number))
        (if (i32.gt_u (local.get $pages) (memory.size)) (then
            (drop (memory.grow (i32.sub (local.get $pages) (memory.size))))))
        (local.set $page (i32.const 15))
        (loop $again
            (i32.store (i32.mul (local.get $page) (i32.const 65536)) (i32.const 7))
            (local.set $page (i32.add (local.get $page) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $page) (memory.size)))))
    (func $flood (local $left i32)
        (call $address (call $take (i32.const 32)))
        (i32.store (i32.const 1192) (i32.const 131072))
        (i32.store (i32.const 1196) (call $number))
        (local.set $left (call $number))
        (loop $again
            (call $send_message (i32.const 1024))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))
    ;; An empty message each to chains whose ids begin with zeros.
    (func $nowhere (local $left i32)
        (local.set $left (call $number))
        (memory.fill (i32.const 1024) (i32.const 0) (i32.const 176))
        (loop $again
            (i32.store (i32.const 1052) (local.get $left))
            (call $send_message (i32.const 1024))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))
    (func $call (local $callee i32) (local $length i32)
        (local.set $callee (call $take (i32.const 32)))
        (local.set $length (call $number))
        (call $call_application (i32.const 1) (call $hash (local.get $callee))
            (call $take (local.get $length)) (local.get $length) (i32.const 64)))
    (func $ask (local $asked i32) (local $left i32) (local $heap i32)
        (local.set $asked (call $take (i32.const 32)))
        (local.set $left (call $number))
        (local.set $heap (global.get $heap))
        (loop $again
            (call $query_service (call $hash (local.get $asked)) (i32.const 0) (i32.const 0)
                (i32.const 64))
            (global.set $heap (local.get $heap))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))
    (func $read_event_of (local $chain i32)
        (local.set $chain (call $take (i32.const 32)))
        (i32.store (i32.const 96) (call $number))
        (call $read_event (call $hash (local.get $chain)) (i32.const 96) (i32.const 4)
            (call $number) (i32.const 64)))
    (func $get (local $length i32)
        (local.set $length (call $number))
        (call $http_request (i32.const 0) (call $take (local.get $length)) (local.get $length)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)))
    (func $finally (local $length i32)
        (local.set $length (call $number))
        (memory.copy (i32.const 8192) (call $take (local.get $length)) (local.get $length))
        (global.set $later (local.get $length)))
    (func $on_news (local $length i32)
        (local.set $length (call $number))
        (call $write (i32.const 40953) (i32.const 1)
            (call $take (local.get $length)) (local.get $length)))
    (func $gather
        (global.set $gathered (i32.add (global.get $gathered) (i32.const 1)))
        (if (i32.ge_u (global.get $gathered) (call $number)) (then
            (global.set $refuses (i32.const 1)))))

    (func $act (param $at i32) (param $length i32) (local $end i32) (local $c i32)
        (global.set $cursor (local.get $at))
        (local.set $end (i32.add (local.get $at) (local.get $length)))
        (block $done (loop $next
            (br_if $done (i32.ge_u (global.get $cursor) (local.get $end)))
            (local.set $c (i32.load8_u (call $take (i32.const 1))))
            (if (i32.eq (local.get $c) (i32.const 43)) (then
                (global.set $pending (i32.add (global.get $pending) (i32.const 1)))))
            (if (i32.eq (local.get $c) (i32.const 84)) (then (drop (call $take (i32.const 1)))))
            (if (i32.eq (local.get $c) (i32.const 83)) (then (call $send)))
            (if (i32.eq (local.get $c) (i32.const 69)) (then (call $emit_all)))
            (if (i32.eq (local.get $c) (i32.const 85)) (then (call $follow)))
            ;; hostile from here
            (if (i32.eq (local.get $c) (i32.const 120)) (then (unreachable)))
            (if (i32.eq (local.get $c) (i32.const 76)) (then (call $spin)))
            (if (i32.eq (local.get $c) (i32.const 87)) (then (call $put)))
            (if (i32.eq (local.get $c) (i32.const 65)) (then (call $look)))
            (if (i32.eq (local.get $c) (i32.const 70)) (then (call $find)))
            (if (i32.eq (local.get $c) (i32.const 71)) (then (call $grow)))
            (if (i32.eq (local.get $c) (i32.const 90)) (then (call $flood)))
            (if (i32.eq (local.get $c) (i32.const 78)) (then (call $nowhere)))
            (if (i32.eq (local.get $c) (i32.const 99)) (then (call $call)))
            (if (i32.eq (local.get $c) (i32.const 77)) (then
                (call $assert_blob (call $hash (call $take (i32.const 32))))))
            (if (i32.eq (local.get $c) (i32.const 82)) (then (call $read_event_of)))
            (if (i32.eq (local.get $c) (i32.const 113)) (then (call $ask)))
            (if (i32.eq (local.get $c) (i32.const 104)) (then (call $get)))
            (if (i32.eq (local.get $c) (i32.const 102)) (then (call $finally)))
            (if (i32.eq (local.get $c) (i32.const 110)) (then (call $on_news)))
            (if (i32.eq (local.get $c) (i32.const 103)) (then (call $gather)))
            (if (i32.eq (local.get $c) (i32.const 118)) (then (global.set $is_jealous (i32.const 1))))
            ;; hostile up to here
            (br $next))))

    (func $leave (global.set $heap (i32.const 65536)))

    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (call $act (local.get 0) (local.get 1))
        (i64.store (i32.const 48) (call $counted))
        (i32.store (i32.const 32) (i32.const 48))
        (i32.store (i32.const 36) (i32.const 8))
        (call $leave)
        (i32.const 32))
    ;; What comes back does nothing, or traps if it begins with "!".
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (call $is_bouncing (i32.const 64))
        (if (i32.load8_u (i32.const 65))
            (then
                (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 33)) (then (unreachable))))
            (else (call $act (local.get 0) (local.get 1))))
        (call $leave))
    (func (export "resident:app/contract-entrypoints#finalize")
        (if (global.get $refuses) (then (unreachable)))
        (if (i32.and (global.get $is_jealous) (i32.ne (global.get $pending) (i32.const 0)))
            (then (unreachable)))
        (call $store_count)
        (call $act (i32.const 8192) (global.get $later)))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32)
        (call $leave))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32)
        (call $read_value (i32.const 40953) (i32.const 1) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then
            (call $act (i32.load (i32.const 68)) (i32.load (i32.const 72)))))
        (call $leave))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)
