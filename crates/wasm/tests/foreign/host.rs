//! A host with just enough state for a contract that keeps a counter.

use std::collections::BTreeMap;

use resident_abi::{ContractHost, wire};
use resident_wasm::{Host, Meters, prepare::STACK_UNITS};

/// Why a host function ended the execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The contract said so.
    Panic(String),
    /// The contract asked for what this host does not have.
    Unexpected(&'static str),
}

/// Keys and values, and the meters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CounterHost {
    pub(crate) meters: Meters,
    pub(crate) values: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl CounterHost {
    pub(crate) fn with_fuel(fuel: i64) -> Self {
        let stack = STACK_UNITS;
        CounterHost {
            meters: Meters { fuel, stack },
            values: BTreeMap::new(),
        }
    }
}

impl Host for CounterHost {
    fn meters(&self) -> Meters {
        self.meters
    }

    fn set_meters(&mut self, meters: Meters) {
        self.meters = meters;
    }
}

macro_rules! unexpected {
    ($($method:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $method(&mut self $(, $argument: $type)*) -> Result<$result, Ended> {
            $(let _ = $argument;)*
            Err(Ended::Unexpected(stringify!($method)))
        })*
    };
}

impl ContractHost for CounterHost {
    type Error = Ended;

    fn read_value(&mut self, key: Vec<u8>) -> Result<Option<Vec<u8>>, Ended> {
        Ok(self.values.get(&key).cloned())
    }

    fn write_batch(&mut self, operations: Vec<wire::WriteOperation>) -> Result<(), Ended> {
        for operation in operations {
            let wire::WriteOperation::Put((key, value)) = operation else {
                return Err(Ended::Unexpected("a deletion"));
            };
            self.values.insert(key, value);
        }
        Ok(())
    }

    fn panic(&mut self, message: String) -> Result<(), Ended> {
        Err(Ended::Panic(message))
    }

    unexpected! {
        application_parameters() -> Vec<u8>;
        application_id() -> wire::Hash;
        application_creator_chain_id() -> wire::Hash;
        chain_id() -> wire::Hash;
        block_height() -> u64;
        system_time() -> u64;
        authenticated_owner() -> Option<wire::AccountOwner>;
        authenticated_caller_id() -> Option<wire::Hash>;
        message_is_bouncing() -> Option<bool>;
        message_origin_chain_id() -> Option<wire::Hash>;
        message_origin_timestamp() -> Option<u64>;
        send_message(message: wire::OutgoingMessage) -> ();
        transfer(source: wire::AccountOwner, destination: wire::Account, amount: wire::Amount) -> ();
        chain_balance() -> wire::Amount;
        owner_balance(owner: wire::AccountOwner) -> wire::Amount;
        call_application(authenticated: bool, callee: wire::Hash, argument: Vec<u8>) -> Vec<u8>;
        assert_before(timestamp: u64) -> ();
        query_service(application: wire::Hash, query: Vec<u8>) -> Vec<u8>;
        query_application(application: wire::Hash, query: Vec<u8>) -> Vec<u8>;
        schedule_operation(operation: Vec<u8>) -> ();
        balance_owners() -> Vec<wire::AccountOwner>;
        owner_balances() -> Vec<wire::OwnerBalance>;
        remaining_fuel() -> u64;
        emit(stream_name: Vec<u8>, value: Vec<u8>) -> u32;
        read_event(chain_id: wire::Hash, stream_name: Vec<u8>, index: u32) -> Vec<u8>;
        subscribe_to_events(chain_id: wire::Hash, application_id: wire::Hash, stream_name: Vec<u8>) -> ();
        unsubscribe_from_events(chain_id: wire::Hash, application_id: wire::Hash, stream_name: Vec<u8>) -> ();
        close_chain() -> Result<(), wire::ManageChainError>;
        chain_ownership() -> Vec<u8>;
        change_ownership(ownership: Vec<u8>) -> Result<(), wire::ManageChainError>;
        read_values(keys: Vec<Vec<u8>>) -> Vec<Option<Vec<u8>>>;
        contains_key(key: Vec<u8>) -> bool;
        contains_keys(keys: Vec<Vec<u8>>) -> Vec<bool>;
        find_keys(prefix: Vec<u8>) -> Vec<Vec<u8>>;
        find_key_values(prefix: Vec<u8>) -> Vec<wire::KeyValue>;
        log(level: wire::LogLevel, message: String) -> ();
        create_data_blob(bytes: Vec<u8>) -> wire::Hash;
        read_data_blob(hash: wire::Hash) -> Vec<u8>;
        assert_data_blob_exists(hash: wire::Hash) -> ();
        publish_module(contract: Vec<u8>, service: Vec<u8>, vm_runtime: wire::VmRuntime) -> wire::ModuleId;
        create_application(module_id: wire::ModuleId, parameters: Vec<u8>, argument: Vec<u8>, required_application_ids: Vec<wire::Hash>) -> wire::Hash;
        open_chain(ownership: Vec<u8>, permissions: Vec<u8>, payer: wire::AccountOwner, balance: wire::Amount) -> wire::Hash;
        http_request(request: wire::OutgoingRequest) -> wire::IncomingResponse;
    }
}
