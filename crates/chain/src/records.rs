//! The chain's records beside its state: how they are keyed and encoded.
//!
//! They lie in the chain's partition of the store, as node-local records, so that one batch holds them
//! together with the state. Numbers in keys are big-endian: their byte order is their numeric order.
//!
//! | tag | key | value (BCS) |
//! |---|---|---|
//! | 0 | – | [`ChainTip`](crate::ChainTip), once there is a block |
//! | 1 | height | [`ExecutedBlock`](crate::ExecutedBlock) |
//! | 2 | origin, height, index | [`MessageBundle`](crate::MessageBundle) waiting in the inbox |
//! | 3 | destination, height, index | [`MessageBundle`](crate::MessageBundle) waiting in the outbox |
//! | 4 | origin | [`Cursor`] of the last bundle that arrived |
//! | 5 | origin | [`Cursor`] of the last bundle that a block took |
//! | 6 | origin | [`Waiting`](crate::Waiting): what was tried in vain of the bundles of a sender |
//! | 7 | – | [`Turns`](crate::Turns): whose turn is next |
//! | 8 | destination, height, index | [`MessageBundle`](crate::MessageBundle) for a chain that the node does not keep |
//! | 9 | – | how many there are under tag 8 (`u64`) |
//!
//! One record of the chain itself is part of the hashed state: under [`consumed_key`], the same cursor as
//! under tag 5. Nodes that disagree about it would disagree about which bundles are in order; the
//! local copy is what can be read without opening the state.

use resident_base::{BlockHeight, ChainId, CryptoHash};
use resident_execution::{Fault, chain_partition};
use resident_storage::{LocalTag, partition_key};
use serde::{Serialize, de::DeserializeOwned};

use crate::Cursor;

const TIP: LocalTag = LocalTag::new(0);
const BLOCK: LocalTag = LocalTag::new(1);
const INBOX: LocalTag = LocalTag::new(2);
const OUTBOX: LocalTag = LocalTag::new(3);
const RECEIVED: LocalTag = LocalTag::new(4);
const CONSUMED: LocalTag = LocalTag::new(5);
const WAITING: LocalTag = LocalTag::new(6);
const TURNS: LocalTag = LocalTag::new(7);
const PARKED: LocalTag = LocalTag::new(8);
const PARKED_COUNT: LocalTag = LocalTag::new(9);

/// System keys from here on belong to this crate, those below to execution.
const CONSUMED_STATE_TAG: u8 = 0x80;

const CHAIN_BYTES: usize = 32;
const CURSOR_BYTES: usize = 12;

pub(crate) fn tip_key(chain: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), TIP, &[])
}

pub(crate) fn block_key(chain: ChainId, height: BlockHeight) -> Vec<u8> {
    partition_key(&chain_partition(chain), BLOCK, &height.0.to_be_bytes())
}

pub(crate) fn inbox_prefix(chain: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), INBOX, &[])
}

pub(crate) fn inbox_key(chain: ChainId, origin: ChainId, cursor: Cursor) -> Vec<u8> {
    partition_key(&chain_partition(chain), INBOX, &bundle_key(origin, cursor))
}

pub(crate) fn outbox_prefix(chain: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), OUTBOX, &[])
}

pub(crate) fn outbox_key(chain: ChainId, destination: ChainId, cursor: Cursor) -> Vec<u8> {
    partition_key(
        &chain_partition(chain),
        OUTBOX,
        &bundle_key(destination, cursor),
    )
}

/// What the keys of all bundles in an inbox from one sender begin with.
pub(crate) fn inbox_prefix_from(chain: ChainId, origin: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), INBOX, origin.0.as_bytes())
}

pub(crate) fn parked_prefix(chain: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), PARKED, &[])
}

pub(crate) fn parked_count_key(chain: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), PARKED_COUNT, &[])
}

pub(crate) fn waiting_prefix(chain: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), WAITING, &[])
}

pub(crate) fn waiting_key(chain: ChainId, origin: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), WAITING, origin.0.as_bytes())
}

pub(crate) fn turns_key(chain: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), TURNS, &[])
}

pub(crate) fn received_key(chain: ChainId, origin: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), RECEIVED, origin.0.as_bytes())
}

