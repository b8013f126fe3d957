//! What a service can learn while it answers a query.

use std::{fmt, marker::PhantomData};

use crate::{
    KeyValueStore,
    abi::ServiceAbi,
    base_types::{
        AccountOwner, Amount, ApplicationId, BlockHeight, ChainId, DataBlobHash, Timestamp,
    },
    entry::{decode_json, refuse},
    host::{Host, HostCalls},
    service::Service,
    views::{ViewStorageContext, generic::context::ViewContext},
};

/// A service's access to its chain and to other applications' services.
///
/// Nothing is remembered, since one instance answers many queries. All methods take `&self`, so that an `Arc` of the
/// runtime can be given to a schema.
pub struct ServiceRuntime<S: Service> {
    pub(super) host: Host,
    // A function that takes it: the runtime can be sent to another thread whatever it is.
    service: PhantomData<fn(S)>,
}

impl<S: Service> fmt::Debug for ServiceRuntime<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServiceRuntime")
            .finish_non_exhaustive()
    }
}

impl<S: Service> ServiceRuntime<S> {
    pub(crate) fn for_host(host: Host) -> Self {
        let service = PhantomData;
        ServiceRuntime { host, service }
    }

    /// The context of the application's root view.
    pub fn root_view_storage_context(&self) -> ViewStorageContext {
        ViewContext::new_unchecked(self.key_value_store(), Vec::new(), ())
    }

    /// The application's keys and values on this chain. Writing fails the query.
    pub fn key_value_store(&self) -> KeyValueStore {
        self.host.key_value_store()
    }

    /// The application's parameters.
    ///
    /// # Panics
    ///
    /// If their JSON does not decode.
    pub fn application_parameters(&self) -> S::Parameters {
        decode_json(
            &self.host.application_parameters(),
            "application parameters",
        )
    }

    /// The application's own id.
    pub fn application_id(&self) -> ApplicationId<S::Abi> {
        self.host.application_id().with_abi()
    }

    /// The chain that created the application.
    pub fn application_creator_chain_id(&self) -> ChainId {
        self.host.application_creator_chain_id()
    }

    /// The chain that is asked.
    pub fn chain_id(&self) -> ChainId {
        self.host.chain_id()
    }

    /// The height of the chain's next block.
    pub fn next_block_height(&self) -> BlockHeight {
        self.host.block_height()
    }

    /// The time of the query: that of the node, or that of the block whose contract asks.
    pub fn system_time(&self) -> Timestamp {
        self.host.system_time()
    }

    /// The bytes of a data blob that was published.
    pub fn read_data_blob(&self, hash: DataBlobHash) -> Vec<u8> {
        self.host.read_data_blob(hash)
    }

    /// The native tokens of the chain itself.
    pub fn chain_balance(&self) -> Amount {
        self.host.chain_balance()
    }

    /// The native tokens of an owner on this chain.
    pub fn owner_balance(&self, owner: AccountOwner) -> Amount {
        self.host.owner_balance(owner)
    }

    /// All owners with native tokens on this chain, and how much each has.
    pub fn owner_balances(&self) -> Vec<(AccountOwner, Amount)> {
        self.host.owner_balances()
    }

    /// All owners with native tokens on this chain.
    pub fn balance_owners(&self) -> Vec<AccountOwner> {
        self.host.balance_owners()
    }

    /// Hands an operation of this application to whoever asks, to be proposed in a block.
    pub fn schedule_operation(&self, operation: &S::Operation) {
        let bytes = <S as crate::ContractAbi>::serialize_operation(operation)
            .unwrap_or_else(|error| refuse("encode the operation", &error));
        self.host.schedule_operation(bytes);
    }

    /// Asks the service of another application.
    pub fn query_application<A: ServiceAbi>(
        &self,
        application: ApplicationId<A>,
        query: &A::Query,
    ) -> A::QueryResponse {
        let query = encode_query::<A>(query);
        let response = self.host.query_application(application.forget_abi(), query);
        decode_json(&response, "service's response")
    }
}

pub(crate) fn encode_query<A: ServiceAbi>(query: &A::Query) -> Vec<u8> {
    serde_json::to_vec(query).unwrap_or_else(|error| refuse("encode the query", &error))
}
