//! One block, from an owner's wish to a durable commit.

use std::time::Instant;

use resident_base::{
    AccountOwner, AccountSecretKey, AccountSignature, BlockHeight, ChainId, Timestamp,
};
use resident_chain::{
    Block, BlockDraft, BlockExecution, BlockOutcome, DropReason, ExecutedBlock, ExecutionReport,
    IncomingBundle, MessageAction, StagedBlock, Transaction, WaitReason, execute_block,
    stage_block,
};
use resident_execution::{Executor, Failure, Operation, SubscriberUpdate, Trace, chain_partition};
use resident_storage::{Batch, KeyValueStore, LocalTag, partition_key};

use crate::{
    config::NodeConfig,
    error::NodeError,
    local::{LocalNode, read_ownership},
    registry, slow,
    streams::NewsTurn,
    turns::{InboxTurn, Vain, idle_turns, put_idle_turns},
};

/// The node's own record beside each block: the BCS bytes of its proposer's signature, by height.
/// Tags from 64 are the node's, the ones below are for the chain.
const SIGNATURES: LocalTag = LocalTag::new(64);

/// A block that is durably stored, and what became of the bundles that it could not accept.
#[derive(Clone, Debug)]
pub struct CommittedBlock {
    /// The block and its outcome.
    pub executed: ExecutedBlock,
    /// The proposer's signature under the block.
    pub signature: AccountSignature,
    /// Bundles that failed and are in the block as rejected.
    pub rejected: Vec<(IncomingBundle, Failure)>,
    /// Bundles that are in the block as rejected because they have waited too long for something, or the owner gave
    /// up on them.
    pub given_up: Vec<(IncomingBundle, WaitReason)>,
    /// Bundles that are not in the block and remain in the inbox.
    pub dropped: Vec<(IncomingBundle, DropReason)>,
    /// Updates of streams that are not in the block. They are proposed again with the next one.
    pub dropped_updates: Vec<(SubscriberUpdate, DropReason)>,
    /// What was done to build the block.
    pub trace: Trace,
    /// Who used what in it.
    pub report: ExecutionReport,
    /// How many transactions were run to build it, those that failed and those of earlier attempts included.
    pub executions: u64,
}

impl CommittedBlock {
    /// What each transaction answered: the responses of operations, nothing for bundles.
    pub fn responses(&self) -> impl Iterator<Item = &[u8]> {
        let transactions = self.executed.outcome.transactions.iter();
        transactions.map(|transaction| transaction.response.as_slice())
    }
}

impl LocalNode {
    /// Executes these operations in a new block, signed by an owner of the chain, and commits it.
    /// A failing operation refuses the block.
    pub async fn propose(
        &self,
        chain: ChainId,
        operations: Vec<Operation>,
        signer: &AccountSecretKey,
    ) -> Result<CommittedBlock, NodeError> {
        let lock = self.locks.of(chain);
        let mut is_writing = lock.block.lock().await;
        self.settle(&mut is_writing).await?;
        let transactions = operations
            .into_iter()
            .map(Transaction::ExecuteOperation)
            .collect();
        let now = self.config.clock.checked_now()?;
        let owner = Some(signer.public().owner());
        let draft = self.draft(chain, transactions, owner, now).await?;
        let staged = self.stage(draft).await?;
        self.commit(staged, signer, &mut is_writing).await
    }

    /// Executes the bundles that wait in the chain's inbox, up to the configured number, in a new
    /// block, and tells the chain's applications of new events on the streams that they follow. Senders and applications
    /// take turns. Where all of that is dropped, those behind are tried, until as much was done in vain as one call may do;
    /// the next one goes on behind them. Answers with nothing if nothing waits, or if all that was tried
    /// waits for something: [`waiting_for`](Self::waiting_for) says for what.
    pub async fn process_inbox(
        &self,
        chain: ChainId,
        signer: &AccountSecretKey,
    ) -> Result<Option<CommittedBlock>, NodeError> {
        self.take_turn(chain, signer, true).await
    }

