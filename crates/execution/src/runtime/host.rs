//! The host functions: each charges, then acts.

use resident_abi::{
    ContractHost,
    wire::{
        Account, AccountOwner, Amount, Hash, IncomingResponse, KeyValue, LogLevel,
        ManageChainError, ModuleId, OutgoingMessage as WireMessage, OutgoingRequest, OwnerBalance,
        VmRuntime, WriteOperation,
    },
};
use resident_base as base;
use resident_storage::{JournalError, LimitExceeded, Scan, ScanCost, Value};
use resident_wasm::prepare::Limits;
use resident_witty::PAGE_BYTES;

use super::{Authority, Entry, RuntimeHandle, balances, create::Creation};
use crate::{
    FailureReason, Message, MessageKind, OutgoingMessage, Stop, policy::host_cost,
    printable::shortened,
};

impl ContractHost for RuntimeHandle {
    type Error = Stop;

    fn application_parameters(&mut self) -> Result<Vec<u8>, Stop> {
        let description = self.frame().description.clone();
        let bytes = description.parameters.len();
        self.charge_fact(bytes)?;
        self.usage.charge_fuel(bytes as u64 * host_cost::BYTE)?;
        Ok(description.parameters.clone())
    }

    fn application_id(&mut self) -> Result<Hash, Stop> {
        self.charge_fact(HASH_BYTES)?;
        Ok(self.frame().application_id.into())
    }

    fn application_creator_chain_id(&mut self) -> Result<Hash, Stop> {
        self.charge_fact(HASH_BYTES)?;
        Ok(self.frame().description.creator_chain_id.into())
    }

    fn chain_id(&mut self) -> Result<Hash, Stop> {
        self.charge_fact(HASH_BYTES)?;
        Ok(self.context.chain_id.into())
    }

    fn block_height(&mut self) -> Result<u64, Stop> {
        self.charge_fact(NUMBER_BYTES)?;
        Ok(self.context.height.0)
    }

    fn system_time(&mut self) -> Result<u64, Stop> {
        self.charge_fact(NUMBER_BYTES)?;
        Ok(self.context.timestamp.micros())
    }

    fn authenticated_owner(&mut self) -> Result<Option<AccountOwner>, Stop> {
        self.charge_fact(OWNER_BYTES)?;
        Ok(self.frame().authenticated_owner.map(Into::into))
    }

    fn authenticated_caller_id(&mut self) -> Result<Option<Hash>, Stop> {
        self.charge_fact(HASH_BYTES)?;
        Ok(self.frame().authenticated_caller.map(Into::into))
    }

    fn message_is_bouncing(&mut self) -> Result<Option<bool>, Stop> {
        self.charge_fact(1)?;
        Ok(self.transaction.message.map(|message| message.is_bouncing))
    }

    fn message_origin_chain_id(&mut self) -> Result<Option<Hash>, Stop> {
        self.charge_fact(HASH_BYTES)?;
        Ok(self
            .transaction
            .message
            .map(|message| message.origin.into()))
    }

    fn message_origin_timestamp(&mut self) -> Result<Option<u64>, Stop> {
        self.charge_fact(NUMBER_BYTES)?;
        Ok(self
            .transaction
            .message
            .map(|message| message.timestamp.micros()))
    }

    fn send_message(&mut self, message: WireMessage) -> Result<(), Stop> {
        self.charge_call(message.message.len())?;
        let bytes = message.message.len() as u64;
        self.usage
            .charge_fuel(host_cost::MESSAGE + bytes * host_cost::WRITTEN_BYTE)?;
        let prices = &self.context.policy.prices;
        let grant = prices.fee(&message.grant.into());
        let refund_grant_to = self.take_grant(grant)?;
        let frame = self.frame();
        let authenticated_owner = frame.authenticated_owner.filter(|_| message.authenticated);
        let application_id = frame.application_id;
        self.send(OutgoingMessage {
            destination: message.destination.into(),
            authenticated_owner,
            grant,
            refund_grant_to,
            kind: if message.tracked {
                MessageKind::Tracked
            } else {
                MessageKind::Simple
            },
            message: Message::User {
                application_id,
                bytes: message.message,
            },
        })
    }