pub(crate) fn consumed_local_key(chain: ChainId, origin: ChainId) -> Vec<u8> {
    partition_key(&chain_partition(chain), CONSUMED, origin.0.as_bytes())
}

/// The key, in the chain's hashed state, of the last bundle taken from a sender.
pub(crate) fn consumed_key(origin: ChainId) -> Vec<u8> {
    [&[CONSUMED_STATE_TAG], origin.0.as_bytes().as_slice()].concat()
}

fn bundle_key(other: ChainId, cursor: Cursor) -> [u8; CHAIN_BYTES + CURSOR_BYTES] {
    let mut key = [0; CHAIN_BYTES + CURSOR_BYTES];
    key[..CHAIN_BYTES].copy_from_slice(other.0.as_bytes());
    key[CHAIN_BYTES..][..8].copy_from_slice(&cursor.height.0.to_be_bytes());
    key[CHAIN_BYTES + 8..].copy_from_slice(&cursor.index.to_be_bytes());
    key
}

/// The other chain in the key of an inbox or outbox entry, without the prefix.
pub(crate) fn other_chain(key: &[u8]) -> Result<ChainId, Fault> {
    Ok(position(key)?.0)
}

/// The other chain and the cursor in the key of an inbox or outbox entry, without the prefix.
pub(crate) fn position(key: &[u8]) -> Result<(ChainId, Cursor), Fault> {
    let parsed = || {
        let (chain, cursor) = key.split_first_chunk::<CHAIN_BYTES>()?;
        let (height, index) = cursor.split_first_chunk()?;
        let cursor = Cursor {
            height: BlockHeight(u64::from_be_bytes(*height)),
            index: u32::from_be_bytes(index.try_into().ok()?),
        };
        Some((ChainId(CryptoHash::from(*chain)), cursor))
    };
    parsed().ok_or_else(|| Fault::Damaged {
        what: "a waiting bundle",
        reason: format!("its key has {} bytes", key.len()),
    })
}

/// The chain in the key of a record by chain, without the prefix.
pub(crate) fn only_chain(key: &[u8]) -> Result<ChainId, Fault> {
    let bytes = <[u8; CHAIN_BYTES]>::try_from(key).map_err(|_| Fault::Damaged {
        what: "what waits",
        reason: format!("its key has {} bytes", key.len()),
    })?;
    Ok(ChainId(CryptoHash::from(bytes)))
}

pub(crate) fn encode(record: &impl Serialize) -> Vec<u8> {
    bcs::to_bytes(record).expect("records are bounded far below the limits of BCS")
}

pub(crate) fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Fault> {
    bcs::from_bytes(bytes).map_err(|error| Fault::Damaged {
        what,
        reason: error.to_string(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use resident_base::Timestamp;

    use super::*;
    use crate::MessageBundle;

    pub(crate) fn chain(number: u8) -> ChainId {
        ChainId(CryptoHash::from([number; 32]))
    }

    /// A bundle without messages.
    pub(crate) fn bundle(height: u64, index: u32) -> MessageBundle {
        MessageBundle {
            height: BlockHeight(height),
            timestamp: Timestamp::from(height),
            block_hash: CryptoHash::of_bytes(&height.to_le_bytes()),
            transaction_index: index,
            messages: Vec::new(),
        }
    }

    #[test]
    fn keys_sort_as_their_cursors() {
        let cursors = [(1, 2), (1, 256), (2, 0), (256, 1)];
        let keys = cursors.map(|(height, index)| {
            inbox_key(
                chain(1),
                chain(2),
                Cursor {
                    height: BlockHeight(height),
                    index,
                },
            )
        });
        assert!(keys.is_sorted());
        let rest = &keys[0][inbox_prefix(chain(1)).len()..];
        assert_eq!(other_chain(rest).unwrap(), chain(2));
        assert!(matches!(
            other_chain(&rest[1..]),
            Err(Fault::Damaged { .. })
        ));
    }

    #[test]
    fn damaged_records_are_named() {
        let error = decode::<Cursor>("a cursor", &[1, 2]).unwrap_err();
        assert!(error.to_string().contains("a cursor"), "{error}");
    }
}
