//! What the crate asks of a host, and how it travels with an instance.

use resident_abi::ContractHost;

use crate::{CallError, prepare::PreparedModule};

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

    /// Takes note of the size of the memory of the guest that runs, in bytes. Called before each host function.
    fn note_memory(&mut self, bytes: u64) {
        let _ = bytes;
    }

    /// Takes note that the guest's own code failed, in the first of these functions, which the next one
    /// had called, and so on: at most [`MAX_TRACED_FRAMES`] names, as far as the module has names.
    ///
    /// For logs only. Engines may leave functions out that they merged into others.
    fn note_trap(&mut self, functions: &[&str]) {
        let _ = functions;
    }
}

/// The innermost functions that are named when a guest fails.
pub const MAX_TRACED_FRAMES: usize = 16;

/// The place in an instance where the host stays while the instance is being run.
pub(crate) struct Slot<H: Host, X> {
    /// The host; none while nothing runs.
    pub(crate) host: Option<H>,
    /// Why the run has to end, left by whoever noticed for whoever entered.
    pub(crate) exit: Option<CallError<H::Error>>,
    /// The indices of the functions that were running when the guest failed, the innermost first.
    pub(crate) frames: Vec<u32>,
    /// The instance's resolved exports; none until it exists.
    pub(crate) exports: Option<X>,
}

impl<H: Host, X> Slot<H, X> {
    pub(crate) fn new() -> Self {
        Slot {
            host: None,
            exit: None,
            frames: Vec::new(),
            exports: None,
        }
    }
}

impl<H: Host, T> Entered<H, T> {
    /// Tells the host in which functions the guest failed.
    pub(crate) fn note_trap(mut self, module: &PreparedModule, frames: &[u32]) -> Self {
        if !frames.is_empty() {
            let name = |index| module.function_names.get(index).map_or("?", String::as_str);
            let names: Vec<_> = frames.iter().map(name).collect();
            self.host.note_trap(&names);
        }
        self
    }
}

/// How an entry into a guest went. The host comes back whatever happened.
pub struct Entered<H: Host, T> {
    /// The host, with the meters as the guest left them.
    pub host: H,
    /// What the entry point returned, or why it did not.
    pub result: Result<T, CallError<H::Error>>,
}
