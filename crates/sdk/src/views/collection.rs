//! Views by key.

use std::{
    borrow::Borrow,
    marker::PhantomData,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    CustomSerialize, Loaded, View, ViewError,
    custom::{bcs_key, from_bcs_key},
    derive_support::field_key,
    generic::{
        context::Context,
        store::{Batch, Store},
    },
    key_index::{KeyIndex, Lookup},
    slots::Slots,
    view::load_now,
};

/// Below the view's key: which entries exist, and what they hold.
const INDEX: u8 = 0;
const ENTRIES: u8 = 1;

/// Views by the bytes of their keys. The other collections are this one with typed keys.
#[derive(Debug)]
pub struct ByteCollectionView<C, W> {
    context: C,
    // Reading fills the cache. Never locked across an `await`.
    state: Mutex<CollectionState<W>>,
}

#[derive(Debug)]
struct CollectionState<W> {
    keys: KeyIndex,
    entries: Slots<Entry<W>>,
}

#[derive(Debug)]
struct Entry<W> {
    // Shared with guards only, which borrow the collection: whoever has it exclusively has the entry exclusively.
    view: Arc<W>,
    /// An older entry of this key may be stored and has to be deleted first.
    replaces: bool,
}

/// An entry of a collection, for reading.
#[derive(Debug)]
pub struct ReadGuardedView<'a, W> {
    view: Arc<W>,
    _collection: PhantomData<&'a W>,
}

impl<W> Deref for ReadGuardedView<'_, W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.view
    }
}

impl<C: Context, W: View<Context = C>> ByteCollectionView<C, W> {
    /// The entry of a key, to be changed, which is made if it is missing.
    pub fn load_entry_mut(&mut self, key: Vec<u8>) -> Result<&mut W, ViewError> {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let slot = match state.find(&self.context, &key)? {
            Some(slot) => slot,
            None => state.add(&self.context, key)?,
        };
        let entry = state
            .entries
            .get_mut(slot)
            .expect("the entry was found or added above");
        Arc::get_mut(&mut entry.view).ok_or(ViewError::EntryInUse)
    }

