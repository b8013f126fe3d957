//! Rolled back = never ran: whatever a failing bundle did to memory, globals, the allocator and the state.

use resident_base::ApplicationId;
use resident_chain::{StagingPolicy, Transaction};
use resident_execution::{FailureReason, ResourcePolicy};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{assert_leaves_no_trace, stranger},
    gadget::{self, Observed},
};

/// Enough for everything but loops.
const TRANSACTION_FUEL: u64 = 2_000_000;

/// Senders with what their bundles' messages command.
type Steps<'a> = &'a [(u8, &'a [&'a [u8]])];

struct Scene {
    chains: TestChains,
    chain: TestChain,
    gadget: ApplicationId,
}

impl Scene {
    fn new() -> Self {
        let mut policy = ResourcePolicy::default();
        policy.limits.transaction_fuel = TRANSACTION_FUEL;
        let chains = TestChains::new(PAIRS[0]).with_policy(policy);
        let chain = chains.open_root(1);
        let [gadget] = gadget::create(&chains, &chain);
        Self {
            chains,
            chain,
            gadget,
        }
    }

    /// Bundles from two senders, whose last ones are good, and what is observed after all of them.
    fn block(&self, steps: Steps<'_>) -> Vec<Transaction> {
        let bundles = (1..).zip(steps);
        let bundles = bundles.map(|(height, (origin, commands))| {
            gadget::message(self.gadget, stranger(*origin), height, commands)
        });
        bundles
            .chain([gadget::operation(self.gadget, b"bw")])
            .collect()
    }

    fn check(&self, steps: Steps<'_>, failing: &[usize]) -> Vec<FailureReason> {
        let transactions = self.block(steps);
        let policy = TestChains::auto_retry(8);
        let with =
            assert_leaves_no_trace(&self.chains, &self.chain, &transactions, failing, &policy);
        with.staged
            .rejected
            .into_iter()
            .map(|(_, failure)| failure.reason)
            .collect()
    }
}

#[test]
fn whatever_a_failing_bundle_did_is_undone() {
    let scene = Scene::new();
    let failing: [(&[u8], &str); 9] = [
        (b"bwx", "unreachable"),
        (b"bbwp", "panicked: as it was told"),
        (b"bi", "division by zero"),
        (b"x", "unreachable"),
        (b"gx", "unreachable"),
        (b"gggggbwx", "unreachable"),
        (b"br", "call stack exhausted"),
        (b"gbwr", "call stack exhausted"),
        (b"gp", "panicked"),
    ];
    for (commands, reason) in failing {
        // In the middle, as the first of the block, when memory had grown before, and as the last but one.
        let blocks: [(Steps<'_>, usize); 4] = [
            (
                &[(1, &[b"bw"]), (2, &[commands]), (2, &[b"bw"]), (1, &[b"g"])],
                1,
            ),
            (&[(2, &[commands]), (2, &[b"bw"]), (1, &[b"bw"])], 0),
            (
                &[(1, &[b"gg"]), (2, &[commands]), (1, &[b"gw"]), (2, &[b"b"])],
                1,
            ),
            (
                &[(2, &[b"g"]), (1, &[b"bw"]), (2, &[commands]), (2, &[b""])],
                2,
            ),
        ];
        for (steps, failing) in blocks {
            let reasons = scene.check(steps, &[failing]);
            assert_eq!(reasons.len(), 1);
            assert!(reasons[0].to_string().contains(reason), "{}", reasons[0]);
        }
    }
}

#[test]
fn what_the_rest_observes_is_what_it_would_have_been() {
    let scene = Scene::new();
    let observe = |steps: Steps<'_>| {
        let transactions = scene.block(steps);
        let policy = TestChains::auto_retry(8);
        let staged = scene
            .chains
            .stage_everywhere(&scene.chain, &transactions, &policy)
            .unwrap();
        let outcome = &staged.staged.execution.executed.outcome;
        Observed::from_bytes(&outcome.transactions.last().unwrap().response)
    };
    let plain = observe(&[(1, &[b"bg"]), (1, &[b"b"])]);
    assert_eq!((plain.pages, plain.in_memory, plain.in_global), (3, 3, 3));
    assert_eq!(
        plain.stack_pointer, 1024,
        "outside of a command the stack is empty"
    );
    let failed = observe(&[(1, &[b"bg"]), (2, &[b"bgggwx"]), (1, &[b"b"])]);
    assert_eq!(failed, plain);
    // The comparison can fail: a good bundle in the same place is seen.
    let other = observe(&[(1, &[b"bg"]), (2, &[b"bggg"]), (1, &[b"b"])]);
    assert_eq!((other.pages, other.in_memory), (6, 4));
    assert!(other.heap > plain.heap);
}

