//! An application that refuses a block because of one bundle among a hundred that are good.

use resident_base::ApplicationId;
use resident_chain::{BlockError, DropReason, StagedBlock, Transaction};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{bundles::stranger, gadget};

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

    fn stage(&self, block: &[Transaction], max_failures: u32) -> Result<StagedBlock, BlockError> {
        let policy = TestChains::auto_retry(max_failures);
        let staged = self
            .chains
            .stage_everywhere(&self.chain, block, &policy)?
            .staged;
        assert!(staged.rejected.is_empty(), "{:?}", staged.rejected);
        Ok(staged)
    }

    /// Builds the block, from which the given bundles must be dropped in the name of the given gadgets, after so
    /// many executions; and the block without them, which must be the same.
    fn check(&self, block: &[Transaction], vetoes: &[(usize, usize)], executions: usize) {
        let staged = self.stage(block, 1).expect("there is a block without them");
        let dropped = staged.dropped.iter().map(|(incoming, reason)| {
            let DropReason::Refused(failure) = reason else {
                panic!("dropped for another reason: {reason:?}")
            };
            assert!(failure.reason.to_string().contains("unreachable"));
            (incoming.origin, failure.application_id)
        });
        let expected = vetoes.iter().map(|(position, gadget)| {
            let origin = block[*position].bundle().expect("it is a bundle").origin;
            (origin, Some(self.gadgets[*gadget]))
        });
        assert!(dropped.eq(expected), "others were dropped");
        assert_eq!(staged.executions, executions as u64);

        let is_good = |position: &usize| vetoes.iter().all(|(veto, _)| veto != position);
        let good = (0..block.len()).filter(is_good);
        let good: Vec<_> = good.map(|position| block[position].clone()).collect();
        let without = self.stage(&good, 1).expect("all of them are good");
        assert_eq!(without.executions, good.len() as u64);
        assert_eq!(staged.execution.executed, without.execution.executed);
    }
}

#[test]
fn after_a_hundred_good_bundles() {
    let scene = Scene::new();
    let mut block = scene.good(0);
    block.push(scene.veto(0, 200));
    scene.check(&block, &[(GOOD, 0)], GOOD + 1 + GOOD);
}

#[test]
fn among_a_hundred_bundles_of_another_application() {
    let scene = Scene::new();
    let mut block = scene.good(1);
    block.insert(GOOD / 2, scene.veto(0, 200));
    scene.check(&block, &[(GOOD / 2, 0)], GOOD + 1 + GOOD);
}

/// Two applications refuse, for a bundle each: one after the other is taken out.
#[test]
fn by_two_applications() {
    let scene = Scene::new();
    let mut block = scene.good(0);
    block.push(scene.veto(0, 200));
    block.insert(3, scene.veto(1, 201));
    let executions = 2 * (GOOD + 1) + 1 + GOOD;
    scene.check(&block, &[(3, 1), (GOOD + 1, 0)], executions);
}

/// The worst case: all hundred come after it and are taken out before it is found. More and more at once are,
/// so that this is bounded, and with too few attempts there is no block.
#[test]
fn before_a_hundred_good_bundles() {
    let scene = Scene::new();
    let mut block = vec![scene.veto(0, 200)];
    block.extend(scene.good(0));
    let staged = scene
        .stage(&block, 9)
        .expect("ten more attempts are enough");
    assert_eq!(staged.dropped.len(), GOOD + 1);
    // What is left for each attempt, when 1, 1, 1, 1, 2, 4, 8, 16, 32 and then all others are taken out.
    let attempts = [101, 100, 99, 98, 97, 95, 91, 83, 67, 35, 0];
    assert_eq!(staged.executions, attempts.iter().sum::<u64>());
    match scene.stage(&block, 8) {
        Err(BlockError::Refused { application_id, .. }) => {
            assert_eq!(application_id, scene.gadgets[0]);
        }
        Err(error) => panic!("another error than expected: {error}"),
        Ok(_) => panic!("nine more attempts were enough"),
    }
}
