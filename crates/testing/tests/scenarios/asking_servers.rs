//! A node whose contract asks a real server, and another node that has the same chain and asks nobody.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::Arc,
    thread,
};

use futures::executor::block_on;
use resident_base::{
    AccountSecretKey, Amount, ApplicationId, Bytecode, ModuleId, Timestamp, VmRuntime,
};
use resident_execution::{
    EngineKind, Operation, OracleResponse, ResourcePolicy, SessionKind, SystemOperation,
};
use resident_node::{Clock, CommittedBlock, LocalNode, NodeConfig};
use resident_storage::MemoryStore;
use resident_testing::{PanickingOracle, TestChains};

use crate::maker::{self, Commands};

/// Answers so many requests, each with its number.
fn serve(requests: usize) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let answer = move |number| {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&stream).lines();
        let ends = |line: Result<String, _>| line.unwrap().is_empty();
        assert!(lines.any(ends), "a request has an end");
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}");
        (&stream).write_all(text.as_bytes()).unwrap();
    };
    let thread = thread::spawn(move || (1..=requests).for_each(answer));
    (server, thread)
}

struct Node {
    node: LocalNode,
    key: AccountSecretKey,
}

impl Node {
    fn open(server: &str, engine: EngineKind) -> Self {
        let policy = ResourcePolicy {
            http_request_allow_list: BTreeSet::from([server.to_owned()]),
            ..ResourcePolicy::default()
        };
        let config = NodeConfig {
            engine,
            policy: Arc::new(policy),
            verify: Some(SessionKind::PerTransaction),
            clock: Clock::fixed(Timestamp::from(1_000_000)),
            ..NodeConfig::default()
        };
        Self {
            node: LocalNode::new(Arc::new(MemoryStore::new()), config).unwrap(),
            key: AccountSecretKey::from_seed([1; 32]),
        }
    }

    /// Publishes a maker, creates it, and lets it do something: three blocks.
    fn run(&self, commands: &Commands) -> [CommittedBlock; 3] {
        let owner = self.key.public().owner();
        let chain = block_on(self.node.create_root_chain(1, owner, Amount::ONE)).unwrap();
        let propose = |operation: Operation| {
            let block = self.node.propose(chain, vec![operation], &self.key);
            block_on(block).unwrap()
        };
        let published = propose(Operation::System(SystemOperation::PublishModule {
            contract: maker::code(),
            service: Bytecode::new(vec![]),
            vm_runtime: VmRuntime::Wasm,
        }));
        let module_id: ModuleId = bcs::from_bytes(published.responses().next().unwrap()).unwrap();
        let created = propose(Operation::System(SystemOperation::CreateApplication {
            module_id,
            parameters: b"null".to_vec(),
            instantiation_argument: b"null".to_vec(),
            required_application_ids: vec![],
        }));
        let id: ApplicationId = bcs::from_bytes(created.responses().next().unwrap()).unwrap();
        let asked = propose(TestChains::raw_operation(id, commands.bytes().to_vec()));
        [published, created, asked]
    }
}

#[test]
fn a_contract_asks_a_server_once_for_all_who_run_the_block() {
    for engine in EngineKind::ALL {
        let (server, thread) = serve(2);
        let url = format!("http://{server}/");
        let node = Node::open(&server, engine);
        // The node runs every block again before it commits it.
        let blocks = node.run(&Commands::new().get(&url).get(&url));
        thread.join().unwrap();
        let outcome = &blocks[2].executed.outcome;
        let response = b"\xc8\0\0\x001\xc8\0\0\x002";
        assert_eq!(outcome.transactions[0].response, response);
        let recorded = &outcome.transactions[0].effects.oracle_responses;
        assert_eq!(recorded.len(), 2);
        assert!(matches!(recorded[0], OracleResponse::Http { .. }));

        // Another node, long after the server has gone.
        let other = Node::open(&server, engine);
        let quiet = other
            .node
            .executor()
            .clone()
            .with_oracle(Arc::new(PanickingOracle));
        let policy = other.node.config().policy.clone();
        let owner = other.key.public().owner();
        block_on(other.node.create_root_chain(1, owner, Amount::ONE)).unwrap();
        for block in blocks {
            let (quiet, policy) = (quiet.clone(), policy.clone());
            let executed = block.executed.clone();
            let run = move || {
                let (block, outcome) = (&executed.block, &executed.outcome);
                let session = SessionKind::Persistent;
                resident_chain::execute_block(&quiet, session, policy, block, Some(outcome))
            };
            let execution = block_on(other.node.pool().run(run)).unwrap().unwrap();
            assert_eq!(execution.executed, block.executed);
            block_on(other.node.store().write(execution.batch)).unwrap();
        }
    }
}
