//! Long blocks of good and failing bundles, with operations in between, on two applications that call
//! each other: runs of good bundles share checkpoints, and whatever lies between a checkpoint and a
//! failure has to be brought back as it was.

use resident_base::{Amount, ApplicationId};
use resident_chain::{StagingPolicy, Transaction};
use resident_execution::ResourcePolicy;
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{assert_leaves_no_trace, stranger},
    gadget,
    random::Random,
};

const BLOCKS: usize = 12;
const STEPS: u64 = 45;
/// Senders whose bundles may fail.
const SENDERS: u8 = 3;
/// A sender whose bundles may run out of fuel.
const HUNGRY: u8 = 9;

#[test]
fn random_failures_leave_no_trace() {
    let mut policy = ResourcePolicy::default();
    policy.limits.transaction_fuel = 1_000_000;
    // Failing bundles are free of charge.
    policy.prices.fuel = Amount::from_attos(3);
    policy.prices.write_operation = Amount::from_attos(1_000);
    let chains = TestChains::new(PAIRS[0]).with_policy(policy);
    let chain = chains.open_root(1);
    let gadgets = gadget::create(&chains, &chain);
    let mut random = Random::new(21);
    let (mut failures, mut replays) = (0, 0);
    for _ in 0..BLOCKS {
        let mut block = Block::new(gadgets);
        // A few failures in long runs, or many.
        let bad = [3, 10, 40][random.below(3) as usize];
        for _ in 0..STEPS {
            block.add_random(&mut random, bad);
        }
        block.end();
        let policy = TestChains::auto_retry(100);
        let with = assert_leaves_no_trace(
            &chains,
            &chain,
            &block.transactions,
            &block.failing,
            &policy,
        );
        assert!(with.staged.execution.executed.outcome.fees > Amount::ZERO);
        failures += block.failing.len();
        replays += with.staged.executions - block.transactions.len() as u64;
        commit(&chains, &chain, &block);
    }
    assert!(failures > 30, "{failures} failures");
    assert!(replays > 30, "{replays} executions more than transactions");
}

/// Stores the block, so that the next one begins with state.
fn commit(chains: &TestChains, chain: &TestChain, block: &Block) {
    let transactions = block.transactions.iter().enumerate();
    let good = transactions.filter(|(index, _)| !block.failing.contains(index));
    let good: Vec<_> = good.map(|(_, transaction)| transaction.clone()).collect();
    // Cursors are counted from the start in every block, so bundles must not be in it.
    let operations: Vec<_> = good
        .into_iter()
        .filter(|step| step.bundle().is_none())
        .collect();
    chains
        .add_everywhere(chain, &operations, &StagingPolicy::Abort)
        .expect("they passed");
}

struct Block {
    gadgets: [ApplicationId; 2],
    transactions: Vec<Transaction>,
    failing: Vec<usize>,
}

impl Block {
    fn new(gadgets: [ApplicationId; 2]) -> Self {
        let transactions = vec![gadget::operation(gadgets[0], b"bw")];
        Self {
            gadgets,
            transactions,
            failing: Vec::new(),
        }
    }

    fn add_random(&mut self, random: &mut Random, bad: u64) {
        let first = random.below(2) as usize;
        let second = self.gadgets[1 - first];
        let mut commands = good(random);
        if random.percent(10) {
            if random.percent(50) {
                commands.extend(gadget::call(second, &good(random)));
            }
            return self
                .transactions
                .push(gadget::operation(self.gadgets[first], &commands));
        }
        if random.percent(5) {
            return self.add_hungry(first, commands, random.percent(30));
        }
        let failing = random.percent(bad);
        let mut innermost = good(random);
        if failing {
            innermost.push(b"xipr"[random.below(4) as usize]);
        }
        if random.percent(40) {
            commands.extend(gadget::call(second, &innermost));
        } else {
            commands.extend(innermost);
        }
        let sender = 1 + random.below(SENDERS.into()) as u8;
        self.add(first, sender, &commands, failing);
    }

    fn add_hungry(&mut self, first: usize, mut commands: Vec<u8>, starves: bool) {
        if starves {
            commands.push(b'l');
        }
        self.add(first, HUNGRY, &commands, starves);
    }

    fn add(&mut self, first: usize, sender: u8, commands: &[u8], failing: bool) {
        let position = self.transactions.len();
        if failing {
            self.failing.push(position);
        }
        let height = position as u64;
        let message = gadget::message(self.gadgets[first], stranger(sender), height, &[commands]);
        self.transactions.push(message);
    }

    /// A good bundle of every sender that can have been rejected, and what all of it came to.
    fn end(&mut self) {
        for sender in (1..=SENDERS).chain([HUNGRY]) {
            self.add(0, sender, b"b", false);
        }
        let gadgets = self.gadgets;
        self.transactions
            .extend(gadgets.map(|gadget| gadget::operation(gadget, b"w")));
    }
}

fn good(random: &mut Random) -> Vec<u8> {
    let length = random.below(4);
    // Growing is rarer, since memory has a limit.
    (0..length)
        .map(|_| b"bbwwbwbg"[random.below(8) as usize])
        .collect()
}
