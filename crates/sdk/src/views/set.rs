//! A set of keys.

use std::{
    borrow::Borrow,
    marker::PhantomData,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Loaded, View, ViewError,
    custom::{bcs_key, from_bcs_key},
    generic::{
        context::Context,
        store::{Batch, Store},
    },
    key_index::{KeyIndex, Lookup},
};

/// A set of keys in BCS.
#[derive(Debug)]
pub struct SetView<C, K> {
    context: C,
    // Reading fills the cache. Never locked across an `await`.
    keys: Mutex<KeyIndex>,
    _key: PhantomData<fn(K) -> K>,
}

impl<C: Context, K: Serialize + DeserializeOwned + Send + Sync> SetView<C, K> {
    /// Adds a key.
    pub fn insert<Q>(&mut self, key: &Q) -> Result<(), ViewError>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let key = bcs_key(key)?;
        self.keys_mut().insert(key);
        Ok(())
    }

    /// Removes a key.
    pub fn remove<Q>(&mut self, key: &Q) -> Result<(), ViewError>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let key = bcs_key(key)?;
        self.keys_mut().remove(&key);
        Ok(())
    }

    /// Whether the key is in the set.
    pub async fn contains<Q>(&self, key: &Q) -> Result<bool, ViewError>
    where
        K: Borrow<Q>,
        Q: Serialize + Sync + ?Sized,
    {
        Ok(find(&mut self.keys(), self.context.store(), bcs_key(key)?))
    }

    /// All keys, in the order of their bytes.
    pub async fn indices(&self) -> Result<Vec<K>, ViewError> {
        let mut keys = self.keys();
        list_all(&mut keys, self.context.store());
        keys.iter().map(|(key, _)| from_bcs_key(key)).collect()
    }

    /// How many keys there are.
    pub async fn count(&self) -> Result<usize, ViewError> {
        let mut keys = self.keys();
        list_all(&mut keys, self.context.store());
        Ok(keys.len())
    }

    fn keys(&self) -> MutexGuard<'_, KeyIndex> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys_mut(&mut self) -> &mut KeyIndex {
        self.keys.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<S: Store>(keys: &mut KeyIndex, store: &S, key: Vec<u8>) -> bool {
    match keys.lookup(&key) {
        Lookup::Present(_) => true,
        Lookup::Absent => false,
        Lookup::Unknown => {
            let stored = store.contains_key(&keys.stored_key(&key));
            if stored {
                keys.note_stored(key);
            } else {
                keys.note_absent(key);
            }
            stored
        }
    }
}

fn list_all<S: Store>(keys: &mut KeyIndex, store: &S) {
    if !keys.is_complete() {
        let stored = store.find_keys(keys.prefix());
        keys.note_all(stored.into_iter(), |_| {});
    }
}

impl<C: Context, K: Serialize + DeserializeOwned + Send + Sync> View for SetView<C, K> {
    type Context = C;

    fn context(&self) -> C {
        self.context.clone()
    }

    fn pre_load(_base_key: &[u8], _keys: &mut Vec<Vec<u8>>) {}

    fn post_load(context: C, loaded: &mut Loaded) -> Result<Self, ViewError> {
        let keys = KeyIndex::new(context.base_key().to_vec(), loaded.is_nothing());
        Ok(SetView {
            context,
            keys: Mutex::new(keys),
            _key: PhantomData,
        })
    }

    fn clear(&mut self) {
        self.keys_mut().clear();
    }

    fn flush(&mut self, batch: &mut Batch) -> Result<(), ViewError> {
        self.keys_mut().flush(batch, |_| Ok(Vec::new()))
    }
}
