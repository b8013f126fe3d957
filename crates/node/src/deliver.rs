//! From the outboxes of the node's chains to their inboxes.
//!
//! Delivery takes two durable steps: first the bundles are stored in the inbox, then they are removed
//! from the outbox. A node that is killed in between delivers them again, and the inbox skips what it
//! has already received. Two deliveries of one chain at the same time are harmless for the same reason.
//!
//! Bundles for a chain that the node does not keep are parked, once, so that they do not lie before those that can be
//! delivered. Whoever makes a chain known notes it, before it is, and the next delivery brings back what was
//! parked for it; whoever has parked something looks again whether the chain is known by now. So of
//! the two, the later one sees the other. A node that starts looks at all that is parked.
//!
//! Later bundles must not overtake those that are parked, or an inbox would take these for old ones: nothing is delivered
//! to a chain as long as something of the same sender is parked for it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{StreamExt, stream};
use resident_base::{BlockHeight, ChainId};
use resident_chain::{
    Cursor, MessageBundle, confirm_delivery, park_bundles, receive_bundles, unpark_bundles,
};

use crate::{
    error::NodeError,
    local::LocalNode,
    registry::{self, Standing},
};

/// The most bundles that are read from an outbox at a time.
const PAGE: usize = 1024;

/// How many chains deliver at the same time.
const PARALLEL_CHAINS: usize = 16;

/// What a delivery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Bundles taken out of outboxes. Their inboxes have them.
    pub delivered: usize,
    /// Bundles for chains that this node does not keep, those of earlier deliveries included. They are parked, and
    /// keep nothing from others.
    pub waiting: usize,
}

/// A delivery, and what went wrong with it.
#[derive(Default)]
struct Attempt {
    delivery: Delivery,
    first_error: Option<(ChainId, ChainId, NodeError)>,
    /// How many pairs of chains there were errors for.
    errors: usize,
    /// Whether parked bundles have come back, so that the outbox is to be gone through again.
    is_again: bool,
}

/// What became of the bundles for one chain.
enum Fate {
    Delivered,
    Parked,
    /// Those that were parked for it are in the outbox again.
    Back,
}

impl Attempt {
    fn fail(&mut self, origin: ChainId, destination: ChainId, error: NodeError) {
        self.first_error.get_or_insert((origin, destination, error));
        self.errors += 1;
    }

    fn add(&mut self, other: Self) {
        self.delivery.delivered += other.delivery.delivered;
        self.delivery.waiting += other.delivery.waiting;
        self.errors += other.errors;
        self.is_again |= other.is_again;
        if self.first_error.is_none() {
            self.first_error = other.first_error;
        }
    }

    fn finish(self) -> Result<Delivery, NodeError> {
        let delivery = self.delivery;
        let Some((origin, destination, error)) = self.first_error else {
            return Ok(delivery);
        };
        Err(NodeError::Undelivered {
            origin,
            destination,
            source: Box::new(error),
            others: self.errors - 1,
            delivery,
        })
    }
}

impl LocalNode {
    /// Delivers what waits in the outbox of this chain. What cannot be delivered to one chain holds up nothing for
    /// others: the error comes when everything else is delivered.
    pub async fn deliver(&self, chain: ChainId) -> Result<Delivery, NodeError> {
        self.bring_back_parked().await?;
        self.deliver_chain(chain).await?.finish()
    }

    /// Delivers what waits in the outboxes of all chains, as [`deliver`](Self::deliver) does for one. Delivering makes
    /// no new messages; processing the inboxes does.
    pub async fn deliver_all(&self) -> Result<Delivery, NodeError> {
        self.bring_back_parked().await?;
        let mut total = Attempt::default();
        let mut after = None;
        loop {
            let chains = self.chains(after, PAGE).await?;
            let Some(last) = chains.last() else {
                return total.finish();
            };
            after = Some(*last);
            let attempts = stream::iter(chains)
                .map(|chain| async move { (chain, self.deliver_chain(chain).await) });
            let mut attempts = attempts.buffer_unordered(PARALLEL_CHAINS);
            while let Some((chain, attempt)) = attempts.next().await {
                match attempt {
                    Ok(attempt) => total.add(attempt),
                    Err(error) => total.fail(chain, chain, error),
                }
            }
        }
    }

    async fn deliver_chain(&self, chain: ChainId) -> Result<Attempt, NodeError> {
        let mut total = Attempt::default();
        loop {
            let attempt = self.go_through_outbox(chain).await?;
            let is_again = attempt.is_again;
            total.add(attempt);
            if !is_again {
                break;
            }
        }
        let parked = self.reader(chain).parked_len().await?;
        total.delivery.waiting = usize::try_from(parked).unwrap_or(usize::MAX);
        Ok(total)
    }

