//! Small helpers.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use serde::Serialize;

/// Waits for a future that never has to wait.
pub trait BlockingWait {
    /// What the future results in.
    type Output;

    /// The future's result.
    ///
    /// # Panics
    ///
    /// If the future is pending. Futures of guests never are: the host answers every call before it returns.
    fn blocking_wait(self) -> Self::Output;
}

impl<F: Future> BlockingWait for F {
    type Output = F::Output;

    fn blocking_wait(self) -> F::Output {
        match pin!(self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("a future of a guest has to be ready at once"),
        }
    }
}

/// Encoding as BCS.
pub trait ToBcsBytes {
    /// The value as BCS bytes.
    fn to_bcs_bytes(&self) -> Result<Vec<u8>, bcs::Error>;
}

impl<T: Serialize> ToBcsBytes for T {
    fn to_bcs_bytes(&self) -> Result<Vec<u8>, bcs::Error> {
        bcs::to_bytes(self)
    }
}
