//! Random blocks on a journal and on a plain map, which is cloned at every mark.

use std::{collections::BTreeMap, sync::Arc};

use chacha20::{ChaCha8, KeyIvInit, cipher::StreamCipher};
use proptest::{collection::vec, prelude::*};
use resident_base::CryptoHash;
use resident_storage::{DiskStore, Journal, KeyValueStore, Mark, Namespace};

use crate::common::{commit, memory, open};

/// A namespace by number, and a key in it.
type Key = (usize, Vec<u8>);
type Map = BTreeMap<Key, Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Put(Key, Vec<u8>),
    Delete(Key),
    DeletePrefix(Key),
    Read(Key),
    ReadMany(usize, Vec<Vec<u8>>),
    Contains(Key),
    FindKeys(Key),
    FindKeyValues(Key),
    Mark,
    /// To one of the marks in force.
    RollBack(usize),
    Release(usize),
    StateHash,
    /// Ends the block, writes it, and starts the next one.
    Finish,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_journal_is_a_map_with_clones(steps in vec(step(), 1..60)) {
        run(memory(), steps)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_journal_is_a_map_with_clones_on_disk(steps in vec(step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        run(Arc::new(DiskStore::open(folder.path()).unwrap()), steps)?;
    }
}

fn step() -> impl Strategy<Value = Step> {
    // Few, short keys, so that steps meet; bytes at the ends of the range, where prefixes are tricky.
    let short = || vec(prop_oneof![Just(0_u8), Just(7), Just(255)], 0..4);
    let key = || (0..3_usize, short());
    prop_oneof![
        8 => (key(), vec(any::<u8>(), 0..3)).prop_map(|(key, value)| Step::Put(key, value)),
        3 => key().prop_map(Step::Delete),
        2 => key().prop_map(Step::DeletePrefix),
        3 => key().prop_map(Step::Read),
        1 => (0..3_usize, vec(short(), 0..4)).prop_map(|(space, keys)| Step::ReadMany(space, keys)),
        1 => key().prop_map(Step::Contains),
        2 => key().prop_map(Step::FindKeys),
        2 => key().prop_map(Step::FindKeyValues),
        3 => Just(Step::Mark),
        2 => any::<usize>().prop_map(Step::RollBack),
        1 => any::<usize>().prop_map(Step::Release),
        1 => Just(Step::StateHash),
        2 => Just(Step::Finish),
    ]
}

struct Model {
    store: Arc<dyn KeyValueStore>,
    journal: Journal,
    map: Map,
    committed: Map,
    marks: Vec<(Mark, Map)>,
}

fn run(store: Arc<dyn KeyValueStore>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let journal = open(&store);
    let (map, committed) = (Map::new(), Map::new());
    let mut model = Model {
        store,
        journal,
        map,
        committed,
        marks: Vec::new(),
    };
    for step in steps {
        model.step(step)?;
    }
    model.finish()?;
    for space in 0..3 {
        model.find(space, &[])?;
    }
    Ok(())
}

impl Model {
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Put((space, key), value) => {
                self.journal
                    .put(namespace(space), &key, value.clone())
                    .unwrap();
                self.map.insert((space, key), value);
            }
            Step::Delete((space, key)) => {
                self.journal.delete(namespace(space), &key).unwrap();
                self.map.remove(&(space, key));
            }
            Step::DeletePrefix((space, prefix)) => self.delete_prefix(space, &prefix)?,
            Step::Read((space, key)) => {
                let value = self.journal.read(namespace(space), &key).unwrap();
                prop_assert_eq!(value.as_deref(), self.value(space, &key));
            }
            Step::ReadMany(space, keys) => {
                let values = self.journal.read_many(namespace(space), &keys).unwrap();
                let expected: Vec<_> = keys.iter().map(|key| self.value(space, key)).collect();
                let values: Vec<_> = values.iter().map(Option::as_deref).collect();
                prop_assert_eq!(values, expected);
            }
            Step::Contains((space, key)) => {
                let contains = self.journal.contains(namespace(space), &key).unwrap();
                prop_assert_eq!(contains, self.value(space, &key).is_some());
            }
            Step::FindKeys((space, prefix)) => {
                let keys = self.journal.find_keys(namespace(space), &prefix).unwrap();
                let expected = self.under(space, &prefix);
                prop_assert_eq!(
                    keys,
                    expected.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
                );
            }
            Step::FindKeyValues((space, prefix)) => self.find(space, &prefix)?,
            Step::Mark => self.marks.push((self.journal.mark(), self.map.clone())),
            Step::RollBack(choice) => self.roll_back(choice)?,
            Step::Release(choice) => self.release(choice)?,
            Step::StateHash => {
                prop_assert_eq!(self.journal.state_hash().unwrap(), slow_hash(&self.map));
            }
            Step::Finish => self.finish()?,
        }
        Ok(())
    }

    fn value(&self, space: usize, key: &[u8]) -> Option<&[u8]> {
        self.map.get(&(space, key.to_vec())).map(Vec::as_slice)
    }

    fn under(&self, space: usize, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.map
            .iter()
            .filter(|((other, key), _)| *other == space && key.starts_with(prefix))
            .map(|((_, key), value)| (key[prefix.len()..].to_vec(), value.clone()))
            .collect()
    }

    fn find(&mut self, space: usize, prefix: &[u8]) -> Result<(), TestCaseError> {
        let found = self
            .journal
            .find_key_values(namespace(space), prefix)
            .unwrap();
        let found: Vec<_> = found
            .into_iter()
            .map(|(key, value)| (key, value.to_vec()))
            .collect();
        prop_assert_eq!(found, self.under(space, prefix));
        Ok(())
    }

    fn delete_prefix(&mut self, space: usize, prefix: &[u8]) -> Result<(), TestCaseError> {
        let deleted = self
            .journal
            .delete_prefix(namespace(space), prefix)
            .unwrap();
        prop_assert_eq!(deleted, self.under(space, prefix).len());
        self.map
            .retain(|(other, key), _| *other != space || !key.starts_with(prefix));
        Ok(())
    }

    fn roll_back(&mut self, choice: usize) -> Result<(), TestCaseError> {
        let Some(position) = choice.checked_rem(self.marks.len()) else {
            return Ok(());
        };
        let (mark, map) = self.marks[position].clone();
        self.journal.roll_back(mark).unwrap();
        self.map = map;
        self.check_stale(position + 1)
    }

    fn release(&mut self, choice: usize) -> Result<(), TestCaseError> {
        let Some(position) = choice.checked_rem(self.marks.len()) else {
            return Ok(());
        };
        self.journal.release(self.marks[position].0).unwrap();
        self.check_stale(position)
    }

    fn check_stale(&mut self, kept: usize) -> Result<(), TestCaseError> {
        for (mark, _) in self.marks.drain(kept..) {
            prop_assert!(self.journal.roll_back(mark).is_err());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), TestCaseError> {
        let unused = open(&self.store);
        let journal = std::mem::replace(&mut self.journal, unused);
        let finished = commit(&self.store, journal);
        prop_assert_eq!(finished.state_hash, slow_hash(&self.map));
        prop_assert_eq!(finished.changes, differences(&self.committed, &self.map));
        self.journal = open(&self.store);
        prop_assert_eq!(self.journal.state_hash().unwrap(), finished.state_hash);
        self.committed = self.map.clone();
        self.marks.clear();
        Ok(())
    }
}

