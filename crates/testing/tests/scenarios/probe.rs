//! An application that does what the bytes of a query or an operation tell it to: a service that looks
//! around, and a contract that asks services.

use resident_base::{ApplicationId, Bytecode};
use resident_chain::Transaction;
use resident_execution::{Operation, SystemOperation};
use resident_testing::{TestChain, TestChains};

use crate::bundles;

/// Publishes both, and creates as many applications of them, in one block.
pub(crate) fn create<const N: usize>(chains: &TestChains, chain: &TestChain) -> [ApplicationId; N] {
    let module_id = chains.publish_with_service(chain, contract(), service());
    let create = Operation::System(SystemOperation::CreateApplication {
        module_id,
        parameters: b"null".to_vec(),
        instantiation_argument: b"null".to_vec(),
        required_application_ids: Vec::new(),
    });
    let block = chains.run(chain, vec![create; N]);
    let ids = block.outcome.transactions.iter();
    let ids = ids.map(|created| bcs::from_bytes(&created.response).expect("an id"));
    ids.collect::<Vec<_>>()
        .try_into()
        .expect("one per creation")
}

/// An operation that sets the value that the service reads.
pub(crate) fn set(id: ApplicationId, value: &[u8]) -> Transaction {
    command(id, &[b"w", value])
}

/// An operation that responds with what a service answers.
pub(crate) fn ask(id: ApplicationId, asked: ApplicationId, query: &[u8]) -> Transaction {
    command(id, &[&question(asked, query)])
}

/// What makes the contract ask a service.
pub(crate) fn question(asked: ApplicationId, query: &[u8]) -> Vec<u8> {
    let hash = asked.application_description_hash;
    [b"a", hash.as_bytes().as_slice(), query].concat()
}

/// A query that the service passes on to another one.
pub(crate) fn through(asked: ApplicationId, query: &[u8]) -> Vec<u8> {
    let hash = asked.application_description_hash;
    [b"q", hash.as_bytes().as_slice(), query].concat()
}

fn command(id: ApplicationId, parts: &[&[u8]]) -> Transaction {
    bundles::operation(TestChains::raw_operation(id, parts.concat()))
}

pub(crate) fn contract() -> Bytecode {
    compile(&CONTRACT.replace("ALLOCATOR", ALLOCATOR))
}

pub(crate) fn service() -> Bytecode {
    compile(&SERVICE.replace("ALLOCATOR", ALLOCATOR))
}

/// A service with one import more.
pub(crate) fn service_with(import: &str) -> Bytecode {
    let allocator = format!("{import}\n{ALLOCATOR}");
    compile(&SERVICE.replace("ALLOCATOR", &allocator))
}

fn compile(text: &str) -> Bytecode {
    Bytecode::new(wat::parse_str(text).expect("the text is a module"))
}

const ALLOCATOR: &str = r#"
    (memory (export "memory") 2 40)
    (global $heap (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))
    ;; The key "k" is at 16; what is responded is described at 32.
    (data (i32.const 16) "k")
    (func $respond (param $address i32) (param $length i32) (result i32)
        (i32.store (i32.const 32) (local.get $address))
        (i32.store (i32.const 36) (local.get $length))
        (i32.const 32))
"#;

