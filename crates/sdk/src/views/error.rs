//! What can go wrong in views.

use thiserror::Error;

/// Why a view could not be read, changed or saved.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ViewError {
    /// A key or value did not encode or decode.
    #[error("cannot encode or decode a key or value: {0}")]
    Bcs(#[from] bcs::Error),

    /// A custom key did not decode.
    #[error("cannot decode a custom key: {0}")]
    CustomKey(String),

    /// A guard of an entry was leaked, so the entry cannot be changed.
    #[error(
        "an entry of a collection is still borrowed; drop its guards instead of forgetting them"
    )]
    EntryInUse,

    /// An element that the queue or log counts is not stored.
    #[error("the stored state lacks element {index} of a list")]
    MissingElement {
        /// The element's index in storage.
        index: u64,
    },
}
