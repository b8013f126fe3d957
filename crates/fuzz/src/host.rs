//! A host that answers everything, the same way every time.

use std::{collections::BTreeMap, fmt::Debug};

use resident_abi::{ContractHost, wire};
use resident_base::CryptoHash;
use resident_wasm::{Host, Meters};

/// What every host function costs.
const CALL_COST: i64 = 500;
/// Keys that the state may have.
const MAX_KEYS: usize = 64;
/// The longest key or value that the state keeps.
const MAX_BYTES: usize = 4_096;

/// What a host function answers when the contract may not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) String);

/// The state that a contract has, as far as the host keeps it.
pub(crate) type HostState = BTreeMap<Vec<u8>, Vec<u8>>;

/// Keeps a small state, and notes what it was asked.
#[derive(Clone, Debug)]
pub(crate) struct FuzzHost {
    pub(crate) meters: Meters,
    pub(crate) state: HostState,
    /// How often it was called.
    pub(crate) calls: u64,
    /// A hash of all that it was asked, with what was left at the time.
    pub(crate) asked: CryptoHash,
    /// The latest calls, to be shown.
    pub(crate) latest: Vec<String>,
    /// Whether the contract knows how much fuel it has.
    pub(crate) asked_for_fuel: bool,
}

impl FuzzHost {
    pub(crate) fn new(meters: Meters, state: HostState) -> Self {
        FuzzHost {
            meters,
            state,
            calls: 0,
            asked: CryptoHash::of_bytes(b""),
            latest: Vec::new(),
            asked_for_fuel: false,
        }
    }

    /// Notes a call and charges for it.
    fn note(&mut self, call: &str, arguments: &dyn Debug) -> Result<(), Refused> {
        let line = format!("{call} {arguments:?} {:?}", self.meters);
        self.calls += 1;
        let previous = self.asked.to_string();
        self.asked = CryptoHash::of_bytes(format!("{previous} {line}").as_bytes());
        if self.latest.len() == 8 {
            self.latest.remove(0);
        }
        self.latest.push(line.chars().take(160).collect());
        self.charge(CALL_COST)
    }

    fn charge(&mut self, fuel: i64) -> Result<(), Refused> {
        self.meters.fuel -= fuel;
        if self.meters.fuel < 0 {
            return Err(Refused("out of fuel".to_owned()));
        }
        Ok(())
    }

    fn apply(&mut self, operation: wire::WriteOperation) -> Result<(), Refused> {
        match operation {
            wire::WriteOperation::Delete(key) => {
                self.state.remove(&key);
            }
            wire::WriteOperation::DeletePrefix(prefix) => {
                self.state.retain(|key, _| !key.starts_with(&prefix));
            }
            wire::WriteOperation::Put((key, value)) => {
                if key.len() > MAX_BYTES || value.len() > MAX_BYTES || self.state.len() == MAX_KEYS
                {
                    return Err(Refused("too much state".to_owned()));
                }
                self.state.insert(key, value);
            }
        }
        Ok(())
    }

    fn found(&self, prefix: &[u8]) -> Vec<wire::KeyValue> {
        let found = self.state.iter().filter(|(key, _)| key.starts_with(prefix));
        found
            .map(|(key, value)| (key[prefix.len()..].to_vec(), value.clone()))
            .collect()
    }
}

impl Host for FuzzHost {
    fn meters(&self) -> Meters {
        self.meters
    }

    fn set_meters(&mut self, meters: Meters) {
        self.meters = meters;
    }
}

const HASH: wire::Hash = wire::Hash {
    part1: 1,
    part2: 2,
    part3: 3,
    part4: 4,
};

/// Host functions that only note the call, and the answer.
macro_rules! answer {
    ($($method:ident($($argument:ident: $type:ty),*) -> $result:ty { $answer:expr })*) => {
        $(fn $method(&mut self $(, $argument: $type)*) -> Result<$result, Refused> {
            self.note(stringify!($method), &($($argument,)*))?;
            Ok($answer)
        })*
    };
}

/// Functions that no generated contract imports.
macro_rules! refuse {
    ($($method:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $method(&mut self $(, $argument: $type)*) -> Result<$result, Refused> {
            $(let _ = $argument;)*
            Err(Refused(stringify!($method).to_owned()))
        })*
    };
}

impl ContractHost for FuzzHost {
    type Error = Refused;

    answer! {
        application_parameters() -> Vec<u8> { b"parameters".to_vec() }
        application_id() -> wire::Hash { HASH }
        application_creator_chain_id() -> wire::Hash { HASH }
        chain_id() -> wire::Hash { HASH }
        block_height() -> u64 { 7 }
        system_time() -> u64 { 1_000_000 }
        authenticated_owner() -> Option<wire::AccountOwner> {
            Some(wire::AccountOwner::Address32(HASH))
        }
        authenticated_caller_id() -> Option<wire::Hash> { None }
        message_is_bouncing() -> Option<bool> { Some(false) }
        message_origin_chain_id() -> Option<wire::Hash> { Some(HASH) }
        message_origin_timestamp() -> Option<u64> { Some(5) }
        send_message(_message: wire::OutgoingMessage) -> () { () }
        transfer(_source: wire::AccountOwner, _destination: wire::Account, _amount: wire::Amount)
            -> () { () }
        chain_balance() -> wire::Amount { wire::Amount { low: 1_000, high: 0 } }
        owner_balance(_owner: wire::AccountOwner) -> wire::Amount {
            wire::Amount { low: 1, high: 1 }
        }
        assert_before(_timestamp: u64) -> () { () }
        log(_level: wire::LogLevel, _message: String) -> () { () }
    }

