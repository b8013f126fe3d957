//! The types of the boundary, as `wit/app.wit` names them, and the way to the base types.

use resident_base as base;
use resident_witty::{WitLift, WitLower, WitType};

/// A key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// An owner and what it has.
pub type OwnerBalance = (AccountOwner, Amount);

/// Any 32-byte hash or identifier, as four little-endian words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct Hash {
    /// Bytes 0 to 7.
    pub part1: u64,
    /// Bytes 8 to 15.
    pub part2: u64,
    /// Bytes 16 to 23.
    pub part3: u64,
    /// Bytes 24 to 31.
    pub part4: u64,
}

/// An amount in attos, as the halves of an unsigned 128-bit number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct Amount {
    /// The low 64 bits.
    pub low: u64,
    /// The high 64 bits.
    pub high: u64,
}

/// Twenty bytes, as two little-endian words and a half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct Address20 {
    /// Bytes 0 to 7.
    pub part1: u64,
    /// Bytes 8 to 15.
    pub part2: u64,
    /// Bytes 16 to 19.
    pub part3: u32,
}

/// Who owns an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub enum AccountOwner {
    /// An address of the protocol's own; 0 is the chain itself.
    Reserved(u8),
    /// A hash: of a public key, or an application.
    Address32(Hash),
    /// An address as EVM chains have it.
    Address20(Address20),
}

/// An owner's account on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct Account {
    /// The chain.
    pub chain_id: Hash,
    /// The owner.
    pub owner: AccountOwner,
}

/// A message of an application to itself on another chain.
#[derive(Clone, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct OutgoingMessage {
    /// The receiving chain.
    pub destination: Hash,
    /// Whether the signer is carried along.
    pub authenticated: bool,
    /// Whether the message comes back if the receiver rejects it.
    pub tracked: bool,
    /// What the sender pays for the receiver's execution.
    pub grant: Resources,
    /// The message, in the application's own encoding.
    pub message: Vec<u8>,
}

/// Amounts of everything that has a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct Resources {
    /// Fuel of Wasm code.
    pub wasm_fuel: u64,
    /// Gas of EVM code.
    pub evm_fuel: u64,
    /// Reads of the state.
    pub read_operations: u64,
    /// Writes to the state.
    pub write_operations: u64,
    /// Bytes read from the runtime.
    pub bytes_runtime: u64,
    /// Bytes read from the state.
    pub bytes_to_read: u64,
    /// Bytes written to the state.
    pub bytes_to_write: u64,
    /// Blobs read.
    pub blobs_to_read: u64,
    /// Blobs published.
    pub blobs_to_publish: u64,
    /// Bytes of blobs read.
    pub blob_bytes_to_read: u64,
    /// Bytes of blobs published.
    pub blob_bytes_to_publish: u64,
    /// Messages sent.
    pub messages: u64,
    /// Bytes of messages sent.
    pub message_size: u64,
    /// Bytes by which the state grows.
    pub storage_size_delta: u64,
    /// Queries to services.
    pub service_as_oracle_queries: u64,
    /// HTTP requests.
    pub http_requests: u64,
}

/// Why an application could not manage the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub enum ManageChainError {
    /// The chain does not let this application do it.
    NotPermitted,
}

/// New events on a stream that the application follows.
#[derive(Clone, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct StreamUpdate {
    /// The chain of the stream.
    pub chain_id: Hash,
    /// The application that emits; none for the system.
    pub application_id: Option<Hash>,
    /// The name of the stream.
    pub stream_name: Vec<u8>,
    /// The first index that is new.
    pub previous_index: u32,
    /// The index after the last new one.
    pub next_index: u32,
}

/// One change of an application's own keys.
#[derive(Clone, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub enum WriteOperation {
    /// Removes a key.
    Delete(Vec<u8>),
    /// Removes every key that begins with this.
    DeletePrefix(Vec<u8>),
    /// Sets a key to a value.
    Put(KeyValue),
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// Something worth knowing happened.
    Info,
    /// For whoever looks for a bug.
    Debug,
    /// Every step.
    Trace,
}