    fn transfer(
        &mut self,
        source: AccountOwner,
        destination: Account,
        amount: Amount,
    ) -> Result<(), Stop> {
        self.charge_call(0)?;
        let source = source.into();
        self.check_may_spend(source)?;
        self.transfer_tokens(source, destination.into(), amount.into())
    }

    fn chain_balance(&mut self) -> Result<Amount, Stop> {
        self.owner_balance(base::AccountOwner::CHAIN.into())
    }

    fn owner_balance(&mut self, owner: AccountOwner) -> Result<Amount, Stop> {
        self.charge_fact(AMOUNT_BYTES)?;
        self.usage.charge_fuel(host_cost::LOOKUP)?;
        Ok(balances::read_balance(&mut self.journal, owner.into())?.into())
    }

    fn call_application(
        &mut self,
        authenticated: bool,
        callee: Hash,
        argument: Vec<u8>,
    ) -> Result<Vec<u8>, Stop> {
        self.charge_call(argument.len())?;
        let frame = self.frame();
        let authority = match authenticated {
            true => Authority {
                owner: frame.authenticated_owner,
                caller: Some(frame.application_id),
                spends_for_caller: true,
            },
            false => Authority::default(),
        };
        self.enter(callee.into(), authority, Entry::Operation(argument))
    }

    fn assert_before(&mut self, timestamp: u64) -> Result<(), Stop> {
        self.charge_call(0)?;
        let (block, limit) = (self.context.timestamp, base::Timestamp::from(timestamp));
        match block < limit {
            true => Ok(()),
            false => Err(FailureReason::TooLate { block, limit }.into()),
        }
    }

    fn remaining_fuel(&mut self) -> Result<u64, Stop> {
        self.charge_fact(NUMBER_BYTES)?;
        Ok(self.usage.remaining_fuel())
    }

    fn emit(&mut self, stream_name: Vec<u8>, value: Vec<u8>) -> Result<u32, Stop> {
        self.charge_lookups(1, stream_name.len() + value.len())?;
        let bytes = (stream_name.len() + value.len()) as u64;
        self.usage
            .charge_fuel(host_cost::EVENT + bytes * host_cost::WRITTEN_BYTE)?;
        self.emit_event(stream_name.into(), value)
    }

    fn read_event(
        &mut self,
        chain_id: Hash,
        stream_name: Vec<u8>,
        index: u32,
    ) -> Result<Vec<u8>, Stop> {
        self.charge_lookups(1, stream_name.len())?;
        let value = self.event_value(chain_id.into(), stream_name.into(), index)?;
        self.charge_read(value.len())?;
        check_answer(value.len())?;
        Ok(value)
    }

    fn subscribe_to_events(
        &mut self,
        chain_id: Hash,
        application_id: Hash,
        stream_name: Vec<u8>,
    ) -> Result<(), Stop> {
        self.charge_lookups(2, stream_name.len())?;
        self.subscribe(chain_id.into(), &stream(application_id, stream_name))
    }

    fn unsubscribe_from_events(
        &mut self,
        chain_id: Hash,
        application_id: Hash,
        stream_name: Vec<u8>,
    ) -> Result<(), Stop> {
        self.charge_lookups(2, stream_name.len())?;
        self.unsubscribe(chain_id.into(), &stream(application_id, stream_name))
    }

    fn close_chain(&mut self) -> Result<Result<(), ManageChainError>, Stop> {
        self.charge_call(0)?;
        self.close()
    }

    fn chain_ownership(&mut self) -> Result<Vec<u8>, Stop> {
        self.charge_configuration(host_cost::CONFIGURATION_BYTE_READ)?;
        let ownership = bcs::to_bytes(&self.config.ownership).expect("an ownership is bounded");
        self.charge_fact(ownership.len())?;
        self.usage
            .charge_fuel(ownership.len() as u64 * host_cost::BYTE)?;
        Ok(ownership)
    }

    fn change_ownership(
        &mut self,
        ownership: Vec<u8>,
    ) -> Result<Result<(), ManageChainError>, Stop> {
        self.charge_call(ownership.len())?;
        self.set_ownership(&ownership)
    }

    fn query_service(&mut self, application: Hash, query: Vec<u8>) -> Result<Vec<u8>, Stop> {
        self.answer_query_service(application.into(), query)
    }

    fn query_application(&mut self, application: Hash, query: Vec<u8>) -> Result<Vec<u8>, Stop> {
        self.answer_query_application(application.into(), query)
    }

