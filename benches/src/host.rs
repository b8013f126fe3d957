//! A host over a map, so that a real contract can be run without a chain around it.

use std::collections::BTreeMap;

use resident_abi::{ContractHost, wire};
use resident_wasm::{Host, Meters, prepare::STACK_UNITS};

/// Answers from a map, and does as little as possible besides.
#[derive(Clone, Debug)]
pub struct BenchHost {
    /// What is left of what the contract may spend.
    pub meters: Meters,
    /// The application's keys and values.
    pub values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The application's parameters, in JSON.
    pub parameters: Vec<u8>,
    /// What every application answers when it is called; none if there is nobody to call.
    pub answer: Option<Vec<u8>>,
}

impl Default for BenchHost {
    fn default() -> Self {
        BenchHost {
            meters: Meters {
                fuel: i64::MAX,
                stack: STACK_UNITS,
            },
            values: BTreeMap::new(),
            parameters: b"null".to_vec(),
            answer: None,
        }
    }
}

impl Host for BenchHost {
    fn meters(&self) -> Meters {
        self.meters
    }

    fn set_meters(&mut self, meters: Meters) {
        self.meters = meters;
    }
}

/// The four numbers of the only hash there is: of the chain, its owner and the application.
pub const HASH_PARTS: [u64; 4] = [1, 2, 3, 4];

const HASH: wire::Hash = wire::Hash {
    part1: HASH_PARTS[0],
    part2: HASH_PARTS[1],
    part3: HASH_PARTS[2],
    part4: HASH_PARTS[3],
};
const NOTHING: wire::Amount = wire::Amount { low: 0, high: 0 };

impl ContractHost for BenchHost {
    type Error = String;

    fn application_parameters(&mut self) -> Result<Vec<u8>, String> {
        Ok(self.parameters.clone())
    }

    fn application_id(&mut self) -> Result<wire::Hash, String> {
        Ok(HASH)
    }

    fn application_creator_chain_id(&mut self) -> Result<wire::Hash, String> {
        Ok(HASH)
    }

    fn chain_id(&mut self) -> Result<wire::Hash, String> {
        Ok(HASH)
    }

    fn block_height(&mut self) -> Result<u64, String> {
        Ok(0)
    }

    fn system_time(&mut self) -> Result<u64, String> {
        Ok(0)
    }

    fn authenticated_owner(&mut self) -> Result<Option<wire::AccountOwner>, String> {
        Ok(Some(wire::AccountOwner::Address32(HASH)))
    }

    fn authenticated_caller_id(&mut self) -> Result<Option<wire::Hash>, String> {
        Ok(None)
    }

    fn message_is_bouncing(&mut self) -> Result<Option<bool>, String> {
        Ok(None)
    }

    fn message_origin_chain_id(&mut self) -> Result<Option<wire::Hash>, String> {
        Ok(None)
    }

    fn message_origin_timestamp(&mut self) -> Result<Option<u64>, String> {
        Ok(None)
    }

    fn send_message(&mut self, _: wire::OutgoingMessage) -> Result<(), String> {
        Ok(())
    }

    fn transfer(
        &mut self,
        _: wire::AccountOwner,
        _: wire::Account,
        _: wire::Amount,
    ) -> Result<(), String> {
        Ok(())
    }

    fn chain_balance(&mut self) -> Result<wire::Amount, String> {
        Ok(NOTHING)
    }

    fn owner_balance(&mut self, _: wire::AccountOwner) -> Result<wire::Amount, String> {
        Ok(NOTHING)
    }

    fn call_application(&mut self, _: bool, _: wire::Hash, _: Vec<u8>) -> Result<Vec<u8>, String> {
        let answer = self.answer.clone();
        answer.ok_or_else(|| "there is nobody to call".to_owned())
    }

    fn query_service(
        &mut self,
        _application: wire::Hash,
        _query: Vec<u8>,
    ) -> Result<Vec<u8>, String> {
        Err("there are no services".to_owned())
    }

    fn query_application(
        &mut self,
        _application: wire::Hash,
        _query: Vec<u8>,
    ) -> Result<Vec<u8>, String> {
        Err("there are no services".to_owned())
    }

    fn schedule_operation(&mut self, _operation: Vec<u8>) -> Result<(), String> {
        Err("there are no services".to_owned())
    }

    fn balance_owners(&mut self) -> Result<Vec<wire::AccountOwner>, String> {
        Ok(Vec::new())
    }

    fn owner_balances(&mut self) -> Result<Vec<wire::OwnerBalance>, String> {
        Ok(Vec::new())
    }

    fn assert_before(&mut self, _: u64) -> Result<(), String> {
        Ok(())
    }

