//! Messages between chains.

use std::collections::BTreeMap;

use futures::executor::block_on;
use resident_base::ChainId;
use resident_chain::{
    IncomingBundle, MAX_INBOX_PAGE, MessageAction, MessageBundle, StagedBlock, StagingPolicy,
    Transaction, confirm_delivery, receive_bundles,
};

use crate::{TestChain, TestChains};

impl TestChains {
    /// Moves what waits in a chain's outbox to the inboxes. Answers with the number of bundles.
    pub fn deliver(&self, chain: &TestChain) -> usize {
        let bundles = block_on(self.reader(chain.id).outbox(MAX_INBOX_PAGE));
        let bundles = bundles.expect("the outbox can be read");
        let count = bundles.len();
        let mut sorted = BTreeMap::<ChainId, Vec<MessageBundle>>::new();
        for (destination, bundle) in bundles {
            sorted.entry(destination).or_default().push(bundle);
        }
        for (destination, bundles) in sorted {
            let cursors: Vec<_> = bundles.iter().map(MessageBundle::cursor).collect();
            let received = receive_bundles(&**self.store(), destination, chain.id, bundles);
            self.write(block_on(received).expect("an outbox is in order"));
            self.write(confirm_delivery(chain.id, destination, cursors));
        }
        count
    }

    /// What waits in a chain's inbox, to be accepted, by sender and then in the order of sending.
    pub fn inbox(&self, chain: &TestChain) -> Vec<IncomingBundle> {
        let bundles = block_on(self.reader(chain.id).inbox_bundles(MAX_INBOX_PAGE));
        let bundles = bundles.expect("the inbox can be read").into_iter();
        let action = MessageAction::Accept;
        bundles
            .map(|(origin, bundle)| IncomingBundle {
                origin,
                bundle,
                action,
            })
            .collect()
    }

    /// [`inbox`](Self::inbox) as the transactions of a block.
    pub fn inbox_transactions(&self, chain: &TestChain) -> Vec<Transaction> {
        self.inbox(chain)
            .into_iter()
            .map(Transaction::ReceiveMessages)
            .collect()
    }

    /// What the chain's applications have not been told of the streams that they follow, as the transactions
    /// of a block: one for each application.
    pub fn stream_updates(&self, chain: &TestChain) -> Vec<Transaction> {
        let executor = self.executor(self.engine());
        let news = executor.new_events(chain.id, usize::MAX, u32::MAX);
        let news = news.expect("the store can be read").into_iter();
        news.map(Transaction::UpdateStreams).collect()
    }

    /// Builds a block of everything in the inbox, checks it on every engine and session, and stores
    /// it. What the staged block had in it to be stored is gone from the answer.
    pub fn process_inbox(&self, chain: &TestChain, policy: &StagingPolicy) -> StagedBlock {
        let mut staged = self
            .stage(chain, self.inbox_transactions(chain), policy)
            .unwrap_or_else(|error| panic!("the inbox cannot be processed: {error}"));
        self.check_everywhere(&staged.execution);
        self.write(std::mem::take(&mut staged.execution.batch));
        staged
    }
}