    fn call_application(
        &mut self,
        authenticated: bool,
        callee: wire::Hash,
        argument: Vec<u8>,
    ) -> Result<Vec<u8>, Refused> {
        self.note("call_application", &(authenticated, callee, &argument))?;
        if callee.part1 == 0 {
            return Err(Refused("no such application".to_owned()));
        }
        Ok(argument.into_iter().rev().take(100).collect())
    }

    fn remaining_fuel(&mut self) -> Result<u64, Refused> {
        self.note("remaining_fuel", &())?;
        self.asked_for_fuel = true;
        Ok(self.meters.fuel.unsigned_abs())
    }

    fn read_value(&mut self, key: Vec<u8>) -> Result<Option<Vec<u8>>, Refused> {
        self.note("read_value", &key)?;
        Ok(self.state.get(&key).cloned())
    }

    fn read_values(&mut self, keys: Vec<Vec<u8>>) -> Result<Vec<Option<Vec<u8>>>, Refused> {
        self.note("read_values", &keys)?;
        self.charge(keys.len() as i64 * 100)?;
        Ok(keys
            .iter()
            .map(|key| self.state.get(key).cloned())
            .collect())
    }

    fn contains_key(&mut self, key: Vec<u8>) -> Result<bool, Refused> {
        self.note("contains_key", &key)?;
        Ok(self.state.contains_key(&key))
    }

    fn contains_keys(&mut self, keys: Vec<Vec<u8>>) -> Result<Vec<bool>, Refused> {
        self.note("contains_keys", &keys)?;
        self.charge(keys.len() as i64 * 100)?;
        Ok(keys
            .iter()
            .map(|key| self.state.contains_key(key))
            .collect())
    }

    fn find_keys(&mut self, prefix: Vec<u8>) -> Result<Vec<Vec<u8>>, Refused> {
        self.note("find_keys", &prefix)?;
        Ok(self
            .found(&prefix)
            .into_iter()
            .map(|(key, _)| key)
            .collect())
    }

    fn find_key_values(&mut self, prefix: Vec<u8>) -> Result<Vec<wire::KeyValue>, Refused> {
        self.note("find_key_values", &prefix)?;
        Ok(self.found(&prefix))
    }

    fn write_batch(&mut self, operations: Vec<wire::WriteOperation>) -> Result<(), Refused> {
        self.note("write_batch", &operations)?;
        self.charge(operations.len() as i64 * 100)?;
        operations
            .into_iter()
            .try_for_each(|operation| self.apply(operation))
    }

    refuse! {
        create_data_blob(bytes: Vec<u8>) -> wire::Hash;
        read_data_blob(hash: wire::Hash) -> Vec<u8>;
        assert_data_blob_exists(hash: wire::Hash) -> ();
        publish_module(contract: Vec<u8>, service: Vec<u8>, vm_runtime: wire::VmRuntime)
            -> wire::ModuleId;
        create_application(
            module_id: wire::ModuleId,
            parameters: Vec<u8>,
            argument: Vec<u8>,
            required_application_ids: Vec<wire::Hash>
        ) -> wire::Hash;
        open_chain(
            ownership: Vec<u8>,
            permissions: Vec<u8>,
            payer: wire::AccountOwner,
            balance: wire::Amount
        ) -> wire::Hash;
        http_request(request: wire::OutgoingRequest) -> wire::IncomingResponse;
        query_service(application: wire::Hash, query: Vec<u8>) -> Vec<u8>;
        query_application(application: wire::Hash, query: Vec<u8>) -> Vec<u8>;
        schedule_operation(operation: Vec<u8>) -> ();
        balance_owners() -> Vec<wire::AccountOwner>;
        owner_balances() -> Vec<wire::OwnerBalance>;
        close_chain() -> Result<(), wire::ManageChainError>;
        chain_ownership() -> Vec<u8>;
        change_ownership(ownership: Vec<u8>) -> Result<(), wire::ManageChainError>;
        emit(stream_name: Vec<u8>, value: Vec<u8>) -> u32;
        read_event(chain_id: wire::Hash, stream_name: Vec<u8>, index: u32) -> Vec<u8>;
        subscribe_to_events(
            chain_id: wire::Hash,
            application_id: wire::Hash,
            stream_name: Vec<u8>
        ) -> ();
        unsubscribe_from_events(
            chain_id: wire::Hash,
            application_id: wire::Hash,
            stream_name: Vec<u8>
        ) -> ();
    }

    fn panic(&mut self, message: String) -> Result<(), Refused> {
        self.note("panic", &message)?;
        Err(Refused(message))
    }
}
