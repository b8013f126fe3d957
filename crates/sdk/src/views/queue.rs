//! A list that grows at its back and shrinks at its front.

use std::{
    collections::VecDeque,
    ops::Range,
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
};

/// Below the view's key: the bounds, and the elements by index.
const BOUNDS: u8 = 0;
const ELEMENTS: u8 = 1;

/// A first-in, first-out list.
#[derive(Debug)]
pub struct QueueView<C, T> {
    context: C,
    // Reading fills the cache. Never locked across an `await`.
    state: Mutex<QueueState<T>>,
}

/// The queue is `head`, then the stored elements `unread`, then `tail`.
///
/// Elements keep the index they were given when they were pushed; `front` is the index of the first one.
#[derive(Debug)]
struct QueueState<T> {
    front: u64,
    head: VecDeque<T>,
    unread: Range<u64>,
    tail: VecDeque<T>,
    /// The bounds in storage; equal if nothing is stored.
    stored: Range<u64>,
    /// Elements of `head` may differ from storage.
    head_changed: bool,
    /// Everything stored is to be deleted.
    delete_all: bool,
}

impl<C: Context, T: Serialize + DeserializeOwned + Send + Sync> QueueView<C, T> {
    /// Appends an element.
    pub fn push_back(&mut self, value: T) {
        self.state_mut().tail.push_back(value);
    }

    /// Removes the first element, if there is one.
    pub fn delete_front(&mut self) {
        self.state_mut().delete_front();
    }

    /// How many elements there are.
    pub fn count(&self) -> usize {
        self.state().count()
    }

    /// The first element.
    pub async fn front(&self) -> Result<Option<T>, ViewError>
    where
        T: Clone,
    {
        let mut state = self.state();
        self.read_head(&mut state, 1)?;
        Ok(state.loaded().next().cloned())
    }

    /// The first `count` elements, or all if there are fewer.
    pub async fn read_front(&self, count: usize) -> Result<Vec<T>, ViewError>
    where
        T: Clone,
    {
        let mut state = self.state();
        self.read_head(&mut state, count)?;
        Ok(state.loaded().take(count).cloned().collect())
    }

    /// All elements.
    pub async fn elements(&self) -> Result<Vec<T>, ViewError>
    where
        T: Clone,
    {
        self.read_front(self.count()).await
    }

    /// All elements, to be changed. They all count as changed from now on.
    pub async fn try_iter_mut(
        &mut self,
    ) -> Result<impl DoubleEndedIterator<Item = &mut T>, ViewError> {
        let count = self.count();
        self.read_head(&mut self.state(), count)?;
        let state = self.state_mut();
        state.head_changed = true;
        Ok(state.head.iter_mut().chain(state.tail.iter_mut()))
    }

    /// Reads until the first `count` elements are in memory, with at most one call.
    fn read_head(&self, state: &mut QueueState<T>, count: usize) -> Result<(), ViewError> {
        let missing = count.saturating_sub(state.head.len()) as u64;
        let end = state
            .unread
            .end
            .min(state.unread.start.saturating_add(missing));
        let indices = state.unread.start..end;
        if indices.is_empty() {
            return Ok(());
        }
        let prefix = self.elements_key();
        let keys: Vec<Vec<u8>> = indices
            .clone()
            .map(|index| element_key(&prefix, index))
            .collect();
        for (index, bytes) in indices.zip(self.context.store().read_values(&keys)) {
            let bytes = bytes.ok_or(ViewError::MissingElement { index })?;
            state.head.push_back(bcs::from_bytes(&bytes)?);
            state.unread.start = index + 1;
        }
        Ok(())
    }

    fn elements_key(&self) -> Vec<u8> {
        field_key(self.context.base_key(), ELEMENTS)
    }