/// What runs a module's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub enum VmRuntime {
    /// WebAssembly.
    Wasm,
    /// The Ethereum virtual machine.
    Evm,
}

/// Published code, by the hashes of its blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct ModuleId {
    /// The contract.
    pub contract: Hash,
    /// The service.
    pub service: Hash,
    /// What runs both.
    pub vm_runtime: VmRuntime,
}

/// What an HTTP request wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub enum HttpMethod {
    /// Read.
    Get,
    /// Hand in.
    Post,
    /// Replace.
    Put,
    /// Remove.
    Delete,
    /// Read what is said about it.
    Head,
    /// Read what can be done with it.
    Options,
    /// Change a part.
    Patch,
}

/// A header of an HTTP request or response.
#[derive(Clone, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct HttpHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Vec<u8>,
}

/// A request to a server outside.
#[derive(Clone, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct OutgoingRequest {
    /// What is to be done.
    pub method: HttpMethod,
    /// With what.
    pub url: String,
    /// What else the server is told.
    pub headers: Vec<HttpHeader>,
    /// What is handed in.
    pub body: Vec<u8>,
}

/// What a server outside answered.
#[derive(Clone, Debug, PartialEq, Eq, WitType, WitLift, WitLower)]
pub struct IncomingResponse {
    /// How it went.
    pub status: u16,
    /// What else the server said.
    pub headers: Vec<HttpHeader>,
    /// The answer itself.
    pub body: Vec<u8>,
}

impl From<base::CryptoHash> for Hash {
    fn from(hash: base::CryptoHash) -> Self {
        let [part1, part2, part3, part4] = hash.into();
        Hash {
            part1,
            part2,
            part3,
            part4,
        }
    }
}

impl From<Hash> for base::CryptoHash {
    fn from(hash: Hash) -> Self {
        [hash.part1, hash.part2, hash.part3, hash.part4].into()
    }
}

impl From<base::ChainId> for Hash {
    fn from(id: base::ChainId) -> Self {
        id.0.into()
    }
}

impl From<Hash> for base::ChainId {
    fn from(hash: Hash) -> Self {
        base::ChainId(hash.into())
    }
}

impl From<base::ApplicationId> for Hash {
    fn from(id: base::ApplicationId) -> Self {
        id.application_description_hash.into()
    }
}

impl From<Hash> for base::ApplicationId {
    fn from(hash: Hash) -> Self {
        base::ApplicationId::new(hash.into())
    }
}