    /// Goes through the outbox once, and past what fails.
    async fn go_through_outbox(&self, chain: ChainId) -> Result<Attempt, NodeError> {
        let lock = self.locks.of(chain);
        let mut is_writing = lock.outbox.lock().await;
        self.settle(&mut is_writing).await?;
        *is_writing = true;
        let mut attempt = Attempt::default();
        let mut after = None;
        loop {
            let bundles = self.reader(chain).outbox_after(after, PAGE).await?;
            let Some((last, bundle)) = bundles.last() else {
                *is_writing = false;
                return Ok(attempt);
            };
            after = Some((*last, bundle.cursor()));
            for (destination, bundles) in by_destination(bundles) {
                let count = bundles.len();
                match self.deliver_or_park(chain, destination, bundles).await {
                    Ok(Fate::Delivered) => {
                        attempt.delivery.delivered += count;
                        continue;
                    }
                    Ok(Fate::Parked) => {}
                    Ok(Fate::Back) => attempt.is_again = true,
                    Err(error) => attempt.fail(chain, destination, error),
                }
                // Past all others for the same chain.
                after = after.max(Some((destination, LAST)));
            }
        }
    }

    /// The caller holds the lock of the outbox since before it read the bundles.
    async fn deliver_or_park(
        &self,
        origin: ChainId,
        destination: ChainId,
        bundles: Vec<MessageBundle>,
    ) -> Result<Fate, NodeError> {
        match registry::standing(&**self.store(), destination, origin).await? {
            Standing::Unknown => {
                self.park(origin, destination).await?;
                Ok(Fate::Parked)
            }
            Standing::Awaited => {
                self.unpark(origin, destination).await?;
                Ok(Fate::Back)
            }
            Standing::Known => {
                self.deliver_to(destination, origin, bundles).await?;
                Ok(Fate::Delivered)
            }
        }
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

    /// Puts all bundles for a destination aside. The caller holds the lock of the outbox.
    async fn park(&self, origin: ChainId, destination: ChainId) -> Result<(), NodeError> {
        let store = &**self.store();
        loop {
            let mut batch = park_bundles(store, origin, destination).await?;
            if batch.is_empty() {
                break;
            }
            registry::put_parked(&mut batch, destination, origin);
            store.write(batch).await?;
        }
        if registry::is_known(store, destination).await? {
            self.parking.expect([destination]);
        }
        Ok(())
    }

    /// Moves what is parked for a destination back into the outbox. The caller holds the lock of the outbox.
    async fn unpark(&self, origin: ChainId, destination: ChainId) -> Result<(), NodeError> {
        let store = &**self.store();
        loop {
            let mut batch = unpark_bundles(store, origin, destination).await?;
            let is_all = batch.is_empty();
            if is_all {
                registry::remove_parked(&mut batch, destination, origin);
            }
            store.write(batch).await?;
            if is_all {
                return Ok(());
            }
        }
    }

    /// Brings back what was parked for chains that the node knows now.
    async fn bring_back_parked(&self) -> Result<(), NodeError> {
        let store = &**self.store();
        if !self.parking.is_swept.load(Ordering::Acquire) {
            let mut after = None;
            while let Some(chain) = registry::next_awaited(store, after).await? {
                if registry::is_known(store, chain).await? {
                    self.parking.expect([chain]);
                }
                after = Some(chain);
            }
            self.parking.is_swept.store(true, Ordering::Release);
        }
        for (chain, notes) in self.parking.expected() {
            // Otherwise the block that makes it known is under way.
            if registry::is_known(store, chain).await? {
                while let Some(origin) = registry::first_parked(store, chain).await? {
                    let lock = self.locks.of(origin);
                    let mut is_writing = lock.outbox.lock().await;
                    self.settle(&mut is_writing).await?;
                    *is_writing = true;
                    self.unpark(origin, chain).await?;
                    *is_writing = false;
                }
                self.parking.forget(chain, notes);
            }
        }
        Ok(())
    }
}

/// Chains for which something may be parked and that may be known by now.
#[derive(Default)]
pub(crate) struct Parking {
    /// With how often that was noted.
    expected: Mutex<BTreeMap<ChainId, u64>>,
    is_swept: AtomicBool,
}

impl Parking {
    /// Notes chains that are about to become known, or that were not when something was parked.
    pub(crate) fn expect(&self, chains: impl IntoIterator<Item = ChainId>) {
        let mut expected = self.lock();
        for chain in chains {
            *expected.entry(chain).or_default() += 1;
        }
    }

    fn expected(&self) -> Vec<(ChainId, u64)> {
        self.lock()
            .iter()
            .map(|(chain, notes)| (*chain, *notes))
            .collect()
    }

    /// Unless it was noted again since.
    fn forget(&self, chain: ChainId, notes: u64) {
        let mut expected = self.lock();
        if expected.get(&chain) == Some(&notes) {
            expected.remove(&chain);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ChainId, u64>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Behind all bundles for a destination.
const LAST: Cursor = Cursor {
    height: BlockHeight(u64::MAX),
    index: u32::MAX,
};

/// Keeps the order of the bundles for each destination.
fn by_destination(bundles: Vec<(ChainId, MessageBundle)>) -> BTreeMap<ChainId, Vec<MessageBundle>> {
    let mut sorted = BTreeMap::<_, Vec<_>>::new();
    for (destination, bundle) in bundles {
        sorted.entry(destination).or_default().push(bundle);
    }
    sorted
}
