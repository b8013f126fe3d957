//! However deep, wide or large: a limit is a failure like any other, and the same everywhere.

use resident_base::ApplicationId;
use resident_chain::{DropReason, StagingPolicy, Transaction};
use resident_execution::{Failure, FailureReason, LimitKind, Operation, SystemOperation};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{self, assert_leaves_no_trace, stranger},
    gadget,
};

/// Applications that may be on the call stack, and in a block.
const MAX_DEPTH: usize = 64;
const MAX_APPLICATIONS: usize = 100;

/// As many gadgets, made in blocks that are not too large for that themselves.
fn create_many(chains: &TestChains, chain: &TestChain, count: usize) -> Vec<ApplicationId> {
    let module_id = chains.publish_code(chain, gadget::code());
    let create = Operation::System(SystemOperation::CreateApplication {
        module_id,
        parameters: b"null".to_vec(),
        instantiation_argument: b"null".to_vec(),
        required_application_ids: Vec::new(),
    });
    let mut gadgets = Vec::new();
    while gadgets.len() < count {
        let block = (count - gadgets.len()).min(MAX_APPLICATIONS);
        let executed = chains.run(chain, vec![create.clone(); block]);
        let responses = executed
            .outcome
            .transactions
            .iter()
            .map(|outcome| &outcome.response);
        gadgets.extend(responses.map(|id| bcs::from_bytes::<ApplicationId>(id).expect("an id")));
    }
    gadgets
}

/// Commands for the first gadget: each calls the next, and the last does what is given.
fn call_through(gadgets: &[ApplicationId], innermost: &[u8]) -> Vec<u8> {
    let callees = gadgets[1..].iter().rev();
    callees.fold(innermost.to_vec(), |commands, callee| {
        gadget::call(*callee, &commands)
    })
}

fn failure(
    chains: &TestChains,
    chain: &TestChain,
    gadgets: &[ApplicationId],
    innermost: &[u8],
) -> Failure {
    let transactions = [
        gadget::message(
            gadgets[0],
            stranger(1),
            1,
            &[&call_through(gadgets, innermost)],
        ),
        gadget::message(gadgets[0], stranger(1), 2, &[b"bw"]),
    ];
    let policy = TestChains::auto_retry(0);
    let mut with = assert_leaves_no_trace(chains, chain, &transactions, &[0], &policy);
    with.staged.rejected.remove(0).1
}

#[test]
fn calls_nest_as_deep_as_they_may_and_no_deeper() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let gadgets = create_many(&chains, &chain, MAX_DEPTH + 1);
    let deepest = &gadgets[..MAX_DEPTH];
    let passes = [gadget::operation(
        gadgets[0],
        &call_through(deepest, b"bgw"),
    )];
    let staged = chains
        .stage_everywhere(&chain, &passes, &StagingPolicy::Abort)
        .unwrap();
    assert_eq!(staged.committed[0].loads, MAX_DEPTH as u64);

    let too_deep = failure(&chains, &chain, &gadgets, b"b");
    assert_eq!(too_deep.reason, FailureReason::Limit(LimitKind::CallDepth));
    assert_eq!(too_deep.application_id, Some(gadgets[MAX_DEPTH - 1]));
    // Endless recursion at the very bottom, where the thread's own stack is fullest.
    let exhausted = failure(&chains, &chain, deepest, b"br");
    assert_eq!(
        exhausted.to_string(),
        format!("application {}: call stack exhausted", deepest[63])
    );
}

#[test]
fn a_block_has_room_for_so_many_applications() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let gadgets = create_many(&chains, &chain, MAX_APPLICATIONS + 1);
    let bundles: Vec<Transaction> = (1..)
        .zip(&gadgets)
        .map(|(height, gadget)| gadget::message(*gadget, stranger(1), height, &[b"bw"]))
        .collect();
    let policy = TestChains::auto_retry(3);
    let staged = chains.stage_everywhere(&chain, &bundles, &policy).unwrap();
    assert_eq!(
        staged.staged.execution.trace.stores,
        MAX_APPLICATIONS as u64
    );
    let reasons: Vec<_> = staged
        .staged
        .dropped
        .iter()
        .map(|(_, reason)| reason)
        .collect();
    let [DropReason::Failed(failure)] = reasons[..] else {
        panic!("{reasons:?}")
    };
    assert_eq!(
        failure.reason,
        FailureReason::Crowded(LimitKind::Applications)
    );
}

#[test]
fn an_operation_that_the_contract_has_no_room_for() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let [gadget] = gadget::create(&chains, &chain);
    let large = TestChains::raw_operation(gadget, vec![0; 300_000]);
    let large = [bundles::operation(large)];
    let error = chains
        .stage_everywhere(&chain, &large, &StagingPolicy::Abort)
        .err();
    let error = error.expect("memory is smaller than that").to_string();
    assert!(
        error.contains("the contract's allocator is broken"),
        "{error}"
    );
    let passes = [gadget::operation(gadget, b"bw")];
    chains
        .add_everywhere(&chain, &passes, &StagingPolicy::Abort)
        .expect("the chain goes on");
}
