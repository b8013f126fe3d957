//! Compiled contracts, remembered between blocks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak},
};

use resident_base::CryptoHash;

use crate::pool::wait_for_another;

/// Remembers one `T` per contract, those used last.
///
/// Making a `T` holds up only those who want the same one; they wait, and it is made once. What a running
/// block uses lives on in its hands when it is forgotten here.
pub(crate) struct MemoryCache<T> {
    entries: Mutex<Entries<T>>,
    /// The most bytes that are remembered.
    limit: usize,
}

struct Entries<T> {
    made: BTreeMap<CryptoHash, Entry<T>>,
    /// What is being made lives as long as somebody makes it or waits for it, even if making it fails or
    /// panics.
    making: BTreeMap<CryptoHash, Weak<Place<T>>>,
    /// Of all that was made.
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

/// Locked while its value is being made.
type Place<T> = Mutex<Option<Arc<T>>>;

struct Entry<T> {
    value: Arc<T>,
    bytes: usize,
    last_used: u64,
}

impl<T> MemoryCache<T> {
    pub(crate) fn new(limit: usize) -> Self {
        let entries = Entries {
            made: BTreeMap::new(),
            making: BTreeMap::new(),
            bytes: 0,
            clock: 0,
        };
        MemoryCache {
            entries: Mutex::new(entries),
            limit,
        }
    }

    /// What is remembered of a contract. Waits for nobody.
    pub(crate) fn get(&self, contract: CryptoHash) -> Option<Arc<T>> {
        lock(&self.entries).touch(contract)
    }

    /// What is remembered of a contract, made now if there is nothing. Whoever makes it says how many
    /// bytes it takes.
    pub(crate) fn get_or_make<E>(
        &self,
        contract: CryptoHash,
        make: impl FnOnce() -> Result<(Arc<T>, usize), E>,
    ) -> Result<Arc<T>, E> {
        let place = {
            let mut entries = lock(&self.entries);
            if let Some(value) = entries.touch(contract) {
                return Ok(value);
            }
            entries.place(contract)
        };
        // Nobody waits for a place while holding the entries.
        let mut place = match place.try_lock() {
            Ok(place) => place,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => wait_for_another(|| lock(&place)),
        };
        if let Some(value) = &*place {
            return Ok(value.clone());
        }
        let (value, bytes) = make()?;
        *place = Some(value.clone());
        lock(&self.entries).remember(contract, value.clone(), bytes, self.limit);
        Ok(value)
    }
}

impl<T> Entries<T> {
    fn touch(&mut self, contract: CryptoHash) -> Option<Arc<T>> {
        self.clock += 1;
        let entry = self.made.get_mut(&contract)?;
        entry.last_used = self.clock;
        Some(entry.value.clone())
    }

    /// Where a contract is being made, or can be.
    fn place(&mut self, contract: CryptoHash) -> Arc<Place<T>> {
        if let Some(place) = self.making.get(&contract).and_then(Weak::upgrade) {
            return place;
        }
        // Those that are left are at most as many as there are threads.
        self.making.retain(|_, place| place.strong_count() > 0);
        let place = Arc::<Place<T>>::default();
        self.making.insert(contract, Arc::downgrade(&place));
        place
    }

    fn remember(&mut self, contract: CryptoHash, value: Arc<T>, bytes: usize, limit: usize) {
        self.making.remove(&contract);
        self.forget(contract);
        if bytes > limit {
            return;
        }
        while self.bytes + bytes > limit {
            let used = |(contract, entry): (&CryptoHash, &Entry<T>)| (entry.last_used, *contract);
            match self.made.iter().map(used).min() {
                Some((_, oldest)) => self.forget(oldest),
                None => break,
            }
        }
        self.clock += 1;
        self.bytes += bytes;
        let entry = Entry {
            value,
            bytes,
            last_used: self.clock,
        };
        self.made.insert(contract, entry);
    }

