//! Values by key.

use std::{
    borrow::{Borrow, Cow},
    marker::PhantomData,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    CustomSerialize, Loaded, View, ViewError,
    custom::{bcs_key, from_bcs_key},
    generic::{
        context::Context,
        store::{Batch, Store},
    },
    key_index::{KeyIndex, Lookup},
    slots::Slots,
};

/// Values by the bytes of their keys.
///
/// The other maps are this one with typed keys. What was read stays in memory, also that a key has no value.
#[derive(Debug)]
pub struct ByteMapView<C, V> {
    context: C,
    // Reading fills the cache, and services read through shared references. Never locked across an `await`.
    state: Mutex<MapState<V>>,
}

#[derive(Debug)]
struct MapState<V> {
    keys: KeyIndex,
    values: Slots<V>,
}

impl<C: Context, V: Serialize + DeserializeOwned> ByteMapView<C, V> {
    /// Sets the value of a key.
    pub fn insert(&mut self, key: Vec<u8>, value: V) {
        let state = self.state_mut();
        let slot = state.keys.insert(key);
        state.values.set(slot, value);
    }

    /// Removes a key and its value.
    pub fn remove(&mut self, key: &[u8]) {
        let state = self.state_mut();
        if let Some(slot) = state.keys.remove(key) {
            state.values.unset(slot);
        }
    }

    /// The value of a key.
    pub fn get(&self, key: Vec<u8>) -> Result<Option<V>, ViewError>
    where
        V: Clone,
    {
        let mut state = self.state();
        let slot = state.find(self.context.store(), key)?;
        Ok(slot.and_then(|slot| state.values.get(slot).cloned()))
    }

    /// The value of a key, to be changed. It counts as changed from now on.
    pub fn get_mut(&mut self, key: Vec<u8>) -> Result<Option<&mut V>, ViewError> {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = state.find(self.context.store(), key)? else {
            return Ok(None);
        };
        state.keys.mark_changed(slot);
        Ok(state.values.get_mut(slot))
    }

    /// The value of a key, to be changed, which is inserted if it is missing.
    pub fn get_mut_or_default(&mut self, key: Vec<u8>) -> Result<&mut V, ViewError>
    where
        V: Default,
    {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let slot = match state.find(self.context.store(), key.clone())? {
            Some(slot) => {
                state.keys.mark_changed(slot);
                slot
            }
            None => {
                let slot = state.keys.insert(key);
                state.values.set(slot, V::default());
                slot
            }
        };
        Ok(state
            .values
            .get_mut(slot)
            .expect("the value was found or inserted above"))
    }

    /// Whether a key has a value. Reads the value, since who asks usually wants it next.
    pub fn contains_key(&self, key: Vec<u8>) -> Result<bool, ViewError> {
        Ok(self.state().find(self.context.store(), key)?.is_some())
    }

    /// Calls `action` with every key and value in the order of keys.
    pub fn for_each(
        &self,
        mut action: impl FnMut(&[u8], &V) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let mut state = self.state();
        state.read_all(self.context.store())?;
        for (key, slot) in state.keys.iter() {
            action(key, state.values.get(slot).expect("all values were read"))?;
        }
        Ok(())
    }

    /// Calls `action` with every key in order.
    pub fn for_each_key(
        &self,
        mut action: impl FnMut(&[u8]) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let mut state = self.state();
        state.list_all(self.context.store());
        state.keys.iter().try_for_each(|(key, _)| action(key))
    }

    /// How many keys have a value.
    pub fn count(&self) -> usize {
        let mut state = self.state();
        state.list_all(self.context.store());
        state.keys.len()
    }

    fn state(&self) -> MutexGuard<'_, MapState<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&mut self) -> &mut MapState<V> {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: DeserializeOwned> MapState<V> {
    /// The slot of a key with its value read, if the key has a value.
    fn find<S: Store>(&mut self, store: &S, key: Vec<u8>) -> Result<Option<u32>, ViewError> {
        match self.keys.lookup(&key) {
            Lookup::Present(slot) if self.values.get(slot).is_some() => Ok(Some(slot)),
            Lookup::Absent => Ok(None),
            known => self.read(store, key, known),
        }
    }

