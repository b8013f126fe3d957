//! How often contracts are compiled, however many blocks want them and however often the node starts.

use std::path::Path;

use counter::CounterAbi;
use futures::{executor::block_on, future::join_all};
use resident_base::{
    AccountSecretKey, Amount, ApplicationId, Bytecode, ChainId, ModuleId, Timestamp, VmRuntime,
};
use resident_chain::ExecutedBlock;
use resident_execution::{EngineKind, ModuleCounts, Operation, SystemOperation};
use resident_node::{Clock, LocalNode, NodeConfig};
use resident_testing::{TestChains, contract};

const CHAINS: u8 = 10;

#[test]
fn ten_blocks_that_want_a_contract_at_once_have_it_compiled_once_for_all_starts_of_the_node() {
    let mut reference = None;
    for engine in EngineKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let node = open(folder.path(), engine);
        let module_id = block_on(publish(&node));
        assert!(!folder.path().join("modules").exists(), "nothing ran yet");
        let creations = (1..=CHAINS).map(|seed| create(&node, seed, module_id));
        let counters = block_on(join_all(creations));
        assert_eq!(counts(&node), (1, 0), "{engine}");
        drop(node);

        let node = open(folder.path(), engine);
        let increments = counters.iter().map(|counter| increment(&node, *counter));
        let blocks = block_on(join_all(increments));
        assert_eq!(counts(&node), (0, 1), "{engine}");
        assert!(folder.path().join("modules/key").exists());
        let expected = reference.get_or_insert_with(|| blocks.clone());
        assert_eq!(*expected, blocks, "{engine}");
    }
}

#[derive(Clone, Copy)]
struct Counter {
    seed: u8,
    chain: ChainId,
    id: ApplicationId,
}

fn open(folder: &Path, engine: EngineKind) -> LocalNode {
    let config = NodeConfig {
        engine,
        threads: 4,
        clock: Clock::fixed(Timestamp::from(1_000_000)),
        ..NodeConfig::default()
    };
    LocalNode::open(folder, config).unwrap()
}

/// How often a contract was compiled, and how often one was loaded.
fn counts(node: &LocalNode) -> (u64, u64) {
    let ModuleCounts { compiled, loaded } = node.executor().module_counts();
    (compiled, loaded)
}

fn key(seed: u8) -> AccountSecretKey {
    AccountSecretKey::from_seed([seed; 32])
}

async fn new_chain(node: &LocalNode, seed: u8) -> ChainId {
    let owner = key(seed).public().owner();
    let chain = node.create_root_chain(seed.into(), owner, Amount::ONE);
    chain.await.unwrap()
}

async fn publish(node: &LocalNode) -> ModuleId {
    let chain = new_chain(node, 0).await;
    let publish = Operation::System(SystemOperation::PublishModule {
        contract: contract("counter"),
        service: Bytecode::new(Vec::new()),
        vm_runtime: VmRuntime::Wasm,
    });
    let block = node.propose(chain, vec![publish], &key(0)).await.unwrap();
    bcs::from_bytes(block.responses().next().unwrap()).unwrap()
}

async fn create(node: &LocalNode, seed: u8, module_id: ModuleId) -> Counter {
    let chain = new_chain(node, seed).await;
    let create = Operation::System(SystemOperation::CreateApplication {
        module_id,
        parameters: b"null".to_vec(),
        instantiation_argument: b"7".to_vec(),
        required_application_ids: Vec::new(),
    });
    let block = node.propose(chain, vec![create], &key(seed)).await.unwrap();
    let id = bcs::from_bytes(block.responses().next().unwrap()).unwrap();
    Counter { seed, chain, id }
}

async fn increment(node: &LocalNode, counter: Counter) -> ExecutedBlock {
    let increment = counter::Operation::Increment { value: 5 };
    let operation = TestChains::operation(counter.id.with_abi::<CounterAbi>(), &increment);
    let signer = key(counter.seed);
    let block = node.propose(counter.chain, vec![operation], &signer).await;
    block.unwrap().executed
}
