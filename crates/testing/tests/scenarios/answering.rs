//! A node answers whatever its threads are busy with: what is stored, other queries, other chains.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use futures::executor::block_on;
use resident_base::{
    AccountOwner, AccountSecretKey, Amount, ApplicationId, ChainId, Timestamp, VmRuntime,
};
use resident_execution::{Operation, QueryError, SystemOperation, chain_partition};
use resident_node::{Clock, LocalNode, NodeConfig, NodeError, QueryConfig};
use resident_storage::{Batch, KeyValueStore, MemoryStore, Page, StoreFuture};

use crate::probe;

/// A store in memory, in which whoever reads the values of one chain's applications waits until he is let go.
#[derive(Default)]
struct Gated {
    inner: MemoryStore,
    gate: Mutex<Option<Gate>>,
}

struct Gate {
    chain: ChainId,
    arrived: Sender<()>,
    opened: Receiver<()>,
}

impl Gated {
    /// Closes the gate of a chain. Says when somebody has arrived at it, and lets him go when the other half
    /// is dropped.
    fn close(&self, chain: ChainId) -> (Receiver<()>, Sender<()>) {
        let ((arrived, arrival), (opener, opened)) = (channel(), channel());
        *self.gate.lock().unwrap() = Some(Gate {
            chain,
            arrived,
            opened,
        });
        (arrival, opener)
    }

    fn pass(&self, key: &[u8]) {
        let is_behind =
            |gate: &mut Gate| key.starts_with(&chain_partition(gate.chain)) && key.ends_with(b"k");
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Gate {
            arrived, opened, ..
        }) = gate.take_if(is_behind)
        {
            drop(gate);
            let _ = arrived.send(());
            let _ = opened.recv();
        }
    }
}

impl KeyValueStore for Gated {
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.pass(key);
        self.inner.read(key)
    }

    fn read_many(&self, keys: Vec<Vec<u8>>) -> StoreFuture<'_, Vec<Option<Vec<u8>>>> {
        keys.iter().for_each(|key| self.pass(key));
        self.inner.read_many(keys)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(Vec<u8>, Vec<u8>)>> {
        self.inner.scan(prefix, start_after, limit)
    }

    fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        start_after: Option<&'a [u8]>,
        limit: usize,
    ) -> StoreFuture<'a, Page<Vec<u8>>> {
        self.inner.scan_keys(prefix, start_after, limit)
    }

    fn write(&self, batch: Batch) -> StoreFuture<'_, ()> {
        self.inner.write(batch)
    }
}

const BUSY: u8 = 1;
const OTHER: u8 = 2;

struct Scene {
    store: Arc<Gated>,
    node: LocalNode,
    chains: [ChainId; 2],
    ids: [ApplicationId; 2],
}

impl Scene {
    /// Two chains and two applications; one thread for blocks, and two for queries.
    fn new(time: Duration) -> Self {
        let store = Arc::new(Gated::default());
        let config = NodeConfig {
            threads: 1,
            queries: QueryConfig {
                threads: 2,
                time,
                ..QueryConfig::default()
            },
            clock: Clock::fixed(Timestamp::from(1_000)),
            ..NodeConfig::default()
        };
        let node = LocalNode::new(store.clone(), config).unwrap();
        let chains = [BUSY, OTHER].map(|seed| {
            let owner = key(seed).public().owner();
            block_on(node.create_root_chain(seed.into(), owner, Amount::ONE)).unwrap()
        });
        let publish = SystemOperation::PublishModule {
            contract: probe::contract(),
            service: probe::service(),
            vm_runtime: VmRuntime::Wasm,
        };
        let module = respond(&node, chains[0], BUSY, Operation::System(publish));
        let create = Operation::System(SystemOperation::CreateApplication {
            module_id: bcs::from_bytes(&module).unwrap(),
            parameters: b"null".to_vec(),
            instantiation_argument: b"null".to_vec(),
            required_application_ids: Vec::new(),
        });
        let ids = [(); 2].map(|()| {
            let id = respond(&node, chains[0], BUSY, create.clone());
            bcs::from_bytes(&id).unwrap()
        });
        // From now on the service is compiled, and so is the contract.
        let ask = || block_on(node.query(chains[0], ids[1], b"n".to_vec()));
        assert!((0..100).any(|_| ask().is_ok()), "compiling takes a while");
        respond(&node, chains[0], BUSY, set(ids[1], b"0"));
        Self {
            store,
            node,
            chains,
            ids,
        }
    }
}

