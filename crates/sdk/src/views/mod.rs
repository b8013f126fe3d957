//! State that lives in memory during a block and in the chain's storage between blocks.
//!
//! A view caches what it read, also that nothing was there, and keeps changes in memory until the root view is saved,
//! which is one host call with one sorted batch of writes. Loading a root view is one host call too.
//!
//! # Keys
//!
//! | what | key below the view's own |
//! |---|---|
//! | field `i` of a struct | the byte `i` |
//! | register | nothing |
//! | entry of a map or set | the entry's key |
//! | log, queue: bounds | `0` |
//! | log, queue: element `n` | `1`, then `n` as 8 bytes, big-endian |
//! | collection: that an entry exists | `0`, then the entry's key |
//! | collection: what an entry holds | `1`, the key's length (ULEB128), the entry's key |
//!
//! Entries' keys are BCS, or whatever [`CustomSerialize`] makes of them. Values are BCS.

mod collection;
mod custom;
#[doc(hidden)]
pub mod derive_support;
mod error;
pub mod generic;
#[cfg(feature = "graphql")]
mod graphql;
mod key_index;
mod log;
mod map;
mod queue;
mod register;
mod set;
mod slots;
mod view;

pub use resident_sdk_derive::{RootView, View};

pub use self::{
    collection::ReadGuardedView,
    custom::CustomSerialize,
    error::ViewError,
    generic::store::Batch,
    view::{Loaded, RootView, View},
};
use crate::KeyValueStore;

/// The context of an application's views.
pub type ViewStorageContext = generic::context::ViewContext<(), KeyValueStore>;

/// One value.
pub type RegisterView<T> = generic::register_view::RegisterView<ViewStorageContext, T>;
/// Values by key.
pub type MapView<K, V> = generic::map_view::MapView<ViewStorageContext, K, V>;
/// Values by key, with the application's own encoding of keys.
pub type CustomMapView<K, V> = generic::map_view::CustomMapView<ViewStorageContext, K, V>;
/// A set of keys.
pub type SetView<K> = generic::set_view::SetView<ViewStorageContext, K>;
/// A list that only grows.
pub type LogView<T> = generic::log_view::LogView<ViewStorageContext, T>;
/// A list that grows at its back and shrinks at its front.
pub type QueueView<T> = generic::queue_view::QueueView<ViewStorageContext, T>;
/// Views by key.
pub type CollectionView<K, W> = generic::collection_view::CollectionView<ViewStorageContext, K, W>;
/// Views by key, with the application's own encoding of keys.
pub type CustomCollectionView<K, W> =
    generic::collection_view::CustomCollectionView<ViewStorageContext, K, W>;
