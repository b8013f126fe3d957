//! The end of a block: every application once, the last loaded first, and none calls another.

use netting::{InitialBalances, NettingAbi, Operation};
use resident_base::{Account, Amount, ApplicationId, Bytecode};
use resident_chain::{BlockError, ExecutedBlock, StagingPolicy, Transaction};
use resident_execution::{Failure, FailureReason, Message};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{bundles, gadget};

/// A contract that remembers its latest operation, and when the block ends calls the application that it names,
/// with the rest. Without one it ends in silence.
const CALLER: &str = r#"(module
    (import "resident:app/runtime" "call-application"
        (func $call_application (param i32 i64 i64 i64 i64 i32 i32 i32)))
    (memory (export "memory") 1 1)
    (global $heap (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))
    (func (export "resident:app/contract-entrypoints#execute-operation") (param i32 i32) (result i32)
        (i32.store (i32.const 64) (local.get 0))
        (i32.store (i32.const 68) (local.get 1))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#finalize")
        (local $address i32)
        (local.set $address (i32.load (i32.const 64)))
        (if (i32.ge_u (i32.load (i32.const 68)) (i32.const 32)) (then
            (call $call_application
                (i32.const 1)
                (i64.load align=1 (local.get $address))
                (i64.load offset=8 align=1 (local.get $address))
                (i64.load offset=16 align=1 (local.get $address))
                (i64.load offset=24 align=1 (local.get $address))
                (i32.add (local.get $address) (i32.const 32))
                (i32.sub (i32.load (i32.const 68)) (i32.const 32))
                (i32.const 48)))))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;

/// Builds the block everywhere, and runs it everywhere as it is: an application refuses it every time, for the
/// same reason.
pub(crate) fn refuse(
    chains: &TestChains,
    chain: &TestChain,
    block: &[Transaction],
) -> (ApplicationId, Failure) {
    let policy = StagingPolicy::Abort;
    let staged = chains.stage_everywhere(chain, block, &policy);
    let staged = refusal(staged.err().expect("the block is refused"));
    let empty = chains.stage_everywhere(chain, &[], &policy);
    let ExecutedBlock {
        block: mut fixed,
        outcome,
    } = empty.unwrap().staged.execution.executed;
    fixed.transactions = block.to_vec();
    let executed = ExecutedBlock {
        block: fixed,
        outcome,
    };
    for pair in PAIRS {
        let error = chains.execute(pair, &executed).err();
        assert_eq!(refusal(error.expect("the block is refused")), staged);
    }
    staged
}

/// Which application refused a block, and why. The error names it.
pub(crate) fn refusal(error: BlockError) -> (ApplicationId, Failure) {
    let text = error.to_string();
    let BlockError::Refused {
        application_id,
        failure,
    } = error
    else {
        panic!("another error than expected: {text}")
    };
    let expected = format!(
        "application {application_id} refused the block: {}",
        failure.reason
    );
    assert_eq!(text, expected);
    assert_eq!(failure.application_id, Some(application_id));
    (application_id, failure)
}

#[test]
fn nobody_can_be_called() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let code = Bytecode::new(wat::parse_str(CALLER).expect("the text is a module"));
    let module = chains.publish_code(&chain, code);
    let caller = chains.create(&chain, module, &(), &(), Vec::new());
    let [other] = gadget::create(&chains, &chain);
    let call = |callee| gadget::operation(caller, &gadget::call(callee, b"b")[1..]);
    let used = gadget::operation(other, b"b");
    // Never loaded in this block; loaded before the caller, so not finalized yet; loaded after it, so finalized.
    let blocks = [
        vec![call(other)],
        vec![used.clone(), call(other)],
        vec![call(other), used.clone()],
    ];
    for block in blocks {
        let (refused_by, failure) = refuse(&chains, &chain, &block);
        assert_eq!(refused_by, caller);
        let reason = FailureReason::CallInFinalization { callee: other };
        assert_eq!(failure.reason, reason);
        assert_eq!(failure.application_id, Some(caller));
    }
    let (refused_by, failure) = refuse(&chains, &chain, &[call(caller)]);
    assert_eq!(refused_by, caller);
    let reason = FailureReason::Reentrance { callee: caller };
    assert_eq!(failure.reason, reason);
    // Only what it remembers at the end counts.
    let silent = gadget::operation(caller, b"");
    let block = [call(other), used, silent];
    let policy = StagingPolicy::Abort;
    chains
        .stage_everywhere(&chain, &block, &policy)
        .expect("nobody is called");
}

#[test]
fn the_last_loaded_comes_first() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let away = chains.open_root(2);
    let module = chains.publish(&chain, "netting");
    let balances = InitialBalances::from([(chain.owner, Amount::from_tokens(9))]);
    let applications: [ApplicationId<NettingAbi>; 3] = [(); 3].map(|()| {
        let application = chains.create(&chain, module, &(), &balances, Vec::new());
        application.with_abi()
    });
    let transfer = |index: usize| {
        let transfer = Operation::Transfer {
            source: Account::new(chain.id, chain.owner),
            amount: Amount::ONE,
            target: Account::new(away.id, away.owner),
        };
        bundles::operation(TestChains::operation(applications[index], &transfer))
    };
    // The first use counts, and each is finalized once however often it was used.
    let orders: [&[usize]; 3] = [&[0, 1, 2, 0], &[2, 0, 2, 1, 1], &[1, 2, 0, 1, 2]];
    let expected = [[2, 1, 0], [1, 0, 2], [0, 2, 1]];
    for (order, expected) in orders.iter().zip(expected) {
        let block: Vec<_> = order.iter().map(|index| transfer(*index)).collect();
        let staged = chains
            .stage_everywhere(&chain, &block, &StagingPolicy::Abort)
            .unwrap();
        let sent = &staged.staged.execution.executed.outcome;
        let senders = sent.finalization.effects.messages.iter().map(|sent| {
            let Message::User { application_id, .. } = &sent.message else {
                panic!("a message of the system: {sent:?}")
            };
            *application_id
        });
        assert!(senders.eq(expected.map(|index| applications[index].forget_abi())));
        for trace in staged.staging.iter().chain(&staged.committed) {
            assert_eq!((trace.loads, trace.stores), (3, 3));
        }
    }
}