fn key(seed: u8) -> AccountSecretKey {
    AccountSecretKey::from_seed([seed; 32])
}

fn set(id: ApplicationId, value: &[u8]) -> Operation {
    Operation::User {
        application_id: id,
        bytes: [b"w", value].concat(),
    }
}

fn respond(node: &LocalNode, chain: ChainId, seed: u8, operation: Operation) -> Vec<u8> {
    let block = block_on(node.propose(chain, vec![operation], &key(seed))).unwrap();
    block.responses().next().unwrap().to_vec()
}

#[test]
fn a_node_answers_and_other_chains_go_on_while_every_block_thread_is_busy() {
    let scene = Scene::new(Duration::from_secs(60));
    let Scene {
        store,
        node,
        chains: [busy, other],
        ids,
    } = &scene;
    let (arrival, opener) = store.close(*busy);
    thread::scope(|scope| {
        let held = scope.spawn(|| respond(node, *busy, BUSY, set(ids[0], b"1")));
        arrival.recv().unwrap();
        // The other chain has no block yet.
        for (chain, expected) in [(*busy, Amount::ONE), (*other, Amount::ZERO)] {
            let balance = block_on(node.balance(chain, AccountOwner::CHAIN));
            assert_eq!(balance.unwrap(), expected);
            let ownership = block_on(node.ownership(chain)).unwrap();
            assert_eq!(
                ownership,
                block_on(node.description(chain)).unwrap().config.ownership
            );
            block_on(node.query(chain, ids[1], b"n".to_vec())).unwrap();
        }
        respond(node, *other, OTHER, set(ids[0], b"2"));
        assert_eq!(
            block_on(node.query(*other, ids[0], b"v".to_vec()))
                .unwrap()
                .response,
            b"2"
        );
        assert!(!held.is_finished(), "its block is still held up");
        drop(opener);
        held.join().unwrap();
    });
    let answer = block_on(node.query(*busy, ids[0], b"v".to_vec())).unwrap();
    assert_eq!(answer.response, b"1");
}

#[test]
fn a_query_that_is_held_up_holds_up_no_other() {
    let scene = Scene::new(Duration::from_secs(60));
    let Scene {
        store,
        node,
        chains: [busy, other],
        ids,
    } = &scene;
    let (arrival, opener) = store.close(*busy);
    thread::scope(|scope| {
        let asks = || block_on(node.query(*busy, ids[0], b"v".to_vec()));
        let held: Vec<_> = (0..5).map(|_| scope.spawn(asks)).collect();
        arrival.recv().unwrap();
        for _ in 0..3 {
            block_on(node.query(*other, ids[1], b"v".to_vec())).unwrap();
        }
        assert!(held.iter().all(|held| !held.is_finished()));
        drop(opener);
        for held in held {
            assert_eq!(held.join().unwrap().unwrap().response, b"");
        }
    });
}

#[test]
fn a_query_whose_turn_comes_too_late_is_not_run() {
    let time = Duration::from_secs(2);
    let scene = Scene::new(time);
    let Scene {
        store,
        node,
        chains: [busy, _],
        ids,
    } = &scene;
    let (arrival, opener) = store.close(*busy);
    thread::scope(|scope| {
        let held = scope.spawn(|| block_on(node.query(*busy, ids[0], b"v".to_vec())));
        arrival.recv().unwrap();
        let late = scope.spawn(|| block_on(node.query(*busy, ids[0], b"n".to_vec())));
        thread::sleep(time + Duration::from_millis(500));
        drop(opener);
        let _ = held.join().unwrap();
        let error = late.join().unwrap().expect_err("its time is over");
        assert!(
            matches!(error, NodeError::Query(QueryError::Deadline)),
            "{error}"
        );
    });
    let count = block_on(node.query(*busy, ids[0], b"n".to_vec())).unwrap();
    assert_eq!(count.response, 1u32.to_le_bytes(), "nobody asked before");
}
