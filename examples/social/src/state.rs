use resident_sdk::{
    ViewStorageContext,
    base_types::ChainId,
    views::{LogView, MapView, RootView, SetView},
};
use social::Received;

/// What a chain keeps of what others write.
#[derive(RootView)]
#[view(context = ViewStorageContext)]
pub(crate) struct SocialState {
    /// Whom the chain follows.
    pub(crate) followed: SetView<ChainId>,
    /// How many posts of each chain were received. It stays when the chain stops following, so that a post
    /// is received once, however often that changes.
    pub(crate) received: MapView<ChainId, u32>,
    /// What was received, in the order of its arrival.
    pub(crate) timeline: LogView<Received>,
}