    /// The entry of a key, if there is one.
    pub fn try_load_entry(&self, key: &[u8]) -> Result<Option<ReadGuardedView<'_, W>>, ViewError> {
        let mut state = self.state();
        let slot = state.find(&self.context, key)?;
        let entry = slot.and_then(|slot| state.entries.get(slot));
        Ok(entry.map(|entry| ReadGuardedView {
            view: entry.view.clone(),
            _collection: PhantomData,
        }))
    }

    /// Whether a key has an entry.
    pub fn contains_key(&self, key: &[u8]) -> Result<bool, ViewError> {
        Ok(self.state().find(&self.context, key)?.is_some())
    }

    /// Removes the entry of a key.
    pub fn remove_entry(&mut self, key: &[u8]) {
        let state = self.state_mut();
        if let Some(slot) = state.keys.remove(key) {
            state.entries.unset(slot);
        }
    }

    /// Calls `action` with the keys in order, until it answers `false`.
    pub fn for_each_key_while(
        &self,
        mut action: impl FnMut(&[u8]) -> Result<bool, ViewError>,
    ) -> Result<(), ViewError> {
        let mut state = self.state();
        state.list_all(self.context.store());
        for (key, _) in state.keys.iter() {
            if !action(key)? {
                break;
            }
        }
        Ok(())
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        let mut state = self.state();
        state.list_all(self.context.store());
        state.keys.len()
    }

    fn state(&self) -> MutexGuard<'_, CollectionState<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&mut self) -> &mut CollectionState<W> {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: View> CollectionState<W> {
    /// The slot of a key with its entry read, if the key has one.
    fn find(&mut self, context: &W::Context, key: &[u8]) -> Result<Option<u32>, ViewError> {
        match self.keys.lookup(key) {
            Lookup::Present(slot) if self.entries.get(slot).is_some() => Ok(Some(slot)),
            Lookup::Absent => Ok(None),
            Lookup::Present(slot) => {
                let view = load_now(entry_context(context, key))?;
                Ok(Some(self.set(slot, view, false)))
            }
            Lookup::Unknown => self.read(context, key),
        }
    }

    /// Asks storage whether the entry exists, and for its content in the same call.
    fn read(&mut self, context: &W::Context, key: &[u8]) -> Result<Option<u32>, ViewError> {
        let entry = entry_context(context, key);
        let mut keys = vec![self.keys.stored_key(key)];
        W::pre_load(entry.base_key(), &mut keys);
        let mut values = context.store().read_values(&keys).into_iter();
        if values.next().flatten().is_none() {
            self.keys.note_absent(key.to_vec());
            return Ok(None);
        }
        let view = W::post_load(entry, &mut Loaded::stored(values))?;
        let slot = self.keys.note_stored(key.to_vec());
        Ok(Some(self.set(slot, view, false)))
    }

    /// Adds an empty entry for a key that is known to have none.
    fn add(&mut self, context: &W::Context, key: Vec<u8>) -> Result<u32, ViewError> {
        let view = W::post_load(entry_context(context, &key), &mut Loaded::nothing())?;
        let slot = self.keys.insert(key);
        let replaces = self.keys.may_be_stored(slot);
        Ok(self.set(slot, view, replaces))
    }

    fn set(&mut self, slot: u32, view: W, replaces: bool) -> u32 {
        self.entries.set(
            slot,
            Entry {
                view: Arc::new(view),
                replaces,
            },
        );
        slot
    }

    fn list_all<S: Store>(&mut self, store: &S) {
        if !self.keys.is_complete() {
            let keys = store.find_keys(self.keys.prefix());
            self.keys.note_all(keys.into_iter(), |_| {});
        }
    }

    fn flush_entries(&mut self, base_key: &[u8], batch: &mut Batch) -> Result<(), ViewError> {
        if self.keys.deletes_all() {
            batch.delete_prefix(field_key(base_key, ENTRIES));
        }
        for key in self.keys.deleted_keys() {
            batch.delete_prefix(entry_key(base_key, key));
        }
        for (key, slot) in self.keys.iter() {
            let Some(entry) = self.entries.get_mut(slot) else {
                continue;
            };
            if std::mem::take(&mut entry.replaces) {
                batch.delete_prefix(entry_key(base_key, key));
            }
            Arc::get_mut(&mut entry.view)
                .ok_or(ViewError::EntryInUse)?
                .flush(batch)?;
        }
        Ok(())
    }
}

/// The key of what an entry holds. The length keeps one key's entry apart from that of a longer key that begins with it.
fn entry_key(base_key: &[u8], key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(base_key.len() + key.len() + 4);
    bytes.extend_from_slice(base_key);
    bytes.push(ENTRIES);
    let mut length = key.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(key);
    bytes
}

fn entry_context<C: Context>(context: &C, key: &[u8]) -> C {
    context.clone_with_base_key(entry_key(context.base_key(), key))
}

impl<C: Context, W: View<Context = C> + Sync> View for ByteCollectionView<C, W> {
    type Context = C;

    fn context(&self) -> C {
        self.context.clone()
    }

    fn pre_load(_base_key: &[u8], _keys: &mut Vec<Vec<u8>>) {}

    fn post_load(context: C, loaded: &mut Loaded) -> Result<Self, ViewError> {
        let keys = KeyIndex::new(field_key(context.base_key(), INDEX), loaded.is_nothing());
        let state = Mutex::new(CollectionState {
            keys,
            entries: Slots::new(),
        });
        Ok(ByteCollectionView { context, state })
    }

    fn clear(&mut self) {
        let state = self.state_mut();
        state.keys.clear();
        state.entries.clear();
    }

    fn flush(&mut self, batch: &mut Batch) -> Result<(), ViewError> {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.flush_entries(self.context.base_key(), batch)?;
        state.keys.flush(batch, |_| Ok(Vec::new()))
    }
}

