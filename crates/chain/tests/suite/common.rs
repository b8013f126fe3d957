//! Chains in memory.

use std::sync::Arc;

use futures::executor::block_on;
use resident_base::{
    Account, AccountOwner, Amount, ApplicationId, ApplicationPermissions, Blob, BlobContent,
    BlockHeight, ChainDescription, ChainId, ChainOrigin, ChainOwnership, InitialChainConfig,
    Timestamp,
};
use resident_chain::{
    Block, BlockDraft, BlockError, BlockExecution, BlockOutcome, ChainReader, ChainTip, Cursor,
    IncomingBundle, MessageAction, MessageBundle, StagedBlock, StagingPolicy, Transaction,
    confirm_delivery, execute_block, receive_bundles, stage_block,
};
use resident_execution::{
    EngineKind, Executor, Operation, ResourcePolicy, SessionKind, SystemOperation, put_blob,
};
use resident_storage::{Batch, KeyValueStore, MemoryStore};

/// The owner of every chain.
pub(crate) const OWNER: AccountOwner = AccountOwner::Reserved(7);

/// A store with an executor and one kind of session.
pub(crate) struct Chains {
    pub(crate) executor: Executor,
    pub(crate) session: SessionKind,
}

impl Chains {
    pub(crate) fn new(engine: EngineKind, session: SessionKind) -> Self {
        let executor = Executor::new(engine, Arc::new(MemoryStore::new())).unwrap();
        Self { executor, session }
    }

    /// On every engine, with every session.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        EngineKind::ALL
            .into_iter()
            .flat_map(|engine| SessionKind::ALL.map(|session| Self::new(engine, session)))
    }

    pub(crate) fn create(&self, number: u32, balance: Amount) -> ChainId {
        let ownership = ChainOwnership::single(OWNER);
        let config = InitialChainConfig {
            ownership,
            balance,
            ..Default::default()
        };
        let origin = ChainOrigin::Root(number);
        let description = ChainDescription {
            origin,
            config,
            timestamp: Timestamp::from(1),
        };
        let mut batch = Batch::new();
        put_blob(
            &mut batch,
            &Blob::new(BlobContent::new_chain_description(&description)),
        );
        self.write(batch);
        description.id()
    }

    pub(crate) fn write(&self, batch: Batch) {
        block_on(self.executor.store().write(batch)).unwrap();
    }

    pub(crate) fn reader(&self, chain: ChainId) -> ChainReader {
        ChainReader::new(self.executor.store().clone(), chain)
    }

    pub(crate) fn tip(&self, chain: ChainId) -> ChainTip {
        block_on(self.reader(chain).tip()).unwrap()
    }

    pub(crate) fn balance(&self, chain: ChainId) -> Amount {
        self.executor
            .read_balance(chain, AccountOwner::CHAIN)
            .unwrap()
    }

    pub(crate) fn stage(
        &self,
        chain_id: ChainId,
        transactions: Vec<Transaction>,
        policy: &StagingPolicy,
    ) -> Result<StagedBlock, BlockError> {
        let timestamp = Timestamp::from(100);
        let draft = BlockDraft {
            chain_id,
            timestamp,
            authenticated_owner: Some(OWNER),
            transactions,
        };
        stage_block(&self.executor, self.session, Arc::default(), draft, policy)
    }

    pub(crate) fn execute(
        &self,
        block: &Block,
        expected: Option<&BlockOutcome>,
    ) -> Result<BlockExecution, BlockError> {
        let resources = Arc::new(ResourcePolicy::default());
        execute_block(&self.executor, self.session, resources, block, expected)
    }

    /// Stages and commits.
    pub(crate) fn add(&self, chain: ChainId, transactions: Vec<Transaction>) -> BlockExecution {
        let staged = self
            .stage(chain, transactions, &StagingPolicy::Abort)
            .unwrap();
        self.write(staged.execution.batch.clone());
        staged.execution
    }

    /// Moves everything out of a chain's outbox, and answers how many bundles there were.
    pub(crate) fn deliver(&self, from: ChainId) -> usize {
        let bundles = block_on(self.reader(from).outbox(100)).unwrap();
        let store: &dyn KeyValueStore = &**self.executor.store();
        let count = bundles.len();
        for (destination, bundle) in bundles {
            let cursor: Cursor = bundle.cursor();
            self.write(block_on(receive_bundles(store, destination, from, vec![bundle])).unwrap());
            self.write(confirm_delivery(from, destination, [cursor]));
        }
        count
    }

    pub(crate) fn inbox(&self, chain: ChainId) -> Vec<Transaction> {
        let waiting = block_on(self.reader(chain).inbox_bundles(100)).unwrap();
        waiting.into_iter().map(accept).collect()
    }

    pub(crate) fn executed(&self, chain: ChainId, height: u64) -> resident_chain::ExecutedBlock {
        block_on(self.reader(chain).executed_block(BlockHeight(height)))
            .unwrap()
            .unwrap()
    }
}

pub(crate) fn transfer(recipient: ChainId, amount: Amount) -> Transaction {
    Transaction::ExecuteOperation(Operation::System(SystemOperation::Transfer {
        owner: AccountOwner::CHAIN,
        recipient: Account::chain(recipient),
        amount,
    }))
}

pub(crate) fn open_chain(balance: Amount) -> Transaction {
    open_chain_with(ApplicationPermissions::default(), balance)
}

/// Opens a chain on which only this application executes operations.
pub(crate) fn open_chain_for(application: ApplicationId, balance: Amount) -> Transaction {
    open_chain_with(ApplicationPermissions::new_single(application), balance)
}

fn open_chain_with(
    application_permissions: ApplicationPermissions,
    balance: Amount,
) -> Transaction {
    Transaction::ExecuteOperation(Operation::System(SystemOperation::OpenChain {
        ownership: ChainOwnership::single(OWNER),
        balance,
        application_permissions,
    }))
}

fn accept((origin, bundle): (ChainId, MessageBundle)) -> Transaction {
    Transaction::ReceiveMessages(IncomingBundle {
        origin,
        bundle,
        action: MessageAction::Accept,
    })
}
