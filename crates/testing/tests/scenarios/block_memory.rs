//! What a block keeps in memory has a limit, which is the same on every engine and session, and what fails
//! leaves nothing behind.

use resident_base::ApplicationId;
use resident_chain::{BlockError, StagingPolicy, Transaction};
use resident_execution::{Failure, FailureReason, LimitKind, ResourcePolicy};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{self, assert_leaves_no_trace, stranger},
    evil::{self, Do},
};

const PAGE_BYTES: u64 = 64 << 10;

struct Scene {
    chains: TestChains,
    chain: TestChain,
    applications: Vec<ApplicationId>,
}

impl Scene {
    fn new(applications: usize, memory_bytes: u64) -> Self {
        let mut policy = ResourcePolicy::default();
        policy.limits.memory_bytes = memory_bytes;
        let chains = TestChains::new(PAIRS[0]).with_policy(policy);
        let chain = chains.open_root(1);
        let module = chains.publish_code(&chain, evil::code());
        let applications = (0..applications)
            .map(|number| chains.create(&chain, module, &number, &(), Vec::new()))
            .collect();
        Self {
            chains,
            chain,
            applications,
        }
    }

    fn operation(&self, application: usize, commands: &Do) -> Transaction {
        let id = self.applications[application];
        bundles::operation(TestChains::raw_operation(id, commands.0.clone()))
    }

    fn message(&self, sender: u8, height: u64, application: usize, commands: &Do) -> Transaction {
        let message = (self.applications[application], commands.0.clone());
        bundles::bundle(stranger(sender), height, None, vec![message])
    }

    fn passes(&self, block: &[Transaction]) {
        self.chains
            .stage_everywhere(&self.chain, block, &StagingPolicy::Abort)
            .unwrap_or_else(|error| panic!("the block failed: {error}"));
    }

    fn is_too_large(&self, block: &[Transaction]) {
        let staged = self
            .chains
            .stage_everywhere(&self.chain, block, &StagingPolicy::Abort);
        match staged.err().expect("it is too large") {
            BlockError::TransactionFailed {
                failure: Failure { reason, .. },
                ..
            } => assert!(is_memory(&reason), "{reason}"),
            error => panic!("it failed for another reason: {error}"),
        }
    }
}

fn is_memory(reason: &FailureReason) -> bool {
    matches!(
        reason,
        FailureReason::Limit(LimitKind::MemoryBytes)
            | FailureReason::Crowded(LimitKind::MemoryBytes)
    )
}

/// Two million small writes once took a gigabyte.
#[test]
fn small_writes_count_with_what_they_take_beside_their_bytes() {
    let scene = Scene::new(1, 8 << 20);
    scene.passes(&[scene.operation(0, &Do::new().put(5_000))]);
    scene.is_too_large(&[scene.operation(0, &Do::new().put(13_000))]);
    scene.is_too_large(&[scene.operation(0, &Do::new().put_delete(13_000))]);
    let twice = [
        scene.operation(0, &Do::new().put(5_000)),
        scene.operation(0, &Do::new().put(8_000)),
    ];
    scene.is_too_large(&twice);
}

/// Forty applications with 32 MiB each once took 2.6 GB with their snapshots.
#[test]
fn the_memories_of_all_applications_of_a_block_count_together() {
    // Each begins with 16 pages; there is room for 200, and as much for their snapshots.
    let scene = Scene::new(4, 2 * 200 * PAGE_BYTES);
    let grow = |application, pages| scene.operation(application, &Do::new().grow(pages));
    scene.passes(&[grow(0, 60), grow(1, 60), grow(2, 60), grow(2, 60)]);
    scene.is_too_large(&[grow(0, 60), grow(1, 60), grow(2, 100)]);
    scene.is_too_large(&[grow(0, 190), grow(1, 20)]);
}

/// What is on the call stack counts before it is left.
#[test]
fn a_caller_counts_while_it_calls() {
    let scene = Scene::new(2, 2 * 100 * PAGE_BYTES);
    let callee = scene.applications[1];
    let call = |own, called| Do::new().grow(own).call(callee, &Do::new().grow(called));
    scene.passes(&[scene.operation(0, &call(60, 30))]);
    scene.is_too_large(&[scene.operation(0, &call(101, 20))]);
    scene.is_too_large(&[scene.operation(0, &call(60, 60))]);
}

#[test]
fn what_is_undone_counts_no_more() {
    let scene = Scene::new(2, 2 * 100 * PAGE_BYTES);
    let write = Do::new().put(1_000);
    let block = [
        scene.message(1, 1, 0, &Do::new().put(1)),
        scene.message(2, 1, 0, &Do::new().grow(70).put(1_000).trap()),
        scene.message(3, 1, 1, &Do::new().grow(70).trap()),
        scene.message(1, 2, 1, &Do::new().grow(70)),
        scene.message(2, 2, 0, &write),
        scene.message(3, 2, 0, &Do::new()),
    ];
    let policy = TestChains::auto_retry(1);
    assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[1, 2], &policy);
}