impl From<Resources> for base::Resources {
    fn from(resources: Resources) -> Self {
        base::Resources {
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
}

impl From<base::Amount> for Amount {
    fn from(amount: base::Amount) -> Self {
        Amount {
            low: amount.lower_half(),
            high: amount.upper_half(),
        }
    }
}

impl From<Amount> for base::Amount {
    fn from(amount: Amount) -> Self {
        base::Amount::from_attos(u128::from(amount.high) << 64 | u128::from(amount.low))
    }
}

impl From<base::StreamUpdate> for StreamUpdate {
    fn from(update: base::StreamUpdate) -> Self {
        let application_id = match update.stream_id.application_id {
            base::GenericApplicationId::System => None,
            base::GenericApplicationId::User(id) => Some(id.into()),
        };
        StreamUpdate {
            chain_id: update.chain_id.into(),
            application_id,
            stream_name: update.stream_id.stream_name.0,
            previous_index: update.previous_index,
            next_index: update.next_index,
        }
    }
}

impl From<[u8; 20]> for Address20 {
    fn from(bytes: [u8; 20]) -> Self {
        let word = |from: usize| {
            u64::from_le_bytes(
                bytes[from..from + 8]
                    .try_into()
                    .expect("a range of eight bytes"),
            )
        };
        let rest = bytes[16..].try_into().expect("a range of four bytes");
        Address20 {
            part1: word(0),
            part2: word(8),
            part3: u32::from_le_bytes(rest),
        }
    }
}

impl From<Address20> for [u8; 20] {
    fn from(address: Address20) -> Self {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&address.part1.to_le_bytes());
        bytes[8..16].copy_from_slice(&address.part2.to_le_bytes());
        bytes[16..].copy_from_slice(&address.part3.to_le_bytes());
        bytes
    }
}

impl From<base::AccountOwner> for AccountOwner {
    fn from(owner: base::AccountOwner) -> Self {
        match owner {
            base::AccountOwner::Reserved(byte) => AccountOwner::Reserved(byte),
            base::AccountOwner::Address32(hash) => AccountOwner::Address32(hash.into()),
            base::AccountOwner::Address20(bytes) => AccountOwner::Address20(bytes.into()),
        }
    }
}

impl From<AccountOwner> for base::AccountOwner {
    fn from(owner: AccountOwner) -> Self {
        match owner {
            AccountOwner::Reserved(byte) => base::AccountOwner::Reserved(byte),
            AccountOwner::Address32(hash) => base::AccountOwner::Address32(hash.into()),
            AccountOwner::Address20(address) => base::AccountOwner::Address20(address.into()),
        }
    }
}

impl From<base::Account> for Account {
    fn from(account: base::Account) -> Self {
        Account {
            chain_id: account.chain_id.into(),
            owner: account.owner.into(),
        }
    }
}

impl From<Account> for base::Account {
    fn from(account: Account) -> Self {
        base::Account {
            chain_id: account.chain_id.into(),
            owner: account.owner.into(),
        }
    }
}

impl From<VmRuntime> for base::VmRuntime {
    fn from(vm_runtime: VmRuntime) -> Self {
        match vm_runtime {
            VmRuntime::Wasm => base::VmRuntime::Wasm,
            VmRuntime::Evm => base::VmRuntime::Evm,
        }
    }
}

impl From<base::VmRuntime> for VmRuntime {
    fn from(vm_runtime: base::VmRuntime) -> Self {
        match vm_runtime {
            base::VmRuntime::Wasm => VmRuntime::Wasm,
            base::VmRuntime::Evm => VmRuntime::Evm,
        }
    }
}

impl From<ModuleId> for base::ModuleId {
    fn from(id: ModuleId) -> Self {
        base::ModuleId::new(id.contract.into(), id.service.into(), id.vm_runtime.into())
    }
}

impl From<base::ModuleId> for ModuleId {
    fn from(id: base::ModuleId) -> Self {
        ModuleId {
            contract: id.contract_blob_hash.into(),
            service: id.service_blob_hash.into(),
            vm_runtime: id.vm_runtime.into(),
        }
    }
}

impl From<HttpMethod> for base::http::Method {
    fn from(method: HttpMethod) -> Self {
        match method {
            HttpMethod::Get => base::http::Method::Get,
            HttpMethod::Post => base::http::Method::Post,
            HttpMethod::Put => base::http::Method::Put,
            HttpMethod::Delete => base::http::Method::Delete,
            HttpMethod::Head => base::http::Method::Head,
            HttpMethod::Options => base::http::Method::Options,
            HttpMethod::Patch => base::http::Method::Patch,
        }
    }
}

impl From<HttpHeader> for base::http::Header {
    fn from(HttpHeader { name, value }: HttpHeader) -> Self {
        base::http::Header { name, value }
    }
}

impl From<base::http::Header> for HttpHeader {
    fn from(base::http::Header { name, value }: base::http::Header) -> Self {
        HttpHeader { name, value }
    }
}

impl From<OutgoingRequest> for base::http::Request {
    fn from(request: OutgoingRequest) -> Self {
        base::http::Request {
            method: request.method.into(),
            url: request.url,
            headers: request.headers.into_iter().map(Into::into).collect(),
            body: request.body,
        }
    }
}

impl From<base::http::Response> for IncomingResponse {
    fn from(response: base::http::Response) -> Self {
        IncomingResponse {
            status: response.status,
            headers: response.headers.into_iter().map(Into::into).collect(),
            body: response.body,
        }
    }
}