/// Defines a collection with typed keys: what a lookup takes, and how keys become bytes and back.
macro_rules! typed_collection {
    ($(#[$docs:meta])* $name:ident, [$($key_bound:tt)*], [$($query_bound:tt)*], $encode:expr, $decode:expr) => {
        $(#[$docs])*
        #[derive(Debug)]
        pub struct $name<C, K, W> {
            collection: ByteCollectionView<C, W>,
            _key: PhantomData<fn(K) -> K>,
        }

        impl<C, K, W> $name<C, K, W>
        where
            C: Context,
            K: $($key_bound)*,
            W: View<Context = C> + Sync,
        {
            /// The entry of a key, to be changed, which is made if it is missing.
            pub async fn load_entry_mut<Q>(&mut self, key: &Q) -> Result<&mut W, ViewError>
            where
                K: Borrow<Q>,
                Q: Sync + $($query_bound)*,
            {
                self.collection.load_entry_mut($encode(key)?)
            }

            /// The entry of a key, if there is one.
            pub async fn try_load_entry<Q>(&self, key: &Q) -> Result<Option<ReadGuardedView<'_, W>>, ViewError>
            where
                K: Borrow<Q>,
                Q: Sync + $($query_bound)*,
            {
                self.collection.try_load_entry(&$encode(key)?)
            }

            /// Whether a key has an entry.
            pub async fn contains_key<Q>(&self, key: &Q) -> Result<bool, ViewError>
            where
                K: Borrow<Q>,
                Q: Sync + $($query_bound)*,
            {
                self.collection.contains_key(&$encode(key)?)
            }

            /// Removes the entry of a key.
            pub fn remove_entry<Q>(&mut self, key: &Q) -> Result<(), ViewError>
            where
                K: Borrow<Q>,
                Q: $($query_bound)*,
            {
                self.collection.remove_entry(&$encode(key)?);
                Ok(())
            }

            /// All keys, in the order of their bytes.
            pub async fn indices(&self) -> Result<Vec<K>, ViewError> {
                let mut indices = Vec::new();
                self.collection.for_each_key_while(|key| {
                    indices.push($decode(key)?);
                    Ok(true)
                })?;
                Ok(indices)
            }

            /// Calls `action` with the keys in the order of their bytes, until it answers `false`.
            pub async fn for_each_index_while<F>(&self, mut action: F) -> Result<(), ViewError>
            where
                F: FnMut(K) -> Result<bool, ViewError> + Send,
            {
                self.collection.for_each_key_while(|key| action($decode(key)?))
            }

            /// How many entries there are.
            pub async fn count(&self) -> Result<usize, ViewError> {
                Ok(self.collection.count())
            }
        }

        impl<C, K, W> View for $name<C, K, W>
        where
            C: Context,
            K: $($key_bound)*,
            W: View<Context = C> + Sync,
        {
            type Context = C;

            fn context(&self) -> C {
                self.collection.context()
            }

            fn pre_load(base_key: &[u8], keys: &mut Vec<Vec<u8>>) {
                ByteCollectionView::<C, W>::pre_load(base_key, keys);
            }

            fn post_load(context: C, loaded: &mut Loaded) -> Result<Self, ViewError> {
                Ok($name { collection: View::post_load(context, loaded)?, _key: PhantomData })
            }

            fn clear(&mut self) {
                self.collection.clear();
            }

            fn flush(&mut self, batch: &mut Batch) -> Result<(), ViewError> {
                self.collection.flush(batch)
            }
        }
    };
}

typed_collection!(
    /// Views by key, the keys being encoded in BCS.
    CollectionView, [Serialize + DeserializeOwned + Send + Sync], [Serialize + ?Sized], bcs_key, from_bcs_key
);
typed_collection!(
    /// Views by key, the keys being encoded as the application says.
    CustomCollectionView, [CustomSerialize + Send + Sync], [CustomSerialize],
    CustomSerialize::to_custom_bytes, K::from_custom_bytes
);