    fn state(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&mut self) -> &mut QueueState<T> {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> QueueState<T> {
    fn new(stored: Range<u64>) -> Self {
        QueueState {
            front: stored.start,
            head: VecDeque::new(),
            unread: stored.clone(),
            tail: VecDeque::new(),
            stored,
            head_changed: false,
            delete_all: false,
        }
    }

    fn count(&self) -> usize {
        self.head.len() + (self.unread.end - self.unread.start) as usize + self.tail.len()
    }

    /// The elements in memory that no unread one comes before.
    fn loaded(&self) -> impl Iterator<Item = &T> {
        let tail = if self.unread.is_empty() {
            self.tail.len()
        } else {
            0
        };
        self.head.iter().chain(self.tail.iter().take(tail))
    }

    fn delete_front(&mut self) {
        let deleted = if self.head.pop_front().is_some() {
            true
        } else if !self.unread.is_empty() {
            self.unread.start += 1;
            true
        } else {
            self.tail.pop_front().is_some()
        };
        self.front += u64::from(deleted);
    }

    /// The index of the first element of `tail`.
    fn tail_start(&self) -> u64 {
        self.front.max(self.stored.end)
    }

    /// Records that everything was written.
    fn settle(&mut self) {
        let back = self.front + self.count() as u64;
        if self.unread.is_empty() {
            self.head.append(&mut self.tail);
            self.unread = back..back;
        } else {
            // Keeping the tail would need a second index; it is read again when its turn comes.
            self.unread.end = back;
            self.tail.clear();
        }
        self.stored = self.front..back;
        self.head_changed = false;
    }
}

impl<T: Serialize> QueueState<T> {
    fn flush_elements(&self, prefix: &[u8], batch: &mut Batch) -> Result<(), ViewError> {
        for index in self.stored.start..self.front.min(self.stored.end) {
            batch.delete(element_key(prefix, index));
        }
        let head = self.head.iter().take(if self.head_changed {
            self.head.len()
        } else {
            0
        });
        let tail = (self.tail_start()..).zip(&self.tail);
        for (index, value) in (self.front..).zip(head).chain(tail) {
            batch.put(element_key(prefix, index), bcs::to_bytes(value)?);
        }
        Ok(())
    }
}

pub(crate) fn element_key(prefix: &[u8], index: u64) -> Vec<u8> {
    [prefix, &index.to_be_bytes()].concat()
}

impl<C: Context, T: Serialize + DeserializeOwned + Send + Sync> View for QueueView<C, T> {
    type Context = C;

    fn context(&self) -> C {
        self.context.clone()
    }

    fn pre_load(base_key: &[u8], keys: &mut Vec<Vec<u8>>) {
        keys.push(field_key(base_key, BOUNDS));
    }

    fn post_load(context: C, loaded: &mut Loaded) -> Result<Self, ViewError> {
        let bounds = loaded.next_value();
        let (front, back) =
            bounds.map_or(Ok((0, 0)), |bytes| bcs::from_bytes::<(u64, u64)>(&bytes))?;
        let state = Mutex::new(QueueState::new(front..back.max(front)));
        Ok(QueueView { context, state })
    }

    fn clear(&mut self) {
        let state = self.state_mut();
        let delete_all = state.delete_all || !state.stored.is_empty();
        *state = QueueState {
            delete_all,
            ..QueueState::new(0..0)
        };
    }

    fn flush(&mut self, batch: &mut Batch) -> Result<(), ViewError> {
        let elements = self.elements_key();
        let bounds = field_key(self.context.base_key(), BOUNDS);
        let state = self.state_mut();
        let delete_all = std::mem::take(&mut state.delete_all);
        let was_stored = delete_all || !state.stored.is_empty();
        if delete_all {
            batch.delete_prefix(elements.clone());
        }
        state.flush_elements(&elements, batch)?;
        let before = state.stored.clone();
        state.settle();
        if state.stored.is_empty() {
            // An empty queue leaves nothing behind and starts from zero again.
            *state = QueueState::new(0..0);
            if was_stored {
                batch.delete(bounds);
            }
        } else if delete_all || state.stored != before {
            batch.put(
                bounds,
                bcs::to_bytes(&(state.stored.start, state.stored.end))?,
            );
        }
        Ok(())
    }
}
