//! A node as its operator starts it, with chains on it and applications of whoever means ill.
// Which helpers are in use changes with the tests.
#![allow(dead_code)]

use std::sync::Arc;

use futures::executor::block_on;
use resident_base::{
    Account, AccountOwner, AccountSecretKey, Amount, ApplicationId, Bytecode, ChainId, ModuleId,
    Timestamp, VmRuntime,
};
use resident_execution::{Operation, SystemOperation};
use resident_node::{Clock, CommittedBlock, LocalNode, NodeConfig, NodeError};
use resident_storage::MemoryStore;

use crate::evil::{self, Do};

/// The node. Chains and keys go by a number.
pub(crate) struct Net {
    pub(crate) node: LocalNode,
}

/// The key of the owner that a number stands for.
pub(crate) fn key(seed: u8) -> AccountSecretKey {
    AccountSecretKey::from_seed([seed; 32])
}

impl Net {
    /// With the default configuration, two threads, and a clock that stands still.
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// As [`new`](Self::new), with another configuration.
    pub(crate) fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut config = NodeConfig {
            threads: 2,
            clock: Clock::fixed(Timestamp::from(1_000_000)),
            ..NodeConfig::default()
        };
        change(&mut config);
        let store = Arc::new(MemoryStore::new());
        Self {
            node: LocalNode::new(store, config).unwrap(),
        }
    }

    /// Opens a chain with a thousand tokens.
    pub(crate) fn chain(&self, seed: u8) -> ChainId {
        let owner = key(seed).public().owner();
        let balance = Amount::from_tokens(1_000);
        block_on(self.node.create_root_chain(seed.into(), owner, balance)).unwrap()
    }

    pub(crate) fn try_propose(
        &self,
        chain: ChainId,
        seed: u8,
        operations: Vec<Operation>,
    ) -> Result<CommittedBlock, NodeError> {
        block_on(self.node.propose(chain, operations, &key(seed)))
    }

    pub(crate) fn propose(
        &self,
        chain: ChainId,
        seed: u8,
        operations: Vec<Operation>,
    ) -> CommittedBlock {
        self.try_propose(chain, seed, operations).unwrap()
    }

    pub(crate) fn publish(
        &self,
        chain: ChainId,
        seed: u8,
        contract: Bytecode,
        service: Bytecode,
    ) -> ModuleId {
        let publish = SystemOperation::PublishModule {
            contract,
            service,
            vm_runtime: VmRuntime::Wasm,
        };
        let block = self.propose(chain, seed, vec![Operation::System(publish)]);
        bcs::from_bytes(block.responses().next().unwrap()).unwrap()
    }

    pub(crate) fn create(
        &self,
        chain: ChainId,
        seed: u8,
        module_id: ModuleId,
        count: usize,
    ) -> Vec<ApplicationId> {
        let create = |number: usize| {
            Operation::System(SystemOperation::CreateApplication {
                module_id,
                parameters: number.to_string().into_bytes(),
                instantiation_argument: b"null".to_vec(),
                required_application_ids: vec![],
            })
        };
        let block = self.propose(chain, seed, (0..count).map(create).collect());
        block
            .responses()
            .map(|id| bcs::from_bytes(id).unwrap())
            .collect()
    }

    /// So many applications of the [contract](evil) that does what it is told.
    pub(crate) fn evil(&self, chain: ChainId, seed: u8, count: usize) -> Vec<ApplicationId> {
        let module = self.publish(chain, seed, evil::code(), Bytecode::new(vec![]));
        self.create(chain, seed, module, count)
    }

    pub(crate) fn deliver(&self) {
        block_on(self.node.deliver_all()).unwrap();
    }

    pub(crate) fn inbox(
        &self,
        chain: ChainId,
        seed: u8,
    ) -> Result<Option<CommittedBlock>, NodeError> {
        block_on(self.node.process_inbox(chain, &key(seed)))
    }

    pub(crate) fn waiting(&self, chain: ChainId) -> usize {
        block_on(self.node.reader(chain).inbox_len()).unwrap()
    }

    pub(crate) fn balance(&self, chain: ChainId) -> Amount {
        block_on(self.node.balance(chain, AccountOwner::CHAIN)).unwrap()
    }

    pub(crate) fn height(&self, chain: ChainId) -> u64 {
        block_on(self.node.tip(chain)).unwrap().next_height.0
    }
}

/// An operation for an application of that contract.
pub(crate) fn run(id: ApplicationId, commands: &Do) -> Operation {
    Operation::User {
        application_id: id,
        bytes: commands.0.clone(),
    }
}

/// A transfer from chain to chain.
pub(crate) fn pay(to: ChainId, tokens: u128) -> Operation {
    Operation::System(SystemOperation::Transfer {
        owner: AccountOwner::CHAIN,
        recipient: Account::chain(to),
        amount: Amount::from_tokens(tokens),
    })
}
