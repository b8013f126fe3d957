use resident_sdk::{
    ViewStorageContext,
    views::{RegisterView, RootView},
};

/// Everything the counter stores.
#[derive(RootView)]
#[view(context = ViewStorageContext)]
pub(crate) struct CounterState {
    /// The current value.
    pub(crate) value: RegisterView<u64>,
}
