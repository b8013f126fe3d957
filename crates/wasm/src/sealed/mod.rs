//! Compiled code in a form that can be kept outside of the process and trusted when it comes back.
//!
//! Loading compiled code means running whatever machine code its bytes hold; no engine can check that
//! afterwards. So this crate loads nothing but what was *sealed* here before, with a secret key that
//! stays in a [`SealKey`]. A sealed entry is
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `resicode` |
//! | 8 | 4 | [`SEAL_FORMAT`], little-endian |
//! | 12 | 8 | length of the code, little-endian |
//! | 20 | 32 | hash of the prepared module that was compiled |
//! | 52 | 32 | hash of the [`EngineIdentity`]: engine, its version, its configuration, the processor |
//! | 84 | 32 | BLAKE3, keyed, of the 84 bytes before and of the code |
//! | 116 | – | the code, as the engine serializes it |
//!
//! What this notices: bits that changed, entries that were cut short, files that are something else,
//! entries of another module under a wrong name, of another engine, version, configuration or
//! processor, and entries that were sealed elsewhere with another key. What it cannot notice: somebody
//! who reads the key, or who writes the node's memory. Whoever can act as the node's user can do both.

mod key;

use std::{
    fmt,
    hash::{Hash, Hasher},
};

pub use key::{KeyError, SealKey};
use thiserror::Error;

/// Version of the layout of sealed entries. Entries of any other version are refused.
pub const SEAL_FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"resicode";
const TAG_AT: usize = 84;
const CODE_AT: usize = 116;

/// Why bytes are not taken for compiled code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The bytes do not begin like a sealed entry.
    #[error("it is not compiled code of this program")]
    NotAnEntry,
    /// The entry is laid out in another way.
    #[error("it has format version {0}, and this program reads version {SEAL_FORMAT}")]
    OtherFormat(u32),
    /// The entry was cut short, or something was added.
    #[error("its code has {found} bytes instead of {expected}")]
    WrongLength {
        /// What the entry says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The seal does not fit: the entry is damaged, or was sealed with another key.
    #[error("its seal is broken: it is damaged, or was made elsewhere")]
    Broken,
    /// The code is that of another module.
    #[error("it is the code of another module")]
    OtherModule,
    /// The code is for another engine, or for another version, configuration or processor.
    #[error(
        "it was compiled by another engine, version or configuration, or for another processor"
    )]
    OtherEngine,
}

/// Everything besides the module that compiled code depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineIdentity {
    name: &'static str,
    hash: [u8; 32],
}

impl EngineIdentity {
    /// `configuration` is all that the engine's code generation depends on, the processor included.
    pub(crate) fn new(name: &'static str, version: &str, configuration: impl Hash) -> Self {
        let mut hasher = IdentityHasher(blake3::Hasher::new());
        (name, version).hash(&mut hasher);
        configuration.hash(&mut hasher);
        let hash = *hasher.0.finalize().as_bytes();
        EngineIdentity { name, hash }
    }
}

/// The engine's name and the beginning of the hash: fit for a file's name.
impl fmt::Display for EngineIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-", self.name)?;
        self.hash[..8]
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Compiled code that came out of this program. Only a seal that holds can make one.
pub(crate) struct Authentic<'a>(&'a [u8]);

impl<'a> Authentic<'a> {
    pub(crate) fn code(&self) -> &'a [u8] {
        self.0
    }
}

impl SealKey {
    /// Only code that an engine of this identity just made of the prepared module with this hash may be
    /// given.
    pub(crate) fn seal(&self, module: &[u8; 32], engine: &EngineIdentity, code: &[u8]) -> Vec<u8> {
        let mut entry = Vec::with_capacity(CODE_AT + code.len());
        entry.extend_from_slice(&MAGIC);
        entry.extend_from_slice(&SEAL_FORMAT.to_le_bytes());
        entry.extend_from_slice(&(code.len() as u64).to_le_bytes());
        entry.extend_from_slice(module);
        entry.extend_from_slice(&engine.hash);
        let tag = self.tag(&entry, code);
        entry.extend_from_slice(tag.as_bytes());
        entry.extend_from_slice(code);
        entry
    }

    pub(crate) fn open<'a>(
        &self,
        module: &[u8; 32],
        engine: &EngineIdentity,
        entry: &'a [u8],
    ) -> Result<Authentic<'a>, SealError> {
        let Parts { header, tag, code } = split(entry)?;
        // Comparing hashes of this crate takes the same time wherever they differ.
        if self.tag(header, code) != blake3::Hash::from_bytes(tag) {
            return Err(SealError::Broken);
        }
        if header[20..52] != *module {
            return Err(SealError::OtherModule);
        }
        if header[52..84] != engine.hash {
            return Err(SealError::OtherEngine);
        }
        Ok(Authentic(code))
    }

    fn tag(&self, header: &[u8], code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(self.bytes());
        hasher.update(header);
        hasher.update(code);
        hasher.finalize()
    }
}