    fn remaining_fuel(&mut self) -> Result<u64, String> {
        Ok(u64::MAX)
    }

    fn emit(&mut self, _: Vec<u8>, _: Vec<u8>) -> Result<u32, String> {
        Ok(0)
    }

    fn read_event(&mut self, _: wire::Hash, _: Vec<u8>, _: u32) -> Result<Vec<u8>, String> {
        Err("there are no events".to_owned())
    }

    fn subscribe_to_events(
        &mut self,
        _: wire::Hash,
        _: wire::Hash,
        _: Vec<u8>,
    ) -> Result<(), String> {
        Ok(())
    }

    fn unsubscribe_from_events(
        &mut self,
        _: wire::Hash,
        _: wire::Hash,
        _: Vec<u8>,
    ) -> Result<(), String> {
        Ok(())
    }

    fn close_chain(&mut self) -> Result<Result<(), wire::ManageChainError>, String> {
        Ok(Ok(()))
    }

    fn chain_ownership(&mut self) -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }

    fn change_ownership(
        &mut self,
        _: Vec<u8>,
    ) -> Result<Result<(), wire::ManageChainError>, String> {
        Ok(Ok(()))
    }

    fn read_value(&mut self, key: Vec<u8>) -> Result<Option<Vec<u8>>, String> {
        Ok(self.values.get(&key).cloned())
    }

    fn read_values(&mut self, keys: Vec<Vec<u8>>) -> Result<Vec<Option<Vec<u8>>>, String> {
        Ok(keys
            .iter()
            .map(|key| self.values.get(key).cloned())
            .collect())
    }

    fn contains_key(&mut self, key: Vec<u8>) -> Result<bool, String> {
        Ok(self.values.contains_key(&key))
    }

    fn contains_keys(&mut self, keys: Vec<Vec<u8>>) -> Result<Vec<bool>, String> {
        Ok(keys
            .iter()
            .map(|key| self.values.contains_key(key))
            .collect())
    }

    fn find_keys(&mut self, prefix: Vec<u8>) -> Result<Vec<Vec<u8>>, String> {
        let found = self.find_key_values(prefix)?;
        Ok(found.into_iter().map(|(key, _)| key).collect())
    }

    fn find_key_values(&mut self, prefix: Vec<u8>) -> Result<Vec<wire::KeyValue>, String> {
        let found = self.values.range(prefix.clone()..);
        let found = found.take_while(|(key, _)| key.starts_with(&prefix));
        Ok(found
            .map(|(key, value)| (key[prefix.len()..].to_vec(), value.clone()))
            .collect())
    }

    fn write_batch(&mut self, operations: Vec<wire::WriteOperation>) -> Result<(), String> {
        for operation in operations {
            match operation {
                wire::WriteOperation::Put((key, value)) => drop(self.values.insert(key, value)),
                wire::WriteOperation::Delete(key) => drop(self.values.remove(&key)),
                wire::WriteOperation::DeletePrefix(prefix) => {
                    self.values.retain(|key, _| !key.starts_with(&prefix));
                }
            }
        }
        Ok(())
    }

    fn log(&mut self, _: wire::LogLevel, _: String) -> Result<(), String> {
        Ok(())
    }

    fn panic(&mut self, message: String) -> Result<(), String> {
        Err(message)
    }

    fn create_data_blob(&mut self, _: Vec<u8>) -> Result<wire::Hash, String> {
        Ok(HASH)
    }

    fn read_data_blob(&mut self, _: wire::Hash) -> Result<Vec<u8>, String> {
        Err("there are no blobs".to_owned())
    }

    fn assert_data_blob_exists(&mut self, _: wire::Hash) -> Result<(), String> {
        Ok(())
    }

    fn publish_module(
        &mut self,
        _: Vec<u8>,
        _: Vec<u8>,
        _: wire::VmRuntime,
    ) -> Result<wire::ModuleId, String> {
        Err("there is nobody who publishes".to_owned())
    }

    fn create_application(
        &mut self,
        _: wire::ModuleId,
        _: Vec<u8>,
        _: Vec<u8>,
        _: Vec<wire::Hash>,
    ) -> Result<wire::Hash, String> {
        Err("there is nobody who creates".to_owned())
    }

    fn open_chain(
        &mut self,
        _: Vec<u8>,
        _: Vec<u8>,
        _: wire::AccountOwner,
        _: wire::Amount,
    ) -> Result<wire::Hash, String> {
        Ok(HASH)
    }

    fn http_request(&mut self, _: wire::OutgoingRequest) -> Result<wire::IncomingResponse, String> {
        Err("there is no outside".to_owned())
    }
}
