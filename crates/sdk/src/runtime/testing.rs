//! The mock side of [`ContractRuntime`]: unit tests set facts and look at what the contract did.

use std::collections::{BTreeMap, BTreeSet};

use super::{BlockFacts, ContractRuntime, SendMessageRequest, encode_query};
use crate::{
    KeyValueStore,
    abi::ServiceAbi,
    base_types::{
        Account, AccountOwner, Amount, ApplicationId, BlockHeight, ChainId, ChainOwnership,
        StreamName, Timestamp,
    },
    contract::Contract,
    host::{ExpectedQuery, Host},
};

/// Defines `with_x` and `set_x` for facts that are kept as they are given.
macro_rules! settable_facts {
    ($($with:ident, $set:ident, $field:ident: $type:ty, $what:literal;)*) => {
        impl<C: Contract> ContractRuntime<C> {
            $(
                #[doc = concat!("Sets ", $what, ".")]
                #[must_use]
                pub fn $with(mut self, value: impl Into<$type>) -> Self {
                    self.$set(value);
                    self
                }

                #[doc = concat!("Sets ", $what, ".")]
                pub fn $set(&mut self, value: impl Into<$type>) -> &mut Self {
                    self.host.world().$field = Some(value.into());
                    self.facts = BlockFacts::default();
                    self
                }
            )*
        }
    };
}

settable_facts! {
    with_application_creator_chain_id, set_application_creator_chain_id, application_creator_chain_id: ChainId, "the chain that created the application";
    with_chain_id, set_chain_id, chain_id: ChainId, "the chain the contract runs on";
    with_block_height, set_block_height, block_height: BlockHeight, "the height of the block";
    with_system_time, set_system_time, system_time: Timestamp, "the timestamp of the block";
    with_authenticated_owner, set_authenticated_owner, authenticated_owner: Option<AccountOwner>, "the signer";
    with_authenticated_caller_id, set_authenticated_caller_id, authenticated_caller_id: Option<ApplicationId>, "the calling application";
    with_message_is_bouncing, set_message_is_bouncing, message_is_bouncing: Option<bool>, "whether the message bounces";
    with_message_origin_chain_id, set_message_origin_chain_id, message_origin_chain_id: Option<ChainId>, "the sending chain";
    with_message_origin_timestamp, set_message_origin_timestamp, message_origin_timestamp: Option<Timestamp>, "the timestamp of the sending block";
    with_chain_balance, set_chain_balance, chain_balance: Amount, "the chain's own balance";
    with_owner_balances, set_owner_balances, owner_balances: BTreeMap<AccountOwner, Amount>, "the balances of all owners";
    with_remaining_fuel, set_remaining_fuel, remaining_fuel: u64, "the fuel that is left";
    with_chain_ownership, set_chain_ownership, chain_ownership: ChainOwnership, "who owns the chain";
    with_can_manage_chain, set_can_manage_chain, can_manage_chain: bool, "whether the application may close the chain and change its owners";
}

impl<C: Contract> Default for ContractRuntime<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Contract> ContractRuntime<C> {
    /// A mock runtime without any facts: reading one that was not set panics.
    pub fn new() -> Self {
        ContractRuntime::for_host(Host::default())
    }

    /// Sets the application's parameters.
    #[must_use]
    pub fn with_application_parameters(mut self, parameters: C::Parameters) -> Self {
        self.set_application_parameters(parameters);
        self
    }

    /// Sets the application's parameters.
    #[expect(clippy::needless_pass_by_value, reason = "like all the other setters")]
    pub fn set_application_parameters(&mut self, parameters: C::Parameters) -> &mut Self {
        let parameters = serde_json::to_vec(&parameters).expect("parameters encode as JSON");
        self.host.world().application_parameters = Some(parameters);
        self.facts = BlockFacts::default();
        self
    }

    /// Sets the application's id.
    #[must_use]
    pub fn with_application_id(mut self, id: ApplicationId<C::Abi>) -> Self {
        self.set_application_id(id);
        self
    }

    /// Sets the application's id.
    pub fn set_application_id(&mut self, id: ApplicationId<C::Abi>) -> &mut Self {
        self.host.world().application_id = Some(id.forget_abi());
        self.facts = BlockFacts::default();
        self
    }