/// What looks like a whole entry.
struct Parts<'a> {
    header: &'a [u8],
    tag: [u8; 32],
    code: &'a [u8],
}

fn split(entry: &[u8]) -> Result<Parts<'_>, SealError> {
    let (header, rest) = entry
        .split_at_checked(TAG_AT)
        .filter(|(header, _)| header.starts_with(&MAGIC))
        .ok_or(SealError::NotAnEntry)?;
    let format = u32::from_le_bytes(part(header, 8));
    if format != SEAL_FORMAT {
        return Err(SealError::OtherFormat(format));
    }
    let (tag, code) = rest.split_first_chunk().ok_or(SealError::NotAnEntry)?;
    let (expected, found) = (u64::from_le_bytes(part(header, 12)), code.len() as u64);
    if expected != found {
        return Err(SealError::WrongLength { expected, found });
    }
    let tag = *tag;
    Ok(Parts { header, tag, code })
}

fn part<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    *header[at..]
        .first_chunk()
        .expect("the header has its full length")
}

/// Lets `Hash` implementations of engines feed a hash that is long enough.
struct IdentityHasher(blake3::Hasher);

impl Hasher for IdentityHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        u64::from_le_bytes(part(self.0.finalize().as_bytes(), 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &[u8] = b"some machine code";

    fn engine(version: &str) -> EngineIdentity {
        EngineIdentity::new("engine", version, "configuration")
    }

    /// What opening an entry gives, for module 1 and engine version 1.
    fn open<'a>(key: &SealKey, entry: &'a [u8]) -> Result<&'a [u8], SealError> {
        let opened = key.open(&[1; 32], &engine("1"), entry)?;
        Ok(opened.code())
    }

    #[test]
    fn what_was_sealed_opens_again() {
        let key = SealKey::from_bytes([7; 32]);
        for code in [b"".as_slice(), CODE] {
            let entry = key.seal(&[1; 32], &engine("1"), code);
            assert_eq!(open(&key, &entry), Ok(code));
        }
    }

    #[test]
    fn every_changed_bit_and_every_other_length_is_noticed() {
        let key = SealKey::from_bytes([7; 32]);
        let entry = key.seal(&[1; 32], &engine("1"), CODE);
        for bit in 0..entry.len() * 8 {
            let mut changed = entry.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, &changed).is_err(), "bit {bit}");
        }
        for length in 0..entry.len() {
            assert!(open(&key, &entry[..length]).is_err(), "{length} bytes");
        }
        let longer = [entry.as_slice(), &[0]].concat();
        let wrong = SealError::WrongLength {
            expected: CODE.len() as u64,
            found: CODE.len() as u64 + 1,
        };
        assert_eq!(open(&key, &longer), Err(wrong));
    }

    #[test]
    fn what_belongs_to_something_else_is_refused() {
        let key = SealKey::from_bytes([7; 32]);
        let refused = |entry: &[u8]| open(&key, entry).expect_err("it is not for us");
        let other = key.seal(&[2; 32], &engine("1"), CODE);
        assert_eq!(refused(&other), SealError::OtherModule);
        let other = key.seal(&[1; 32], &engine("2"), CODE);
        assert_eq!(refused(&other), SealError::OtherEngine);
        let other = SealKey::from_bytes([8; 32]).seal(&[1; 32], &engine("1"), CODE);
        assert_eq!(refused(&other), SealError::Broken);
        let mut other = key.seal(&[1; 32], &engine("1"), CODE);
        other[8] = 2;
        assert_eq!(refused(&other), SealError::OtherFormat(2));
        assert_eq!(refused(&[0; 200]), SealError::NotAnEntry);
        assert_eq!(refused(CODE), SealError::NotAnEntry);
    }

    #[test]
    fn an_identity_depends_on_everything_that_it_is_told() {
        let identity = EngineIdentity::new("engine", "1", "configuration");
        assert_eq!(identity, engine("1"));
        assert_ne!(identity, EngineIdentity::new("other", "1", "configuration"));
        assert_ne!(
            identity,
            EngineIdentity::new("engine", "2", "configuration")
        );
        assert_ne!(identity, EngineIdentity::new("engine", "1", "other"));
        let name = identity.to_string();
        assert_eq!(name.len(), "engine-".len() + 16, "{name}");
    }
}
