//! Bundles that a chain has sent and that are not known to have arrived.

use std::collections::BTreeMap;

use resident_base::{ChainId, CryptoHash};
use resident_execution::{Fault, OutgoingMessage};
use resident_storage::{Batch, KeyValueStore};

use crate::{Cursor, ExecutedBlock, MessageBundle, PostedMessage, inbox, records};

/// Removes bundles from a chain's outbox, after the receiver's inbox has them durably.
pub fn confirm_delivery(
    chain: ChainId,
    destination: ChainId,
    cursors: impl IntoIterator<Item = Cursor>,
) -> Batch {
    let mut batch = Batch::new();
    for cursor in cursors {
        batch.delete(records::outbox_key(chain, destination, cursor));
    }
    batch
}

/// The bundles that a block sends, by destination. The finalization counts as a last transaction.
pub(crate) fn outgoing_bundles(
    executed: &ExecutedBlock,
    block_hash: CryptoHash,
) -> BTreeMap<ChainId, Vec<MessageBundle>> {
    let mut outgoing: BTreeMap<ChainId, Vec<MessageBundle>> = BTreeMap::new();
    let outcome = &executed.outcome;
    let outcomes = outcome.transactions.iter().chain([&outcome.finalization]);
    for (transaction_index, outcome) in (0..).zip(outcomes) {
        for (index, message) in (0..).zip(&outcome.effects.messages) {
            let bundles = outgoing.entry(message.destination).or_default();
            if bundles
                .last()
                .is_none_or(|last| last.transaction_index != transaction_index)
            {
                bundles.push(empty_bundle(executed, block_hash, transaction_index));
            }
            let bundle = bundles
                .last_mut()
                .expect("there is one, if only since just now");
            bundle.messages.push(post(message, index));
        }
    }
    outgoing
}

/// Adds a block's bundles to its batch.
pub(crate) fn put_outgoing(
    batch: &mut Batch,
    chain: ChainId,
    outgoing: &BTreeMap<ChainId, Vec<MessageBundle>>,
) {
    for (destination, bundles) in outgoing {
        for bundle in bundles {
            let key = records::outbox_key(chain, *destination, bundle.cursor());
            batch.put(key, records::encode(bundle));
        }
    }
}

pub(crate) async fn undelivered_bundles(
    store: &dyn KeyValueStore,
    chain: ChainId,
    after: Option<(ChainId, Cursor)>,
    limit: usize,
) -> Result<Vec<(ChainId, MessageBundle)>, Fault> {
    let after = after.map(|(to, cursor)| records::outbox_key(chain, to, cursor));
    inbox::scan_bundles(store, &records::outbox_prefix(chain), after, limit).await
}

fn empty_bundle(
    executed: &ExecutedBlock,
    block_hash: CryptoHash,
    transaction_index: u32,
) -> MessageBundle {
    MessageBundle {
        height: executed.block.height,
        timestamp: executed.block.timestamp,
        block_hash,
        transaction_index,
        messages: Vec::new(),
    }
}

pub(crate) fn post(message: &OutgoingMessage, index: u32) -> PostedMessage {
    PostedMessage {
        authenticated_owner: message.authenticated_owner,
        grant: message.grant,
        refund_grant_to: message.refund_grant_to,
        index,
        kind: message.kind,
        message: message.message.clone(),
    }
}
