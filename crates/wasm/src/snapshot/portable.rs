#![doc = include_str!("FORMAT.md")]

use resident_base::CryptoHash;
use resident_witty::SnapshotSize;
use thiserror::Error;

use super::RestoreError;
use crate::prepare::{PreparedModule, ValueType, WORD_BYTES};

/// The version of the format, which is in every snapshot.
pub const SNAPSHOT_FORMAT_VERSION: u32 = 1;

const MAGIC: [u8; 4] = *b"RSNP";
const HASH_BYTES: usize = 32;
const HEADER_BYTES: usize = 4 + 4 + HASH_BYTES + 1 + 4 + 4 + 4;
const GLOBAL_BYTES: usize = 8;
pub(crate) const PAGE_BYTES: usize = 64 << 10;

/// The complete mutable state of an instance in its one portable encoding.
///
/// It continues on any engine, and two instances of a module are in equal states exactly if their
/// portable snapshots are equal. See the module's page for the format.
#[derive(Clone, Debug)]
pub struct PortableSnapshot {
    /// The encoding without the hash at its end. Its structure is known to be sound.
    body: Vec<u8>,
    /// Whether the snapshot was taken here, so that it is canonical for sure.
    taken: bool,
}

impl PartialEq for PortableSnapshot {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body
    }
}

impl Eq for PortableSnapshot {}

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// The first bytes are not those of a snapshot.
    #[error("these bytes are no snapshot: they do not begin with `RSNP`")]
    NotASnapshot,
    /// The snapshot was written in another version of the format.
    #[error(
        "the snapshot has format version {found}, this build reads version {SNAPSHOT_FORMAT_VERSION}; take it anew"
    )]
    Version {
        /// The version that it has.
        found: u32,
    },
    /// The bytes end too early, or go on too long.
    #[error(
        "the snapshot has {found} bytes, its counts ask for {expected}; it was cut off or is corrupt"
    )]
    Length {
        /// The bytes that are there.
        found: u64,
        /// The bytes that there should be, as far as the counts can be followed.
        expected: u64,
    },
    /// A field has a value that it cannot have.
    #[error("the snapshot is corrupt: {0}")]
    Corrupt(&'static str),
    /// The hash at the end is not that of the bytes.
    #[error("the snapshot is corrupt: its hash is {found}, it says {expected}")]
    Hash {
        /// The hash of the bytes.
        found: CryptoHash,
        /// The hash at the end.
        expected: CryptoHash,
    },
}

impl PortableSnapshot {
    /// Encodes the state of an instance, into the buffer of an older snapshot.
    pub(crate) fn new(
        reused: Option<Self>,
        prepared: &PreparedModule,
        started: bool,
        globals: &[u64],
        memory: &[u8],
    ) -> Self {
        let mut body = reused.map(|reused| reused.body).unwrap_or_default();
        body.clear();
        body.extend(MAGIC);
        body.extend(SNAPSHOT_FORMAT_VERSION.to_le_bytes());
        body.extend(prepared.hash);
        body.push(u8::from(started));
        body.extend(number(memory.len() / PAGE_BYTES));
        body.extend(number(globals.len()));
        let count_at = body.len();
        body.extend(number(0));
        for global in globals {
            body.extend(global.to_le_bytes());
        }
        let mut runs = 0;
        prepared
            .starting_image
            .differences(memory, |address, bytes| {
                runs += 1;
                body.extend(number(address / WORD_BYTES));
                body.extend(number(bytes.len() / WORD_BYTES));
                body.extend_from_slice(bytes);
            });
        body[count_at..count_at + 4].copy_from_slice(&number(runs));
        PortableSnapshot { body, taken: true }
    }

