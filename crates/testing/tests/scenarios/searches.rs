//! What it costs to find out who makes an application refuse, or who has to give way, against what is paid for the block
//! that comes of it; and how long somebody waits meanwhile who stands in the middle of those.

use resident_chain::Transaction;
use resident_execution::ResourcePolicy;
use resident_testing::{PAIRS, TestChains};

use crate::{
    bundles::{self, stranger},
    evil::{self, Do},
};

const HOSTILE: usize = 99;

/// Four fifths of a transaction's fuel.
fn burn() -> Do {
    Do::new().spin(240_000)
}

fn veto() -> Do {
    Do::new().finally(&Do::new().trap())
}

/// Builds blocks of what these do until the honest one among them is in.
fn check(make: impl Fn(usize) -> Do, most_calls: u32, most_for_one: u64) {
    let mut policy = ResourcePolicy::default();
    policy.limits.transaction_fuel = 2_500_000;
    policy.limits.block_fuel = 250_000_000;
    let chains = TestChains::new(PAIRS[0]).with_policy(policy);
    let chain = chains.open_root(1);
    let module = chains.publish_code(&chain, evil::code());
    let bundle = |number: usize, commands: Do| {
        let app = chains.create(&chain, module, &number, &(), Vec::new());
        let origin = u8::try_from(number).expect("there are few");
        bundles::bundle(stranger(origin), 1, None, vec![(app, commands.0)])
    };
    let honest = bundle(HOSTILE, Do::new().finally(&Do::new().put(60)));
    let is_honest = |transaction: &Transaction| *transaction == honest;
    let mut waiting: Vec<_> = (0..HOSTILE).map(|it| bundle(it, make(it))).collect();
    waiting.insert(HOSTILE / 2, honest.clone());
    for _ in 0..most_calls {
        let policy = TestChains::auto_retry(16);
        let staged = chains.stage(&chain, waiting, &policy).unwrap();
        let executed = &staged.execution.executed;
        let paid = executed.outcome.resources.wasm_fuel;
        assert!(
            staged.spent_fuel <= paid * most_for_one,
            "{} spent for {paid}",
            staged.spent_fuel
        );
        if executed.block.transactions.iter().any(is_honest) {
            return;
        }
        let dropped = staged.dropped.into_iter();
        waiting = dropped
            .map(|(incoming, _)| Transaction::ReceiveMessages(incoming))
            .collect();
    }
    panic!("it still waits after {most_calls} blocks");
}

/// A single one used to be in each block, for which 270 times its fuel was spent.
#[test]
fn for_those_who_burn_at_both_ends() {
    check(|_| burn().finally(&burn()), 2, 6);
}

/// 1,660 times.
#[test]
fn for_those_who_burn_before_others_that_refuse() {
    let make = |number| if number < 80 { burn() } else { veto() };
    check(make, 1, 12);
}

/// 130 times.
#[test]
fn for_those_who_burn_between_others_that_refuse() {
    let make = |number| if number % 2 == 0 { burn() } else { veto() };
    check(make, 3, 60);
}