    /// A block of what waits: bundles, if they are wanted, and news.
    pub(crate) async fn take_turn(
        &self,
        chain: ChainId,
        signer: &AccountSecretKey,
        has_bundles: bool,
    ) -> Result<Option<CommittedBlock>, NodeError> {
        let lock = self.locks.of(chain);
        let mut is_writing = lock.block.lock().await;
        self.settle(&mut is_writing).await?;
        let now = self.config.clock.checked_now()?;
        let owner = Some(signer.public().owner());
        let height = self.tip(chain).await?.next_height.0;
        let idle_turns = idle_turns(self, chain).await?;
        let turn = height.saturating_add(idle_turns);
        let mut inbox = InboxTurn::begin(self, chain, turn, now).await?;
        let mut news = NewsTurn::begin(self, chain, turn).await?;
        // A block of news alone is no answer to bundles, as long as there are some that were not tried.
        let mut news_come_last = false;
        let mut vain = Vain::new(&self.config);
        while !vain.is_enough() {
            let mut transactions = match has_bundles {
                true => inbox.bundles(self).await?,
                false => Vec::new(),
            };
            let bundles = transactions.len();
            let mut is_behind_news = false;
            if bundles == 0 || !(inbox.is_alone() || news_come_last) {
                let updates = news.updates(self).await?;
                // In turns, so that neither leaves the other no room for good.
                is_behind_news = bundles > 0 && !updates.is_empty() && !turn.is_multiple_of(2);
                let at = if is_behind_news { 0 } else { bundles };
                transactions.splice(at..at, updates);
            }
            if transactions.is_empty() {
                break;
            }
            let proposed = transactions.len();
            let draft = self.draft(chain, transactions, owner, now).await?;
            let mut staged = self.stage(draft).await?;
            if is_behind_news && !has_bundle(&staged) {
                // The news may have taken all the room.
                inbox.skip_unanswered(&staged);
                news.put_off();
                news_come_last = true;
                continue;
            }
            vain.add(proposed, &staged);
            inbox.note(&staged, self.config.never_reject(), is_behind_news);
            if bundles > 0 && !has_bundle(&staged) && !vain.is_enough() {
                // The same news come with the next bundles: those who always fail would keep them from every block.
                news.put_off_after(&staged);
                continue;
            }
            news.note(&staged);
            if !staged.execution.executed.block.transactions.is_empty() {
                let batch = &mut staged.execution.batch;
                batch.append(inbox.take_batch());
                batch.append(news.take_batch());
                let given_up = inbox.given_up(&staged);
                let mut block = self.commit(staged, signer, &mut is_writing).await?;
                block.given_up = given_up;
                return Ok(Some(block));
            }
        }
        let mut batch = inbox.take_batch();
        batch.append(news.take_batch());
        // Where nothing waits, nothing counts turns.
        let is_anybody_resting = inbox.is_anybody_resting() || news.is_anybody_resting();
        if vain.has_tried() || is_anybody_resting || !batch.is_empty() {
            put_idle_turns(&mut batch, chain, idle_turns.saturating_add(1));
        }
        if !batch.is_empty() {
            *is_writing = true;
            self.store().write(batch).await?;
            *is_writing = false;
        }
        Ok(None)
    }

    /// What a block with these operations would do if `owner`, one of the chain's, proposed it now, or
    /// if nobody signed it. Nothing is stored: a way to ask applications.
    pub async fn dry_run(
        &self,
        chain: ChainId,
        operations: Vec<Operation>,
        owner: Option<AccountOwner>,
    ) -> Result<BlockOutcome, NodeError> {
        // A block that is committed meanwhile would change the state below.
        let lock = self.locks.of(chain);
        let mut is_writing = lock.block.lock().await;
        self.settle(&mut is_writing).await?;
        let transactions = operations
            .into_iter()
            .map(Transaction::ExecuteOperation)
            .collect();
        let now = self.config.clock.now();
        let draft = self.draft(chain, transactions, owner, now).await?;
        Ok(self.stage(draft).await?.execution.executed.outcome)
    }

    /// Waits for a commit whose caller did not: stores write in the order in which they were asked to.
    pub(crate) async fn settle(&self, is_writing: &mut bool) -> Result<(), NodeError> {
        if *is_writing {
            self.store().write(Batch::new()).await?;
            *is_writing = false;
        }
        Ok(())
    }

