//! An application that refuses a block because of one bundle among a hundred that are good: it is found and
//! rejected, wherever it stands, and the others stay.

use resident_base::ApplicationId;
use resident_chain::{StagedBlock, Transaction};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{bundles::stranger, gadget, messages::reject};

const GOOD: usize = 100;

struct Scene {
    chains: TestChains,
    chain: TestChain,
    gadgets: [ApplicationId; 2],
}

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let gadgets = gadget::create(&chains, &chain);
        Self {
            chains,
            chain,
            gadgets,
        }
    }

    /// A hundred good bundles, each from a chain of its own.
    fn good(&self, gadget: usize) -> Vec<Transaction> {
        let good = |origin| gadget::message(self.gadgets[gadget], stranger(origin), 1, &[b"bw"]);
        (0..GOOD as u8).map(good).collect()
    }

    /// A bundle that passes, and that makes the gadget refuse the block.
    fn veto(&self, gadget: usize, origin: u8) -> Transaction {
        gadget::message(self.gadgets[gadget], stranger(origin), 1, &[b"b", b"bf"])
    }

    fn stage(&self, block: &[Transaction]) -> StagedBlock {
        let policy = TestChains::auto_retry(0);
        let staged = self
            .chains
            .stage_everywhere(&self.chain, block, &policy)
            .unwrap_or_else(|error| panic!("there is a block without them: {error}"));
        assert!(
            staged.staged.dropped.is_empty(),
            "{:?}",
            staged.staged.dropped
        );
        staged.staged
    }

    /// Builds the block, in which the given bundles must be rejected in the name of the given gadgets, after at
    /// most so many executions; and the block that rejects them from the start, which must be the same.
    fn check(&self, block: &[Transaction], vetoes: &[(usize, usize)], most_executions: usize) {
        let staged = self.stage(block);
        let rejected = staged.rejected.iter().map(|(incoming, failure)| {
            assert!(failure.reason.to_string().contains("unreachable"));
            (incoming.origin, failure.application_id)
        });
        let expected = vetoes.iter().map(|(position, gadget)| {
            let origin = block[*position].bundle().expect("it is a bundle").origin;
            (origin, Some(self.gadgets[*gadget]))
        });
        assert!(rejected.eq(expected), "others were rejected");
        let most_passes = (vetoes.len() as u64 + 1) * (7 + 4);
        assert!(staged.passes <= most_passes, "{} passes", staged.passes);
        let executions = staged.executions;
        assert!(
            executions <= most_executions as u64,
            "{executions} executions"
        );

        let mut without = block.to_vec();
        for (position, _) in vetoes {
            without[*position] = reject(without[*position].clone());
        }
        let without = self.stage(&without);
        assert_eq!(without.executions, block.len() as u64);
        assert_eq!(staged.execution.executed, without.execution.executed);
    }
}

/// The last of a hundred and one: half of them are tried, three quarters, and so on.
#[test]
fn after_a_hundred_good_bundles() {
    let scene = Scene::new();
    let mut block = scene.good(0);
    block.push(scene.veto(0, 200));
    scene.check(&block, &[(GOOD, 0)], 8 * (GOOD + 1));
}

/// The first: twice as many passes would cost as much.
#[test]
fn before_a_hundred_good_bundles() {
    let scene = Scene::new();
    let mut block = vec![scene.veto(0, 200)];
    block.extend(scene.good(0));
    scene.check(&block, &[(0, 0)], 3 * (GOOD + 1) + 7);
}

#[test]
fn among_a_hundred_bundles_of_another_application() {
    let scene = Scene::new();
    let mut block = scene.good(1);
    block.insert(GOOD / 2, scene.veto(0, 200));
    scene.check(&block, &[(GOOD / 2, 0)], 6 * (GOOD + 1));
}

/// Two applications refuse, for a bundle each.
#[test]
fn by_two_applications() {
    let scene = Scene::new();
    let mut block = scene.good(0);
    block.push(scene.veto(0, 200));
    block.insert(3, scene.veto(1, 201));
    scene.check(&block, &[(3, 1), (GOOD + 1, 0)], 12 * (GOOD + 2));
}

/// One sender in three has one: each search begins where the last one ended.
#[test]
fn many_among_a_hundred() {
    let scene = Scene::new();
    let mut block = scene.good(0);
    let vetoes: Vec<_> = (0..30).map(|number| (number * 3, 0)).collect();
    for (position, gadget) in &vetoes {
        block[*position] = scene.veto(*gadget, 200 + (*position / 3) as u8);
    }
    scene.check(&block, &vetoes, 31 * (7 + 4) * GOOD);
}
