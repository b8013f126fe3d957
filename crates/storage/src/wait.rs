//! The one place where a block's thread meets an asynchronous store.

use std::task::{Context, Poll};

use futures::task::noop_waker;

use crate::store::{StoreError, StoreFuture};

/// Waits for a store's answer on the calling thread. Stores in memory and on a local disk answer at once, and then no
/// executor is entered, so that this also works inside of one.
///
/// # Errors
/// The store's own, and [`StoreError::WouldBlock`] where a thread cannot wait.
pub fn wait<T>(mut future: StoreFuture<'_, T>) -> Result<T, StoreError> {
    match future
        .as_mut()
        .poll(&mut Context::from_waker(&noop_waker()))
    {
        Poll::Ready(result) => result,
        Poll::Pending => wait_long(future),
    }
}

#[cfg(not(target_family = "wasm"))]
fn wait_long<T>(future: StoreFuture<'_, T>) -> Result<T, StoreError> {
    futures::executor::block_on(future)
}

/// A browser's thread cannot sleep: the answer would arrive on the very thread that waits for it.
#[cfg(target_family = "wasm")]
fn wait_long<T>(_future: StoreFuture<'_, T>) -> Result<T, StoreError> {
    Err(StoreError::WouldBlock)
}