fn namespace(number: usize) -> Namespace {
    match number {
        0 => Namespace::System,
        other => Namespace::Application(CryptoHash::from([other as u8; 32])),
    }
}

fn differences(old: &Map, new: &Map) -> usize {
    let gone = old.keys().filter(|key| !new.contains_key(*key)).count();
    gone + new
        .iter()
        .filter(|(key, value)| old.get(*key) != Some(*value))
        .count()
}

/// The state hash from its description: from scratch, one lane after the other.
fn slow_hash(map: &Map) -> CryptoHash {
    let mut sums = [0_u32; 1024];
    for ((space, key), value) in map {
        let key = match *space {
            0 => [&[1][..], key].concat(),
            other => [&[2][..], &[other as u8; 32], key].concat(),
        };
        let mut hasher = blake3::Hasher::new_keyed(b"resident: element of state, v. 1");
        hasher
            .update(&(key.len() as u64).to_le_bytes())
            .update(&key);
        hasher
            .update(&(value.len() as u64).to_le_bytes())
            .update(value);
        let mut stream = [0; 2048];
        let digest = *hasher.finalize().as_bytes();
        ChaCha8::new(&digest.into(), &[0; 12].into()).apply_keystream(&mut stream);
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += u32::from(stream[2 * lane]) + 256 * u32::from(stream[2 * lane + 1]);
            *sum %= 1 << 16;
        }
    }
    let bytes: Vec<u8> = sums
        .iter()
        .flat_map(|sum| (*sum as u16).to_le_bytes())
        .collect();
    CryptoHash::of_bytes(&bytes)
}