#[test]
fn failures_in_a_row_and_in_the_second_message_are_undone() {
    let scene = Scene::new();
    let reasons = scene.check(
        &[
            (1, &[b"bw"]),
            (2, &[b"bgx"]),
            (2, &[b"ggp"]),
            (1, &[b"bgw"]),
            (2, &[b"w"]),
        ],
        &[1, 2],
    );
    assert_eq!(reasons.len(), 2);
    scene.check(
        &[
            (1, &[b"b"]),
            (2, &[b"bgw", b"b", b"x"]),
            (1, &[b"w"]),
            (2, &[b"b"]),
        ],
        &[1],
    );
    // The first two of the block, so that the application is loaded three times.
    scene.check(&[(2, &[b"wx"]), (2, &[b"gx"]), (2, &[b"w"])], &[0, 1]);
}

#[test]
fn out_of_fuel_first_in_the_block_is_rejected_without_a_trace() {
    let scene = Scene::new();
    for commands in [&b"bgwl"[..], b"bm"] {
        let reasons = scene.check(&[(1, &[commands]), (1, &[b"bw"]), (2, &[b"b"])], &[0]);
        assert_eq!(reasons[0].to_string(), "out of fuel");
    }
}

#[test]
fn out_of_fuel_later_is_rejected_without_a_trace() {
    let scene = Scene::new();
    for commands in [&b"bgwl"[..], b"bm"] {
        // In no block would it have more fuel, so its sender's later bundle need not wait.
        let steps: [(u8, &[&[u8]]); 4] = [
            (1, &[b"bw"]),
            (2, &[commands]),
            (2, &[b"bw"]),
            (1, &[b"bw"]),
        ];
        let reasons = scene.check(&steps, &[1]);
        assert_eq!(reasons[0].to_string(), "out of fuel");
    }
}

#[test]
fn a_callee_is_undone_with_its_caller() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let [first, second] = gadget::create(&chains, &chain);
    let policy = TestChains::auto_retry(8);
    // The callee changes and then fails; or it passes, and the caller's second message fails.
    let call_fails = gadget::call(second, b"bgwx");
    let call_passes = gadget::call(second, b"bgw");
    for commands in [vec![&call_fails[..]], vec![&call_passes[..], b"x"]] {
        for warm in [true, false] {
            let mut transactions = vec![
                gadget::message(first, stranger(2), 1, &commands),
                gadget::message(first, stranger(2), 2, &[b"bw", &call_passes]),
                gadget::operation(second, b"bw"),
            ];
            if warm {
                transactions.insert(0, gadget::operation(second, b"bg"));
            }
            let failing = [usize::from(warm)];
            let with = assert_leaves_no_trace(&chains, &chain, &transactions, &failing, &policy);
            let failure = &with.staged.rejected[0].1;
            let failed = if commands.len() == 1 { second } else { first };
            assert_eq!(failure.application_id, Some(failed));
        }
    }
}

#[test]
fn whoever_makes_an_application_refuse_is_rejected_without_a_trace() {
    let scene = Scene::new();
    let steps: [(u8, &[&[u8]]); 4] = [(1, &[b"b"]), (2, &[b"bf"]), (1, &[b"bw"]), (2, &[b"b"])];
    let reasons = scene.check(&steps, &[1]);
    assert!(reasons[0].to_string().contains("unreachable"));
    let error = scene
        .chains
        .stage_everywhere(&scene.chain, &scene.block(&steps), &StagingPolicy::Abort)
        .err()
        .expect("an owner who wants to see failures sees this one");
    assert!(error.to_string().contains("refused the block"), "{error}");
}
