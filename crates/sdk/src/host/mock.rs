//! A host for unit tests: facts that the test sets, and storage in memory.

// Only the feature `test` can set facts or look at what was sent.
#![cfg_attr(not(feature = "test"), allow(dead_code))]

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{HostCalls, Outgoing};
use crate::{
    base_types::{Account, AccountOwner, Amount, ApplicationId, BlockHeight, ChainId, Timestamp},
    views::generic::store::{Batch, Store, WriteOperation},
};

/// Answers calls of other applications: authenticated or not, the callee, the encoded operation.
pub(crate) type CallHandler = Box<dyn FnMut(bool, ApplicationId, Vec<u8>) -> Vec<u8> + Send>;

/// Answers queries of other applications: the application, the encoded query.
pub(crate) type QueryHandler = Box<dyn FnMut(ApplicationId, Vec<u8>) -> Vec<u8> + Send>;

/// A query of a contract that a test expects, and what its answer is.
pub(crate) struct ExpectedQuery {
    pub(crate) application: ApplicationId,
    pub(crate) query: Vec<u8>,
    pub(crate) response: Vec<u8>,
}

/// A mock host; clones share their facts.
#[derive(Clone, Default)]
pub(crate) struct Host(Arc<Mutex<World>>);

/// What the mock knows and what it was asked to do. A fact that is `None` was not set.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) application_parameters: Option<Vec<u8>>,
    pub(crate) application_id: Option<ApplicationId>,
    pub(crate) application_creator_chain_id: Option<ChainId>,
    pub(crate) chain_id: Option<ChainId>,
    pub(crate) block_height: Option<BlockHeight>,
    pub(crate) system_time: Option<Timestamp>,
    pub(crate) authenticated_owner: Option<Option<AccountOwner>>,
    pub(crate) authenticated_caller_id: Option<Option<ApplicationId>>,
    pub(crate) message_is_bouncing: Option<Option<bool>>,
    pub(crate) message_origin_chain_id: Option<Option<ChainId>>,
    pub(crate) message_origin_timestamp: Option<Option<Timestamp>>,
    pub(crate) chain_balance: Option<Amount>,
    pub(crate) owner_balances: Option<BTreeMap<AccountOwner, Amount>>,
    pub(crate) remaining_fuel: Option<u64>,
    pub(crate) key_value_store: KeyValueStore,
    pub(crate) call_handler: Option<CallHandler>,
    pub(crate) expected_queries: VecDeque<ExpectedQuery>,
    pub(crate) query_handler: Option<QueryHandler>,
    pub(crate) scheduled_operations: Vec<Vec<u8>>,
    pub(crate) sent_messages: Vec<Outgoing>,
    pub(crate) transfers: Vec<(AccountOwner, Account, Amount)>,
}

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Host(mock)")
    }
}

impl Host {
    /// The facts, for the time of a borrow.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fact<T: Clone>(&self, read: impl Fn(&World) -> &Option<T>, name: &str) -> T {
        let fact = read(&self.world()).clone();
        fact.unwrap_or_else(|| {
            panic!("the test did not set this fact: call `set_{name}` on the runtime")
        })
    }
}

impl HostCalls for Host {
    fn key_value_store(&self) -> KeyValueStore {
        self.world().key_value_store.clone()
    }

    fn application_parameters(&self) -> Vec<u8> {
        self.fact(
            |world| &world.application_parameters,
            "application_parameters",
        )
    }

    fn application_id(&self) -> ApplicationId {
        self.fact(|world| &world.application_id, "application_id")
    }

    fn application_creator_chain_id(&self) -> ChainId {
        self.fact(
            |world| &world.application_creator_chain_id,
            "application_creator_chain_id",
        )
    }

    fn chain_id(&self) -> ChainId {
        self.fact(|world| &world.chain_id, "chain_id")
    }

    fn block_height(&self) -> BlockHeight {
        self.fact(|world| &world.block_height, "block_height")
    }

    fn system_time(&self) -> Timestamp {
        self.fact(|world| &world.system_time, "system_time")
    }

    fn authenticated_owner(&self) -> Option<AccountOwner> {
        self.fact(|world| &world.authenticated_owner, "authenticated_owner")
    }

    fn authenticated_caller_id(&self) -> Option<ApplicationId> {
        self.fact(
            |world| &world.authenticated_caller_id,
            "authenticated_caller_id",
        )
    }

    fn message_is_bouncing(&self) -> Option<bool> {
        self.fact(|world| &world.message_is_bouncing, "message_is_bouncing")
    }

    fn message_origin_chain_id(&self) -> Option<ChainId> {
        self.fact(
            |world| &world.message_origin_chain_id,
            "message_origin_chain_id",
        )
    }

    fn message_origin_timestamp(&self) -> Option<Timestamp> {
        self.fact(
            |world| &world.message_origin_timestamp,
            "message_origin_timestamp",
        )
    }

    fn send_message(&self, message: Outgoing) {
        self.world().sent_messages.push(message);
    }

    fn transfer(&self, source: AccountOwner, destination: Account, amount: Amount) {
        let here = self.chain_id();
        let mut world = self.world();
        world.debit(source, amount);
        if destination.chain_id == here {
            world.credit(destination.owner, amount);
        }
        world.transfers.push((source, destination, amount));
    }

