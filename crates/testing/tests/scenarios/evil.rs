//! A contract of whoever means ill: an interpreter of one-letter commands, so that an operation, a message or what
//! is left for the end of the block can ask for anything, as often as it likes.
// Which commands are in use changes with the tests.
#![allow(dead_code)]

use resident_base::{ApplicationId, Bytecode, ChainId, CryptoHash};

/// A list of commands, done in their order. Numbers are little-endian `u32`.
#[derive(Clone, Default)]
pub(crate) struct Do(pub(crate) Vec<u8>);

impl Do {
    /// Nothing to do.
    pub(crate) fn new() -> Self {
        Self::default()
    }
    fn op(mut self, op: u8, n: u32) -> Self {
        self.0.push(op);
        self.0.extend(n.to_le_bytes());
        self
    }
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
    /// Goes round a loop so many times, each for about five units of fuel.
    pub(crate) fn spin(self, n: u32) -> Self {
        self.op(b'L', n)
    }
    /// Ends in a trap.
    pub(crate) fn trap(self) -> Self {
        self.raw(b"x")
    }
    /// Looks `n` keys of 4 KiB up, none of them there, and each for the first time.
    pub(crate) fn absent_large(self, n: u32) -> Self {
        self.op(b'A', n)
    }
    /// As [`absent_large`](Self::absent_large), with keys of five bytes that begin with `p`.
    pub(crate) fn absent_small(self, n: u32) -> Self {
        self.op(b'K', n)
    }
    /// Lists the keys that begin with `p`, `n` times.
    pub(crate) fn find(self, n: u32) -> Self {
        self.op(b'F', n)
    }
    /// Writes `n` new keys of five bytes, and deletes each at once.
    pub(crate) fn put_delete(self, n: u32) -> Self {
        self.op(b'D', n)
    }
    /// Writes a byte under each of `n` new keys of five bytes.
    pub(crate) fn put(self, n: u32) -> Self {
        self.op(b'W', n)
    }
    /// Asks `n` times for the chain to be closed.
    pub(crate) fn close(self, n: u32) -> Self {
        self.op(b'C', n)
    }
    /// Insists that a data blob exists.
    pub(crate) fn assert_blob(self, hash: CryptoHash) -> Self {
        self.raw(b"M").raw(hash.as_bytes())
    }
    /// Sends commands to itself on another chain.
    pub(crate) fn send(self, to: ChainId, tracked: bool, commands: &Do) -> Self {
        let length = commands.0.len() as u32;
        self.raw(b"S")
            .raw(to.0.as_bytes())
            .raw(&[tracked.into()])
            .raw(&length.to_le_bytes())
            .raw(&commands.0)
    }
    /// Sends `n` messages of `size` zeros each.
    pub(crate) fn flood(self, to: ChainId, size: u32, n: u32) -> Self {
        self.raw(b"Z")
            .raw(to.0.as_bytes())
            .raw(&size.to_le_bytes())
            .raw(&n.to_le_bytes())
    }
    /// Sends an empty message to each of `n` chains that nobody opened.
    pub(crate) fn nowhere(self, n: u32) -> Self {
        self.op(b'N', n)
    }
    /// Calls another application with commands.
    pub(crate) fn call(self, id: ApplicationId, commands: &Do) -> Self {
        let length = commands.0.len() as u32;
        self.raw(b"c")
            .raw(id.application_description_hash.as_bytes())
            .raw(&length.to_le_bytes())
            .raw(&commands.0)
    }
    /// Grows its memory to so many pages, and writes to each.
    pub(crate) fn grow(self, pages: u32) -> Self {
        self.op(b'G', pages)
    }
    /// Queries the service of an application `n` times.
    pub(crate) fn ask(self, id: ApplicationId, n: u32) -> Self {
        self.raw(b"q")
            .raw(id.application_description_hash.as_bytes())
            .raw(&n.to_le_bytes())
    }
    /// Emits an event to each of `n` streams.
    pub(crate) fn emit(self, n: u32) -> Self {
        self.op(b'E', n)
    }
    /// Follows `n` streams of an application on a chain.
    pub(crate) fn follow(self, chain: ChainId, id: ApplicationId, n: u32) -> Self {
        self.raw(b"U")
            .raw(chain.0.as_bytes())
            .raw(id.application_description_hash.as_bytes())
            .raw(&n.to_le_bytes())
    }
    /// Writes a line to the log, as an error.
    pub(crate) fn log(self, line: &str) -> Self {
        self.op(b'l', line.len() as u32).raw(line.as_bytes())
    }
    /// Keeps commands for the end of the block, in place of those kept before.
    pub(crate) fn finally(self, commands: &Do) -> Self {
        self.op(b'f', commands.0.len() as u32).raw(&commands.0)
    }
}

