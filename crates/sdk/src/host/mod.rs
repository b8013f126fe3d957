//! The one place that chooses between a real host and a mock.
//!
//! Both choices define `Host` with [`HostCalls`], `KeyValueStore` with the views' `Store`, and `prepare_diagnostics`.

use crate::base_types::{
    Account, AccountOwner, Amount, ApplicationId, ApplicationPermissions, BlockHeight, Bytecode,
    ChainId, ChainOwnership, DataBlobHash, ModuleId, Resources, StreamName, Timestamp, VmRuntime,
    http,
};
use crate::runtime::ManageChainError;

#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(target_arch = "wasm32")]
pub(crate) use guest::{Host, prepare_diagnostics};
#[cfg(target_arch = "wasm32")]
pub use guest::{KeyValueStore, bindings, service_bindings};

#[cfg(not(target_arch = "wasm32"))]
mod mock;
#[cfg(all(not(target_arch = "wasm32"), feature = "test"))]
pub(crate) use mock::ExpectedQuery;
#[cfg(not(target_arch = "wasm32"))]
pub use mock::KeyValueStore;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use mock::{Host, prepare_diagnostics};

/// What a contract or a service can ask its host, except for storage.
pub(crate) trait HostCalls {
    fn key_value_store(&self) -> KeyValueStore;
    /// The JSON of the application's parameters.
    fn application_parameters(&self) -> Vec<u8>;
    fn application_id(&self) -> ApplicationId;
    fn application_creator_chain_id(&self) -> ChainId;
    fn chain_id(&self) -> ChainId;
    fn block_height(&self) -> BlockHeight;
    fn system_time(&self) -> Timestamp;
    fn authenticated_owner(&self) -> Option<AccountOwner>;
    fn authenticated_caller_id(&self) -> Option<ApplicationId>;
    fn message_is_bouncing(&self) -> Option<bool>;
    fn message_origin_chain_id(&self) -> Option<ChainId>;
    fn message_origin_timestamp(&self) -> Option<Timestamp>;
    fn send_message(&self, message: Outgoing);
    fn transfer(&self, source: AccountOwner, destination: Account, amount: Amount);
    fn chain_balance(&self) -> Amount;
    fn owner_balance(&self, owner: AccountOwner) -> Amount;
    fn call_application(
        &self,
        authenticated: bool,
        callee: ApplicationId,
        argument: Vec<u8>,
    ) -> Vec<u8>;
    fn assert_before(&self, timestamp: Timestamp);
    fn remaining_fuel(&self) -> u64;
    fn create_data_blob(&self, bytes: Vec<u8>) -> DataBlobHash;
    fn read_data_blob(&self, hash: DataBlobHash) -> Vec<u8>;
    fn assert_data_blob_exists(&self, hash: DataBlobHash);
    fn publish_module(
        &self,
        contract: Bytecode,
        service: Bytecode,
        vm_runtime: VmRuntime,
    ) -> ModuleId;
    fn create_application(&self, creation: Creation) -> ApplicationId;
    fn open_chain(&self, opening: Opening) -> ChainId;
    fn http_request(&self, request: http::Request) -> http::Response;
    fn emit(&self, name: StreamName, value: Vec<u8>) -> u32;
    fn read_event(&self, chain: ChainId, name: StreamName, index: u32) -> Vec<u8>;
    fn subscribe_to_events(&self, chain: ChainId, application: ApplicationId, name: StreamName);
    fn unsubscribe_from_events(&self, chain: ChainId, application: ApplicationId, name: StreamName);
    fn close_chain(&self) -> Result<(), ManageChainError>;
    fn chain_ownership(&self) -> ChainOwnership;
    fn change_ownership(&self, ownership: ChainOwnership) -> Result<(), ManageChainError>;
    fn query_service(&self, application: ApplicationId, query: Vec<u8>) -> Vec<u8>;
    fn query_application(&self, application: ApplicationId, query: Vec<u8>) -> Vec<u8>;
    fn schedule_operation(&self, operation: Vec<u8>);
    fn owner_balances(&self) -> Vec<(AccountOwner, Amount)>;
    fn balance_owners(&self) -> Vec<AccountOwner>;
}

/// An application to be created; parameters and argument are JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Creation {
    pub(crate) module_id: ModuleId,
    pub(crate) parameters: Vec<u8>,
    pub(crate) argument: Vec<u8>,
    pub(crate) required_application_ids: Vec<ApplicationId>,
}

/// A chain to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) ownership: ChainOwnership,
    pub(crate) permissions: ApplicationPermissions,
    pub(crate) payer: AccountOwner,
    pub(crate) balance: Amount,
}

/// An encoded message and how to send it.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(any(target_arch = "wasm32", feature = "test")),
    expect(dead_code, reason = "only tests look at it")
)]
pub(crate) struct Outgoing {
    pub(crate) destination: ChainId,
    pub(crate) authenticated: bool,
    pub(crate) tracked: bool,
    pub(crate) grant: Resources,
    pub(crate) message: Vec<u8>,
}
