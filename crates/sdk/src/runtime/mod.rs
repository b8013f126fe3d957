//! What a contract can learn and do while it runs, and what a service can.

mod creation;
#[cfg(all(not(target_arch = "wasm32"), feature = "test"))]
mod expectations;
mod message;
mod service;
#[cfg(all(not(target_arch = "wasm32"), feature = "test"))]
mod service_testing;
#[cfg(all(not(target_arch = "wasm32"), feature = "test"))]
mod testing;

use std::fmt;

use thiserror::Error;

use self::service::encode_query;
pub use self::{
    message::{MessageBuilder, SendMessageRequest},
    service::ServiceRuntime,
};
use crate::{
    KeyValueStore,
    abi::{ContractAbi, ServiceAbi},
    base_types::{
        Account, AccountOwner, Amount, ApplicationId, BlockHeight, ChainId, ChainOwnership,
        StreamName, Timestamp,
    },
    contract::Contract,
    entry::{decode_json, refuse},
    host::{Host, HostCalls},
    views::{ViewStorageContext, generic::context::ViewContext},
};

/// A contract's access to its chain, its block and other applications.
///
/// Facts about the block are fetched once per instance. Facts about the transaction (message, signer, caller) are
/// asked for every time, since one instance serves many transactions.
pub struct ContractRuntime<C: Contract> {
    host: Host,
    facts: BlockFacts<C>,
}

/// Facts that no transaction of a block can change.
struct BlockFacts<C: Contract> {
    application_parameters: Option<C::Parameters>,
    application_id: Option<ApplicationId<C::Abi>>,
    application_creator_chain_id: Option<ChainId>,
    chain_id: Option<ChainId>,
    block_height: Option<BlockHeight>,
    system_time: Option<Timestamp>,
}

impl<C: Contract> fmt::Debug for ContractRuntime<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ContractRuntime")
            .finish_non_exhaustive()
    }
}

// Not derived, since that would ask for `C: Default`.
impl<C: Contract> Default for BlockFacts<C> {
    fn default() -> Self {
        BlockFacts {
            application_parameters: None,
            application_id: None,
            application_creator_chain_id: None,
            chain_id: None,
            block_height: None,
            system_time: None,
        }
    }
}

/// Neither the signer nor the caller is the account's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{owner} is neither the authenticated signer nor the authenticated caller")]
pub struct AccountPermissionError {
    /// The owner whose permission is missing.
    pub owner: AccountOwner,
}

/// Why an application could not manage its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ManageChainError {
    /// The chain's permissions do not name the application.
    #[error("the chain does not permit the application to manage it")]
    NotPermitted,
}

impl<C: Contract> ContractRuntime<C> {
    pub(crate) fn for_host(host: Host) -> Self {
        ContractRuntime {
            host,
            facts: BlockFacts::default(),
        }
    }

    /// The context of the application's root view.
    pub fn root_view_storage_context(&self) -> ViewStorageContext {
        ViewContext::new_unchecked(self.key_value_store(), Vec::new(), ())
    }

    /// The application's keys and values on this chain.
    pub fn key_value_store(&self) -> KeyValueStore {
        self.host.key_value_store()
    }

    /// The application's parameters.
    ///
    /// # Panics
    ///
    /// If their JSON does not decode.
    pub fn application_parameters(&mut self) -> C::Parameters {
        let decode = || {
            decode_json(
                &self.host.application_parameters(),
                "application parameters",
            )
        };
        self.facts
            .application_parameters
            .get_or_insert_with(decode)
            .clone()
    }

    /// The application's own id.
    pub fn application_id(&mut self) -> ApplicationId<C::Abi> {
        *self
            .facts
            .application_id
            .get_or_insert_with(|| self.host.application_id().with_abi())
    }

    /// The chain that created the application.
    pub fn application_creator_chain_id(&mut self) -> ChainId {
        let fact = &mut self.facts.application_creator_chain_id;
        *fact.get_or_insert_with(|| self.host.application_creator_chain_id())
    }

    /// The chain that the contract runs on.
    pub fn chain_id(&mut self) -> ChainId {
        *self
            .facts
            .chain_id
            .get_or_insert_with(|| self.host.chain_id())
    }

    /// The height of the block.
    pub fn block_height(&mut self) -> BlockHeight {
        *self
            .facts
            .block_height
            .get_or_insert_with(|| self.host.block_height())
    }

    /// The timestamp of the block.
    pub fn system_time(&mut self) -> Timestamp {
        *self
            .facts
            .system_time
            .get_or_insert_with(|| self.host.system_time())
    }

    /// Who signed the operation or the authenticated message; none once a call dropped it.
    pub fn authenticated_owner(&mut self) -> Option<AccountOwner> {
        self.host.authenticated_owner()
    }

    /// The application that made an authenticated call.
    pub fn authenticated_caller_id(&mut self) -> Option<ApplicationId> {
        self.host.authenticated_caller_id()
    }

    /// Passes if the signer or the caller is `owner`.
    pub fn check_account_permission(
        &mut self,
        owner: AccountOwner,
    ) -> Result<(), AccountPermissionError> {
        let permitted = self.authenticated_owner() == Some(owner)
            || self.authenticated_caller_id().map(AccountOwner::from) == Some(owner);
        if permitted {
            Ok(())
        } else {
            Err(AccountPermissionError { owner })
        }
    }

