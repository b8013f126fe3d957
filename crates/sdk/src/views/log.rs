//! A list that only grows.

use std::{
    collections::BTreeMap,
    ops::{Bound, Range, RangeBounds},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Loaded, View, ViewError,
    derive_support::field_key,
    generic::{
        context::Context,
        store::{Batch, Store},
    },
    queue::element_key,
};

/// Below the view's key: the number of elements, and the elements by index.
const COUNT: u8 = 0;
const ELEMENTS: u8 = 1;

/// A list to which elements are appended.
#[derive(Debug)]
pub struct LogView<C, T> {
    context: C,
    // Reading fills the cache. Never locked across an `await`.
    read: Mutex<BTreeMap<u64, T>>,
    stored_count: u64,
    new: Vec<T>,
    /// Everything stored is to be deleted.
    delete_all: bool,
}

impl<C: Context, T: Serialize + DeserializeOwned + Send + Sync> LogView<C, T> {
    /// Appends an element.
    pub fn push(&mut self, value: T) {
        self.new.push(value);
    }

    /// How many elements there are.
    pub fn count(&self) -> usize {
        self.stored_count as usize + self.new.len()
    }

    /// The element at an index.
    pub async fn get(&self, index: usize) -> Result<Option<T>, ViewError>
    where
        T: Clone,
    {
        Ok(self.elements(index..index.saturating_add(1))?.pop())
    }

    /// The elements in a range of indices, as far as they exist.
    pub async fn read<R>(&self, range: R) -> Result<Vec<T>, ViewError>
    where
        R: RangeBounds<usize> + Send,
        T: Clone,
    {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => usize::MAX,
        };
        self.elements(start..end)
    }

    fn elements(&self, range: Range<usize>) -> Result<Vec<T>, ViewError>
    where
        T: Clone,
    {
        let end = range.end.min(self.count()) as u64;
        let range = range.start as u64..end;
        let mut read = self.cache();
        let stored = range.start..range.end.min(self.stored_count);
        self.read_stored(&mut read, stored)?;
        let element = |index: u64| match index.checked_sub(self.stored_count) {
            Some(new) => self.new[new as usize].clone(),
            None => read[&index].clone(),
        };
        Ok(range.map(element).collect())
    }

    /// Reads the stored elements of a range that were not read yet, with at most one call.
    fn read_stored(&self, read: &mut BTreeMap<u64, T>, range: Range<u64>) -> Result<(), ViewError> {
        let missing: Vec<u64> = range.filter(|index| !read.contains_key(index)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let prefix = field_key(self.context.base_key(), ELEMENTS);
        let keys: Vec<_> = missing
            .iter()
            .map(|index| element_key(&prefix, *index))
            .collect();
        for (index, bytes) in missing
            .into_iter()
            .zip(self.context.store().read_values(&keys))
        {
            let bytes = bytes.ok_or(ViewError::MissingElement { index })?;
            read.insert(index, bcs::from_bytes(&bytes)?);
        }
        Ok(())
    }

    fn cache(&self) -> MutexGuard<'_, BTreeMap<u64, T>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Context, T: Serialize + DeserializeOwned + Send + Sync> View for LogView<C, T> {
    type Context = C;

    fn context(&self) -> C {
        self.context.clone()
    }

    fn pre_load(base_key: &[u8], keys: &mut Vec<Vec<u8>>) {
        keys.push(field_key(base_key, COUNT));
    }

    fn post_load(context: C, loaded: &mut Loaded) -> Result<Self, ViewError> {
        let count = loaded.next_value();
        let stored_count = count.map_or(Ok(0), |bytes| bcs::from_bytes(&bytes))?;
        let read = Mutex::new(BTreeMap::new());
        Ok(LogView {
            context,
            read,
            stored_count,
            new: Vec::new(),
            delete_all: false,
        })
    }

    fn clear(&mut self) {
        self.delete_all |= self.stored_count > 0;
        self.stored_count = 0;
        self.new.clear();
        self.read
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn flush(&mut self, batch: &mut Batch) -> Result<(), ViewError> {
        let count_key = field_key(self.context.base_key(), COUNT);
        let elements = field_key(self.context.base_key(), ELEMENTS);
        if std::mem::take(&mut self.delete_all) {
            batch.delete_prefix(elements.clone());
            if self.new.is_empty() {
                batch.delete(count_key.clone());
            }
        }
        if self.new.is_empty() {
            return Ok(());
        }
        let read = self.read.get_mut().unwrap_or_else(PoisonError::into_inner);
        for value in self.new.drain(..) {
            batch.put(
                element_key(&elements, self.stored_count),
                bcs::to_bytes(&value)?,
            );
            read.insert(self.stored_count, value);
            self.stored_count += 1;
        }
        batch.put(count_key, bcs::to_bytes(&self.stored_count)?);
        Ok(())
    }
}
