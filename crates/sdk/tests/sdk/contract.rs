//! A contract on the mock runtime, and one behind its entry points.

use resident_sdk::{
    Contract, ContractRuntime, Resources, SendMessageRequest,
    abi::{ContractAbi, WithContractAbi},
    base_types::{
        Account, AccountOwner, Amount, ApplicationId, ChainId, ChainOwnership, CryptoHash,
        Timestamp,
    },
    util::BlockingWait,
    views::{RegisterView, RootView, View, ViewStorageContext},
};
use serde::{Deserialize, Serialize};

struct BankAbi;

#[derive(Debug, Serialize, Deserialize)]
enum Operation {
    Deposit(u64),
    Announce(ChainId),
    AskOther(ApplicationId<BankAbi>),
    Pay(Account, Amount),
}

impl ContractAbi for BankAbi {
    type Operation = Operation;
    type Response = u64;
}

#[derive(RootView)]
#[view(context = ViewStorageContext)]
struct State {
    total: RegisterView<u64>,
}

struct Bank {
    state: State,
    runtime: ContractRuntime<Self>,
}

resident_sdk::contract!(Bank);

impl WithContractAbi for Bank {
    type Abi = BankAbi;
}

impl Contract for Bank {
    type Message = String;
    type EventValue = String;
    type Parameters = u64;
    type InstantiationArgument = u64;

    async fn load(runtime: ContractRuntime<Self>) -> Self {
        let state = State::load(runtime.root_view_storage_context())
            .await
            .unwrap();
        Bank { state, runtime }
    }

    async fn instantiate(&mut self, total: u64) {
        self.state
            .total
            .set(total + self.runtime.application_parameters());
    }

    async fn execute_operation(&mut self, operation: Operation) -> u64 {
        match operation {
            Operation::Deposit(amount) => *self.state.total.get_mut() += amount,
            Operation::Announce(chain) => {
                let message = self.runtime.prepare_message("hello".to_owned());
                message
                    .with_authentication()
                    .with_tracking()
                    .with_grant(grant())
                    .send_to(chain);
                self.runtime.send_message(chain, "bye".to_owned());
            }
            Operation::AskOther(bank) => {
                return self
                    .runtime
                    .call_application(true, bank, &Operation::Deposit(1));
            }
            Operation::Pay(account, amount) => {
                let owner = self.runtime.authenticated_owner().unwrap();
                self.runtime.check_account_permission(owner).unwrap();
                self.runtime.transfer(owner, account, amount);
            }
        }
        *self.state.total.get()
    }

    async fn execute_message(&mut self, message: String) {
        assert_eq!(self.runtime.message_is_bouncing(), Some(false));
        self.state.total.set(message.len() as u64);
    }

    async fn store(mut self) {
        self.state.save().await.unwrap();
    }
}

fn chain(number: u8) -> ChainId {
    ChainId(CryptoHash::from([number; 32]))
}

fn owner(number: u8) -> AccountOwner {
    AccountOwner::Address32(CryptoHash::from([number; 32]))
}

fn bank(runtime: ContractRuntime<Bank>) -> Bank {
    Bank::load(runtime).blocking_wait()
}

#[test]
fn state_survives_from_one_instance_to_the_next() {
    let runtime = ContractRuntime::<Bank>::new().with_application_parameters(2);
    let store = runtime.key_value_store();
    let mut first = bank(runtime);
    first.instantiate(40).blocking_wait();
    assert_eq!(
        first
            .execute_operation(Operation::Deposit(8))
            .blocking_wait(),
        50
    );
    first.store().blocking_wait();
    let second = bank(ContractRuntime::new().with_key_value_store(store));
    assert_eq!(*second.state.total.get(), 50);
}

fn grant() -> Resources {
    Resources {
        wasm_fuel: 7,
        ..Resources::default()
    }
}

#[test]
fn an_application_that_may_not_manage_the_chain_is_told() {
    let may = |allowed| ContractRuntime::<Bank>::new().with_can_manage_chain(allowed);
    let mut refused = may(false);
    assert!(refused.close_chain().is_err() && !refused.is_chain_closed());
    let mut allowed = may(true);
    let ownership = ChainOwnership::single(AccountOwner::Reserved(7));
    allowed.change_ownership(ownership.clone()).unwrap();
    assert_eq!(allowed.chain_ownership(), ownership);
    allowed.close_chain().unwrap();
    assert!(allowed.is_chain_closed());
}

#[test]
fn sent_messages_can_be_inspected() {
    let mut bank = bank(ContractRuntime::new());
    bank.execute_operation(Operation::Announce(chain(1)))
        .blocking_wait();
    let expected = |message: &str, flag| SendMessageRequest {
        destination: chain(1),
        authenticated: flag,
        is_tracked: flag,
        grant: if flag { grant() } else { Resources::default() },
        message: message.to_owned(),
    };
    assert_eq!(
        bank.runtime.created_send_message_requests(),
        [expected("hello", true), expected("bye", false)]
    );
}

