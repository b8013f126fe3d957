//! Write applications.
//!
//! An application is a library with its ABI, a state made of [views], and a binary that implements [`Contract`] and
//! ends with [`contract!`]. A contract instance is loaded at its first use in a block, keeps its state in memory for
//! the rest of the block, and is stored once, when the block is finalized.
//!
//! ```
//! #![cfg_attr(target_arch = "wasm32", no_main)]
//! use resident_sdk::{
//!     Contract, ContractRuntime,
//!     abi::{ContractAbi, WithContractAbi},
//!     views::{RegisterView, RootView, View, ViewStorageContext},
//! };
//!
//! pub struct CounterAbi;
//!
//! impl ContractAbi for CounterAbi {
//!     type Operation = u64;
//!     type Response = u64;
//! }
//!
//! #[derive(RootView)]
//! #[view(context = ViewStorageContext)]
//! pub struct Counter {
//!     pub value: RegisterView<u64>,
//! }
//!
//! pub struct CounterContract {
//!     state: Counter,
//!     runtime: ContractRuntime<Self>,
//! }
//!
//! resident_sdk::contract!(CounterContract);
//!
//! impl WithContractAbi for CounterContract {
//!     type Abi = CounterAbi;
//! }
//!
//! impl Contract for CounterContract {
//!     type Message = ();
//!     type EventValue = ();
//!     type Parameters = ();
//!     type InstantiationArgument = u64;
//!
//!     async fn load(runtime: ContractRuntime<Self>) -> Self {
//!         let context = runtime.root_view_storage_context();
//!         let state = Counter::load(context).await.expect("state loads");
//!         CounterContract { state, runtime }
//!     }
//!
//!     async fn instantiate(&mut self, value: u64) {
//!         self.runtime.application_parameters(); // Fails if they are not JSON.
//!         self.state.value.set(value);
//!     }
//!
//!     async fn execute_operation(&mut self, increment: u64) -> u64 {
//!         let value = self.state.value.get_mut();
//!         *value = value.checked_add(increment).expect("the counter is full");
//!         *value
//!     }
//!
//!     async fn execute_message(&mut self, _message: ()) {
//!         panic!("the counter has no messages");
//!     }
//!
//!     async fn store(mut self) {
//!         self.state.save().await.expect("state is saved");
//!     }
//! }
//! ```
//!
//! A second binary implements [`Service`] and ends with [`service!`]. It answers queries on what is stored, and can
//! schedule operations for whoever asks to propose.
//!
//! # Building for Wasm
//!
//! Contracts are built for `wasm32-unknown-unknown`. Give them a small stack, since every checkpoint copies memory
//! and rustc reserves a megabyte otherwise. In `.cargo/config.toml` of the application:
//!
//! ```toml
//! [target.wasm32-unknown-unknown]
//! rustflags = ["-C", "link-arg=-zstack-size=32768"]
//! ```
//!
//! and build with `opt-level = 3`, `lto = "fat"`, `codegen-units = 1`, `panic = "abort"` and `strip = true`. No
//! target features beyond the default ones may be switched on: preparation refuses SIMD, threads and `externref`.
//!
//! # Features
//!
//! - `graphql` makes views and base types readable in GraphQL, for services that use `async-graphql`. Off by default,
//!   since it brings a large dependency that contracts have no use for.
//! - `allocator` (default) sets the global allocator of Wasm builds, which starts in the unused rest of the first
//!   memory pages.
//! - `test` adds the mock runtime for unit tests on the native target.

#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]

// Derives name the crate as the application does; the SDK's own tests are such an application.
extern crate self as resident_sdk;

pub mod abi;
pub mod abis;
#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod allocator;
mod contract;
#[doc(hidden)]
pub mod entry;
#[cfg(feature = "graphql")]
pub mod graphql;
mod host;
mod runtime;
mod service;
pub mod util;
pub mod views;

pub use bcs;
#[doc(hidden)]
#[cfg(target_arch = "wasm32")]
pub use host::{bindings, service_bindings};
pub use log;
pub use resident_base::{self as base_types, Resources, http};
pub use serde;
pub use serde_json;

pub use crate::{
    abi::{ContractAbi, ServiceAbi, WithContractAbi, WithServiceAbi},
    contract::Contract,
    host::KeyValueStore,
    runtime::{
        AccountPermissionError, ContractRuntime, ManageChainError, MessageBuilder,
        SendMessageRequest, ServiceRuntime,
    },
    service::Service,
    util::ToBcsBytes,
    views::ViewStorageContext,
};

/// Returns early with an error, converted by `Into`, unless a condition holds.
///
/// ```
/// fn half(number: u64) -> Result<u64, String> {
///     resident_sdk::ensure!(number % 2 == 0, "the number is odd");
///     Ok(number / 2)
/// }
/// assert!(half(3).is_err());
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $error:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err(::core::convert::Into::into($error));
        }
    };
}
