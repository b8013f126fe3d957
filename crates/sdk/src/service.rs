//! The trait of services and the macro that exports one.

use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

use crate::{
    abi::{ServiceAbi, WithServiceAbi},
    runtime::ServiceRuntime,
};

/// The part of an application that answers queries and changes nothing.
///
/// One instance answers queries until a block changes the chain. A panic fails the query, and the next one gets a new
/// instance.
#[expect(
    async_fn_in_trait,
    reason = "guest futures run on the guest's only thread"
)]
pub trait Service: WithServiceAbi + ServiceAbi + Sized {
    /// What is fixed for the application on every chain, in JSON.
    type Parameters: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;

    /// Makes the instance, which usually loads the application's state. Called before anything else.
    async fn new(runtime: ServiceRuntime<Self>) -> Self;

    /// Answers a query.
    async fn handle_query(&self, query: Self::Query) -> Self::QueryResponse;
}

/// Exports a [`Service`] from a Wasm module; gives native builds an empty `main`.
#[macro_export]
macro_rules! service {
    ($service:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            // The guest has one thread, for which this is a plain static.
            ::std::thread_local! {
                static INSTANCE: $crate::entry::ServiceInstance<$service> =
                    const { $crate::entry::ServiceInstance::new() };
            }

            struct Exports;

            impl $crate::service_bindings::Entrypoints for Exports {
                fn handle_query(query: ::std::vec::Vec<u8>) -> ::std::vec::Vec<u8> {
                    INSTANCE.with(|instance| instance.handle_query(&query))
                }
            }

    $crate::service_bindings::export!(Exports with_types_in $crate::service_bindings);
        };

        #[cfg(not(target_arch = "wasm32"))]
        fn main() {
            // Names the service, which would count as dead code otherwise.
            let _ = $crate::entry::ServiceInstance::<$service>::new();
        }
    };
}
