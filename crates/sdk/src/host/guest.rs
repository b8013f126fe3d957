//! The host behind the Wasm boundary.

use crate::base_types::{
    Account, AccountOwner, Amount, ApplicationId, BlockHeight, Bytecode, ChainId, ChainOwnership,
    CryptoHash, DataBlobHash, ModuleId, Resources, StreamName, Timestamp, VmRuntime, http,
};
use crate::{entry::refuse, runtime::ManageChainError};

use super::{Creation, HostCalls, Opening, Outgoing};
use crate::views::generic::store::{Batch, Store, WriteOperation};
use bindings::resident::app::{diagnostics, runtime, storage, types};
use service_bindings::resident::app::service_runtime;

/// The generated imports and exports. Hidden from users; the `contract!` macro needs it.
// The generated code documents and checks itself.
#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    clippy::pedantic
)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "contract",
        path: "../abi/wit",
        pub_export_macro: true,
    });

    pub use exports::resident::app::contract_entrypoints::Guest as Entrypoints;
    pub use resident::app::types::StreamUpdate;

    pub use super::stream_updates;
}

/// As [`bindings`], for services. What both can import is in the other.
// The generated code documents and checks itself.
#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    clippy::pedantic
)]
pub mod service_bindings {
    wit_bindgen::generate!({
        world: "service",
        path: "../abi/wit",
        pub_export_macro: true,
        with: {
            "resident:app/types": super::bindings::resident::app::types,
            "resident:app/runtime": super::bindings::resident::app::runtime,
            "resident:app/storage": super::bindings::resident::app::storage,
            "resident:app/diagnostics": super::bindings::resident::app::diagnostics,
        },
    });

    pub use exports::resident::app::service_entrypoints::Guest as Entrypoints;
}

/// The host, of which there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Host;

impl HostCalls for Host {
    fn key_value_store(&self) -> KeyValueStore {
        KeyValueStore
    }

    fn application_parameters(&self) -> Vec<u8> {
        runtime::application_parameters()
    }

    fn application_id(&self) -> ApplicationId {
        application_from(runtime::application_id())
    }

    fn application_creator_chain_id(&self) -> ChainId {
        ChainId(hash_from(runtime::application_creator_chain_id()))
    }

    fn chain_id(&self) -> ChainId {
        ChainId(hash_from(runtime::chain_id()))
    }

    fn block_height(&self) -> BlockHeight {
        BlockHeight(runtime::block_height())
    }

    fn system_time(&self) -> Timestamp {
        Timestamp::from(runtime::system_time())
    }

    fn authenticated_owner(&self) -> Option<AccountOwner> {
        runtime::authenticated_owner().map(owner_from)
    }

    fn authenticated_caller_id(&self) -> Option<ApplicationId> {
        runtime::authenticated_caller_id().map(application_from)
    }

    fn message_is_bouncing(&self) -> Option<bool> {
        runtime::message_is_bouncing()
    }

    fn message_origin_chain_id(&self) -> Option<ChainId> {
        runtime::message_origin_chain_id().map(|hash| ChainId(hash_from(hash)))
    }

    fn message_origin_timestamp(&self) -> Option<Timestamp> {
        runtime::message_origin_timestamp().map(Timestamp::from)
    }

    fn send_message(&self, message: Outgoing) {
        runtime::send_message(&types::OutgoingMessage {
            destination: hash_to(message.destination.0),
            authenticated: message.authenticated,
            tracked: message.tracked,
            grant: resources_to(message.grant),
            message: message.message,
        });
    }

    fn transfer(&self, source: AccountOwner, destination: Account, amount: Amount) {
        let destination = types::Account {
            chain_id: hash_to(destination.chain_id.0),
            owner: owner_to(destination.owner),
        };
        runtime::transfer(owner_to(source), destination, amount_to(amount));
    }

    fn chain_balance(&self) -> Amount {
        amount_from(runtime::chain_balance())
    }

    fn owner_balance(&self, owner: AccountOwner) -> Amount {
        amount_from(runtime::owner_balance(owner_to(owner)))
    }

