//! The edge of the database: what it makes of a file that was altered behind its back.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
};

use crate::store::StoreError;

/// Whether the file has been found to be damaged. From then on nothing is read or written any more: what a
/// half-understood file is changed to cannot be better than what it was.
#[derive(Debug, Default)]
pub(super) struct Damage {
    found: OnceLock<String>,
}

impl Damage {
    /// Asks the database for something, unless it is known to be damaged. If it panics, it is.
    pub(super) fn guard<T>(
        &self,
        ask: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(reason) = self.found.get() {
            let reason = reason.clone();
            return Err(StoreError::Damaged { reason });
        }
        match without_panic(ask) {
            Ok(Err(StoreError::Damaged { reason })) | Err(reason) => {
                // The first one counts.
                let _ = self.found.set(reason.clone());
                Err(StoreError::Damaged { reason })
            }
            Ok(result) => result,
        }
    }

    pub(super) fn is_found(&self) -> bool {
        self.found.get().is_some()
    }
}

/// The database may panic on a file that was altered behind its back. For a node that is one more
/// way to be damaged.
pub(super) fn without_panic<T>(ask: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(ask)).map_err(|panic| reason(&*panic))
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    let what = message.map(|message| format!("its pages contradict each other: {message}"));
    what.unwrap_or_else(|| "its pages contradict each other".to_owned())
}

/// Says in the store's terms what the database reported about a store that was opened before.
pub(super) fn failure(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::DatabaseClosed => StoreError::Closed,
        redb::Error::Corrupted(reason) => StoreError::Damaged { reason },
        redb::Error::Io(error) if is_damage(&error) => StoreError::Damaged {
            reason: error.to_string(),
        },
        // The tables were there when the store was made, and a lock is poisoned by a panic.
        error @ (redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableIsNotMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::LockPoisoned(_)) => StoreError::Damaged {
            reason: error.to_string(),
        },
        other => StoreError::Failed(Arc::new(other)),
    }
}

/// Whether a file is not as long, or not as it should be.
pub(super) fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput
    )
}