    /// Whether the message comes back because its receiver rejected it; none outside of messages.
    pub fn message_is_bouncing(&mut self) -> Option<bool> {
        self.host.message_is_bouncing()
    }

    /// The chain that sent the message; none outside of messages.
    pub fn message_origin_chain_id(&mut self) -> Option<ChainId> {
        self.host.message_origin_chain_id()
    }

    /// The timestamp of the block that sent the message; none outside of messages.
    pub fn message_origin_timestamp(&mut self) -> Option<Timestamp> {
        self.host.message_origin_timestamp()
    }

    /// Sends a message to the application on another chain, neither authenticated nor tracked.
    pub fn send_message(&mut self, destination: ChainId, message: C::Message) {
        self.prepare_message(message).send_to(destination);
    }

    /// Begins a message, to be sent with [`MessageBuilder::send_to`].
    pub fn prepare_message(&mut self, message: C::Message) -> MessageBuilder<C::Message> {
        MessageBuilder::new(self.host.clone(), message)
    }

    /// Moves native tokens. Fails the transaction if the source has too little or did not authorise it.
    pub fn transfer(&mut self, source: AccountOwner, destination: Account, amount: Amount) {
        self.host.transfer(source, destination, amount);
    }

    /// The native tokens of the chain itself.
    pub fn chain_balance(&mut self) -> Amount {
        self.host.chain_balance()
    }

    /// The native tokens of an owner on this chain.
    pub fn owner_balance(&mut self, owner: AccountOwner) -> Amount {
        self.host.owner_balance(owner)
    }

    /// Runs an operation of another application inside this transaction.
    ///
    /// `authenticated` passes on the signer and this application as the caller; otherwise the callee sees neither.
    pub fn call_application<A: ContractAbi>(
        &mut self,
        authenticated: bool,
        application: ApplicationId<A>,
        call: &A::Operation,
    ) -> A::Response {
        let argument =
            A::serialize_operation(call).unwrap_or_else(|error| refuse("encode the call", &error));
        let response =
            self.host
                .call_application(authenticated, application.forget_abi(), argument);
        A::deserialize_response(response)
            .unwrap_or_else(|error| refuse("decode the response", &error))
    }

    /// Fails the transaction unless the block is before this time, whenever it is validated.
    pub fn assert_before(&mut self, timestamp: Timestamp) {
        self.host.assert_before(timestamp);
    }

    /// The fuel that is left for the transaction.
    pub fn remaining_fuel(&mut self) -> u64 {
        self.host.remaining_fuel()
    }

    /// Appends an event to a stream of this application on this chain, and gives its index in the stream.
    pub fn emit(&mut self, name: StreamName, value: &C::EventValue) -> u32 {
        let value = bcs::to_bytes(value).unwrap_or_else(|error| refuse("encode the event", &error));
        self.host.emit(name, value)
    }

    /// An event that this application emitted on any chain. One of another chain that has not arrived makes
    /// the transaction wait for it; one that this chain has not emitted fails it.
    pub fn read_event(&mut self, chain: ChainId, name: StreamName, index: u32) -> C::EventValue {
        let value = self.host.read_event(chain, name, index);
        bcs::from_bytes(&value).unwrap_or_else(|error| refuse("decode the event", &error))
    }

    /// Follows a stream: [`Contract::process_streams`] is told of its events, from the first one on. Following
    /// it already changes nothing.
    pub fn subscribe_to_events(
        &mut self,
        chain: ChainId,
        application: ApplicationId,
        name: StreamName,
    ) {
        self.host.subscribe_to_events(chain, application, name);
    }

    /// Stops following a stream. What the application has seen of it is forgotten: if it follows the stream
    /// again, that begins with the first event.
    pub fn unsubscribe_from_events(
        &mut self,
        chain: ChainId,
        application: ApplicationId,
        name: StreamName,
    ) {
        self.host.unsubscribe_from_events(chain, application, name);
    }

    /// Closes the chain for good: after this transaction it executes nothing, and rejects whatever arrives.
    pub fn close_chain(&mut self) -> Result<(), ManageChainError> {
        self.host.close_chain()
    }

    /// Who owns the chain.
    pub fn chain_ownership(&mut self) -> ChainOwnership {
        self.host.chain_ownership()
    }

    /// Gives the chain other owners, of whom there must be one.
    pub fn change_ownership(&mut self, ownership: ChainOwnership) -> Result<(), ManageChainError> {
        self.host.change_ownership(ownership)
    }

    /// Asks the service of an application. It sees the state from before the block: an application that was created
    /// in the block still has its default state there. The block records the answer.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "applications pass it by value"
    )]
    pub fn query_service<A: ServiceAbi>(
        &mut self,
        application: ApplicationId<A>,
        query: A::Query,
    ) -> A::QueryResponse {
        let query = encode_query::<A>(&query);
        let response = self.host.query_service(application.forget_abi(), query);
        decode_json(&response, "service's response")
    }
}