    fn call_application(
        &self,
        authenticated: bool,
        callee: ApplicationId,
        argument: Vec<u8>,
    ) -> Vec<u8> {
        runtime::call_application(
            authenticated,
            hash_to(callee.application_description_hash),
            &argument,
        )
    }

    fn assert_before(&self, timestamp: Timestamp) {
        runtime::assert_before(timestamp.micros());
    }

    fn remaining_fuel(&self) -> u64 {
        runtime::remaining_fuel()
    }

    fn create_data_blob(&self, bytes: Vec<u8>) -> DataBlobHash {
        DataBlobHash(hash_from(runtime::create_data_blob(&bytes)))
    }

    fn read_data_blob(&self, hash: DataBlobHash) -> Vec<u8> {
        runtime::read_data_blob(hash_to(hash.0))
    }

    fn assert_data_blob_exists(&self, hash: DataBlobHash) {
        runtime::assert_data_blob_exists(hash_to(hash.0));
    }

    fn publish_module(
        &self,
        contract: Bytecode,
        service: Bytecode,
        vm_runtime: VmRuntime,
    ) -> ModuleId {
        let id =
            runtime::publish_module(&contract.bytes, &service.bytes, vm_runtime_to(vm_runtime));
        ModuleId::new(hash_from(id.contract), hash_from(id.service), vm_runtime)
    }

    fn create_application(&self, creation: Creation) -> ApplicationId {
        let required = creation.required_application_ids.into_iter();
        let required: Vec<_> = required
            .map(|id| hash_to(id.application_description_hash))
            .collect();
        let id = runtime::create_application(
            module_to(creation.module_id),
            &creation.parameters,
            &creation.argument,
            &required,
        );
        application_from(id)
    }

    fn open_chain(&self, opening: Opening) -> ChainId {
        let encodable = "ownership and permissions have a BCS encoding";
        let id = runtime::open_chain(
            &bcs::to_bytes(&opening.ownership).expect(encodable),
            &bcs::to_bytes(&opening.permissions).expect(encodable),
            owner_to(opening.payer),
            amount_to(opening.balance),
        );
        ChainId(hash_from(id))
    }

    fn http_request(&self, request: http::Request) -> http::Response {
        let headers = request.headers.into_iter();
        let response = runtime::http_request(&types::OutgoingRequest {
            method: method_to(request.method),
            url: request.url,
            headers: headers.map(header_to).collect(),
            body: request.body,
        });
        let headers = response.headers.into_iter();
        http::Response {
            status: response.status,
            headers: headers.map(header_from).collect(),
            body: response.body,
        }
    }

    fn emit(&self, name: StreamName, value: Vec<u8>) -> u32 {
        runtime::emit(&name.0, &value)
    }

    fn read_event(&self, chain: ChainId, name: StreamName, index: u32) -> Vec<u8> {
        runtime::read_event(hash_to(chain.0), &name.0, index)
    }

    fn subscribe_to_events(&self, chain: ChainId, application: ApplicationId, name: StreamName) {
        let application = hash_to(application.application_description_hash);
        runtime::subscribe_to_events(hash_to(chain.0), application, &name.0);
    }

    fn unsubscribe_from_events(
        &self,
        chain: ChainId,
        application: ApplicationId,
        name: StreamName,
    ) {
        let application = hash_to(application.application_description_hash);
        runtime::unsubscribe_from_events(hash_to(chain.0), application, &name.0);
    }

    fn close_chain(&self) -> Result<(), ManageChainError> {
        runtime::close_chain().map_err(manage_chain_error_from)
    }

    fn chain_ownership(&self) -> ChainOwnership {
        bcs::from_bytes(&runtime::chain_ownership())
            .unwrap_or_else(|error| refuse("decode the chain's ownership", &error))
    }

    fn change_ownership(&self, ownership: ChainOwnership) -> Result<(), ManageChainError> {
        let ownership = bcs::to_bytes(&ownership)
            .unwrap_or_else(|error| refuse("encode the chain's ownership", &error));
        runtime::change_ownership(&ownership).map_err(manage_chain_error_from)
    }

