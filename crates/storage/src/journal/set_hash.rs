//! A hash of a set of keys and values that is carried forward by what changes.
//!
//! LtHash: each element is stretched to a vector of 1024 numbers of 16 bits, and the set's
//! accumulator is the sum of its elements' vectors. Adding or removing an element is adding or
//! subtracting its vector, so the order of changes cannot matter and the cost is that of the changes.
//! Finding two sets with equal sums is a short-vector problem on a lattice. Source: Lewi, Kim,
//! Maykov, Weis, "Securing update propagation with homomorphic hashing", 2019.
//!
//! An element is hashed to 32 bytes, whatever its size, and these are stretched as the key of a ChaCha
//! stream. Bitcoin Core's MuHash3072 makes its elements in the same two steps, with ChaCha20. Here the
//! stretching is most of the cost of a block's end, and eight rounds take 0.4 of the time of twenty.
//! They are the number that Aumasson, "Too much crypto", 2019, argues to be enough, on the same
//! grounds as the seven rounds of BLAKE3, which everything here rests on anyway; the keys are hashes,
//! so nobody can choose related ones.
//!
//! Formats, all little-endian:
//!
//! - digest of an element: BLAKE3 keyed with [`ELEMENT_KEY`], over the length of the key (8 bytes),
//!   the key with its namespace, the length of the value (8 bytes), the value;
//! - vector: the first 2048 bytes of ChaCha8 (96-bit nonce) with the digest as key, nonce and counter
//!   zero, read as 1024 `u16`;
//! - accumulator: the 1024 sums modulo 2^16. State hash: BLAKE3 of these 2048 bytes.

use chacha20::{ChaCha8, KeyIvInit, cipher::StreamCipher};
use resident_base::CryptoHash;

const LANES: usize = 1024;
const BYTES: usize = 2 * LANES;

/// Separates elements from every other use of BLAKE3.
const ELEMENT_KEY: &[u8; 32] = b"resident: element of state, v. 1";

/// The accumulator.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SetHash {
    lanes: Box<[u16; LANES]>,
}

/// The vector of one element, as bytes.
type Vector = [u8; BYTES];

/// Turns elements into vectors, in memory that is used again for each.
pub(super) struct ElementHasher {
    input: Vec<u8>,
    vector: Box<Vector>,
}

impl Default for ElementHasher {
    fn default() -> Self {
        Self {
            input: Vec::new(),
            vector: Box::new([0; BYTES]),
        }
    }
}

impl ElementHasher {
    pub(super) fn vector(&mut self, key: &[u8], value: &[u8]) -> &Vector {
        self.input.clear();
        for part in [key, value] {
            self.input
                .extend_from_slice(&(part.len() as u64).to_le_bytes());
            self.input.extend_from_slice(part);
        }
        let digest = blake3::keyed_hash(ELEMENT_KEY, &self.input);
        ChaCha8::new(digest.as_bytes().into(), &[0; 12].into()).write_keystream(&mut *self.vector);
        &self.vector
    }
}

impl SetHash {
    /// Of no record for the empty set, else of what [`encode`](Self::encode) made. The error is the
    /// wrong length.
    pub(super) fn decode(record: Option<&[u8]>) -> Result<Self, usize> {
        let mut lanes = Box::new([0; LANES]);
        if let Some(record) = record {
            let bytes: &[u8; BYTES] = record.try_into().map_err(|_| record.len())?;
            combine(&mut lanes, bytes, |_, lane| lane);
        }
        Ok(Self { lanes })
    }

    /// `None` for the empty set.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        self.lanes
            .iter()
            .any(|lane| *lane != 0)
            .then(|| self.bytes())
    }

    /// The set must not contain the element.
    pub(super) fn add(&mut self, element: &Vector) {
        combine(&mut self.lanes, element, u16::wrapping_add);
    }

    /// The set must contain the element.
    pub(super) fn remove(&mut self, element: &Vector) {
        combine(&mut self.lanes, element, u16::wrapping_sub);
    }

    pub(super) fn state_hash(&self) -> CryptoHash {
        CryptoHash::from(*blake3::hash(&self.bytes()).as_bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; BYTES];
        let (pairs, _) = bytes.as_chunks_mut::<2>();
        for (pair, lane) in pairs.iter_mut().zip(&*self.lanes) {
            *pair = lane.to_le_bytes();
        }
        bytes
    }
}

/// Fixed lengths and no branches, so that the compiler uses vector instructions.
fn combine(lanes: &mut [u16; LANES], bytes: &[u8; BYTES], operation: impl Fn(u16, u16) -> u16) {
    let (pairs, _) = bytes.as_chunks::<2>();
    for (lane, pair) in lanes.iter_mut().zip(pairs) {
        *lane = operation(*lane, u16::from_le_bytes(*pair));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(key: &[u8], value: &[u8]) -> Vector {
        *ElementHasher::default().vector(key, value)
    }

    fn empty() -> SetHash {
        SetHash::decode(None).unwrap()
    }

    #[test]
    fn order_does_not_matter_and_removal_undoes() {
        let (one, two) = (vector(b"1", b"a"), vector(b"2", b"b"));
        let (mut forward, mut backward) = (empty(), empty());
        forward.add(&one);
        forward.add(&two);
        backward.add(&two);
        backward.add(&one);
        assert!(forward == backward);
        forward.remove(&one);
        forward.remove(&two);
        assert!(forward == empty());
        assert!(forward.encode().is_none());
    }

    #[test]
    fn lengths_keep_key_and_value_apart() {
        assert_ne!(vector(b"ab", b"c"), vector(b"a", b"bc"));
        assert_ne!(vector(b"", b"a"), vector(b"a", b""));
    }

    #[test]
    fn the_record_round_trips_and_a_short_one_is_refused() {
        let mut hash = empty();
        hash.add(&vector(b"key", b"value"));
        let record = hash.encode().unwrap();
        assert!(SetHash::decode(Some(&record)).unwrap() == hash);
        assert_eq!(SetHash::decode(Some(&record[1..])).err(), Some(BYTES - 1));
    }
}
