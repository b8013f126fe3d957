//! The mock side of [`ServiceRuntime`]: unit tests set facts, also while the service has the runtime.

use super::ServiceRuntime;
use crate::{
    KeyValueStore,
    abi::ContractAbi,
    base_types::{AccountOwner, Amount, ApplicationId, BlockHeight, ChainId, Timestamp},
    host::Host,
    service::Service,
};

/// Defines `with_x` and `set_x` for facts that are kept as they are given.
macro_rules! settable_facts {
    ($($with:ident, $set:ident, $field:ident: $type:ty, $what:literal;)*) => {
        impl<S: Service> ServiceRuntime<S> {
            $(
                #[doc = concat!("Sets ", $what, ".")]
                #[must_use]
                pub fn $with(self, value: $type) -> Self {
                    self.$set(value);
                    self
                }

                #[doc = concat!("Sets ", $what, ".")]
                pub fn $set(&self, value: $type) -> &Self {
                    self.host.world().$field = Some(value);
                    self
                }
            )*
        }
    };
}

settable_facts! {
    with_application_creator_chain_id, set_application_creator_chain_id, application_creator_chain_id: ChainId, "the chain that created the application";
    with_chain_id, set_chain_id, chain_id: ChainId, "the chain that is asked";
    with_next_block_height, set_next_block_height, block_height: BlockHeight, "the height of the chain's next block";
    with_system_time, set_system_time, system_time: Timestamp, "the time of the query";
    with_chain_balance, set_chain_balance, chain_balance: Amount, "the chain's own balance";
}

impl<S: Service> Default for ServiceRuntime<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Service> ServiceRuntime<S> {
    /// A mock runtime without any facts: reading one that was not set panics.
    pub fn new() -> Self {
        ServiceRuntime::for_host(Host::default())
    }

    /// Sets the application's parameters.
    #[must_use]
    pub fn with_application_parameters(self, parameters: S::Parameters) -> Self {
        self.set_application_parameters(parameters);
        self
    }

    /// Sets the application's parameters.
    #[expect(clippy::needless_pass_by_value, reason = "like all the other setters")]
    pub fn set_application_parameters(&self, parameters: S::Parameters) -> &Self {
        let parameters = serde_json::to_vec(&parameters).expect("parameters encode as JSON");
        self.host.world().application_parameters = Some(parameters);
        self
    }

    /// Sets the application's id.
    #[must_use]
    pub fn with_application_id(self, id: ApplicationId<S::Abi>) -> Self {
        self.set_application_id(id);
        self
    }

    /// Sets the application's id.
    pub fn set_application_id(&self, id: ApplicationId<S::Abi>) -> &Self {
        self.host.world().application_id = Some(id.forget_abi());
        self
    }

    /// Sets the balances of all owners.
    #[must_use]
    pub fn with_owner_balances(
        self,
        balances: impl IntoIterator<Item = (AccountOwner, Amount)>,
    ) -> Self {
        self.set_owner_balances(balances);
        self
    }

    /// Sets the balances of all owners.
    pub fn set_owner_balances(
        &self,
        balances: impl IntoIterator<Item = (AccountOwner, Amount)>,
    ) -> &Self {
        self.host.world().owner_balances = Some(balances.into_iter().collect());
        self
    }

    /// Sets one owner's balance.
    #[must_use]
    pub fn with_owner_balance(self, owner: AccountOwner, balance: Amount) -> Self {
        self.set_owner_balance(owner, balance);
        self
    }

    /// Sets one owner's balance.
    pub fn set_owner_balance(&self, owner: AccountOwner, balance: Amount) -> &Self {
        let mut world = self.host.world();
        let balances = world.owner_balances.get_or_insert_default();
        balances.insert(owner, balance);
        drop(world);
        self
    }

    /// Uses this store, for instance one that a contract has filled.
    #[must_use]
    pub fn with_key_value_store(self, store: KeyValueStore) -> Self {
        self.set_key_value_store(store);
        self
    }

    /// Uses this store, for instance one that a contract has filled.
    pub fn set_key_value_store(&self, store: KeyValueStore) -> &Self {
        self.host.world().key_value_store = store;
        self
    }

    /// Answers queries to other applications: the application, the encoded query.
    #[must_use]
    pub fn with_query_application_handler(
        self,
        handler: impl FnMut(ApplicationId, Vec<u8>) -> Vec<u8> + Send + 'static,
    ) -> Self {
        self.set_query_application_handler(handler);
        self
    }

    /// Answers queries to other applications: the application, the encoded query.
    pub fn set_query_application_handler(
        &self,
        handler: impl FnMut(ApplicationId, Vec<u8>) -> Vec<u8> + Send + 'static,
    ) -> &Self {
        self.host.world().query_handler = Some(Box::new(handler));
        self
    }

    /// The operations that the service has scheduled so far.
    pub fn scheduled_operations(&self) -> Vec<S::Operation> {
        let decode = |bytes| {
            <S as ContractAbi>::deserialize_operation(bytes).expect("an encoded operation decodes")
        };
        let operations = self.raw_scheduled_operations();
        operations.into_iter().map(decode).collect()
    }

    /// The operations that the service has scheduled so far, encoded.
    pub fn raw_scheduled_operations(&self) -> Vec<Vec<u8>> {
        self.host.world().scheduled_operations.clone()
    }
}