/// The contract.
pub(crate) fn code() -> Bytecode {
    Bytecode::new(wat::parse_str(TEXT).expect("the text is a module"))
}

/// The same contract, except that it fails when it is told of events.
pub(crate) fn deaf_code() -> Bytecode {
    let text = TEXT.replace(
        r#"#process-streams") (param i32 i32))"#,
        r#"#process-streams") (param i32 i32) (unreachable))"#,
    );
    Bytecode::new(wat::parse_str(text).expect("the text is a module"))
}

/// A service whose every answer has 64 KiB.
pub(crate) fn loud_service() -> Bytecode {
    let text = r#"(module
        (memory (export "memory") 2 2)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
        (func (export "resident:app/service-entrypoints#handle-query")
            (param i32 i32) (result i32)
            (i32.store (i32.const 32) (i32.const 1024))
            (i32.store (i32.const 36) (i32.const 65536))
            (i32.const 32)))"#;
    Bytecode::new(wat::parse_str(text).expect("the text is a module"))
}

// 64..: answers. 304..: batches. 1024: a message. 8192: commands of the finalization (16 KiB).
// 32768..36864: a large key. 40960: a small key. 65536: heap.
const TEXT: &str = r#"(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/storage" "contains-key" (func $contains (param i32 i32) (result i32)))
    (import "resident:app/storage" "find-keys" (func $find_keys (param i32 i32 i32)))
    (import "resident:app/runtime" "send-message" (func $send_message (param i32)))
    (import "resident:app/runtime" "call-application"
        (func $call_application (param i32 i64 i64 i64 i64 i32 i32 i32)))
    (import "resident:app/runtime" "assert-data-blob-exists"
        (func $assert_blob (param i64 i64 i64 i64)))
    (import "resident:app/runtime" "close-chain" (func $close_chain (param i32)))
    (import "resident:app/runtime" "query-service"
        (func $ask (param i64 i64 i64 i64 i32 i32 i32)))
    (import "resident:app/runtime" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
    (import "resident:app/runtime" "subscribe-to-events"
        (func $subscribe (param i64 i64 i64 i64 i64 i64 i64 i64 i32 i32)))
    (import "resident:app/diagnostics" "log" (func $log (param i32 i32 i32)))
    (memory (export "memory") 16 512)
    (data (i32.const 40960) "p")
    (global $heap (mut i32) (i32.const 65536))
    (global $at (mut i32) (i32.const 0))
    (global $next (mut i32) (i32.const 0))
    (global $later (mut i32) (i32.const 0))

    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))

    (func $take (param $length i32) (result i32)
        (global.get $at)
        (global.set $at (i32.add (global.get $at) (local.get $length))))
    (func $number (result i32) (i32.load align=1 (call $take (i32.const 4))))
    (func $hash (param $a i32) (result i64 i64 i64 i64)
        (i64.load align=1 (local.get $a))
        (i64.load offset=8 align=1 (local.get $a))
        (i64.load offset=16 align=1 (local.get $a))
        (i64.load offset=24 align=1 (local.get $a)))

    (func $spin (local $n i32)
        (local.set $n (call $number))
        (loop $again
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))

    (func $small_key
        (global.set $next (i32.add (global.get $next) (i32.const 1)))
        (i32.store offset=1 align=1 (i32.const 40960) (global.get $next)))

    (func $absent_large (local $n i32)
        (local.set $n (call $number))
        (loop $again
            (global.set $next (i32.add (global.get $next) (i32.const 1)))
            (i32.store (i32.const 36860) (global.get $next))
            (drop (call $contains (i32.const 32768) (i32.const 4096)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))
    (func $absent_small (local $n i32)
        (local.set $n (call $number))
        (loop $again
            (call $small_key)
            (drop (call $contains (i32.const 40960) (i32.const 5)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))
    (func $find (local $n i32)
        (local.set $n (call $number))
        (loop $again
            (call $find_keys (i32.const 40960) (i32.const 1) (i32.const 64))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))

    ;; A batch: put of the small key, and then perhaps its deletion.
    (func $put (param $operations i32) (local $n i32)
        (local.set $n (call $number))
        (i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (i32.const 40960))
        (i32.store (i32.const 312) (i32.const 5))
        (i32.store (i32.const 316) (i32.const 40960))
        (i32.store (i32.const 320) (i32.const 1))
        (i32.store8 (i32.const 324) (i32.const 0))
        (i32.store (i32.const 328) (i32.const 40960))
        (i32.store (i32.const 332) (i32.const 5))
        (loop $again
            (call $small_key)
            (call $write_batch (i32.const 304) (local.get $operations))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))

    (func $close (local $n i32)
        (local.set $n (call $number))
        (loop $again
            (call $close_chain (i32.const 64))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))

    (func $address (param $to i32)
        (memory.copy (i32.const 1024) (local.get $to) (i32.const 32))
        (memory.fill (i32.const 1056) (i32.const 0) (i32.const 144)))
    (func $send (local $length i32)
        (call $address (call $take (i32.const 32)))
        (i32.store8 (i32.const 1057) (i32.load8_u (call $take (i32.const 1))))
        (local.set $length (call $number))
        (i32.store (i32.const 1192) (call $take (local.get $length)))
        (i32.store (i32.const 1196) (local.get $length))
        (call $send_message (i32.const 1024)))
    (func $flood (local $n i32)
        (call $address (call $take (i32.const 32)))
        (i32.store (i32.const 1192) (i32.const 131072))
        (i32.store (i32.const 1196) (call $number))
        (local.set $n (call $number))
        (loop $again
            (call $send_message (i32.const 1024))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))
    (func $nowhere (local $n i32)
        (local.set $n (call $number))
        (memory.fill (i32.const 1024) (i32.const 0) (i32.const 176))
        (loop $again
            (i32.store (i32.const 1052) (local.get $n))
            (call $send_message (i32.const 1024))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))

    (func $call (local $callee i32) (local $length i32)
        (local.set $callee (call $take (i32.const 32)))
        (local.set $length (call $number))
        (call $call_application (i32.const 1) (call $hash (local.get $callee))
            (call $take (local.get $length)) (local.get $length) (i32.const 64)))

    (func $grow (local $pages i32) (local $page i32)
        (local.set $pages (call $number))
        (if (i32.gt_u (local.get $pages) (memory.size)) (then
            (drop (memory.grow (i32.sub (local.get $pages) (memory.size))))))
        (local.set $page (i32.const 17))
        (loop $again
            (i32.store (i32.mul (local.get $page) (i32.const 65536)) (i32.const 7))
            (i32.store offset=4096 (i32.mul (local.get $page) (i32.const 65536)) (i32.const 7))
            (memory.fill (i32.mul (local.get $page) (i32.const 65536)) (i32.const 7) (i32.const 65536))
            (local.set $page (i32.add (local.get $page) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $page) (memory.size)))))

    (func $ask_service (local $asked i32) (local $n i32) (local $heap i32)
        (local.set $asked (call $take (i32.const 32)))
        (local.set $n (call $number))
        (local.set $heap (global.get $heap))
        (loop $again
            (call $ask (call $hash (local.get $asked)) (i32.const 0) (i32.const 0) (i32.const 64))
            (global.set $heap (local.get $heap))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))

    (func $emit_all (local $n i32)
        (local.set $n (call $number))
        (loop $again
            (i32.store (i32.const 96) (local.get $n))
            (drop (call $emit (i32.const 96) (i32.const 4) (i32.const 96) (i32.const 1)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))
    (func $follow (local $chain i32) (local $id i32) (local $n i32)
        (local.set $chain (call $take (i32.const 32)))
        (local.set $id (call $take (i32.const 32)))
        (local.set $n (call $number))
        (loop $again
            (i32.store (i32.const 96) (local.get $n))
            (call $subscribe (call $hash (local.get $chain)) (call $hash (local.get $id))
                (i32.const 96) (i32.const 4))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))
    (func $log_line (local $length i32)
        (local.set $length (call $number))
        (call $log (i32.const 0) (call $take (local.get $length)) (local.get $length)))
    (func $finally (local $length i32)
        (local.set $length (call $number))
        (memory.copy (i32.const 8192) (call $take (local.get $length)) (local.get $length))
        (global.set $later (local.get $length)))

    (func $act (param $address i32) (param $length i32)
        (local $end i32) (local $c i32)
        (global.set $at (local.get $address))
        (local.set $end (i32.add (local.get $address) (local.get $length)))
        (block $done (loop $next
            (br_if $done (i32.ge_u (global.get $at) (local.get $end)))
            (local.set $c (i32.load8_u (call $take (i32.const 1))))
            (if (i32.eq (local.get $c) (i32.const 76)) (then (call $spin)))
            (if (i32.eq (local.get $c) (i32.const 120)) (then (unreachable)))
            (if (i32.eq (local.get $c) (i32.const 65)) (then (call $absent_large)))
            (if (i32.eq (local.get $c) (i32.const 75)) (then (call $absent_small)))
            (if (i32.eq (local.get $c) (i32.const 70)) (then (call $find)))
            (if (i32.eq (local.get $c) (i32.const 68)) (then (call $put (i32.const 2))))
            (if (i32.eq (local.get $c) (i32.const 87)) (then (call $put (i32.const 1))))
            (if (i32.eq (local.get $c) (i32.const 67)) (then (call $close)))
            (if (i32.eq (local.get $c) (i32.const 77))
                (then (call $assert_blob (call $hash (call $take (i32.const 32))))))
            (if (i32.eq (local.get $c) (i32.const 83)) (then (call $send)))
            (if (i32.eq (local.get $c) (i32.const 90)) (then (call $flood)))
            (if (i32.eq (local.get $c) (i32.const 78)) (then (call $nowhere)))
            (if (i32.eq (local.get $c) (i32.const 99)) (then (call $call)))
            (if (i32.eq (local.get $c) (i32.const 71)) (then (call $grow)))
            (if (i32.eq (local.get $c) (i32.const 113)) (then (call $ask_service)))
            (if (i32.eq (local.get $c) (i32.const 69)) (then (call $emit_all)))
            (if (i32.eq (local.get $c) (i32.const 85)) (then (call $follow)))
            (if (i32.eq (local.get $c) (i32.const 108)) (then (call $log_line)))
            (if (i32.eq (local.get $c) (i32.const 102)) (then (call $finally)))
            (br $next))))

    (func $leave (global.set $heap (i32.const 65536)))

    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (call $act (local.get 0) (local.get 1))
        (i64.store (i32.const 32) (i64.const 0))
        (call $leave)
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (call $act (local.get 0) (local.get 1))
        (call $leave))
    (func (export "resident:app/contract-entrypoints#finalize")
        (call $act (i32.const 8192) (global.get $later)))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32)
        (call $leave))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;

/// The same contract, except that it never ends when it is told of events.
pub(crate) fn endless_code() -> Bytecode {
    let text = TEXT.replace(
        r#"#process-streams") (param i32 i32))"#,
        r#"#process-streams") (param i32 i32) (loop $again (br $again)))"#,
    );
    Bytecode::new(wat::parse_str(text).expect("the text is a module"))
}
