//! The views with an explicit context, for applications that pass their views something extra.

pub mod context;
pub mod store;

pub use super::{CustomSerialize, ViewError};

/// The traits of views.
pub mod views {
    pub use crate::views::{Loaded, RootView, View};
}

/// Registers.
pub mod register_view {
    pub use crate::views::register::RegisterView;
}

/// Maps.
pub mod map_view {
    pub use crate::views::map::{ByteMapView, CustomMapView, MapView};
}

/// Sets.
pub mod set_view {
    pub use crate::views::set::SetView;
}

/// Logs.
pub mod log_view {
    pub use crate::views::log::LogView;
}

/// Queues.
pub mod queue_view {
    pub use crate::views::queue::QueueView;
}

/// Collections.
pub mod collection_view {
    pub use crate::views::collection::{
        ByteCollectionView, CollectionView, CustomCollectionView, ReadGuardedView,
    };
}