    fn schedule_operation(&mut self, operation: Vec<u8>) -> Result<(), Stop> {
        self.keep_operation(operation)
    }

    fn balance_owners(&mut self) -> Result<Vec<AccountOwner>, Stop> {
        let balances = self.all_balances()?;
        Ok(balances.into_iter().map(|(owner, _)| owner).collect())
    }

    fn owner_balances(&mut self) -> Result<Vec<OwnerBalance>, Stop> {
        self.all_balances()
    }

    fn read_value(&mut self, key: Vec<u8>) -> Result<Option<Vec<u8>>, Stop> {
        self.charge_lookups(1, key.len())?;
        let namespace = self.namespace();
        let value = self.journal.read(namespace, &key)?;
        self.charge_read(value.as_ref().map_or(0, |value| value.len()))?;
        Ok(value.as_deref().map(<[u8]>::to_vec))
    }

    fn read_values(&mut self, keys: Vec<Vec<u8>>) -> Result<Vec<Option<Vec<u8>>>, Stop> {
        self.charge_lookups(keys.len(), total(&keys))?;
        self.charge_read(0)?;
        let namespace = self.namespace();
        let (mut values, mut answer_bytes) = (Vec::with_capacity(keys.len()), 0);
        for keys in keys.chunks(KEYS_AT_ONCE) {
            let read = self.journal.read_many(namespace, keys)?;
            let bytes = read.iter().flatten().map(|value| value.len()).sum();
            self.charge_bytes_read(bytes)?;
            answer_bytes += bytes;
            check_answer(answer_bytes)?;
            values.extend(
                read.iter()
                    .map(|value| value.as_deref().map(<[u8]>::to_vec)),
            );
        }
        Ok(values)
    }

    fn contains_key(&mut self, key: Vec<u8>) -> Result<bool, Stop> {
        self.charge_lookups(1, key.len())?;
        self.charge_read(0)?;
        self.contains(&key)
    }

    fn contains_keys(&mut self, keys: Vec<Vec<u8>>) -> Result<Vec<bool>, Stop> {
        self.charge_lookups(keys.len(), total(&keys))?;
        self.charge_read(0)?;
        keys.iter().map(|key| self.contains(key)).collect()
    }

    fn find_keys(&mut self, prefix: Vec<u8>) -> Result<Vec<Vec<u8>>, Stop> {
        self.charge_lookups(1, prefix.len())?;
        let namespace = self.namespace();
        let rates = self.scan_rates();
        let scan = self.journal.scan_keys(namespace, &prefix, rates);
        let keys = self.charge_scan(scan)?;
        self.count_read(total(&keys))?;
        Ok(keys)
    }

    fn find_key_values(&mut self, prefix: Vec<u8>) -> Result<Vec<KeyValue>, Stop> {
        self.charge_lookups(1, prefix.len())?;
        let namespace = self.namespace();
        let rates = self.scan_rates();
        let scan = self.journal.scan_key_values(namespace, &prefix, rates);
        let found = self.charge_scan(scan)?;
        let size = |(key, value): &(Vec<u8>, Value)| key.len() + value.len();
        let bytes = found.iter().map(size).sum();
        self.count_read(bytes)?;
        check_answer(bytes)?;
        Ok(found
            .into_iter()
            .map(|(key, value)| (key, value.to_vec()))
            .collect())
    }

    fn write_batch(&mut self, operations: Vec<WriteOperation>) -> Result<(), Stop> {
        self.charge_call(0)?;
        if self.query.is_some() {
            return Err(FailureReason::ReadOnly.into());
        }
        operations
            .into_iter()
            .try_for_each(|operation| self.write(operation))
    }

    fn log(&mut self, level: LogLevel, message: String) -> Result<(), Stop> {
        self.log_line(level, message)
    }

    fn panic(&mut self, message: String) -> Result<(), Stop> {
        self.charge_call(message.len())?;
        Err(FailureReason::Panic {
            message: shortened(message),
        }
        .into())
    }

    fn create_data_blob(&mut self, bytes: Vec<u8>) -> Result<Hash, Stop> {
        let hash = self.create_data_blob_charged(bytes)?;
        Ok(hash.0.into())
    }

    fn read_data_blob(&mut self, hash: Hash) -> Result<Vec<u8>, Stop> {
        self.read_data_blob_charged(base::DataBlobHash(hash.into()))
    }

