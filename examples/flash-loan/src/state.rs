use resident_sdk::{
    ViewStorageContext,
    base_types::Amount,
    views::{RegisterView, RootView},
};

/// What the bank stores on one chain. Loans are not among it: none outlives its block.
#[derive(RootView)]
#[view(context = ViewStorageContext)]
pub(crate) struct FlashLoanState {
    /// The interest of all blocks.
    pub(crate) earned: RegisterView<Amount>,
}
