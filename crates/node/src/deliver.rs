//! From the outboxes of the node's chains to their inboxes.
//!
//! Delivery takes two durable steps: first the bundles are stored in the inbox, then they are removed
//! from the outbox. A node that is killed in between delivers them again, and the inbox skips what it
//! has already received. Two deliveries of one chain at the same time are harmless for the same reason.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use resident_base::ChainId;
use resident_chain::{MessageBundle, confirm_delivery, receive_bundles};

use crate::{error::NodeError, local::LocalNode, registry};

/// The most bundles that are read from an outbox at a time.
const PAGE: usize = 1024;

/// How many chains deliver at the same time.
const PARALLEL_CHAINS: usize = 16;

/// What a delivery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Bundles taken out of outboxes. Their inboxes have them.
    pub delivered: usize,
    /// Bundles for chains that this node does not keep. They remain in their outbox. A chain with
    /// more than a thousand of these at the front of its outbox delivers nothing else.
    pub waiting: usize,
}

impl LocalNode {
    /// Delivers what waits in the outbox of this chain.
    pub async fn deliver(&self, chain: ChainId) -> Result<Delivery, NodeError> {
        let mut total = Delivery::default();
        loop {
            let bundles = self.reader(chain).outbox(PAGE).await?;
            let page = self.deliver_page(chain, bundles).await?;
            total.delivered += page.delivered;
            total.waiting = page.waiting;
            if page.delivered == 0 {
                return Ok(total);
            }
        }
    }

    /// Delivers what waits in the outboxes of all chains. Delivering makes no new messages;
    /// processing the inboxes does.
    pub async fn deliver_all(&self) -> Result<Delivery, NodeError> {
        let mut total = Delivery::default();
        let mut after = None;
        loop {
            let chains = self.chains(after, PAGE).await?;
            let Some(last) = chains.last() else {
                return Ok(total);
            };
            after = Some(*last);
            let deliveries = stream::iter(chains).map(|chain| self.deliver(chain));
            let mut deliveries = deliveries.buffer_unordered(PARALLEL_CHAINS);
            while let Some(delivery) = deliveries.try_next().await? {
                total.delivered += delivery.delivered;
                total.waiting += delivery.waiting;
            }
        }
    }

    async fn deliver_page(
        &self,
        origin: ChainId,
        bundles: Vec<(ChainId, MessageBundle)>,
    ) -> Result<Delivery, NodeError> {
        let mut delivery = Delivery::default();
        for (destination, bundles) in by_destination(bundles) {
            let count = bundles.len();
            if !registry::is_known(&**self.store(), destination).await? {
                delivery.waiting += count;
                continue;
            }
            self.deliver_to(destination, origin, bundles).await?;
            delivery.delivered += count;
        }
        Ok(delivery)
    }

    async fn deliver_to(
        &self,
        destination: ChainId,
        origin: ChainId,
        bundles: Vec<MessageBundle>,
    ) -> Result<(), NodeError> {
        let cursors: Vec<_> = bundles.iter().map(MessageBundle::cursor).collect();
        {
            let lock = self.locks.of(destination);
            let _guard = lock.inbox.lock().await;
            let batch = receive_bundles(&**self.store(), destination, origin, bundles).await?;
            self.store().write(batch).await?;
        }
        self.store()
            .write(confirm_delivery(origin, destination, cursors))
            .await?;
        Ok(())
    }
}

/// Keeps the order of the bundles for each destination.
fn by_destination(bundles: Vec<(ChainId, MessageBundle)>) -> BTreeMap<ChainId, Vec<MessageBundle>> {
    let mut sorted = BTreeMap::<_, Vec<_>>::new();
    for (destination, bundle) in bundles {
        sorted.entry(destination).or_default().push(bundle);
    }
    sorted
}
