#![doc = include_str!("FORMAT.md")]

use resident_base::CryptoHash;
use resident_witty::SnapshotSize;

use super::{
    RestoreError, SnapshotError,
    encoding::{Reader, put_number, put_short, put_words, short_len, words_len},
};
use crate::prepare::{PreparedModule, ValueType, WORD_BYTES};

/// The version of the format, which is in every snapshot.
pub const SNAPSHOT_FORMAT_VERSION: u32 = 1;

const MAGIC: [u8; 4] = *b"RSNP";
const HASH_BYTES: usize = 32;
const HEADER_BYTES: usize = 4 + 4 + HASH_BYTES + 1 + 4 + 4 + 4;
pub(super) const PAGE_BYTES: usize = 64 << 10;
const PAGE_WORDS: u64 = (PAGE_BYTES / WORD_BYTES) as u64;

/// The complete mutable state of an instance, as its difference to a new instance.
///
/// It continues on any engine, and two instances of a module are in equal states exactly if their
/// portable snapshots are equal. See the module's page for the encoding.
#[derive(Clone, Debug)]
pub struct PortableSnapshot {
    module: CryptoHash,
    started: bool,
    memory_pages: u32,
    globals: Vec<u64>,
    runs: Vec<Run>,
    /// The words of all runs, one after another.
    words: Vec<u8>,
    /// Whether the snapshot was taken here, so that it is canonical for sure.
    taken: bool,
}

/// Words in sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Number of the first word.
    first: u32,
    /// How many there are.
    count: u32,
}

impl Run {
    fn end(self) -> u64 {
        u64::from(self.first) + u64::from(self.count)
    }

    fn byte_len(self) -> usize {
        self.count as usize * WORD_BYTES
    }
}

impl PartialEq for PortableSnapshot {
    /// Whether the states are equal.
    fn eq(&self, other: &Self) -> bool {
        let parts = |it: &Self| (it.module, it.started, it.memory_pages);
        parts(self) == parts(other)
            && self.globals == other.globals
            && self.runs == other.runs
            && self.words == other.words
    }
}

impl Eq for PortableSnapshot {}

impl PortableSnapshot {
    /// The state of an instance of `prepared`, in the buffers of an older snapshot.
    pub(crate) fn new(
        reused: Option<Self>,
        prepared: &PreparedModule,
        started: bool,
        globals: &[u64],
        memory: &[u8],
    ) -> Self {
        let (mut runs, mut words) = reused
            .map(|reused| (reused.runs, reused.words))
            .unwrap_or_default();
        runs.clear();
        words.clear();
        prepared
            .starting_image
            .differences(memory, |address, bytes| {
                runs.push(Run {
                    first: count(address / WORD_BYTES),
                    count: count(bytes.len() / WORD_BYTES),
                });
                words.extend_from_slice(bytes);
            });
        PortableSnapshot {
            module: prepared.hash(),
            started,
            memory_pages: count(memory.len() / PAGE_BYTES),
            globals: globals.to_vec(),
            runs,
            words,
            taken: true,
        }
    }

