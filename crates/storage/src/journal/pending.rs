//! What a block has written, and how to take it back.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{Value, error::JournalError, merge::merge};

/// What a written key counts besides its bytes and its value's: the nodes of the trees, allocations, an entry
/// of the undo log, one of the cache, and one of the batch.
const WRITE_OVERHEAD_BYTES: u64 = 512;

/// How often a written key is in memory at most: here, in the undo log, in the cache and in the batch.
const KEY_COPIES: u64 = 4;

/// How often a written value is: here, and in the batch.
const VALUE_COPIES: u64 = 2;

/// A point in a block's writes, made by [`Journal::mark`](super::Journal::mark).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    serial: u64,
}

/// The last write of each key, and an undo log with the first change of each key after each mark.
///
/// Values and deletions lie apart, so that a scan never walks over a key that is not there.
#[derive(Default)]
pub(super) struct PendingWrites {
    values: BTreeMap<Vec<u8>, Write>,
    deletions: BTreeMap<Vec<u8>, Write>,
    /// What all of them count, see [`size_bytes`](Self::size_bytes).
    size_bytes: u64,
    /// Empty while no mark is in force.
    undo_log: Vec<Undo>,
    /// Marks in force, oldest first, so in the order of their serials.
    marks: Vec<MarkRecord>,
    /// Serial of the newest mark ever made; 0 before the first.
    last_serial: u64,
}

#[derive(Clone)]
struct Write {
    /// `None` for a deletion.
    value: Option<Value>,
    /// Serial of the mark under which the key was last logged or first written. No log entry is
    /// needed as long as no newer mark is in force.
    logged: u64,
}

impl Write {
    fn size_bytes(&self, key: &[u8]) -> u64 {
        let value_bytes = self.value.as_ref().map_or(0, |value| value.len() as u64);
        WRITE_OVERHEAD_BYTES + KEY_COPIES * key.len() as u64 + VALUE_COPIES * value_bytes
    }
}

struct Undo {
    key: Vec<u8>,
    previous: Option<Write>,
}

struct MarkRecord {
    serial: u64,
    log_length: usize,
}

impl PendingWrites {
    /// The outer `None`: not written; the inner one: deleted.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&Value>> {
        let write = match self.values.get(key) {
            None if self.deletions.is_empty() => None,
            None => self.deletions.get(key),
            found => found,
        };
        write.map(|write| write.value.as_ref())
    }

    /// Whether the last write of a key is its deletion.
    pub(super) fn is_deleted(&self, key: &[u8]) -> bool {
        !self.deletions.is_empty() && self.deletions.contains_key(key)
    }

    /// About the memory that the writes take, in bytes. It follows from what they are, not from how they came
    /// about, so it is the same wherever the block is run.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// All writes in key order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&Value>)> {
        merge(all(&self.values), all(&self.deletions))
    }

    /// The values under a prefix in key order.
    pub(super) fn values(&self, prefix: &[u8]) -> impl Iterator<Item = (&[u8], Option<&Value>)> {
        self.values
            .range::<[u8], _>((
                std::ops::Bound::Included(prefix),
                std::ops::Bound::Unbounded,
            ))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, write)| (key.as_slice(), write.value.as_ref()))
    }

    pub(super) fn set(&mut self, key: Vec<u8>, value: Option<Value>) {
        let current = self.marks.last().map_or(0, |mark| mark.serial);
        let (into, other) = match value {
            Some(_) => (&mut self.values, &mut self.deletions),
            None => (&mut self.deletions, &mut self.values),
        };
        let mut write = Write {
            value,
            logged: current,
        };
        self.size_bytes += write.size_bytes(&key);
        let (key, previous) = match into.entry(key) {
            Entry::Occupied(mut entry) => {
                let previous = entry.insert(write);
                self.size_bytes -= previous.size_bytes(entry.key());
                if previous.logged >= current {
                    return;
                }
                (entry.key().clone(), Some(previous))
            }
            Entry::Vacant(entry) => {
                let moved = other.remove(entry.key());
                if let Some(moved) = &moved {
                    self.size_bytes -= moved.size_bytes(entry.key());
                    write.logged = write.logged.max(moved.logged);
                }
                let is_logged =
                    current == 0 || moved.as_ref().is_some_and(|moved| moved.logged >= current);
                let key = (!is_logged).then(|| entry.key().clone());
                entry.insert(write);
                match key {
                    Some(key) => (key, moved),
                    None => return,
                }
            }
        };
        self.undo_log.push(Undo { key, previous });
    }

    pub(super) fn mark(&mut self) -> Mark {
        self.last_serial += 1;
        let serial = self.last_serial;
        self.marks.push(MarkRecord {
            serial,
            log_length: self.undo_log.len(),
        });
        Mark { serial }
    }

    pub(super) fn roll_back(&mut self, mark: Mark) -> Result<(), JournalError> {
        let position = self.position(mark)?;
        self.marks.truncate(position + 1);
        let undone = self.undo_log.split_off(self.marks[position].log_length);
        for Undo { key, previous } in undone.into_iter().rev() {
            self.put_back(key, previous);
        }
        Ok(())
    }

    pub(super) fn release(&mut self, mark: Mark) -> Result<(), JournalError> {
        let position = self.position(mark)?;
        self.marks.truncate(position);
        if self.marks.is_empty() {
            self.undo_log = Vec::new();
        }
        Ok(())
    }

    fn put_back(&mut self, key: Vec<u8>, previous: Option<Write>) {
        let undone = self
            .values
            .remove(&key)
            .or_else(|| self.deletions.remove(&key));
        self.size_bytes -= undone.map_or(0, |write| write.size_bytes(&key));
        let Some(write) = previous else {
            return;
        };
        self.size_bytes += write.size_bytes(&key);
        match write.value {
            Some(_) => self.values.insert(key, write),
            None => self.deletions.insert(key, write),
        };
    }

    fn position(&self, mark: Mark) -> Result<usize, JournalError> {
        self.marks
            .binary_search_by_key(&mark.serial, |record| record.serial)
            .map_err(|_| JournalError::StaleMark)
    }
}

