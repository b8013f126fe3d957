//! GraphQL for services, by `async-graphql`.
//!
//! An application depends on that crate itself, in the version that the SDK uses, and derives what it needs: with
//! `#[derive(RootView, SimpleObject)]` its state can be queried, since views and base types are output types, and
//! with `#[derive(GraphQLMutationRoot)]` each of its operations becomes a mutation.

use std::sync::Arc;

pub use resident_sdk_derive::GraphQLMutationRoot;

use crate::{runtime::ServiceRuntime, service::Service};

/// Operations that can be asked for as GraphQL mutations.
///
/// The derive makes one mutation of every variant of an enum, with the variant's fields as parameters, called
/// `field0`, `field1` and so on where they have no names. A mutation schedules the operation and returns an empty list.
pub trait GraphQLMutationRoot<S: Service>: Sized {
    /// The object with the mutations.
    type MutationRoot: async_graphql::ObjectType + 'static;

    /// The object with the mutations, which schedules operations with this runtime.
    fn mutation_root(runtime: Arc<ServiceRuntime<S>>) -> Self::MutationRoot;
}