    /// Reads a snapshot back.
    ///
    /// # Errors
    /// If the bytes are not a whole, unchanged snapshot in this version of the format. Whether it fits
    /// an instance is only known when it is restored.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(SnapshotError::NotASnapshot);
        }
        let found = reader.number()?;
        if found != SNAPSHOT_FORMAT_VERSION {
            return Err(SnapshotError::Version { found });
        }
        let snapshot = Self::read(&mut reader)?;
        let found = *blake3::hash(reader.behind()).as_bytes();
        let expected: [u8; HASH_BYTES] = reader.array()?;
        reader.end()?;
        if found != expected {
            let (found, expected) = (found.into(), expected.into());
            return Err(SnapshotError::Hash { found, expected });
        }
        Ok(snapshot)
    }

    /// What stands between the version and the hash.
    fn read(reader: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let module: [u8; HASH_BYTES] = reader.array()?;
        let [started] = reader.array()?;
        if started > 1 {
            return Err(SnapshotError::Corrupt("the start flag is neither 0 nor 1"));
        }
        let (memory_pages, globals, runs) = (reader.number()?, reader.number()?, reader.number()?);
        let mut snapshot = PortableSnapshot {
            module: module.into(),
            started: started == 1,
            memory_pages,
            globals: Vec::new(),
            runs: Vec::new(),
            words: Vec::new(),
            taken: false,
        };
        for _ in 0..globals {
            let global = u64::from_le_bytes(reader.array()?);
            snapshot.globals.push(global);
        }
        for _ in 0..runs {
            snapshot.read_run(reader)?;
        }
        Ok(snapshot)
    }

    fn read_run(&mut self, reader: &mut Reader<'_>) -> Result<(), SnapshotError> {
        let last = self.runs.last();
        let (gap, count) = (reader.short()?, reader.short()?);
        if count == 0 || (gap == 0 && last.is_some()) {
            return Err(SnapshotError::Corrupt("a run is empty or touches the last"));
        }
        let memory_words = u64::from(self.memory_pages) * PAGE_WORDS;
        let first = last.map_or(0, |last| last.end()) + u64::from(gap);
        if first + u64::from(count) > memory_words.min(u32::MAX.into()) {
            return Err(SnapshotError::Corrupt("a run ends behind the memory"));
        }
        let first = first as u32;
        for _ in 0..count {
            self.words.extend(reader.word()?);
        }
        self.runs.push(Run { first, count });
        Ok(())
    }

    /// The snapshot as bytes, which [`decode`](Self::decode) reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        bytes.extend(MAGIC);
        put_number(&mut bytes, SNAPSHOT_FORMAT_VERSION);
        bytes.extend(self.module.as_bytes());
        bytes.push(u8::from(self.started));
        put_number(&mut bytes, self.memory_pages);
        put_number(&mut bytes, count(self.globals.len()));
        put_number(&mut bytes, count(self.runs.len()));
        for global in &self.globals {
            bytes.extend(global.to_le_bytes());
        }
        let mut end = 0;
        for (run, words) in self.runs() {
            put_short(&mut bytes, run.first - end);
            put_short(&mut bytes, run.count);
            put_words(&mut bytes, words);
            end = run.first + run.count;
        }
        let hash = blake3::hash(&bytes);
        bytes.extend(hash.as_bytes());
        bytes
    }

    /// The hash that names the state: equal states of a module have equal hashes.
    pub fn hash(&self) -> CryptoHash {
        let bytes = self.to_bytes();
        let hash: [u8; HASH_BYTES] = bytes[bytes.len() - HASH_BYTES..]
            .try_into()
            .expect("the hash stands at the end");
        hash.into()
    }

    /// The prepared module that the state belongs to.
    pub fn module(&self) -> CryptoHash {
        self.module
    }

    /// The size of the memory in bytes.
    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_pages) * PAGE_BYTES as u64
    }

    /// How many bytes [`to_bytes`](Self::to_bytes) gives.
    pub fn encoded_len(&self) -> usize {
        let (mut runs, mut end) = (0, 0);
        for run in &self.runs {
            runs += short_len(run.first - end) + short_len(run.count);
            end = run.first + run.count;
        }
        HEADER_BYTES + self.globals.len() * 8 + runs + words_len(&self.words) + HASH_BYTES
    }

    /// Whether the module's start function has run.
    pub(crate) fn started(&self) -> bool {
        self.started
    }

    /// The captured globals as raw bits.
    pub(crate) fn globals(&self) -> &[u64] {
        &self.globals
    }

    /// Writes what differs to a memory of the right size that holds the starting image.
    pub(crate) fn write_differences(&self, memory: &mut [u8]) {
        for (run, words) in self.runs() {
            let start = run.first as usize * WORD_BYTES;
            memory[start..start + words.len()].copy_from_slice(words);
        }
    }

    /// Checks that the snapshot can be restored to an instance of `prepared` whose memory has
    /// `memory_bytes` now.
    pub(crate) fn check(
        &self,
        prepared: &PreparedModule,
        memory_bytes: u64,
    ) -> Result<(), RestoreError> {
        RestoreError::check_module(self.module, prepared)?;
        self.check_globals(prepared)?;
        RestoreError::check_memory(self.memory_bytes(), prepared, memory_bytes)?;
        match self.taken || self.differs_throughout(prepared) {
            true => Ok(()),
            false => Err(RestoreError::NotCanonical),
        }
    }

    fn check_globals(&self, prepared: &PreparedModule) -> Result<(), RestoreError> {
        let captured = &prepared.captured_globals;
        let narrow = |ty| matches!(ty, ValueType::I32 | ValueType::F32);
        let mut values = self.globals.iter().zip(captured);
        let fits = self.globals.len() == captured.len()
            && values.all(|(bits, global)| !narrow(global.ty) || bits >> 32 == 0);
        fits.then_some(()).ok_or(RestoreError::OtherGlobals)
    }

    fn differs_throughout(&self, prepared: &PreparedModule) -> bool {
        self.runs().all(|(run, words)| {
            let address = run.first as usize * WORD_BYTES;
            prepared.starting_image.differs_throughout(address, words)
        })
    }

    fn runs(&self) -> impl Iterator<Item = (Run, &[u8])> {
        let mut rest = &self.words[..];
        self.runs.iter().map(move |run| {
            let words;
            (words, rest) = rest.split_at(run.byte_len());
            (*run, words)
        })
    }
}

impl SnapshotSize for PortableSnapshot {
    /// The size in memory.
    fn snapshot_bytes(&self) -> u64 {
        (self.words.len() + self.runs.len() * size_of::<Run>() + self.globals.len() * 8) as u64
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("a memory has at most four gibibytes")
}
