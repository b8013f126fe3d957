//! What is tried with little fuel, because others have spent so much in vain, is the same when it is run with all of it.

use resident_base::Bytecode;
use resident_execution::ResourcePolicy;
use resident_testing::{PAIRS, TestChains};

use crate::{
    bundles::{self, stranger},
    gadget,
};

/// A contract that keeps what is left of its fuel, for each message.
const TEXT: &str = r#"(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/runtime" "remaining-fuel" (func $remaining_fuel (result i64)))
    (memory (export "memory") 1 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (i64.store (i32.const 256) (call $remaining_fuel))
        (i32.store8 (i32.const 300) (i32.const 107))
        (i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (i32.const 300))
        (i32.store (i32.const 312) (i32.const 1))
        (i32.store (i32.const 316) (i32.const 256))
        (i32.store (i32.const 320) (i32.const 8))
        (call $write_batch (i32.const 304) (i32.const 1)))
    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (i64.store (i32.const 32) (i64.const 0))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#finalize"))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;

/// A contract could see that it had little. Then nobody could repeat the block, its proposer neither.
#[test]
fn a_contract_cannot_tell_that_it_has_little() {
    let free = TestChains::new(PAIRS[0]);
    let chain = free.open_root(1);
    let [burner] = gadget::create(&free, &chain);
    let code = Bytecode::new(wat::parse_str(TEXT).expect("the text is a module"));
    let module = free.publish_code(&chain, code);
    let watcher = free.create(&chain, module, &(), &(), Vec::new());
    let mut policy = ResourcePolicy::default();
    policy.limits.transaction_fuel = 10_000_000;
    let chains = TestChains::with_store(PAIRS[0], free.store().clone()).with_policy(policy);
    let mut block: Vec<_> = (2..6)
        .map(|origin| gadget::message(burner, stranger(origin), 1, &[b"l"]))
        .collect();
    block.push(bundles::bundle(
        stranger(9),
        1,
        None,
        vec![(watcher, Vec::new())],
    ));
    let staged = chains
        .add_everywhere(&chain, &block, &TestChains::auto_retry(1))
        .unwrap()
        .staged;
    // Two transactions' fuel may be spent in vain, and somewhat more.
    assert_eq!((staged.rejected.len(), staged.dropped.len()), (3, 1));
    assert_eq!(staged.execution.executed.block.transactions.len(), 3 + 1);
}
