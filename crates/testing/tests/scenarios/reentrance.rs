//! An application is entered once at a time.

use resident_chain::StagingPolicy;
use resident_execution::FailureReason;
use resident_testing::{PAIRS, TestChains};

use crate::{
    bundles::{assert_leaves_no_trace, stranger},
    gadget,
};

#[test]
fn an_application_cannot_be_called_while_it_runs() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let [first, second, third] = gadget::create(&chains, &chain);
    let itself = gadget::call(first, b"bw");
    let through_one = gadget::call(second, &itself);
    let through_two = gadget::call(third, &through_one);
    for (commands, by) in [
        (&itself, first),
        (&through_one, second),
        (&through_two, second),
    ] {
        let operation = [gadget::operation(first, commands)];
        let error = chains
            .stage_everywhere(&chain, &operation, &StagingPolicy::Abort)
            .err();
        let error = error.expect("the call is refused").to_string();
        let id = first;
        assert!(
            error.contains(&format!("application {id} is already on the call stack")),
            "{error}"
        );
        assert!(
            error.contains(&format!("application {by}: call refused")),
            "{error}"
        );

        let transactions = [
            gadget::message(first, stranger(1), 1, &[b"b"]),
            gadget::message(first, stranger(1), 2, &[commands]),
            gadget::message(first, stranger(1), 3, &[b"bw"]),
        ];
        let policy = TestChains::auto_retry(0);
        let with = assert_leaves_no_trace(&chains, &chain, &transactions, &[1], &policy);
        let failure = &with.staged.rejected[0].1;
        assert_eq!(failure.application_id, Some(by));
        assert_eq!(failure.reason, FailureReason::Reentrance { callee: first });
    }
}

#[test]
fn calls_one_after_the_other_and_both_ways_are_fine() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let [first, second] = gadget::create(&chains, &chain);
    let block = [
        gadget::operation(first, &gadget::call(second, b"bw")),
        gadget::operation(second, &gadget::call(first, b"bw")),
        gadget::operation(first, &gadget::call(second, b"b")),
        gadget::operation(second, b""),
    ];
    let staged = chains
        .stage_everywhere(&chain, &block, &StagingPolicy::Abort)
        .unwrap();
    let outcome = &staged.staged.execution.executed.outcome;
    let last = gadget::Observed::from_bytes(&outcome.transactions[3].response);
    assert_eq!((last.in_memory, last.in_global), (2, 2));
}