    fn query_service(&self, application: ApplicationId, query: Vec<u8>) -> Vec<u8> {
        runtime::query_service(hash_to(application.application_description_hash), &query)
    }

    fn query_application(&self, application: ApplicationId, query: Vec<u8>) -> Vec<u8> {
        service_runtime::query_application(
            hash_to(application.application_description_hash),
            &query,
        )
    }

    fn schedule_operation(&self, operation: Vec<u8>) {
        service_runtime::schedule_operation(&operation);
    }

    fn owner_balances(&self) -> Vec<(AccountOwner, Amount)> {
        let balances = service_runtime::owner_balances().into_iter();
        balances
            .map(|(owner, balance)| (owner_from(owner), amount_from(balance)))
            .collect()
    }

    fn balance_owners(&self) -> Vec<AccountOwner> {
        let owners = service_runtime::balance_owners();
        owners.into_iter().map(owner_from).collect()
    }
}

/// The application's own keys and values on this chain.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyValueStore;

impl Store for KeyValueStore {
    fn read_value(&self, key: &[u8]) -> Option<Vec<u8>> {
        storage::read_value(key)
    }

    fn read_values(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        storage::read_values(keys)
    }

    fn contains_key(&self, key: &[u8]) -> bool {
        storage::contains_key(key)
    }

    fn find_keys(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        storage::find_keys(prefix)
    }

    fn find_key_values(&self, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        storage::find_key_values(prefix)
    }

    fn write_batch(&self, batch: Batch) {
        let operations: Vec<_> = batch
            .into_operations()
            .into_iter()
            .map(operation_to)
            .collect();
        storage::write_batch(&operations);
    }
}

/// Routes panics and log records to the host. Called when an instance is loaded.
pub(crate) fn prepare_diagnostics() {
    std::panic::set_hook(Box::new(|info| diagnostics::panic(&info.to_string())));
    // Fails if it was set before, which is just as well.
    if log::set_logger(&HostLogger).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}

struct HostLogger;

impl log::Log for HostLogger {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => types::LogLevel::Error,
            log::Level::Warn => types::LogLevel::Warn,
            log::Level::Info => types::LogLevel::Info,
            log::Level::Debug => types::LogLevel::Debug,
            log::Level::Trace => types::LogLevel::Trace,
        };
        diagnostics::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Stream updates as the SDK's type.
pub fn stream_updates(updates: Vec<types::StreamUpdate>) -> Vec<crate::base_types::StreamUpdate> {
    use crate::base_types::{GenericApplicationId, StreamId, StreamName};
    let convert = |update: types::StreamUpdate| crate::base_types::StreamUpdate {
        chain_id: ChainId(hash_from(update.chain_id)),
        stream_id: StreamId {
            application_id: update
                .application_id
                .map_or(GenericApplicationId::System, |id| {
                    GenericApplicationId::User(application_from(id))
                }),
            stream_name: StreamName::from(update.stream_name),
        },
        previous_index: update.previous_index,
        next_index: update.next_index,
    };
    updates.into_iter().map(convert).collect()
}

fn hash_from(hash: types::Hash) -> CryptoHash {
    CryptoHash::from([hash.part1, hash.part2, hash.part3, hash.part4])
}

fn hash_to(hash: CryptoHash) -> types::Hash {
    let [part1, part2, part3, part4] = hash.into();
    types::Hash {
        part1,
        part2,
        part3,
        part4,
    }
}

fn application_from(hash: types::Hash) -> ApplicationId {
    ApplicationId::new(hash_from(hash))
}

fn amount_from(amount: types::Amount) -> Amount {
    Amount::from_attos(u128::from(amount.high) << 64 | u128::from(amount.low))
}

fn amount_to(amount: Amount) -> types::Amount {
    types::Amount {
        low: amount.lower_half(),
        high: amount.upper_half(),
    }
}

