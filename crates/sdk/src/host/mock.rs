//! A host for unit tests: facts that the test sets, and storage in memory.

// Only the feature `test` can set facts or look at what was sent.
#![cfg_attr(not(feature = "test"), allow(dead_code))]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Creation, HostCalls, Opening, Outgoing};
use crate::{
    base_types::{
        Account, AccountOwner, Amount, ApplicationId, Blob, BlockHeight, Bytecode, ChainId,
        ChainOwnership, DataBlobHash, ModuleId, StreamName, Timestamp, VmRuntime, http,
    },
    runtime::ManageChainError,
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
    pub(crate) chain_ownership: Option<ChainOwnership>,
    pub(crate) can_manage_chain: Option<bool>,
    pub(crate) is_chain_closed: bool,
    pub(crate) key_value_store: KeyValueStore,
    pub(crate) call_handler: Option<CallHandler>,
    pub(crate) expected_queries: VecDeque<ExpectedQuery>,
    pub(crate) query_handler: Option<QueryHandler>,
    pub(crate) scheduled_operations: Vec<Vec<u8>>,
    pub(crate) sent_messages: Vec<Outgoing>,
    pub(crate) transfers: Vec<(AccountOwner, Account, Amount)>,
    pub(crate) data_blobs: BTreeMap<DataBlobHash, Vec<u8>>,
    pub(crate) expected_modules: Expected<(Bytecode, Bytecode, VmRuntime), ModuleId>,
    pub(crate) expected_applications: Expected<Creation, ApplicationId>,
    pub(crate) expected_chains: Expected<Opening, ChainId>,
    pub(crate) expected_requests: Expected<http::Request, http::Response>,
    /// What the contract emitted, by stream.
    pub(crate) emitted: BTreeMap<StreamName, Vec<Vec<u8>>>,
    /// Events that the test put there.
    pub(crate) events: BTreeMap<(ChainId, StreamName, u32), Vec<u8>>,
    pub(crate) subscriptions: BTreeSet<Subscription>,
}

/// Calls that the test expects, in order, with their answers.
pub(crate) struct Expected<C, A>(VecDeque<(C, A)>);

// Not derived, since that would ask for defaults of calls and answers.
impl<C, A> Default for Expected<C, A> {
    fn default() -> Self {
        Expected(VecDeque::new())
    }
}

impl<C: PartialEq + fmt::Debug, A> Expected<C, A> {
    pub(crate) fn add(&mut self, call: C, answer: A) {
        self.0.push_back((call, answer));
    }

    /// The answer to the next call, which must be this one.
    fn answer(&mut self, call: &C, name: &str) -> A {
        let next = self.0.pop_front();
        let (expected, answer) = next.unwrap_or_else(|| {
            panic!("the test did not expect {call:?}: call `add_expected_{name}` on the runtime")
        });
        assert_eq!(*call, expected, "the test expected something else");
        answer
    }
}

/// A stream that the contract follows: its chain, the application that emits, its name.
pub(crate) type Subscription = (ChainId, ApplicationId, StreamName);

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

impl Host {
    fn check_can_manage_chain(&self) -> Result<(), ManageChainError> {
        match self.fact(|world| &world.can_manage_chain, "can_manage_chain") {
            true => Ok(()),
            false => Err(ManageChainError::NotPermitted),
        }
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

    fn create_data_blob(&self, bytes: Vec<u8>) -> DataBlobHash {
        let hash = DataBlobHash(Blob::new_data(bytes.as_slice()).id().hash);
        self.world().data_blobs.insert(hash, bytes);
        hash
    }

    fn read_data_blob(&self, hash: DataBlobHash) -> Vec<u8> {
        let blob = self.world().data_blobs.get(&hash).cloned();
        blob.unwrap_or_else(|| panic!("no blob {hash}: call `set_blob` on the runtime"))
    }

    fn assert_data_blob_exists(&self, hash: DataBlobHash) {
        self.read_data_blob(hash);
    }

    fn publish_module(
        &self,
        contract: Bytecode,
        service: Bytecode,
        vm_runtime: VmRuntime,
    ) -> ModuleId {
        let expected = &mut self.world().expected_modules;
        expected.answer(&(contract, service, vm_runtime), "publish_module_call")
    }

    fn create_application(&self, creation: Creation) -> ApplicationId {
        let expected = &mut self.world().expected_applications;
        expected.answer(&creation, "create_application_call")
    }

    fn open_chain(&self, opening: Opening) -> ChainId {
        let expected = &mut self.world().expected_chains;
        expected.answer(&opening, "open_chain_call")
    }

    fn http_request(&self, request: http::Request) -> http::Response {
        let expected = &mut self.world().expected_requests;
        expected.answer(&request, "http_request")
    }

    fn emit(&self, name: StreamName, value: Vec<u8>) -> u32 {
        let mut world = self.world();
        let stream = world.emitted.entry(name).or_default();
        stream.push(value);
        u32::try_from(stream.len() - 1).expect("a test emits less")
    }

    fn read_event(&self, chain: ChainId, name: StreamName, index: u32) -> Vec<u8> {
        let world = self.world();
        let own = world.chain_id == Some(chain);
        let emitted = world.emitted.get(&name).filter(|_| own);
        let emitted = emitted.and_then(|stream| stream.get(index as usize));
        let event = emitted.or_else(|| world.events.get(&(chain, name.clone(), index)));
        event
            .cloned()
            .unwrap_or_else(|| panic!("there is no event {index} of {name}: call `add_event`"))
    }

    fn subscribe_to_events(&self, chain: ChainId, application: ApplicationId, name: StreamName) {
        let subscription = (chain, application, name);
        self.world().subscriptions.insert(subscription);
    }

    fn unsubscribe_from_events(
        &self,
        chain: ChainId,
        application: ApplicationId,
        name: StreamName,
    ) {
        let subscription = (chain, application, name);
        self.world().subscriptions.remove(&subscription);
    }

    fn close_chain(&self) -> Result<(), ManageChainError> {
        self.check_can_manage_chain()?;
        self.world().is_chain_closed = true;
        Ok(())
    }

    fn chain_ownership(&self) -> ChainOwnership {
        self.fact(|world| &world.chain_ownership, "chain_ownership")
    }

    fn change_ownership(&self, ownership: ChainOwnership) -> Result<(), ManageChainError> {
        self.check_can_manage_chain()?;
        self.world().chain_ownership = Some(ownership);
        Ok(())
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
