//! What runs behind the entry points that [`contract!`](crate::contract) and [`service!`](crate::service) export.

use std::{cell::RefCell, fmt::Display};

use serde::de::DeserializeOwned;

use crate::{
    base_types::StreamUpdate,
    contract::Contract,
    host,
    runtime::{ContractRuntime, ServiceRuntime},
    service::Service,
    util::BlockingWait,
};

/// The one instance of a contract: nothing before the first use in a block and after its finalization.
pub struct Instance<C> {
    contract: RefCell<Option<C>>,
}

impl<C> Default for Instance<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Instance<C> {
    /// A place for an instance.
    pub const fn new() -> Self {
        Instance {
            contract: RefCell::new(None),
        }
    }
}

impl<C: Contract> Instance<C> {
    /// Decodes the JSON argument and instantiates the application.
    pub fn instantiate(&self, argument: &[u8]) {
        self.enter(|contract| {
            contract
                .instantiate(decode_json(argument, "instantiation argument"))
                .blocking_wait();
        });
    }

    /// Decodes and executes an operation and encodes its response.
    pub fn execute_operation(&self, operation: Vec<u8>) -> Vec<u8> {
        self.enter(|contract| {
            let operation = C::deserialize_operation(operation)
                .unwrap_or_else(|error| refuse("decode the operation", &error));
            let response = contract.execute_operation(operation).blocking_wait();
            C::serialize_response(response)
                .unwrap_or_else(|error| refuse("encode the response", &error))
        })
    }

    /// Decodes and executes a message.
    pub fn execute_message(&self, message: &[u8]) {
        self.enter(|contract| {
            let message = bcs::from_bytes(message)
                .unwrap_or_else(|error| refuse("decode the message", &error));
            contract.execute_message(message).blocking_wait();
        });
    }

    /// Hands over new events on streams that the application follows.
    pub fn process_streams(&self, updates: Vec<StreamUpdate>) {
        self.enter(|contract| contract.process_streams(updates).blocking_wait());
    }

    /// Asks for a summary of events.
    pub fn summarize_events(&self, updates: Vec<StreamUpdate>) {
        self.enter(|contract| contract.summarize_events(updates).blocking_wait());
    }

    /// Stores the instance if there is one.
    pub fn finalize(&self) {
        let contract = self.contract.borrow_mut().take();
        if let Some(contract) = contract {
            contract.store().blocking_wait();
        }
    }

    /// Runs `action` on the instance, loading it first if this is the first use.
    fn enter<R>(&self, action: impl FnOnce(&mut C) -> R) -> R {
        let mut contract = self.contract.borrow_mut();
        action(contract.get_or_insert_with(load))
    }
}

// Kept out of line, since it runs once per block.
#[inline(never)]
fn load<C: Contract>() -> C {
    host::prepare_diagnostics();
    C::load(ContractRuntime::for_host(host::Host::default())).blocking_wait()
}

/// The one instance of a service: nothing before the first query.
pub struct ServiceInstance<S> {
    service: RefCell<Option<S>>,
}

impl<S> Default for ServiceInstance<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> ServiceInstance<S> {
    /// A place for an instance.
    pub const fn new() -> Self {
        ServiceInstance {
            service: RefCell::new(None),
        }
    }
}

impl<S: Service> ServiceInstance<S> {
    /// Decodes and answers a query and encodes the response, making the instance first if there is none.
    pub fn handle_query(&self, query: &[u8]) -> Vec<u8> {
        let mut service = self.service.borrow_mut();
        let service = service.get_or_insert_with(make_service);
        let response = service.handle_query(decode_json(query, "query"));
        encode_response(response.blocking_wait())
    }
}

/// A GraphQL answer may hold any number, of which its readers in JavaScript would round the large ones.
#[cfg_attr(
    not(feature = "graphql"),
    expect(unused_mut, reason = "only GraphQL answers change")
)]
fn encode_response(mut response: impl serde::Serialize + 'static) -> Vec<u8> {
    #[cfg(feature = "graphql")]
    crate::graphql::make_exact(&mut response);
    serde_json::to_vec(&response).unwrap_or_else(|error| refuse("encode the response", &error))
}

#[inline(never)]
fn make_service<S: Service>() -> S {
    host::prepare_diagnostics();
    S::new(ServiceRuntime::for_host(host::Host::default())).blocking_wait()
}

pub(crate) fn decode_json<T: DeserializeOwned>(bytes: &[u8], what: &str) -> T {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| refuse("decode the JSON of", &format_args!("the {what}: {error}")))
}

#[cold]
#[inline(never)]
pub(crate) fn refuse(action: &str, error: &dyn Display) -> ! {
    panic!("cannot {action}: {error}")
}
