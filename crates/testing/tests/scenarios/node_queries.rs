//! Queries of services through a node.

use std::{sync::Arc, time::Duration};

use futures::{
    executor::block_on,
    future::{join, join_all},
};
use resident_base::{
    AccountSecretKey, Amount, ApplicationId, ChainId, CryptoHash, Timestamp, VmRuntime,
};
use resident_execution::{EngineKind, Operation, QueryError, SystemOperation};
use resident_node::{Clock, LocalNode, NodeConfig, NodeError, QueryConfig};
use resident_storage::MemoryStore;

use crate::probe;

fn node(engine: EngineKind, time: Duration) -> LocalNode {
    let queries = QueryConfig {
        threads: 2,
        time,
        ..QueryConfig::default()
    };
    let config = NodeConfig {
        engine,
        threads: 2,
        queries,
        clock: Clock::fixed(Timestamp::from(1_000)),
        ..NodeConfig::default()
    };
    LocalNode::new(Arc::new(MemoryStore::new()), config).unwrap()
}

fn key(seed: u8) -> AccountSecretKey {
    AccountSecretKey::from_seed([seed; 32])
}

fn new_chain(node: &LocalNode, seed: u8) -> ChainId {
    let owner = key(seed).public().owner();
    block_on(node.create_root_chain(seed.into(), owner, Amount::ONE)).unwrap()
}

async fn propose(node: &LocalNode, chain: ChainId, seed: u8, operation: Operation) -> Vec<u8> {
    let block = node
        .propose(chain, vec![operation], &key(seed))
        .await
        .unwrap();
    block.responses().next().unwrap().to_vec()
}

async fn create(node: &LocalNode, chain: ChainId, seed: u8) -> ApplicationId {
    let publish = SystemOperation::PublishModule {
        contract: probe::contract(),
        service: probe::service(),
        vm_runtime: VmRuntime::Wasm,
    };
    let module = propose(node, chain, seed, Operation::System(publish)).await;
    let create = SystemOperation::CreateApplication {
        module_id: bcs::from_bytes(&module).unwrap(),
        parameters: b"null".to_vec(),
        instantiation_argument: b"null".to_vec(),
        required_application_ids: Vec::new(),
    };
    let id = propose(node, chain, seed, Operation::System(create)).await;
    bcs::from_bytes(&id).unwrap()
}

async fn set(node: &LocalNode, chain: ChainId, seed: u8, id: ApplicationId, value: &[u8]) {
    let operation = Operation::User {
        application_id: id,
        bytes: [b"w", value].concat(),
    };
    propose(node, chain, seed, operation).await;
}

#[test]
fn queries_see_the_last_block_and_share_an_instance() {
    for engine in EngineKind::ALL {
        let node = node(engine, Duration::from_secs(60));
        let chains = [1, 2, 3].map(|seed| (seed, new_chain(&node, seed)));
        let id = block_on(create(&node, chains[0].1, 1));
        for (seed, chain) in chains {
            block_on(set(&node, chain, seed, id, &[seed; 3]));
        }
        let ask = |chain, query: &[u8]| node.query(chain, id, query.to_vec());
        let counts = (0..5).flat_map(|_| chains.map(|(_, chain)| ask(chain, b"n")));
        let counts = block_on(join_all(counts));
        for (index, count) in counts.into_iter().enumerate() {
            let asked = u32::try_from(index / 3 + 1).unwrap();
            assert_eq!(count.unwrap().response, asked.to_le_bytes(), "{engine}");
        }
        for (seed, chain) in chains {
            assert_eq!(block_on(ask(chain, b"v")).unwrap().response, [seed; 3]);
        }
        block_on(set(&node, chains[0].1, 1, id, b"new"));
        assert_eq!(block_on(ask(chains[0].1, b"v")).unwrap().response, b"new");
        let counts = [0, 1].map(|index| block_on(ask(chains[index].1, b"n")).unwrap().response);
        assert_eq!(
            counts,
            [1u32, 6].map(u32::to_le_bytes),
            "only one chain changed"
        );
    }
}

#[test]
fn a_query_that_takes_too_long_holds_up_no_block() {
    let node = node(EngineKind::Wasmtime, Duration::from_millis(300));
    let chain = new_chain(&node, 1);
    let id = block_on(create(&node, chain, 1));
    let slow = node.query(chain, id, b"h".to_vec());
    let (slow, ()) = block_on(join(slow, set(&node, chain, 1, id, b"meanwhile")));
    let error = slow.expect_err("it never ends");
    assert!(
        matches!(
            error,
            NodeError::Query(QueryError::Deadline | QueryError::StateChanged)
        ),
        "{error}"
    );
    let answer = block_on(node.query(chain, id, b"v".to_vec())).unwrap();
    assert_eq!(answer.response, b"meanwhile");
}

#[test]
fn unknown_chains_and_applications_are_named() {
    let node = node(EngineKind::Wasmtime, Duration::from_secs(60));
    let chain = new_chain(&node, 1);
    let nobody = CryptoHash::of_bytes(b"nobody");
    let id = ApplicationId::new(nobody);
    let error = block_on(node.query(chain, id, Vec::new())).unwrap_err();
    assert!(
        matches!(error, NodeError::Query(QueryError::UnknownApplication(unknown)) if unknown == id)
    );
    let error = block_on(node.query(ChainId(nobody), id, Vec::new())).unwrap_err();
    assert!(matches!(error, NodeError::UnknownChain { chain } if chain == ChainId(nobody)));
}
