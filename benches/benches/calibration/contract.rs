//! The contract of a case: a loop over its body.

/// The text of a contract whose operation runs `body` as often as the first four bytes of the operation say,
/// after `setup`. Both may use the locals `$i`, which counts down, and `$n`, and the global `$next`. Its memory
/// has so many pages.
pub(crate) fn text(setup: &str, body: &str, pages: u32) -> String {
    format!(
        r#"(module
{IMPORTS}
    (memory (export "memory") {pages} 512)
    (data (i32.const 40960) "p")
    (global $heap (mut i32) (i32.const 1048576))
    (global $next (mut i32) (i32.const 0))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))
    (func $step
        (global.set $next (i32.add (global.get $next) (i32.const 1)))
        (i32.store offset=1 align=1 (i32.const 40960) (global.get $next))
        (i32.store (i32.const 36860) (global.get $next)))
    (func $run (param $address i32) (param $length i32) (local $i i32) (local $n i32)
        (local.set $n (i32.load align=1 (local.get $address)))
        (local.set $i (i32.load align=1 (local.get $address)))
        {setup}
        (if (i32.ne (local.get $i) (i32.const 0)) (then
            (loop $again
                (global.set $heap (i32.const 1048576))
                {body}
                (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                (br_if $again (local.get $i))))))
    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (call $run (local.get 0) (local.get 1))
        (global.set $heap (i32.const 1048576))
        (i64.store (i32.const 32) (i64.const 0))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (call $run (local.get 0) (local.get 1))
        (global.set $heap (i32.const 1048576)))
    (func (export "resident:app/contract-entrypoints#finalize"))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32)
        (global.set $heap (i32.const 1048576)))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#
    )
}

/// All host functions of the cases.
const IMPORTS: &str = r#"
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/storage" "contains-key" (func $contains (param i32 i32) (result i32)))
    (import "resident:app/storage" "contains-keys" (func $contains_keys (param i32 i32 i32)))
    (import "resident:app/storage" "read-value" (func $read (param i32 i32 i32)))
    (import "resident:app/storage" "read-values" (func $read_values (param i32 i32 i32)))
    (import "resident:app/storage" "find-keys" (func $find_keys (param i32 i32 i32)))
    (import "resident:app/storage" "find-key-values" (func $find_key_values (param i32 i32 i32)))
    (import "resident:app/runtime" "application-parameters" (func $parameters (param i32)))
    (import "resident:app/runtime" "chain-id" (func $chain_id (param i32)))
    (import "resident:app/runtime" "block-height" (func $height (result i64)))
    (import "resident:app/runtime" "authenticated-owner" (func $signer (param i32)))
    (import "resident:app/runtime" "owner-balance"
        (func $balance (param i32 i64 i64 i64 i64 i32)))
    (import "resident:app/runtime" "transfer"
        (func $transfer (param i32 i64 i64 i64 i64 i64 i64 i64 i64 i32 i64 i64 i64 i64 i64 i64)))
    (import "resident:app/runtime" "send-message" (func $send (param i32)))
    (import "resident:app/runtime" "call-application"
        (func $call (param i32 i64 i64 i64 i64 i32 i32 i32)))
    (import "resident:app/runtime" "create-data-blob" (func $blob (param i32 i32 i32)))
    (import "resident:app/runtime" "close-chain" (func $close (param i32)))
    (import "resident:app/runtime" "chain-ownership" (func $ownership (param i32)))
    (import "resident:app/runtime" "change-ownership" (func $change (param i32 i32 i32)))
    (import "resident:app/runtime" "emit" (func $emit (param i32 i32 i32 i32) (result i32)))
    (import "resident:app/runtime" "read-event"
        (func $read_event (param i64 i64 i64 i64 i32 i32 i32 i32)))
    (import "resident:app/runtime" "subscribe-to-events"
        (func $subscribe (param i64 i64 i64 i64 i64 i64 i64 i64 i32 i32)))
    (import "resident:app/diagnostics" "log" (func $log (param i32 i32 i32)))"#;
