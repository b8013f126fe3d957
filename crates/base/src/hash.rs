//! Hashes, and what makes a value hashable.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text::{ParseIdError, hex_array, write_hex};

/// Stands between a type's name and its bytes. No name contains it, so the two cannot run together.
const SEPARATOR: &[u8] = b"::";

/// A 32-byte BLAKE3 hash.
///
/// As text it is 64 hexadecimal digits, in BCS 32 bytes without a length.
#[cfg_attr(any(test, feature = "test"), derive(Default))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CryptoHash([u8; 32]);

/// A value with a typed hash.
///
/// The hash covers the name of the type, so that equal bytes of different types have different hashes, and
/// a signature for one can never be passed off as a signature for the other.
pub trait BcsHashable: Serialize {
    /// The name that enters the hash: an identifier, unique among all hashable types, never to be changed.
    const NAME: &'static str;
}

impl CryptoHash {
    /// The typed hash of a value: of its type's name, `::`, and its BCS bytes.
    ///
    /// Panics if the value has no BCS encoding, for example a byte string of 2 GiB; limits on sizes are
    /// checked long before a value is hashed.
    pub fn new<T: BcsHashable>(value: &T) -> Self {
        // Serde gives most values byte by byte; a hasher wants them in long runs.
        let encoded = bcs::to_bytes(value).expect("hashable values have a BCS encoding");
        Self::of_encoded::<T>(&encoded)
    }

    /// The typed hash of a value whose BCS bytes are known.
    pub fn of_encoded<T: BcsHashable>(encoded: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(T::NAME.as_bytes())
            .update(SEPARATOR)
            .update(encoded);
        Self(*hasher.finalize().as_bytes())
    }

    /// The plain hash of some bytes, without a type's name.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hash as bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A hash made from a name, for tests.
    #[cfg(any(test, feature = "test"))]
    pub fn test_hash(name: impl Into<String>) -> Self {
        Self::of_bytes(name.into().as_bytes())
    }
}

impl From<[u8; 32]> for CryptoHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Little-endian parts, in order: how a hash crosses the guest boundary.
impl From<[u64; 4]> for CryptoHash {
    fn from(parts: [u64; 4]) -> Self {
        let mut bytes = [0; 32];
        for (chunk, part) in bytes.chunks_exact_mut(8).zip(parts) {
            chunk.copy_from_slice(&part.to_le_bytes());
        }
        Self(bytes)
    }
}

/// Little-endian parts, in order: how a hash crosses the guest boundary.
impl From<CryptoHash> for [u64; 4] {
    fn from(hash: CryptoHash) -> Self {
        let mut parts = [0; 4];
        for (part, chunk) in parts.iter_mut().zip(hash.0.chunks_exact(8)) {
            *part = u64::from_le_bytes(chunk.try_into().expect("chunks have eight bytes"));
        }
        parts
    }
}

impl fmt::Display for CryptoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// The first eight bytes are enough to tell hashes apart in a log.
impl fmt::Debug for CryptoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0[..8])
    }
}

impl FromStr for CryptoHash {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        hex_array(text).map(Self)
    }
}

/// Four little-endian words have the same BCS bytes as 32 single ones, and take an eighth of the calls.
#[derive(Serialize, Deserialize)]
#[serde(rename = "CryptoHash")]
struct BinaryHash([u64; 4]);

impl_serde_as_text!(
    CryptoHash,
    BinaryHash,
    |hash| BinaryHash((*hash).into()),
    |binary| CryptoHash::from(binary.0)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Left(u64);

    #[derive(Serialize)]
    struct Right(u64);

    impl BcsHashable for Left {
        const NAME: &'static str = "Left";
    }

    impl BcsHashable for Right {
        const NAME: &'static str = "Right";
    }

    #[test]
    fn typed_hash_covers_the_name_and_the_bytes() {
        let hash = CryptoHash::new(&Left(1));
        assert_eq!(hash, CryptoHash::of_bytes(b"Left::\x01\0\0\0\0\0\0\0"));
        assert_ne!(hash, CryptoHash::new(&Right(1)));
        assert_ne!(hash, CryptoHash::new(&Left(2)));
    }

    #[test]
    fn parts_are_little_endian_and_come_back() {
        let hash = CryptoHash::from([1, 2, 3, u64::MAX]);
        assert_eq!(hash.as_bytes()[..9], [1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(<[u64; 4]>::from(hash), [1, 2, 3, u64::MAX]);
    }

    #[test]
    fn text_comes_back_and_errors_are_typed() {
        let hash = CryptoHash::test_hash("text");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        let (expected, found) = (64, 2);
        assert_eq!(
            "ab".parse::<CryptoHash>(),
            Err(ParseIdError::Length { expected, found })
        );
        assert_eq!(
            "zz".repeat(32).parse::<CryptoHash>(),
            Err(ParseIdError::Digits)
        );
        assert_eq!(
            "é".repeat(32).parse::<CryptoHash>(),
            Err(ParseIdError::Digits)
        );
    }
}