fn all(writes: &BTreeMap<Vec<u8>, Write>) -> impl Iterator<Item = (&[u8], Option<&Value>)> {
    writes
        .iter()
        .map(|(key, write)| (key.as_slice(), write.value.as_ref()))
}
#[cfg(test)]
mod tests {
    use super::*;

    fn set(pending: &mut PendingWrites, key: u8, value: u8) {
        pending.set(vec![key], Some(Value::from([value])));
    }

    #[test]
    fn without_marks_nothing_is_logged() {
        let mut pending = PendingWrites::default();
        set(&mut pending, 1, 1);
        set(&mut pending, 1, 2);
        assert!(pending.undo_log.is_empty());
        let mark = pending.mark();
        set(&mut pending, 1, 3);
        pending.release(mark).unwrap();
        assert!(pending.undo_log.is_empty());
        set(&mut pending, 1, 4);
        assert!(pending.undo_log.is_empty());
    }

    #[test]
    fn a_key_is_logged_once_for_each_mark() {
        let mut pending = PendingWrites::default();
        let outer = pending.mark();
        for value in 0..10 {
            set(&mut pending, 1, value);
        }
        let inner = pending.mark();
        for value in 10..20 {
            set(&mut pending, 1, value);
        }
        assert_eq!(pending.undo_log.len(), 2);
        pending.roll_back(inner).unwrap();
        assert_eq!(pending.get(&[1]).flatten().unwrap()[..], [9]);
        pending.roll_back(outer).unwrap();
        assert!(pending.get(&[1]).is_none());
    }

    #[test]
    fn writes_of_a_released_mark_belong_to_the_outer_one() {
        let mut pending = PendingWrites::default();
        let outer = pending.mark();
        let inner = pending.mark();
        set(&mut pending, 1, 1);
        pending.release(inner).unwrap();
        set(&mut pending, 1, 2);
        pending.roll_back(outer).unwrap();
        assert!(pending.get(&[1]).is_none());
    }

    #[test]
    fn a_stale_mark_changes_nothing() {
        let mut pending = PendingWrites::default();
        let outer = pending.mark();
        let inner = pending.mark();
        pending.roll_back(outer).unwrap();
        set(&mut pending, 1, 1);
        assert!(matches!(
            pending.roll_back(inner),
            Err(JournalError::StaleMark)
        ));
        assert!(matches!(
            pending.release(inner),
            Err(JournalError::StaleMark)
        ));
        assert!(pending.get(&[1]).is_some());
    }
}