    /// Signs a block and stores it with everything that follows from it, in one batch. The caller
    /// holds the chain's lock since before the block was staged.
    pub(crate) async fn commit(
        &self,
        staged: StagedBlock,
        signer: &AccountSecretKey,
        is_writing: &mut bool,
    ) -> Result<CommittedBlock, NodeError> {
        let StagedBlock {
            execution,
            rejected,
            dropped,
            dropped_updates,
            executions,
            ..
        } = staged;
        let BlockExecution {
            executed,
            mut batch,
            trace,
            report,
            ..
        } = execution;
        let signature = signer.sign(&executed.block);
        put_signature(&mut batch, &executed.block, &signature);
        let opened = registry::opened(&executed.outcome);
        for chain in &opened {
            registry::register(&mut batch, *chain);
        }
        self.parking.expect(opened);
        *is_writing = true;
        self.store().write(batch).await?;
        *is_writing = false;
        Ok(CommittedBlock {
            executed,
            signature,
            rejected,
            given_up: Vec::new(),
            dropped,
            dropped_updates,
            trace,
            report,
            executions,
        })
    }

    pub(crate) async fn draft(
        &self,
        chain: ChainId,
        transactions: Vec<Transaction>,
        authenticated_owner: Option<AccountOwner>,
        now: Timestamp,
    ) -> Result<BlockDraft, NodeError> {
        // A chain's time never goes back, and no message arrives before it was sent. It is not accepted if that was
        // far ahead of the clock.
        let sent = transactions.iter().filter_map(sent_at).max();
        let tip = self.tip(chain).await?.timestamp;
        let timestamp = now.max(tip).max(sent.unwrap_or(tip));
        Ok(BlockDraft {
            chain_id: chain,
            timestamp,
            authenticated_owner,
            transactions,
        })
    }

    /// Builds a block in the name of an owner of the chain.
    pub(crate) async fn stage(&self, draft: BlockDraft) -> Result<StagedBlock, NodeError> {
        let (executor, config) = (self.executor.clone(), self.config.clone());
        let staged = self.pool.run(move || {
            check_owner(&executor, &draft)?;
            let (chain, begun) = (draft.chain_id, Instant::now());
            let staged = stage_and_verify(&executor, config, draft);
            slow::note(chain, begun.elapsed(), &staged);
            staged
        });
        staged.await?
    }
}

fn has_bundle(staged: &StagedBlock) -> bool {
    let mut transactions = staged.execution.executed.block.transactions.iter();
    transactions.any(|transaction| transaction.bundle().is_some())
}

fn check_owner(executor: &Executor, draft: &BlockDraft) -> Result<(), NodeError> {
    let (chain, Some(signer)) = (draft.chain_id, draft.authenticated_owner) else {
        return Ok(());
    };
    if read_ownership(executor, chain)?.is_owner(&signer) {
        return Ok(());
    }
    Err(NodeError::NotAnOwner { chain, signer })
}

/// Builds the block and, if that is configured, runs it again as committed.
fn stage_and_verify(
    executor: &Executor,
    config: NodeConfig,
    draft: BlockDraft,
) -> Result<StagedBlock, NodeError> {
    let chain = draft.chain_id;
    let refused = |error| NodeError::block(chain, error);
    let policy = config.policy.clone();
    let staged = stage_block(executor, config.session, policy, draft, &config.staging);
    let staged = staged.map_err(refused)?;
    if let Some(session) = config.verify {
        let executed = &staged.execution.executed;
        let expected = Some(&executed.outcome);
        execute_block(executor, session, config.policy, &executed.block, expected)
            .map_err(refused)?;
    }
    Ok(staged)
}

fn sent_at(transaction: &Transaction) -> Option<Timestamp> {
    match transaction {
        Transaction::ReceiveMessages(incoming) if incoming.action == MessageAction::Accept => {
            Some(incoming.bundle.timestamp)
        }
        _ => None,
    }
}

fn put_signature(batch: &mut Batch, block: &Block, signature: &AccountSignature) {
    let bytes = bcs::to_bytes(signature).expect("signatures have a BCS encoding");
    batch.put(signature_key(block.chain_id, block.height), bytes);
}

/// The signature under the block at this height, if there is such a block.
pub(crate) async fn read_signature(
    store: &dyn KeyValueStore,
    chain: ChainId,
    height: BlockHeight,
) -> Result<Option<AccountSignature>, NodeError> {
    let Some(bytes) = store.read(&signature_key(chain, height)).await? else {
        return Ok(None);
    };
    let what = "a block's signature";
    bcs::from_bytes(&bytes)
        .map(Some)
        .map_err(|_| NodeError::DamagedRecord { what })
}

fn signature_key(chain: ChainId, height: BlockHeight) -> Vec<u8> {
    // Big-endian, so that records lie in the order of heights.
    partition_key(&chain_partition(chain), SIGNATURES, &height.0.to_be_bytes())
}