#[test]
fn calls_go_to_the_handler() {
    let id = ApplicationId::<BankAbi>::new(CryptoHash::from([3; 32]));
    let runtime = ContractRuntime::new().with_call_application_handler(
        move |authenticated, callee, operation| {
            assert!(authenticated && callee == id.forget_abi());
            let operation = BankAbi::deserialize_operation(operation).unwrap();
            assert!(matches!(operation, Operation::Deposit(1)));
            BankAbi::serialize_response(77).unwrap()
        },
    );
    assert_eq!(
        bank(runtime)
            .execute_operation(Operation::AskOther(id))
            .blocking_wait(),
        77
    );
}

#[test]
fn events_are_counted_by_stream_and_read_from_any_chain() {
    let mut runtime = ContractRuntime::<Bank>::new().with_chain_id(chain(1));
    let value = |text: &str| text.to_owned();
    let indices = [("a", "x"), ("b", "y"), ("a", "z")]
        .map(|(name, text)| runtime.emit(name.into(), &value(text)));
    assert_eq!(indices, [0, 0, 1]);
    assert_eq!(runtime.created_events("a"), ["x", "z"]);
    runtime.add_event(chain(2), "a".into(), 7, &value("elsewhere"));
    assert_eq!(runtime.read_event(chain(1), "a".into(), 1), "z");
    assert_eq!(runtime.read_event(chain(2), "a".into(), 7), "elsewhere");
}

#[test]
#[should_panic(expected = "call `add_event`")]
fn an_event_that_is_not_there_panics_with_what_to_call() {
    let mut runtime = ContractRuntime::<Bank>::new().with_chain_id(chain(1));
    runtime.emit("a".into(), &String::new());
    runtime.read_event(chain(2), "a".into(), 0);
}

#[test]
fn permission_needs_the_signer_or_the_caller() {
    let caller = ApplicationId::new(CryptoHash::from([9; 32]));
    let mut runtime = ContractRuntime::<Bank>::new()
        .with_authenticated_owner(owner(1))
        .with_authenticated_caller_id(caller);
    runtime.check_account_permission(owner(1)).unwrap();
    runtime
        .check_account_permission(AccountOwner::from(caller))
        .unwrap();
    assert!(runtime.check_account_permission(owner(2)).is_err());
    runtime.set_authenticated_owner(None);
    assert!(runtime.check_account_permission(owner(1)).is_err());
}

#[test]
fn transfers_move_balances() {
    let runtime = ContractRuntime::new()
        .with_chain_id(chain(1))
        .with_authenticated_owner(owner(1))
        .with_owner_balance(owner(1), Amount::from_tokens(5));
    let mut bank = bank(runtime);
    let account = Account::new(chain(1), owner(2));
    bank.execute_operation(Operation::Pay(account, Amount::from_tokens(3)))
        .blocking_wait();
    assert_eq!(bank.runtime.owner_balance(owner(1)), Amount::from_tokens(2));
    assert_eq!(bank.runtime.owner_balance(owner(2)), Amount::from_tokens(3));
    assert_eq!(bank.runtime.created_transfers().len(), 1);
}

#[test]
fn transaction_facts_are_not_cached_and_block_facts_follow_their_setters() {
    let mut runtime = ContractRuntime::<Bank>::new().with_message_is_bouncing(true);
    assert_eq!(runtime.message_is_bouncing(), Some(true));
    runtime.set_message_is_bouncing(None);
    assert_eq!(runtime.message_is_bouncing(), None);
    runtime.set_system_time(5);
    assert_eq!(runtime.system_time(), Timestamp::from(5));
    runtime.set_system_time(6);
    assert_eq!(runtime.system_time(), Timestamp::from(6));
}

#[test]
#[should_panic(expected = "set_chain_id")]
fn a_fact_that_was_not_set_panics_with_what_to_call() {
    ContractRuntime::<Bank>::new().chain_id();
}

#[test]
fn entry_points_load_once_and_store_once() {
    let instance = resident_sdk::entry::Instance::<Bank>::new();
    instance.finalize(); // Nothing was loaded, so nothing happens.
    let deposit = |amount| bcs_of(&Operation::Deposit(amount));
    assert_eq!(instance.execute_operation(deposit(5)), bcs_of(&5u64));
    assert_eq!(instance.execute_operation(deposit(5)), bcs_of(&10u64));
    instance.finalize();
    // The next entry loads again; a fresh mock has an empty store.
    assert_eq!(instance.execute_operation(deposit(1)), bcs_of(&1u64));
}

#[test]
#[should_panic(expected = "cannot decode the operation")]
fn an_undecodable_operation_panics() {
    resident_sdk::entry::Instance::<Bank>::new().execute_operation(vec![9]);
}

fn bcs_of<T: Serialize>(value: &T) -> Vec<u8> {
    resident_sdk::bcs::to_bytes(value).unwrap()
}