    fn forget(&mut self, contract: CryptoHash) {
        let forgotten = self.made.remove(&contract);
        self.bytes -= forgotten.map_or(0, |entry| entry.bytes);
    }
}

/// What is behind these locks is whole at every moment, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        panic::{AssertUnwindSafe, catch_unwind},
        sync::{
            Barrier,
            atomic::{AtomicU32, Ordering},
            mpsc,
        },
        thread,
        time::Duration,
    };

    use futures::executor::block_on;

    use super::*;
    use crate::BlockPool;

    const LIMIT: usize = 1_000;

    fn cache() -> MemoryCache<u8> {
        MemoryCache::new(LIMIT)
    }

    fn contract(number: u8) -> CryptoHash {
        CryptoHash::from([number; 32])
    }

    fn made(value: u8, bytes: usize) -> Result<(Arc<u8>, usize), Infallible> {
        Ok((Arc::new(value), bytes))
    }

    impl MemoryCache<u8> {
        fn add(&self, number: u8, bytes: usize) {
            self.get_or_make(contract(number), || made(number, bytes))
                .unwrap();
        }

        fn remembered(&self) -> Vec<u8> {
            let made = &lock(&self.entries).made;
            made.values().map(|entry| *entry.value).collect()
        }
    }

    #[test]
    fn a_value_is_made_once() {
        let cache = cache();
        assert_eq!(cache.get(contract(1)), None);
        let first = cache.get_or_make(contract(1), || made(7, 10)).unwrap();
        let second = cache.get_or_make(contract(1), || made(8, 10)).unwrap();
        assert_eq!((*first, *second), (7, 7));
        assert_eq!(cache.get(contract(1)), Some(first));
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        let cache = cache();
        assert_eq!(cache.get_or_make(contract(1), || Err("no")), Err("no"));
        assert_eq!(cache.get(contract(1)), None);
        cache.add(1, 10);
        assert_eq!(cache.remembered(), [1]);
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let cache = cache();
        for number in 1..=4 {
            cache.add(number, LIMIT / 4);
        }
        cache.get(contract(1));
        cache.add(5, LIMIT / 4);
        assert_eq!(cache.remembered(), [1, 3, 4, 5]);
        cache.add(6, LIMIT);
        assert_eq!(cache.remembered(), [6]);
    }

    #[test]
    fn what_is_larger_than_all_room_is_not_remembered() {
        let cache = cache();
        cache.add(1, 10);
        let value = cache.get_or_make(contract(2), || made(2, LIMIT + 1));
        assert_eq!(*value.unwrap(), 2);
        assert_eq!(cache.remembered(), [1]);
        assert_eq!(lock(&cache.entries).bytes, 10);
    }

    #[test]
    fn ten_threads_wait_for_one_maker_and_nobody_else_does() {
        let (cache, makes) = (cache(), AtomicU32::new(0));
        let (begun, finish) = (Barrier::new(2), Barrier::new(2));
        let make = || {
            if makes.fetch_add(1, Ordering::SeqCst) == 0 {
                begun.wait();
                finish.wait();
            }
            made(1, 10)
        };
        thread::scope(|scope| {
            let want = || scope.spawn(|| *cache.get_or_make(contract(1), make).unwrap());
            let wanting: Vec<_> = (0..10).map(|_| want()).collect();
            begun.wait();
            // One of them is making it and cannot finish. Others are made and found meanwhile.
            cache.add(2, 10);
            assert_eq!(cache.get(contract(2)).as_deref(), Some(&2));
            assert_eq!(cache.get(contract(1)), None);
            finish.wait();
            for thread in wanting {
                assert_eq!(thread.join().unwrap(), 1);
            }
        });
        assert_eq!(makes.into_inner(), 1);
        assert_eq!(cache.remembered(), [1, 2]);
        assert!(lock(&cache.entries).making.is_empty());
    }

    /// Ten blocks that want a contract used to take all threads of the pool until it was compiled.
    #[test]
    fn blocks_that_wait_for_a_contract_leave_the_threads_to_others() {
        let (cache, pool) = (Arc::new(cache()), BlockPool::new(2));
        let (finish, finished) = mpsc::channel();
        let first = cache.clone();
        let maker = pool.run(move || {
            let make = || {
                let limit = Duration::from_secs(60);
                made(u8::from(finished.recv_timeout(limit).is_ok()), 10)
            };
            first.get_or_make(contract(1), make).unwrap()
        });
        let want = |_| {
            let cache = cache.clone();
            pool.run(move || cache.get_or_make(contract(1), || made(1, 10)).unwrap())
        };
        let wanting: Vec<_> = (0..9).map(want).collect();
        let unrelated = pool.run(move || finish.send(()).is_ok());
        assert!(matches!(block_on(unrelated), Ok(true)));
        let values = wanting.into_iter().map(|value| *block_on(value).unwrap());
        assert_eq!(values.collect::<Vec<_>>(), [1; 9]);
        assert_eq!(*block_on(maker).unwrap(), 1);
    }

    #[test]
    fn filling_the_cache_does_not_make_what_is_being_made_again() {
        let (cache, makes) = (cache(), AtomicU32::new(0));
        let (begin, begun) = mpsc::channel();
        let (finish, finished) = mpsc::channel();
        thread::scope(|scope| {
            let cache = &cache;
            let makes = &makes;
            let first = scope.spawn(move || {
                cache.get_or_make(contract(1), || {
                    makes.fetch_add(1, Ordering::SeqCst);
                    begin.send(()).unwrap();
                    finished.recv().unwrap();
                    made(1, LIMIT / 2)
                })
            });
            begun.recv().unwrap();
            for number in 2..=9 {
                cache.add(number, LIMIT / 2);
            }
            let second = scope.spawn(move || {
                cache.get_or_make(contract(1), || {
                    makes.fetch_add(1, Ordering::SeqCst);
                    made(99, LIMIT / 2)
                })
            });
            finish.send(()).unwrap();
            assert_eq!(*first.join().unwrap().unwrap(), 1);
            assert_eq!(*second.join().unwrap().unwrap(), 1);
        });
        assert_eq!(makes.into_inner(), 1);
        assert_eq!(cache.remembered(), [1, 9]);
    }

    #[test]
    fn a_maker_that_panics_leaves_a_cache_that_works() {
        let cache = cache();
        cache.add(1, 10);
        let make = || -> Result<_, Infallible> { panic!("the compiler has a bug") };
        let panicking = AssertUnwindSafe(|| cache.get_or_make(contract(2), make));
        catch_unwind(panicking).expect_err("the panic goes on to whoever wanted the contract");
        assert_eq!(cache.get(contract(2)), None);
        cache.add(2, 10);
        assert_eq!(cache.remembered(), [1, 2]);
        assert!(lock(&cache.entries).making.is_empty());
    }

    #[test]
    fn contracts_that_cannot_be_made_leave_nothing_behind() {
        let cache = cache();
        for number in 0..=255 {
            cache.get_or_make(contract(number), || Err(())).unwrap_err();
        }
        assert!(lock(&cache.entries).making.len() <= 1);
    }
}