    fn assert_data_blob_exists(&mut self, hash: Hash) -> Result<(), Stop> {
        self.assert_data_blob_charged(base::DataBlobHash(hash.into()))
    }

    fn publish_module(
        &mut self,
        contract: Vec<u8>,
        service: Vec<u8>,
        vm_runtime: VmRuntime,
    ) -> Result<ModuleId, Stop> {
        let [contract, service] = [contract, service].map(base::Bytecode::new);
        let id = self.publish_module_charged(contract, service, vm_runtime.into())?;
        Ok(id.into())
    }

    fn create_application(
        &mut self,
        module_id: ModuleId,
        parameters: Vec<u8>,
        argument: Vec<u8>,
        required_application_ids: Vec<Hash>,
    ) -> Result<Hash, Stop> {
        let required = required_application_ids.into_iter().map(Into::into);
        let id = self.create_application_charged(Creation {
            module_id: module_id.into(),
            parameters,
            argument,
            required_application_ids: required.collect(),
        })?;
        Ok(id.into())
    }

    fn open_chain(
        &mut self,
        ownership: Vec<u8>,
        permissions: Vec<u8>,
        payer: AccountOwner,
        balance: Amount,
    ) -> Result<Hash, Stop> {
        let (payer, balance) = (payer.into(), balance.into());
        let id = self.open_chain_charged(&ownership, &permissions, payer, balance)?;
        Ok(id.into())
    }

    fn http_request(&mut self, request: OutgoingRequest) -> Result<IncomingResponse, Stop> {
        let response = self.http_request_charged(&request.into())?;
        Ok(response.into())
    }
}

impl RuntimeHandle {
    /// Charges for a host function that answers with so many bytes about the block or the chain.
    fn charge_fact(&mut self, bytes: usize) -> Result<(), Stop> {
        self.charge_call(0)?;
        let policy = self.context.policy.clone();
        self.usage.bytes_runtime(bytes as u64, &policy)
    }

    fn charge_lookups(&mut self, keys: usize, bytes: usize) -> Result<(), Stop> {
        self.charge_call(bytes)?;
        self.usage.charge_fuel(keys as u64 * host_cost::LOOKUP)
    }

    fn charge_read(&mut self, bytes: usize) -> Result<(), Stop> {
        let policy = self.context.policy.clone();
        self.usage.read_operation(&policy)?;
        self.charge_bytes_read(bytes)
    }

    fn charge_bytes_read(&mut self, bytes: usize) -> Result<(), Stop> {
        self.usage.charge_fuel(bytes as u64 * host_cost::BYTE)?;
        let policy = self.context.policy.clone();
        self.usage.bytes_read(bytes as u64, &policy)
    }

    /// Whether a key has a value. The value is loaded for it, and paid for.
    fn contains(&mut self, key: &[u8]) -> Result<bool, Stop> {
        let namespace = self.namespace();
        let value = self.journal.read(namespace, key)?;
        self.charge_bytes_read(value.as_ref().map_or(0, |value| value.len()))?;
        Ok(value.is_some())
    }

    /// What a scan costs, and what there is for it.
    pub(super) fn scan_rates(&self) -> ScanCost {
        ScanCost {
            entry: host_cost::LOOKUP,
            byte: host_cost::BYTE,
            limit: u64::try_from(self.usage.meters.fuel).unwrap_or_default(),
        }
    }