    /// Sets one owner's balance.
    #[must_use]
    pub fn with_owner_balance(mut self, owner: AccountOwner, balance: Amount) -> Self {
        self.set_owner_balance(owner, balance);
        self
    }

    /// Sets one owner's balance.
    pub fn set_owner_balance(&mut self, owner: AccountOwner, balance: Amount) -> &mut Self {
        self.host
            .world()
            .owner_balances
            .get_or_insert_default()
            .insert(owner, balance);
        self
    }

    /// Uses this store, for instance one that another runtime has filled.
    #[must_use]
    pub fn with_key_value_store(mut self, store: KeyValueStore) -> Self {
        self.set_key_value_store(store);
        self
    }

    /// Uses this store, for instance one that another runtime has filled.
    pub fn set_key_value_store(&mut self, store: KeyValueStore) -> &mut Self {
        self.host.world().key_value_store = store;
        self
    }

    /// Answers calls to other applications: authenticated or not, the callee, the encoded operation.
    #[must_use]
    pub fn with_call_application_handler(
        mut self,
        handler: impl FnMut(bool, ApplicationId, Vec<u8>) -> Vec<u8> + Send + 'static,
    ) -> Self {
        self.set_call_application_handler(handler);
        self
    }

    /// Answers calls to other applications: authenticated or not, the callee, the encoded operation.
    pub fn set_call_application_handler(
        &mut self,
        handler: impl FnMut(bool, ApplicationId, Vec<u8>) -> Vec<u8> + Send + 'static,
    ) -> &mut Self {
        self.host.world().call_handler = Some(Box::new(handler));
        self
    }

    /// Answers the contract's next query to a service, which must be this one.
    #[expect(clippy::needless_pass_by_value, reason = "like all the other setters")]
    pub fn add_expected_service_query<A: ServiceAbi>(
        &mut self,
        application: ApplicationId<A>,
        query: A::Query,
        response: A::QueryResponse,
    ) {
        let expected = ExpectedQuery {
            application: application.forget_abi(),
            query: encode_query::<A>(&query),
            response: serde_json::to_vec(&response).expect("the response encodes as JSON"),
        };
        self.host.world().expected_queries.push_back(expected);
    }

    /// The messages that the contract has sent so far.
    pub fn created_send_message_requests(&self) -> Vec<SendMessageRequest<C::Message>> {
        let sent = &self.host.world().sent_messages;
        let decode = |outgoing: &crate::host::Outgoing| SendMessageRequest {
            destination: outgoing.destination,
            authenticated: outgoing.authenticated,
            is_tracked: outgoing.tracked,
            grant: outgoing.grant,
            message: bcs::from_bytes(&outgoing.message).expect("an encoded message decodes"),
        };
        sent.iter().map(decode).collect()
    }

    /// Whether the contract has closed the chain.
    pub fn is_chain_closed(&self) -> bool {
        self.host.world().is_chain_closed
    }

    /// The transfers of native tokens so far: source, destination, amount.
    pub fn created_transfers(&self) -> Vec<(AccountOwner, Account, Amount)> {
        self.host.world().transfers.clone()
    }

    /// Puts an event of the application there, to be read.
    pub fn add_event(
        &mut self,
        chain: ChainId,
        name: StreamName,
        index: u32,
        value: &C::EventValue,
    ) -> &mut Self {
        let value = bcs::to_bytes(value).expect("an event can be encoded");
        let mut world = self.host.world();
        world.events.insert((chain, name, index), value);
        drop(world);
        self
    }

    /// What the contract has emitted to a stream so far.
    pub fn created_events(&self, name: impl Into<StreamName>) -> Vec<C::EventValue> {
        let world = self.host.world();
        let events = world.emitted.get(&name.into());
        let decode = |event: &Vec<u8>| bcs::from_bytes(event).expect("an encoded event decodes");
        events.into_iter().flatten().map(decode).collect()
    }

    /// The streams that the contract follows: the chain, the application that emits, the name.
    pub fn subscriptions(&self) -> BTreeSet<(ChainId, ApplicationId, StreamName)> {
        self.host.world().subscriptions.clone()
    }
}
