//! The trait of contracts and the macro that exports one.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    abi::{ContractAbi, WithContractAbi},
    base_types::StreamUpdate,
    runtime::ContractRuntime,
};

/// The part of an application that changes state.
///
/// One instance serves a whole block: it is loaded at the application's first use, executes whatever the block has
/// for it, and is stored when the block is finalized. A panic fails the transaction; in [`store`](Self::store) it
/// refuses the whole block.
#[expect(
    async_fn_in_trait,
    reason = "guest futures run on the guest's only thread"
)]
pub trait Contract: WithContractAbi + ContractAbi + Sized {
    /// What the application sends to itself on other chains, in BCS.
    type Message: Serialize + DeserializeOwned + Debug;

    /// What the application emits to its streams, in BCS.
    type EventValue: Serialize + DeserializeOwned + Debug;

    /// What is fixed for the application on every chain, in JSON.
    type Parameters: Serialize + DeserializeOwned + Clone + Debug;

    /// What the creating chain initialises the application with, in JSON.
    type InstantiationArgument: Serialize + DeserializeOwned + Debug;

    /// Loads the application's state. Called before anything else.
    async fn load(runtime: ContractRuntime<Self>) -> Self;

    /// Called once, on the creating chain, when the application is created.
    async fn instantiate(&mut self, argument: Self::InstantiationArgument);

    /// Executes an operation of a user or a call of another application.
    async fn execute_operation(&mut self, operation: Self::Operation) -> Self::Response;

    /// Executes a message of the application on another chain.
    async fn execute_message(&mut self, message: Self::Message);

    /// Handles new events on streams that the application follows. Every event is told of once, in the order of
    /// its stream; if this panics, nothing was told, and the same events come again in a later block.
    async fn process_streams(&mut self, _updates: Vec<StreamUpdate>) {}

    /// Sums up events when the chain is checkpointed.
    async fn summarize_events(&mut self, _updates: Vec<StreamUpdate>) {}

    /// Checks, settles and stores at the end of the block.
    async fn store(self);
}

/// Exports a [`Contract`] from a Wasm module; gives native builds an empty `main`.
#[macro_export]
macro_rules! contract {
    ($contract:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            // The guest has one thread, for which this is a plain static.
            ::std::thread_local! {
                static INSTANCE: $crate::entry::Instance<$contract> =
                    const { $crate::entry::Instance::new() };
            }

            struct Exports;

            impl $crate::bindings::Entrypoints for Exports {
                fn instantiate(argument: ::std::vec::Vec<u8>) {
                    INSTANCE.with(|instance| instance.instantiate(&argument));
                }

                fn execute_operation(operation: ::std::vec::Vec<u8>) -> ::std::vec::Vec<u8> {
                    INSTANCE.with(|instance| instance.execute_operation(operation))
                }

                fn execute_message(message: ::std::vec::Vec<u8>) {
                    INSTANCE.with(|instance| instance.execute_message(&message));
                }

                fn process_streams(updates: ::std::vec::Vec<$crate::bindings::StreamUpdate>) {
                    let updates = $crate::bindings::stream_updates(updates);
                    INSTANCE.with(|instance| instance.process_streams(updates));
                }

                fn summarize_events(updates: ::std::vec::Vec<$crate::bindings::StreamUpdate>) {
                    let updates = $crate::bindings::stream_updates(updates);
                    INSTANCE.with(|instance| instance.summarize_events(updates));
                }

                fn finalize() {
                    INSTANCE.with(|instance| instance.finalize());
                }
            }

    $crate::bindings::export!(Exports with_types_in $crate::bindings);
        };

        #[cfg(not(target_arch = "wasm32"))]
        fn main() {
            // Names the contract, which would count as dead code otherwise.
            let _ = $crate::entry::Instance::<$contract>::new();
        }
    };
}