    /// Pays for what a scan walked over. One that would cost more than there is has stopped before.
    pub(super) fn charge_scan<T>(
        &mut self,
        scan: Result<Scan<T>, JournalError>,
    ) -> Result<Vec<T>, Stop> {
        match scan {
            Ok(Scan { found, cost }) => {
                self.usage.charge_fuel(cost)?;
                Ok(found)
            }
            Err(JournalError::Limit(LimitExceeded::Cost)) => {
                self.usage.charge_fuel(u64::MAX)?;
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Counts a read of the state that fuel has paid for.
    pub(super) fn count_read(&mut self, bytes: usize) -> Result<(), Stop> {
        let policy = self.context.policy.clone();
        self.usage.read_operation(&policy)?;
        self.usage.bytes_read(bytes as u64, &policy)
    }

    fn write(&mut self, operation: WriteOperation) -> Result<(), Stop> {
        let bytes = match &operation {
            WriteOperation::Delete(key) | WriteOperation::DeletePrefix(key) => key.len(),
            WriteOperation::Put((key, value)) => key.len() + value.len(),
        };
        self.usage
            .charge_fuel(host_cost::LOOKUP + bytes as u64 * host_cost::WRITTEN_BYTE)?;
        let policy = self.context.policy.clone();
        self.usage.write(bytes as u64, &policy)?;
        let namespace = self.namespace();
        match operation {
            WriteOperation::Delete(key) => {
                self.prepare_write(&key)?;
                self.journal.delete(namespace, &key)?;
            }
            WriteOperation::Put((key, value)) => {
                self.prepare_write(&key)?;
                self.journal.put(namespace, &key, value)?;
            }
            WriteOperation::DeletePrefix(prefix) => self.delete_prefix(&prefix)?,
        }
        self.check_memory()
    }

    /// Pays for the part of a key in the block's end. The hash of the state is of what a write replaces too, so
    /// that is loaded, and paid for.
    fn prepare_write(&mut self, key: &[u8]) -> Result<(), Stop> {
        self.charge_first_write(key)?;
        self.contains(key).map(drop)
    }

    fn charge_first_write(&mut self, key: &[u8]) -> Result<(), Stop> {
        match self.journal.is_written(self.namespace(), key) {
            true => Ok(()),
            false => self.usage.charge_fuel(host_cost::FIRST_WRITE),
        }
    }

    fn delete_prefix(&mut self, prefix: &[u8]) -> Result<(), Stop> {
        let (namespace, rates) = (self.namespace(), self.scan_rates());
        let scan = self.journal.scan_key_values(namespace, prefix, rates);
        let found = self.charge_scan(scan)?;
        let bytes: usize = found.iter().map(|(_, value)| value.len()).sum();
        let policy = self.context.policy.clone();
        self.usage.bytes_read(bytes as u64, &policy)?;
        for (rest, _) in found {
            let key = [prefix, &rest].concat();
            self.usage
                .charge_fuel(host_cost::LOOKUP + key.len() as u64 * host_cost::WRITTEN_BYTE)?;
            self.charge_first_write(&key)?;
            self.journal.delete(namespace, &key)?;
            self.check_memory()?;
        }
        Ok(())
    }

    /// An application may spend what is its own, and what belongs to whom it acts for.
    pub(super) fn check_may_spend(&self, source: base::AccountOwner) -> Result<(), Stop> {
        let frame = self.frame();
        let caller = frame
            .authenticated_caller
            .filter(|_| frame.spends_for_caller);
        let caller = caller.map(base::AccountOwner::from);
        let signer = frame.authenticated_owner;
        let signed_by_owner = || signer.is_some_and(|owner| self.config.ownership.is_owner(&owner));
        let allowed = source == base::AccountOwner::from(frame.application_id)
            || signer == Some(source)
            || caller == Some(source)
            || (source == base::AccountOwner::CHAIN && signed_by_owner());
        match allowed {
            true => Ok(()),
            false => Err(FailureReason::NotAuthorized {
                source_owner: source,
            }
            .into()),
        }
    }
}

/// What facts count as bytes from the runtime, be they there or not.
const HASH_BYTES: usize = 32;
const OWNER_BYTES: usize = 33;
const AMOUNT_BYTES: usize = 16;
const NUMBER_BYTES: usize = 8;

/// Keys that are read together before what was read is charged.
const KEYS_AT_ONCE: usize = 8;

/// What the memory of a guest can hold at most is also the most that an answer can be.
const MAX_ANSWER_BYTES: usize =
    Limits::PROTOCOL.memory_maximum_pages as usize * PAGE_BYTES as usize;

fn check_answer(bytes: usize) -> Result<(), Stop> {
    match bytes > MAX_ANSWER_BYTES {
        true => Err(FailureReason::AnswerTooLarge { bytes }.into()),
        false => Ok(()),
    }
}

fn stream(application_id: Hash, stream_name: Vec<u8>) -> base::StreamId {
    base::StreamId {
        application_id: base::ApplicationId::from(application_id).into(),
        stream_name: stream_name.into(),
    }
}

fn total(keys: &[Vec<u8>]) -> usize {
    keys.iter().map(Vec::len).sum()
}