fn resources_to(resources: Resources) -> types::Resources {
    types::Resources {
        wasm_fuel: resources.wasm_fuel,
        evm_fuel: resources.evm_fuel,
        read_operations: resources.read_operations,
        write_operations: resources.write_operations,
        bytes_runtime: resources.bytes_runtime,
        bytes_to_read: resources.bytes_to_read,
        bytes_to_write: resources.bytes_to_write,
        blobs_to_read: resources.blobs_to_read,
        blobs_to_publish: resources.blobs_to_publish,
        blob_bytes_to_read: resources.blob_bytes_to_read,
        blob_bytes_to_publish: resources.blob_bytes_to_publish,
        messages: resources.messages,
        message_size: resources.message_size,
        storage_size_delta: resources.storage_size_delta,
        service_as_oracle_queries: resources.service_as_oracle_queries,
        http_requests: resources.http_requests,
    }
}

fn manage_chain_error_from(error: types::ManageChainError) -> ManageChainError {
    match error {
        types::ManageChainError::NotPermitted => ManageChainError::NotPermitted,
    }
}

fn owner_from(owner: types::AccountOwner) -> AccountOwner {
    match owner {
        types::AccountOwner::Reserved(number) => AccountOwner::Reserved(number),
        types::AccountOwner::Address32(hash) => AccountOwner::Address32(hash_from(hash)),
        types::AccountOwner::Address20(address) => {
            let mut bytes = [0; 20];
            bytes[..8].copy_from_slice(&address.part1.to_le_bytes());
            bytes[8..16].copy_from_slice(&address.part2.to_le_bytes());
            bytes[16..].copy_from_slice(&address.part3.to_le_bytes());
            AccountOwner::Address20(bytes)
        }
    }
}

fn owner_to(owner: AccountOwner) -> types::AccountOwner {
    match owner {
        AccountOwner::Reserved(number) => types::AccountOwner::Reserved(number),
        AccountOwner::Address32(hash) => types::AccountOwner::Address32(hash_to(hash)),
        AccountOwner::Address20(bytes) => {
            let word = |range: std::ops::Range<usize>| {
                bytes[range]
                    .iter()
                    .rev()
                    .fold(0, |word, byte| word << 8 | u64::from(*byte))
            };
            types::AccountOwner::Address20(types::Address20 {
                part1: word(0..8),
                part2: word(8..16),
                part3: word(16..20) as u32,
            })
        }
    }
}

fn operation_to(operation: WriteOperation) -> types::WriteOperation {
    match operation {
        WriteOperation::Delete(key) => types::WriteOperation::Delete(key),
        WriteOperation::DeletePrefix(prefix) => types::WriteOperation::DeletePrefix(prefix),
        WriteOperation::Put { key, value } => types::WriteOperation::Put((key, value)),
    }
}

fn vm_runtime_to(vm_runtime: VmRuntime) -> types::VmRuntime {
    match vm_runtime {
        VmRuntime::Wasm => types::VmRuntime::Wasm,
        VmRuntime::Evm => types::VmRuntime::Evm,
    }
}

fn module_to(id: ModuleId) -> types::ModuleId {
    types::ModuleId {
        contract: hash_to(id.contract_blob_hash),
        service: hash_to(id.service_blob_hash),
        vm_runtime: vm_runtime_to(id.vm_runtime),
    }
}

fn method_to(method: http::Method) -> types::HttpMethod {
    match method {
        http::Method::Get => types::HttpMethod::Get,
        http::Method::Post => types::HttpMethod::Post,
        http::Method::Put => types::HttpMethod::Put,
        http::Method::Delete => types::HttpMethod::Delete,
        http::Method::Head => types::HttpMethod::Head,
        http::Method::Options => types::HttpMethod::Options,
        http::Method::Patch => types::HttpMethod::Patch,
    }
}

fn header_to(http::Header { name, value }: http::Header) -> types::HttpHeader {
    types::HttpHeader { name, value }
}

fn header_from(types::HttpHeader { name, value }: types::HttpHeader) -> http::Header {
    http::Header { name, value }
}