    /// Reads a snapshot back.
    ///
    /// # Errors
    /// If the bytes are not a whole, unchanged snapshot in this version of the format. Whether it fits
    /// an instance is only known when it is restored.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.take(4)? != MAGIC {
            return Err(SnapshotError::NotASnapshot);
        }
        let found = reader.number()?;
        if found != SNAPSHOT_FORMAT_VERSION {
            return Err(SnapshotError::Version { found });
        }
        check_structure(&mut reader)?;
        let body = &bytes[..reader.at];
        let expected = hash_of(reader.take(HASH_BYTES)?);
        reader.end()?;
        let found = hash_of(blake3::hash(body).as_bytes());
        if found != expected {
            return Err(SnapshotError::Hash { found, expected });
        }
        Ok(PortableSnapshot {
            body: body.to_vec(),
            taken: false,
        })
    }

    /// The snapshot as bytes, which [`decode`](Self::decode) reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let hash = blake3::hash(&self.body);
        [&self.body, hash.as_bytes().as_slice()].concat()
    }

    /// The hash that names the state: equal states of a module have equal hashes.
    pub fn hash(&self) -> CryptoHash {
        hash_of(blake3::hash(&self.body).as_bytes())
    }

    /// The prepared module that the state belongs to.
    pub fn module(&self) -> CryptoHash {
        hash_of(&self.body[8..8 + HASH_BYTES])
    }

    /// The size of the memory in bytes.
    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.field(0)) * PAGE_BYTES as u64
    }

    /// Whether the module's start function has run.
    pub(crate) fn started(&self) -> bool {
        self.body[8 + HASH_BYTES] == 1
    }

    /// The captured globals as raw bits.
    pub(crate) fn globals(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        let bytes = &self.body[HEADER_BYTES..self.runs_at()];
        bytes
            .chunks_exact(GLOBAL_BYTES)
            .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("eight bytes")))
    }

    /// Writes what differs to a memory of the right size that holds the starting image.
    pub(crate) fn write_differences(&self, memory: &mut [u8]) {
        for (address, bytes) in self.runs() {
            memory[address..address + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Checks that the snapshot can be restored to an instance of `prepared` whose memory has
    /// `memory_bytes` now.
    pub(crate) fn check(
        &self,
        prepared: &PreparedModule,
        memory_bytes: u64,
    ) -> Result<(), RestoreError> {
        RestoreError::check_module(self.module(), prepared)?;
        self.check_globals(prepared)?;
        RestoreError::check_memory(self.memory_bytes(), prepared, memory_bytes)?;
        let image = &prepared.starting_image;
        let mut runs = self.runs();
        let canonical =
            self.taken || runs.all(|(address, bytes)| image.differs_throughout(address, bytes));
        match canonical {
            true => Ok(()),
            false => Err(RestoreError::NotCanonical),
        }
    }

    fn check_globals(&self, prepared: &PreparedModule) -> Result<(), RestoreError> {
        let captured = &prepared.captured_globals;
        let narrow = |ty| matches!(ty, ValueType::I32 | ValueType::F32);
        let fits = self.globals().len() == captured.len()
            && self
                .globals()
                .zip(captured)
                .all(|(bits, global)| !narrow(global.ty) || bits >> 32 == 0);
        fits.then_some(()).ok_or(RestoreError::OtherGlobals)
    }

    /// Addresses and bytes.
    fn runs(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut reader = Reader {
            bytes: &self.body,
            at: self.runs_at(),
        };
        (0..self.field(2)).map(move |_| {
            let run = reader.run().expect("the structure was checked");
            (run.first as usize * WORD_BYTES, run.bytes)
        })
    }

    fn runs_at(&self) -> usize {
        HEADER_BYTES + self.field(1) as usize * GLOBAL_BYTES
    }

    /// One of the three numbers behind the start flag.
    fn field(&self, index: usize) -> u32 {
        let at = HEADER_BYTES - 12 + index * 4;
        u32::from_le_bytes(self.body[at..at + 4].try_into().expect("four bytes"))
    }
}

impl SnapshotSize for PortableSnapshot {
    /// The size of its bytes.
    fn snapshot_bytes(&self) -> u64 {
        (self.body.len() + HASH_BYTES) as u64
    }
}

/// Follows the counts from behind the version to the last run.
fn check_structure(reader: &mut Reader<'_>) -> Result<(), SnapshotError> {
    reader.take(HASH_BYTES)?;
    if reader.take(1)?[0] > 1 {
        return Err(SnapshotError::Corrupt("the start flag is neither 0 nor 1"));
    }
    let (pages, globals, runs) = (reader.number()?, reader.number()?, reader.number()?);
    let words = u64::from(pages) * (PAGE_BYTES / WORD_BYTES) as u64;
    reader.take((globals as usize).saturating_mul(GLOBAL_BYTES))?;
    // The end of the run before, and no run can begin there.
    let mut last = None;
    for _ in 0..runs {
        let run = reader.run()?;
        if run.bytes.is_empty() || last.is_some_and(|last| u64::from(run.first) <= last) {
            return Err(SnapshotError::Corrupt("its runs are out of order"));
        }
        let end = u64::from(run.first) + (run.bytes.len() / WORD_BYTES) as u64;
        if end > words {
            return Err(SnapshotError::Corrupt("a run ends behind the memory"));
        }
        last = Some(end);
    }
    Ok(())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

struct Run<'a> {
    /// Number of the first word.
    first: u32,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], SnapshotError> {
        let end = self.at.saturating_add(count);
        let taken = self.bytes.get(self.at..end).ok_or(SnapshotError::Length {
            found: self.bytes.len() as u64,
            expected: end as u64,
        })?;
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, SnapshotError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }

    fn run(&mut self) -> Result<Run<'a>, SnapshotError> {
        let (first, words) = (self.number()?, self.number()?);
        let bytes = self.take((words as usize).saturating_mul(WORD_BYTES))?;
        Ok(Run { first, bytes })
    }

    fn end(&self) -> Result<(), SnapshotError> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(SnapshotError::Length {
            found: self.bytes.len() as u64,
            expected: self.at as u64,
        })
    }
}

fn number(value: usize) -> [u8; 4] {
    u32::try_from(value)
        .expect("a memory has less than four gibibytes")
        .to_le_bytes()
}

fn hash_of(bytes: &[u8]) -> CryptoHash {
    let bytes: [u8; HASH_BYTES] = bytes.try_into().expect("a hash has 32 bytes");
    bytes.into()
}
