//! Which keys of a map, set or collection exist, as far as is known.
//!
//! All of them share this code, which knows nothing of values: a present key has a slot number, by which its owner
//! finds the value. A key is *present*, *absent* or unknown; once every stored key was listed the index is *complete*
//! and no key is unknown.

use std::collections::BTreeMap;

use super::{ViewError, generic::store::Batch};

/// The index below one prefix of storage.
#[derive(Debug)]
pub(crate) struct KeyIndex {
    prefix: Vec<u8>,
    present: BTreeMap<Vec<u8>, u32>,
    /// Keys known to be absent, and whether storage may still hold them.
    absent: BTreeMap<Vec<u8>, bool>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    complete: bool,
    /// Whether storage may hold anything below the prefix.
    maybe_stored: bool,
    /// Whether everything stored below the prefix is to be deleted.
    delete_all: bool,
    /// Whether there may be something to flush.
    changed: bool,
}

/// What is known of the value of a present key.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Storage may hold the key.
    stored: bool,
    /// The value has to be written.
    changed: bool,
}

/// What the index knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// It exists, with its value in this slot.
    Present(u32),
    /// It does not exist.
    Absent,
    /// Only storage knows.
    Unknown,
}

impl KeyIndex {
    /// An index of which nothing is known, or all if nothing is stored.
    pub(crate) fn new(prefix: Vec<u8>, nothing_stored: bool) -> Self {
        KeyIndex {
            prefix,
            present: BTreeMap::new(),
            absent: BTreeMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            complete: nothing_stored,
            maybe_stored: !nothing_stored,
            delete_all: false,
            changed: false,
        }
    }

    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The key in storage.
    pub(crate) fn stored_key(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn lookup(&self, key: &[u8]) -> Lookup {
        match self.present.get(key) {
            Some(slot) => Lookup::Present(*slot),
            None if self.complete || self.absent.contains_key(key) => Lookup::Absent,
            None => Lookup::Unknown,
        }
    }

    /// The present keys with their slots, in the order of their bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, u32)> {
        self.present.iter().map(|(key, slot)| (key, *slot))
    }

    pub(crate) fn len(&self) -> usize {
        self.present.len()
    }

    /// Records that an unknown key is stored.
    pub(crate) fn note_stored(&mut self, key: Vec<u8>) -> u32 {
        let slot = self.allocate(Slot {
            stored: true,
            changed: false,
        });
        self.present.insert(key, slot);
        slot
    }

    /// Records that an unknown key is not stored.
    pub(crate) fn note_absent(&mut self, key: Vec<u8>) {
        self.absent.insert(key, false);
    }

    /// Records all stored keys, after which none is unknown; gives new ones to `added`.
    pub(crate) fn note_all(
        &mut self,
        keys: impl Iterator<Item = Vec<u8>>,
        mut added: impl FnMut(u32),
    ) {
        for key in keys {
            if self.lookup(&key) == Lookup::Unknown {
                added(self.note_stored(key));
            }
        }
        self.complete = true;
    }

    /// Makes a key present with a value to be written. Returns its slot.
    pub(crate) fn insert(&mut self, key: Vec<u8>) -> u32 {
        self.changed = true;
        if let Some(slot) = self.present.get(&key) {
            self.slots[*slot as usize].changed = true;
            return *slot;
        }
        let stored = self.absent.remove(&key).unwrap_or(!self.complete);
        let slot = self.allocate(Slot {
            stored,
            changed: true,
        });
        self.present.insert(key, slot);
        slot
    }

    /// Makes a key absent. Returns its slot, which is free for other keys from now on.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<u32> {
        let slot = self.present.remove(key);
        let stored = match slot {
            Some(slot) => self.release(slot).stored,
            None => self.lookup(key) == Lookup::Unknown,
        };
        self.changed |= stored;
        // In a complete index, what is not listed is absent.
        if stored || (slot.is_some() && !self.complete) {
            self.absent.insert(key.to_vec(), stored);
        }
        slot
    }

    /// Makes all keys absent.
    pub(crate) fn clear(&mut self) {
        self.present.clear();
        self.absent.clear();
        self.slots.clear();
        self.free.clear();
        self.complete = true;
        self.delete_all |= self.maybe_stored;
        self.changed |= self.maybe_stored;
        self.maybe_stored = false;
    }

    /// Marks a value as one to be written.
    pub(crate) fn mark_changed(&mut self, slot: u32) {
        self.changed = true;
        self.slots[slot as usize].changed = true;
    }

    /// Whether storage may hold an older entry under the key of this slot.
    pub(crate) fn may_be_stored(&self, slot: u32) -> bool {
        self.slots[slot as usize].stored
    }

    /// Whether everything stored will be deleted by the next flush.
    pub(crate) fn deletes_all(&self) -> bool {
        self.delete_all
    }

    /// The keys that the next flush deletes.
    pub(crate) fn deleted_keys(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.absent
            .iter()
            .filter(|(_, stored)| **stored)
            .map(|(key, _)| key)
    }

    /// Moves changes to the batch, taking the bytes of changed values from `value`.
    pub(crate) fn flush(
        &mut self,
        batch: &mut Batch,
        mut value: impl FnMut(u32) -> Result<Vec<u8>, ViewError>,
    ) -> Result<(), ViewError> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        self.flush_deletions(batch);
        for (key, slot) in &self.present {
            let state = &mut self.slots[*slot as usize];
            if state.changed {
                batch.put([&self.prefix[..], key].concat(), value(*slot)?);
                *state = Slot {
                    stored: true,
                    changed: false,
                };
                self.maybe_stored = true;
            }
        }
        Ok(())
    }

    fn flush_deletions(&mut self, batch: &mut Batch) {
        if std::mem::take(&mut self.delete_all) {
            batch.delete_prefix(self.prefix.clone());
        }
        for (key, stored) in &mut self.absent {
            if std::mem::take(stored) {
                batch.delete([&self.prefix[..], key].concat());
            }
        }
        if self.complete {
            self.absent.clear();
        }
    }

    fn allocate(&mut self, state: Slot) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = state;
            return slot;
        }
        self.slots.push(state);
        u32::try_from(self.slots.len() - 1).expect("a guest's memory holds fewer than 2^32 keys")
    }

    fn release(&mut self, slot: u32) -> Slot {
        self.free.push(slot);
        std::mem::take(&mut self.slots[slot as usize])
    }
}