/// The first byte of a query says what it does:
///
/// | byte | |
/// |---|---|
/// | `n` | responds with how many such queries the instance answered, itself included |
/// | `v` | responds with the stored value |
/// | `t` | responds with the height and the time |
/// | `o` | responds with the number of owners that have native tokens |
/// | `s` | schedules the rest as an operation |
/// | `q` | asks the service of the application whose 32 bytes follow, with the rest |
/// | `w` | tries to write |
/// | `x` | reaches `unreachable` |
/// | `p` | panics |
/// | `l` | loops for ever |
/// | `h` | calls the host for ever |
/// | `r` | calls itself for ever |
const SERVICE: &str = r#"(module
    (import "resident:app/runtime" "block-height" (func $height (result i64)))
    (import "resident:app/runtime" "system-time" (func $time (result i64)))
    (import "resident:app/storage" "read-value" (func $read (param i32 i32 i32)))
    (import "resident:app/storage" "write-batch" (func $write (param i32 i32)))
    (import "resident:app/service-runtime" "query-application"
        (func $query (param i64 i64 i64 i64 i32 i32 i32)))
    (import "resident:app/service-runtime" "schedule-operation" (func $schedule (param i32 i32)))
    (import "resident:app/service-runtime" "owner-balances" (func $balances (param i32)))
    (import "resident:app/service-runtime" "balance-owners" (func $owners (param i32)))
    (import "resident:app/diagnostics" "panic" (func $panic (param i32 i32)))
    ALLOCATOR
    (data (i32.const 600) "as it was told")
    (global $count (mut i32) (i32.const 0))

    (func (export "resident:app/service-entrypoints#handle-query")
        (param $address i32) (param $length i32) (result i32)
        (local $command i32)
        (local.set $command (i32.load8_u (local.get $address)))
        (local.set $address (i32.add (local.get $address) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (if (i32.eq (local.get $command) (i32.const 110)) (then
            (global.set $count (i32.add (global.get $count) (i32.const 1)))
            (i32.store (i32.const 64) (global.get $count))
            (return (call $respond (i32.const 64) (i32.const 4)))))
        (if (i32.eq (local.get $command) (i32.const 118)) (then
            (call $read (i32.const 16) (i32.const 1) (i32.const 48))
            (if (i32.eqz (i32.load8_u (i32.const 48)))
                (then (return (call $respond (i32.const 0) (i32.const 0)))))
            (return (call $respond (i32.load (i32.const 52)) (i32.load (i32.const 56))))))
        (if (i32.eq (local.get $command) (i32.const 116)) (then
            (i64.store (i32.const 64) (call $height))
            (i64.store (i32.const 72) (call $time))
            (return (call $respond (i32.const 64) (i32.const 16)))))
        (if (i32.eq (local.get $command) (i32.const 111)) (then
            (call $balances (i32.const 48))
            (i32.store (i32.const 64) (i32.load (i32.const 52)))
            (call $owners (i32.const 48))
            (i32.store (i32.const 68) (i32.load (i32.const 52)))
            (return (call $respond (i32.const 64) (i32.const 8)))))
        (if (i32.eq (local.get $command) (i32.const 115)) (then
            (call $schedule (local.get $address) (local.get $length))))
        (if (i32.eq (local.get $command) (i32.const 113)) (then
            (call $query
                (i64.load align=1 (local.get $address))
                (i64.load offset=8 align=1 (local.get $address))
                (i64.load offset=16 align=1 (local.get $address))
                (i64.load offset=24 align=1 (local.get $address))
                (i32.add (local.get $address) (i32.const 32))
                (i32.sub (local.get $length) (i32.const 32))
                (i32.const 48))
            (return (call $respond (i32.load (i32.const 48)) (i32.load (i32.const 52))))))
        (if (i32.eq (local.get $command) (i32.const 119)) (then
            (call $write (i32.const 0) (i32.const 0))))
        (if (i32.eq (local.get $command) (i32.const 120)) (then (unreachable)))
        (if (i32.eq (local.get $command) (i32.const 112))
            (then (call $panic (i32.const 600) (i32.const 14))))
        (if (i32.eq (local.get $command) (i32.const 108)) (then (loop $again (br $again))))
        (if (i32.eq (local.get $command) (i32.const 104))
            (then (loop $again (drop (call $height)) (br $again))))
        (if (i32.eq (local.get $command) (i32.const 114))
            (then (drop (call $deeper (i32.const 0)))))
        (call $respond (i32.const 0) (i32.const 0)))

    (func $deeper (param i32) (result i32)
        (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
)"#;

/// The first byte of an operation or a message says what it does:
///
/// | byte | |
/// |---|---|
/// | `w` | writes the rest as the value |
/// | `a` | asks the service of the application whose 32 bytes follow, with the rest; responds with its answer |
/// | `A` | as `a`, and writes the answer as the value |
/// | `x` | as `a`, and reaches `unreachable` |
/// | `f` | as `A`, when the block is finalized |
const CONTRACT: &str = r#"(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/runtime" "query-service"
        (func $ask (param i64 i64 i64 i64 i32 i32 i32)))
    ALLOCATOR

    (func $write (param $address i32) (param $length i32)
        (i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (i32.const 16))
        (i32.store (i32.const 312) (i32.const 1))
        (i32.store (i32.const 316) (local.get $address))
        (i32.store (i32.const 320) (local.get $length))
        (call $write_batch (i32.const 304) (i32.const 1)))

    (func $act (param $address i32) (param $length i32) (result i32)
        (local $command i32)
        (local.set $command (i32.load8_u (local.get $address)))
        (local.set $address (i32.add (local.get $address) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (if (i32.eq (local.get $command) (i32.const 119)) (then
            (call $write (local.get $address) (local.get $length))
            (return (call $respond (i32.const 0) (i32.const 0)))))
        (if (i32.eq (local.get $command) (i32.const 102)) (then
            (i32.store (i32.const 2048) (local.get $length))
            (memory.copy (i32.const 2052) (local.get $address) (local.get $length))
            (return (call $respond (i32.const 0) (i32.const 0)))))
        (call $ask
            (i64.load align=1 (local.get $address))
            (i64.load offset=8 align=1 (local.get $address))
            (i64.load offset=16 align=1 (local.get $address))
            (i64.load offset=24 align=1 (local.get $address))
            (i32.add (local.get $address) (i32.const 32))
            (i32.sub (local.get $length) (i32.const 32))
            (i32.const 48))
        (if (i32.eq (local.get $command) (i32.const 120)) (then (unreachable)))
        (if (i32.eq (local.get $command) (i32.const 65)) (then
            (call $write (i32.load (i32.const 48)) (i32.load (i32.const 52)))))
        (call $respond (i32.load (i32.const 48)) (i32.load (i32.const 52))))

    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (call $act (local.get 0) (local.get 1)))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (drop (call $act (local.get 0) (local.get 1))))
    ;; The byte before the question is the command.
    (func (export "resident:app/contract-entrypoints#finalize")
        (if (i32.load (i32.const 2048)) (then
            (i32.store8 (i32.const 2051) (i32.const 65))
            (drop (call $act
                (i32.const 2051)
                (i32.add (i32.load16_u (i32.const 2048)) (i32.const 1)))))))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;