    #[inline(never)]
    fn read<S: Store>(
        &mut self,
        store: &S,
        key: Vec<u8>,
        known: Lookup,
    ) -> Result<Option<u32>, ViewError> {
        let Some(bytes) = store.read_value(&self.keys.stored_key(&key)) else {
            self.keys.note_absent(key);
            return Ok(None);
        };
        let value = bcs::from_bytes(&bytes)?;
        let slot = match known {
            Lookup::Present(slot) => slot,
            Lookup::Absent | Lookup::Unknown => self.keys.note_stored(key),
        };
        self.values.set(slot, value);
        Ok(Some(slot))
    }

    fn list_all<S: Store>(&mut self, store: &S) {
        if !self.keys.is_complete() {
            let keys = store.find_keys(self.keys.prefix());
            self.keys.note_all(keys.into_iter(), |_| {});
        }
    }

    /// Reads all values that were not read, with one call.
    fn read_all<S: Store>(&mut self, store: &S) -> Result<(), ViewError> {
        let unread = self
            .keys
            .iter()
            .any(|(_, slot)| self.values.get(slot).is_none());
        if self.keys.is_complete() && !unread {
            return Ok(());
        }
        for (key, bytes) in store.find_key_values(self.keys.prefix()) {
            let slot = match self.keys.lookup(&key) {
                Lookup::Absent => continue,
                Lookup::Present(slot) if self.values.get(slot).is_some() => continue,
                Lookup::Present(slot) => slot,
                Lookup::Unknown => self.keys.note_stored(key),
            };
            self.values.set(slot, bcs::from_bytes(&bytes)?);
        }
        self.keys.note_all(std::iter::empty(), |_| {});
        Ok(())
    }
}

impl<C, V> View for ByteMapView<C, V>
where
    C: Context,
    V: Serialize + DeserializeOwned + Send + Sync,
{
    type Context = C;

    fn context(&self) -> C {
        self.context.clone()
    }

    fn pre_load(_base_key: &[u8], _keys: &mut Vec<Vec<u8>>) {}

    fn post_load(context: C, loaded: &mut Loaded) -> Result<Self, ViewError> {
        let keys = KeyIndex::new(context.base_key().to_vec(), loaded.is_nothing());
        let state = Mutex::new(MapState {
            keys,
            values: Slots::new(),
        });
        Ok(ByteMapView { context, state })
    }

    fn clear(&mut self) {
        let state = self.state_mut();
        state.keys.clear();
        state.values.clear();
    }

    fn flush(&mut self, batch: &mut Batch) -> Result<(), ViewError> {
        let MapState { keys, values } = self.state_mut();
        keys.flush(batch, |slot| {
            let value = values.get(slot).expect("a changed value is in memory");
            Ok(bcs::to_bytes(value)?)
        })
    }
}

