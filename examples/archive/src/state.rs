use archive::ArchiveAbi;
use resident_sdk::{
    ViewStorageContext,
    base_types::{ApplicationId, DataBlobHash},
    views::{MapView, RootView},
};

/// Everything an archive stores.
#[derive(RootView)]
#[view(context = ViewStorageContext)]
pub(crate) struct ArchiveState {
    /// Pages by URL.
    pub(crate) pages: MapView<String, DataBlobHash>,
    /// Shelves by name.
    pub(crate) shelves: MapView<String, ApplicationId<ArchiveAbi>>,
}