    fn chain_balance(&self) -> Amount {
        self.fact(|world| &world.chain_balance, "chain_balance")
    }

    fn owner_balance(&self, owner: AccountOwner) -> Amount {
        let balances = self.fact(|world| &world.owner_balances, "owner_balances");
        balances.get(&owner).copied().unwrap_or(Amount::ZERO)
    }

    fn call_application(
        &self,
        authenticated: bool,
        callee: ApplicationId,
        argument: Vec<u8>,
    ) -> Vec<u8> {
        // Taken out for the call, so that the handler may look at the runtime.
        let handler = self.world().call_handler.take();
        let mut handler = handler
            .expect("the test calls an application but set no `with_call_application_handler`");
        let response = handler(authenticated, callee, argument);
        self.world().call_handler = Some(handler);
        response
    }

    fn assert_before(&self, timestamp: Timestamp) {
        assert!(
            self.system_time() < timestamp,
            "the block is not before {}",
            timestamp.micros()
        );
    }

    fn remaining_fuel(&self) -> u64 {
        self.fact(|world| &world.remaining_fuel, "remaining_fuel")
    }

    fn query_service(&self, application: ApplicationId, query: Vec<u8>) -> Vec<u8> {
        let expected = self.world().expected_queries.pop_front();
        let expected = expected
            .expect("the test queries a service but set no `add_expected_service_query` for it");
        let (wanted, found) = (
            (expected.application, &expected.query),
            (application, &query),
        );
        assert_eq!(found, wanted, "the test expected another service query");
        expected.response
    }

    fn query_application(&self, application: ApplicationId, query: Vec<u8>) -> Vec<u8> {
        // Taken out for the call, so that the handler may look at the runtime.
        let handler = self.world().query_handler.take();
        let mut handler = handler
            .expect("the test queries an application but set no `with_query_application_handler`");
        let response = handler(application, query);
        self.world().query_handler = Some(handler);
        response
    }

    fn schedule_operation(&self, operation: Vec<u8>) {
        self.world().scheduled_operations.push(operation);
    }

    fn owner_balances(&self) -> Vec<(AccountOwner, Amount)> {
        let balances = self.fact(|world| &world.owner_balances, "owner_balances");
        balances.into_iter().collect()
    }

    fn balance_owners(&self) -> Vec<AccountOwner> {
        let balances = self.fact(|world| &world.owner_balances, "owner_balances");
        balances.into_keys().collect()
    }
}

impl World {
    fn debit(&mut self, owner: AccountOwner, amount: Amount) {
        let balance = self.balance_mut(owner);
        *balance = balance
            .try_sub(amount)
            .expect("the source of the transfer has too little");
    }

    fn credit(&mut self, owner: AccountOwner, amount: Amount) {
        let balance = self.balance_mut(owner);
        *balance = balance.saturating_add(amount);
    }

    fn balance_mut(&mut self, owner: AccountOwner) -> &mut Amount {
        if owner == AccountOwner::CHAIN {
            self.chain_balance.get_or_insert(Amount::ZERO)
        } else {
            let balances = self.owner_balances.get_or_insert_default();
            balances.entry(owner).or_insert(Amount::ZERO)
        }
    }
}

/// Keys and values in memory; clones share them.
#[derive(Clone, Default)]
pub struct KeyValueStore(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    calls: u64,
}

impl fmt::Debug for KeyValueStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyValueStore(in memory)")
    }
}

impl KeyValueStore {
    /// How often the store was called. Tests use it to see what is cached.
    #[cfg(feature = "test")]
    pub fn calls(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls
    }

    /// Everything stored, in the order of keys.
    #[cfg(feature = "test")]
    pub fn contents(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values
            .clone()
    }

    fn call(&self) -> MutexGuard<'_, Shared> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.calls += 1;
        shared
    }
}

impl Shared {
    fn below<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)> {
        let start: Vec<u8> = prefix.to_vec();
        self.values
            .range(start..)
            .take_while(move |(key, _)| key.starts_with(prefix))
    }

    fn apply(&mut self, operation: WriteOperation) {
        match operation {
            WriteOperation::Delete(key) => drop(self.values.remove(&key)),
            WriteOperation::DeletePrefix(prefix) => {
                self.values.retain(|key, _| !key.starts_with(&prefix));
            }
            WriteOperation::Put { key, value } => drop(self.values.insert(key, value)),
        }
    }
}

impl Store for KeyValueStore {
    fn read_value(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.call().values.get(key).cloned()
    }

    fn read_values(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let shared = self.call();
        keys.iter()
            .map(|key| shared.values.get(key).cloned())
            .collect()
    }

    fn contains_key(&self, key: &[u8]) -> bool {
        self.call().values.contains_key(key)
    }

    fn find_keys(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        let shared = self.call();
        shared
            .below(prefix)
            .map(|(key, _)| key[prefix.len()..].to_vec())
            .collect()
    }

    fn find_key_values(&self, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let shared = self.call();
        shared
            .below(prefix)
            .map(|(key, value)| (key[prefix.len()..].to_vec(), value.clone()))
            .collect()
    }

    fn write_batch(&self, batch: Batch) {
        let mut shared = self.call();
        batch
            .into_operations()
            .into_iter()
            .for_each(|operation| shared.apply(operation));
    }
}

/// Native panics and logs need no help.
pub(crate) fn prepare_diagnostics() {}
