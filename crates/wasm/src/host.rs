//! What the crate asks of a host, and how it travels with an instance.

use resident_abi::ContractHost;

use crate::CallError;

/// What a guest may still spend. Both can be negative, which tells that a guest tried to spend more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meters {
    /// Fuel in the units of [`crate::prepare`]'s cost table.
    pub fuel: i64,
    /// Height of the call stack in the units of [`crate::prepare`].
    pub stack: i32,
}

/// A host that contracts can run against.
///
/// The meters travel with the host: they are given to an instance when it is entered, brought back
/// around every host function (which may charge too), and taken over at the end.
pub trait Host: ContractHost + 'static {
    /// What is left.
    fn meters(&self) -> Meters;

    /// Takes over what is left.
    fn set_meters(&mut self, meters: Meters);
}

/// The place in an instance where the host stays while the instance is being run.
pub(crate) struct Slot<H: Host, X> {
    /// The host; none while nothing runs.
    pub(crate) host: Option<H>,
    /// Why the run has to end, left by whoever noticed for whoever entered.
    pub(crate) exit: Option<CallError<H::Error>>,
    /// The instance's resolved exports; none until it exists.
    pub(crate) exports: Option<X>,
}

impl<H: Host, X> Slot<H, X> {
    pub(crate) fn new() -> Self {
        Slot {
            host: None,
            exit: None,
            exports: None,
        }
    }
}

/// How an entry into a guest went. The host comes back whatever happened.
pub struct Entered<H: Host, T> {
    /// The host, with the meters as the guest left them.
    pub host: H,
    /// What the entry point returned, or why it did not.
    pub result: Result<T, CallError<H::Error>>,
}
