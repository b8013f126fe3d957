//! What a block has written, and how to take it back.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{Value, error::JournalError};

/// A point in a block's writes, made by [`Journal::mark`](super::Journal::mark).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    serial: u64,
}

/// The last write of each key, and an undo log with the first change of each key after each mark.
#[derive(Default)]
pub(super) struct PendingWrites {
    writes: BTreeMap<Vec<u8>, Write>,
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
        self.writes.get(key).map(|write| write.value.as_ref())
    }

    /// All writes in key order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&Value>)> {
        self.writes
            .iter()
            .map(|(key, write)| (key.as_slice(), write.value.as_ref()))
    }

    /// The writes under a prefix in key order.
    pub(super) fn range(&self, prefix: &[u8]) -> impl Iterator<Item = (&[u8], Option<&Value>)> {
        self.writes
            .range::<[u8], _>((
                std::ops::Bound::Included(prefix),
                std::ops::Bound::Unbounded,
            ))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, write)| (key.as_slice(), write.value.as_ref()))
    }

    pub(super) fn set(&mut self, key: Vec<u8>, value: Option<Value>) {
        let current = self.marks.last().map_or(0, |mark| mark.serial);
        match self.writes.entry(key) {
            Entry::Occupied(mut entry) if entry.get().logged >= current => {
                entry.get_mut().value = value;
            }
            Entry::Occupied(mut entry) => {
                let previous = Some(entry.insert(Write {
                    value,
                    logged: current,
                }));
                self.undo_log.push(Undo {
                    key: entry.key().clone(),
                    previous,
                });
            }
            Entry::Vacant(entry) => {
                if current > 0 {
                    self.undo_log.push(Undo {
                        key: entry.key().clone(),
                        previous: None,
                    });
                }
                entry.insert(Write {
                    value,
                    logged: current,
                });
            }
        }
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
        for undo in self.undo_log.drain(self.marks[position].log_length..).rev() {
            match undo.previous {
                Some(write) => self.writes.insert(undo.key, write),
                None => self.writes.remove(&undo.key),
            };
        }
        Ok(())
    }

    pub(super) fn release(&mut self, mark: Mark) -> Result<(), JournalError> {
        let position = self.position(mark)?;
        self.marks.truncate(position);
        if self.marks.is_empty() {
            self.undo_log.clear();
        }
        Ok(())
    }

    fn position(&self, mark: Mark) -> Result<usize, JournalError> {
        self.marks
            .binary_search_by_key(&mark.serial, |record| record.serial)
            .map_err(|_| JournalError::StaleMark)
    }
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
