//! Compiled contracts, remembered between blocks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use resident_base::CryptoHash;

/// The most that is remembered, in bytes of published code. Compiled code takes about ten times as much.
const MAX_BYTES: usize = 64 << 20;

/// Remembers one `T` per contract, those used last.
///
/// Making a `T` holds up only those who want the same one. What a running block uses lives on in its
/// hands when it is forgotten here.
pub(crate) struct ModuleCache<T> {
    entries: Mutex<Entries<T>>,
}

struct Entries<T> {
    by_contract: BTreeMap<CryptoHash, Entry<T>>,
    /// Of published code, in all entries.
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

struct Entry<T> {
    /// Empty while the value is being made, or when it could not be.
    place: Arc<Mutex<Option<Arc<T>>>>,
    bytes: usize,
    last_used: u64,
}

impl<T> Default for ModuleCache<T> {
    fn default() -> Self {
        let (by_contract, bytes, clock) = (BTreeMap::new(), 0, 0);
        let entries = Mutex::new(Entries {
            by_contract,
            bytes,
            clock,
        });
        ModuleCache { entries }
    }
}

impl<T> ModuleCache<T> {
    /// What is remembered of a contract.
    pub(crate) fn get(&self, contract: CryptoHash) -> Option<Arc<T>> {
        let place = lock(&self.entries).touch(contract)?.place.clone();
        lock(&place).clone()
    }

    /// What is remembered of a contract with so many bytes of code, made now if there is nothing.
    pub(crate) fn get_or_make<E>(
        &self,
        contract: CryptoHash,
        bytes: usize,
        make: impl FnOnce() -> Result<Arc<T>, E>,
    ) -> Result<Arc<T>, E> {
        let place = lock(&self.entries).place(contract, bytes);
        let mut place = lock(&place);
        match &*place {
            Some(value) => Ok(value.clone()),
            None => Ok(place.insert(make()?).clone()),
        }
    }
}

impl<T> Entries<T> {
    fn touch(&mut self, contract: CryptoHash) -> Option<&Entry<T>> {
        self.clock += 1;
        let entry = self.by_contract.get_mut(&contract)?;
        entry.last_used = self.clock;
        Some(entry)
    }

    fn place(&mut self, contract: CryptoHash, bytes: usize) -> Arc<Mutex<Option<Arc<T>>>> {
        if let Some(entry) = self.touch(contract) {
            return entry.place.clone();
        }
        while self.bytes + bytes > MAX_BYTES && self.forget_oldest() {}
        let place = Arc::<Mutex<Option<Arc<T>>>>::default();
        let entry = Entry {
            place: place.clone(),
            bytes,
            last_used: self.clock,
        };
        self.by_contract.insert(contract, entry);
        self.bytes += bytes;
        place
    }

    /// Whether there was one to forget.
    fn forget_oldest(&mut self) -> bool {
        let used = |(contract, entry): (&CryptoHash, &Entry<T>)| (entry.last_used, *contract);
        let Some((_, oldest)) = self.by_contract.iter().map(used).min() else {
            return false;
        };
        let forgotten = self.by_contract.remove(&oldest);
        self.bytes -= forgotten.map_or(0, |entry| entry.bytes);
        true
    }
}

/// What is behind these locks is whole at every moment, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn contract(number: u8) -> CryptoHash {
        CryptoHash::from([number; 32])
    }

    fn make(value: u8) -> Result<Arc<u8>, Infallible> {
        Ok(Arc::new(value))
    }

    #[test]
    fn a_value_is_made_once() {
        let cache = ModuleCache::default();
        assert_eq!(cache.get(contract(1)), None);
        let first = cache.get_or_make(contract(1), 10, || make(7)).unwrap();
        let second = cache.get_or_make(contract(1), 10, || make(8)).unwrap();
        assert_eq!((*first, *second), (7, 7));
        assert_eq!(cache.get(contract(1)), Some(first));
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        let cache = ModuleCache::<u8>::default();
        assert_eq!(cache.get_or_make(contract(1), 10, || Err("no")), Err("no"));
        assert_eq!(cache.get(contract(1)), None);
        let made = cache.get_or_make(contract(1), 10, || make(7)).unwrap();
        assert_eq!(*made, 7);
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let cache = ModuleCache::default();
        for number in 1..=4 {
            cache
                .get_or_make(contract(number), MAX_BYTES / 4, || make(number))
                .unwrap();
        }
        cache.get(contract(1));
        cache
            .get_or_make(contract(5), MAX_BYTES / 4, || make(5))
            .unwrap();
        let remembered = |number| cache.get(contract(number)).is_some();
        assert_eq!(
            [1, 2, 3, 4, 5].map(remembered),
            [true, false, true, true, true]
        );
        cache
            .get_or_make(contract(6), MAX_BYTES, || make(6))
            .unwrap();
        assert_eq!(
            [1, 3, 4, 5, 6].map(remembered),
            [false, false, false, false, true]
        );
    }
}
