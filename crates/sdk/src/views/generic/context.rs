//! Where views live.

use std::sync::Arc;

use super::store::Store;

/// A store, a place in it, and something extra that all views of an application share.
pub trait Context: Clone + Send + Sync + 'static {
    /// What holds the keys and values.
    type Store: Store;

    /// What the application passes to its views.
    type Extra: Send + Sync + 'static;

    /// The store.
    fn store(&self) -> &Self::Store;

    /// What the application passes to its views.
    fn extra(&self) -> &Self::Extra;

    /// What all keys of the view begin with.
    fn base_key(&self) -> &[u8];

    /// The same context for another place.
    fn clone_with_base_key(&self, base_key: Vec<u8>) -> Self;
}

/// The context of all views here.
#[derive(Debug)]
pub struct ViewContext<Extra, S> {
    store: S,
    base_key: Vec<u8>,
    // Shared, because every view of a collection has a context.
    extra: Arc<Extra>,
}

impl<Extra, S> ViewContext<Extra, S> {
    /// A context for the place `base_key` in `store`. Nothing is checked: two views at one place overwrite each other.
    pub fn new_unchecked(store: S, base_key: Vec<u8>, extra: Extra) -> Self {
        ViewContext {
            store,
            base_key,
            extra: Arc::new(extra),
        }
    }

    /// What the application passes to its views.
    pub fn extra(&self) -> &Extra {
        &self.extra
    }
}

impl<Extra, S: Clone> Clone for ViewContext<Extra, S> {
    fn clone(&self) -> Self {
        ViewContext {
            store: self.store.clone(),
            base_key: self.base_key.clone(),
            extra: self.extra.clone(),
        }
    }
}

impl<Extra: Send + Sync + 'static, S: Store> Context for ViewContext<Extra, S> {
    type Store = S;
    type Extra = Extra;

    fn store(&self) -> &S {
        &self.store
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn base_key(&self) -> &[u8] {
        &self.base_key
    }

    fn clone_with_base_key(&self, base_key: Vec<u8>) -> Self {
        ViewContext {
            store: self.store.clone(),
            base_key,
            extra: self.extra.clone(),
        }
    }
}
