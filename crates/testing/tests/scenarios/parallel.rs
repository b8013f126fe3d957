//! Blocks of two chains at the same time come out as one after the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use counter::CounterAbi;
use futures::{executor::block_on, future::join};
use resident_base::{AccountSecretKey, Amount, ApplicationId, ModuleId, Timestamp, VmRuntime};
use resident_chain::{BlockDraft, ExecutedBlock, StagingPolicy, stage_block_with_clock};
use resident_execution::{BlockPool, Operation, SystemOperation};
use resident_node::{Clock, LocalNode, NodeConfig};
use resident_sdk::ContractAbi;
use resident_storage::MemoryStore;
use resident_testing::{PAIRS, TestChains, contract};

use crate::{bundles::stranger, gadget, random::Random};

const BUNDLES: u64 = 12;

/// Two blocks that wait for each other before each of their bundles.
#[derive(Default)]
struct Lockstep([AtomicUsize; 2]);

impl Lockstep {
    fn step(&self, me: usize) {
        let mine = self.0[me].fetch_add(1, Ordering::SeqCst) + 1;
        let begun = Instant::now();
        while self.0[1 - me].load(Ordering::SeqCst) < mine {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the blocks do not run at once"
            );
            thread::yield_now();
        }
    }
}

#[test]
fn two_blocks_interleaved_bundle_by_bundle() {
    let chains = TestChains::new(PAIRS[0]);
    let both = [chains.open_root(1), chains.open_root(2)];
    let [gadget] = gadget::create(&chains, &both[0]);
    let mut random = Random::new(5);
    let drafts = both.map(|chain| {
        let commands: [&[u8]; 6] = [b"bw", b"gb", b"bx", b"p", b"w", b"b"];
        let mut bundle = |height| {
            let commands = commands[random.below(6) as usize];
            gadget::message(gadget, stranger(height as u8 % 3), height, &[commands])
        };
        // The first is good, so that the clock is asked as often for both blocks.
        let first = gadget::message(gadget, stranger(9), 1, &[b"bw"]);
        let bundles = [first]
            .into_iter()
            .chain((1..BUNDLES).map(&mut bundle))
            .collect();
        (chain, chains.draft(&chain, bundles))
    });
    let mut alone = Vec::new();
    for (chain, draft) in &drafts {
        let staged = chains
            .stage_everywhere(chain, &draft.transactions, &policy())
            .unwrap()
            .staged;
        assert!(!staged.rejected.is_empty());
        alone.push(staged.execution);
    }
    for (engine, session) in PAIRS {
        let (pool, lockstep) = (BlockPool::new(2), Arc::new(Lockstep::default()));
        let stage = |me: usize, draft: BlockDraft| {
            let (executor, lockstep) = (chains.executor(engine), lockstep.clone());
            pool.run(move || {
                let mut clock = || {
                    lockstep.step(me);
                    Duration::ZERO
                };
                let resources = Arc::default();
                stage_block_with_clock(&executor, session, resources, draft, &policy(), &mut clock)
            })
        };
        let [(_, first), (_, second)] = drafts.clone();
        let (first, second) = block_on(join(stage(0, first), stage(1, second)));
        for (alone, at_once) in alone.iter().zip([first, second]) {
            let at_once = at_once.unwrap().unwrap().execution;
            assert_eq!(at_once.executed, alone.executed, "{engine}, {session}");
            assert!(at_once.batch == alone.batch, "{engine}, {session}");
        }
        assert_eq!(lockstep.0[0].load(Ordering::SeqCst), BUNDLES as usize - 1);
    }
}

/// With a time budget the clock is asked before each bundle, which is what the lockstep hangs on.
fn policy() -> StagingPolicy {
    StagingPolicy::AutoRetry {
        max_failures: 8,
        never_reject_application_ids: Default::default(),
        time_budget: Some(Duration::from_secs(1)),
    }
}

#[test]
fn a_node_that_works_on_two_chains_at_once_makes_the_same_chains() {
    let mut reference = None;
    for (engine, session) in PAIRS {
        for threads in [1, 2] {
            let config = NodeConfig {
                engine,
                session,
                threads,
                clock: Clock::fixed(Timestamp::from(1_000_000)),
                ..NodeConfig::default()
            };
            let node = LocalNode::new(Arc::new(MemoryStore::new()), config).unwrap();
            let blocks = block_on(count_on_two_chains(&node, threads == 2));
            assert_eq!(blocks.len(), 2 * (2 + 10));
            let expected = reference.get_or_insert_with(|| blocks.clone());
            assert_eq!(*expected, blocks, "{engine}, {session}, {threads} threads");
        }
    }
}

/// Creates a counter on each of two chains, and increments both. Answers with all the blocks.
async fn count_on_two_chains(node: &LocalNode, at_once: bool) -> Vec<ExecutedBlock> {
    if at_once {
        let (first, second) = join(count(node, 1), count(node, 2)).await;
        return [first, second].concat();
    }
    let first = count(node, 1).await;
    [first, count(node, 2).await].concat()
}

async fn count(node: &LocalNode, seed: u8) -> Vec<ExecutedBlock> {
    let key = AccountSecretKey::from_seed([seed; 32]);
    let owner = key.public().owner();
    let chain = node
        .create_root_chain(seed.into(), owner, Amount::ONE)
        .await
        .unwrap();
    let publish = SystemOperation::PublishModule {
        contract: contract("counter"),
        service: resident_base::Bytecode::new(Vec::new()),
        vm_runtime: VmRuntime::Wasm,
    };
    let published = node
        .propose(chain, vec![Operation::System(publish)], &key)
        .await
        .unwrap();
    let module_id: ModuleId = bcs::from_bytes(published.responses().next().unwrap()).unwrap();
    let create = SystemOperation::CreateApplication {
        module_id,
        parameters: b"null".to_vec(),
        instantiation_argument: b"7".to_vec(),
        required_application_ids: Vec::new(),
    };
    let created = node
        .propose(chain, vec![Operation::System(create)], &key)
        .await
        .unwrap();
    let counter: ApplicationId = bcs::from_bytes(created.responses().next().unwrap()).unwrap();
    let mut blocks = vec![published.executed, created.executed];
    for value in 1..=10 {
        let increment = counter::Operation::Increment { value };
        let operation = TestChains::operation(counter.with_abi::<CounterAbi>(), &increment);
        let block = node.propose(chain, vec![operation], &key).await.unwrap();
        blocks.push(block.executed);
    }
    let response = blocks.last().unwrap().outcome.transactions[0]
        .response
        .clone();
    assert_eq!(CounterAbi::deserialize_response(response).unwrap(), 7 + 55);
    blocks
}