/// Defines a map with typed keys: what a lookup takes, and how keys become bytes and back.
macro_rules! typed_map {
    ($(#[$docs:meta])* $name:ident, [$($key_bound:tt)*], [$($query_bound:tt)*], $encode:expr, $decode:expr) => {
        $(#[$docs])*
        #[derive(Debug)]
        pub struct $name<C, K, V> {
            map: ByteMapView<C, V>,
            _key: PhantomData<fn(K) -> K>,
        }

        impl<C, K, V> $name<C, K, V>
        where
            C: Context,
            K: $($key_bound)*,
            V: Serialize + DeserializeOwned + Send + Sync,
        {
            /// Sets the value of a key.
            pub fn insert<Q>(&mut self, key: &Q, value: V) -> Result<(), ViewError>
            where
                K: Borrow<Q>,
                Q: $($query_bound)*,
            {
                self.map.insert($encode(key)?, value);
                Ok(())
            }

            /// Removes a key and its value.
            pub fn remove<Q>(&mut self, key: &Q) -> Result<(), ViewError>
            where
                K: Borrow<Q>,
                Q: $($query_bound)*,
            {
                self.map.remove(&$encode(key)?);
                Ok(())
            }

            /// The value of a key.
            pub async fn get<Q>(&self, key: &Q) -> Result<Option<V>, ViewError>
            where
                K: Borrow<Q>,
                Q: Sync + $($query_bound)*,
                V: Clone,
            {
                self.map.get($encode(key)?)
            }

            /// The value of a key, to be changed.
            pub async fn get_mut<Q>(&mut self, key: &Q) -> Result<Option<&mut V>, ViewError>
            where
                K: Borrow<Q>,
                Q: Sync + $($query_bound)*,
            {
                self.map.get_mut($encode(key)?)
            }

            /// The value of a key, to be changed, which is inserted if it is missing.
            pub async fn get_mut_or_default<Q>(&mut self, key: &Q) -> Result<&mut V, ViewError>
            where
                K: Borrow<Q>,
                Q: Sync + $($query_bound)*,
                V: Default,
            {
                self.map.get_mut_or_default($encode(key)?)
            }

            /// Whether a key has a value.
            pub async fn contains_key<Q>(&self, key: &Q) -> Result<bool, ViewError>
            where
                K: Borrow<Q>,
                Q: Sync + $($query_bound)*,
            {
                self.map.contains_key($encode(key)?)
            }

            /// All keys, in the order of their bytes.
            pub async fn indices(&self) -> Result<Vec<K>, ViewError> {
                let mut indices = Vec::new();
                self.map.for_each_key(|key| {
                    indices.push($decode(key)?);
                    Ok(())
                })?;
                Ok(indices)
            }

            /// All keys and values, in the order of the keys' bytes.
            pub async fn index_values(&self) -> Result<Vec<(K, V)>, ViewError>
            where
                V: Clone,
            {
                let mut pairs = Vec::new();
                self.map.for_each(|key, value| {
                    pairs.push(($decode(key)?, value.clone()));
                    Ok(())
                })?;
                Ok(pairs)
            }

            /// Calls `action` with all keys and values, in the order of the keys' bytes.
            pub async fn for_each_index_value<F>(&self, mut action: F) -> Result<(), ViewError>
            where
                F: FnMut(K, Cow<'_, V>) -> Result<(), ViewError> + Send,
                V: Clone,
            {
                self.map.for_each(|key, value| action($decode(key)?, Cow::Borrowed(value)))
            }

            /// How many keys have a value.
            pub async fn count(&self) -> Result<usize, ViewError> {
                Ok(self.map.count())
            }
        }

        impl<C, K, V> View for $name<C, K, V>
        where
            C: Context,
            K: $($key_bound)*,
            V: Serialize + DeserializeOwned + Send + Sync,
        {
            type Context = C;

            fn context(&self) -> C {
                self.map.context()
            }

            fn pre_load(base_key: &[u8], keys: &mut Vec<Vec<u8>>) {
                ByteMapView::<C, V>::pre_load(base_key, keys);
            }

            fn post_load(context: C, loaded: &mut Loaded) -> Result<Self, ViewError> {
                Ok($name { map: View::post_load(context, loaded)?, _key: PhantomData })
            }

            fn clear(&mut self) {
                self.map.clear();
            }

            fn flush(&mut self, batch: &mut Batch) -> Result<(), ViewError> {
                self.map.flush(batch)
            }
        }
    };
}

typed_map!(
    /// Values by key, the keys being encoded in BCS.
    MapView, [Serialize + DeserializeOwned + Send + Sync], [Serialize + ?Sized], bcs_key, from_bcs_key
);
typed_map!(
    /// Values by key, the keys being encoded as the application says.
    CustomMapView, [CustomSerialize + Send + Sync], [CustomSerialize],
    CustomSerialize::to_custom_bytes, K::from_custom_bytes
);
