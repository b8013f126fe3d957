//! What a contract, and a service, may ask of the node: the one list of host functions.

use resident_witty::{WitLift, WitLower};

use crate::wire::{
    Account, AccountOwner, Amount, Hash, IncomingResponse, KeyValue, LogLevel, ManageChainError,
    ModuleId, OutgoingMessage, OutgoingRequest, OwnerBalance, VmRuntime, WriteOperation,
};

/// The functions that a service may import: facts, reads, and what is only for services.
///
/// `write-batch` is among them because the views of a service can write; calling it fails.
const FOR_SERVICES: &[(&str, &[&str])] = &[
    (
        "resident:app/runtime",
        &[
            "application-parameters",
            "application-id",
            "application-creator-chain-id",
            "chain-id",
            "block-height",
            "system-time",
            "chain-balance",
            "owner-balance",
            "remaining-fuel",
            "read-data-blob",
        ],
    ),
    (
        "resident:app/storage",
        &[
            "read-value",
            "read-values",
            "contains-key",
            "contains-keys",
            "find-keys",
            "find-key-values",
            "write-batch",
        ],
    ),
    (
        SERVICE_RUNTIME,
        &[
            "query-application",
            "schedule-operation",
            "balance-owners",
            "owner-balances",
        ],
    ),
    ("resident:app/diagnostics", &["log", "panic"]),
];

/// The interface that only services may import.
const SERVICE_RUNTIME: &str = "resident:app/service-runtime";

/// Whether a contract may import a function of this interface.
pub(crate) fn is_for_contracts(interface: &str) -> bool {
    interface != SERVICE_RUNTIME
}

/// Whether a service may import this function.
pub(crate) fn is_for_services(interface: &str, name: &str) -> bool {
    let mut interfaces = FOR_SERVICES.iter();
    interfaces.any(|(known, names)| *known == interface && names.contains(&name))
}

/// How one host function is reached: the host, then the lifted parameters as a tuple.
pub type HostFunction<H, P, R> = fn(&mut H, P) -> Result<R, <H as ContractHost>::Error>;

/// Something that wants to see every host function with its types, such as a linker.
pub trait HostFunctionVisitor<H: ContractHost> {
    /// Called once per function, in the order of the list.
    ///
    /// `interface` and `name` are the two names of the import in the guest's module.
    fn visit<P, R>(
        &mut self,
        interface: &'static str,
        name: &'static str,
        function: HostFunction<H, P, R>,
    ) where
        P: WitLift + 'static,
        R: WitLower + 'static;
}

macro_rules! host_functions {
    ($(
        interface $interface:literal {
            $(
                $(#[$doc:meta])*
                $name:literal => fn $method:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty;
            )*
        }
    )*) => {
        /// The node, as a running contract or service sees it.
        ///
        /// An `Err` ends the guest's execution at the call; the error reaches whoever entered the
        /// guest unchanged. Implementations charge for the call before they act.
        pub trait ContractHost: Sized {
            /// Why the guest may not go on: its own failure, or a fault of the node.
            type Error;

            $($(
                $(#[$doc])*
                fn $method(&mut self $(, $argument: $type)*) -> Result<$result, Self::Error>;
            )*)*
        }

        /// Shows every host function to `visitor`.
        pub fn visit_contract_host<H: ContractHost>(visitor: &mut impl HostFunctionVisitor<H>) {
            $($(
                visitor.visit::<($($type,)*), $result>(
                    $interface,
                    $name,
                    |host, ($($argument,)*)| host.$method($($argument),*),
                );
            )*)*
        }
    };
}

host_functions! {
    interface "resident:app/runtime" {
        /// The parameters that the application was created with: JSON, opaque to the node.
        "application-parameters" => fn application_parameters() -> Vec<u8>;
        /// The application that is running.
        "application-id" => fn application_id() -> Hash;
        /// The chain that the application was created on.
        "application-creator-chain-id" => fn application_creator_chain_id() -> Hash;
        /// The chain that the block belongs to.
        "chain-id" => fn chain_id() -> Hash;
        /// The height of the block.
        "block-height" => fn block_height() -> u64;
        /// The timestamp of the block, in microseconds since the Unix epoch.
        "system-time" => fn system_time() -> u64;
        /// The signer in whose name the application acts, if the way here carried it.
        "authenticated-owner" => fn authenticated_owner() -> Option<AccountOwner>;
        /// The application that called this one, if it let itself be known.
        "authenticated-caller-id" => fn authenticated_caller_id() -> Option<Hash>;
        /// Whether the message being executed came back after a rejection; none outside messages.
        "message-is-bouncing" => fn message_is_bouncing() -> Option<bool>;
        /// The chain that sent the message being executed; none outside messages.
        "message-origin-chain-id" => fn message_origin_chain_id() -> Option<Hash>;
        /// The timestamp of the sending block in microseconds; none outside messages.
        "message-origin-timestamp" => fn message_origin_timestamp() -> Option<u64>;
        /// Queues a message of the application to itself on another chain.
        "send-message" => fn send_message(message: OutgoingMessage) -> ();
        /// Moves native tokens between accounts.
        "transfer" => fn transfer(source: AccountOwner, destination: Account, amount: Amount) -> ();
        /// The chain's own native balance.
        "chain-balance" => fn chain_balance() -> Amount;
        /// The native balance of an owner on this chain.
        "owner-balance" => fn owner_balance(owner: AccountOwner) -> Amount;
        /// Runs an operation of another application within this transaction; gives its response.
        "call-application" => fn call_application(
            authenticated: bool,
            callee: Hash,
            argument: Vec<u8>,
        ) -> Vec<u8>;
        /// Fails the transaction unless the block's timestamp is before this one (microseconds).
        "assert-before" => fn assert_before(timestamp: u64) -> ();
        /// What is left of the transaction's fuel.
        "remaining-fuel" => fn remaining_fuel() -> u64;
        /// Publishes bytes, and gives the hash by which anybody finds them.
        "create-data-blob" => fn create_data_blob(bytes: Vec<u8>) -> Hash;
        /// The bytes of a blob that was published before.
        "read-data-blob" => fn read_data_blob(hash: Hash) -> Vec<u8>;
        /// Passes if the blob was published; otherwise the transaction waits until it is.
        "assert-data-blob-exists" => fn assert_data_blob_exists(hash: Hash) -> ();
        /// Publishes code.
        "publish-module" => fn publish_module(
            contract: Vec<u8>,
            service: Vec<u8>,
            vm_runtime: VmRuntime,
        ) -> ModuleId;
        /// Creates an application and instantiates it within this transaction. Parameters and argument are
        /// JSON.
        "create-application" => fn create_application(
            module_id: ModuleId,
            parameters: Vec<u8>,
            argument: Vec<u8>,
            required_application_ids: Vec<Hash>,
        ) -> Hash;
        /// Opens a chain, with a balance from an account that the application may spend from. Ownership and
        /// permissions are the BCS bytes of the base types.
        "open-chain" => fn open_chain(
            ownership: Vec<u8>,
            permissions: Vec<u8>,
            payer: AccountOwner,
            balance: Amount,
        ) -> Hash;
        /// Asks a server outside. The answer becomes part of the block.
        "http-request" => fn http_request(request: OutgoingRequest) -> IncomingResponse;
        /// Appends an event to a stream of the application on this chain; gives its index in the stream.
        "emit" => fn emit(stream_name: Vec<u8>, value: Vec<u8>) -> u32;
        /// An event of the application on any chain. An event that is not there ends the execution.
        "read-event" => fn read_event(chain_id: Hash, stream_name: Vec<u8>, index: u32) -> Vec<u8>;
        /// Lets the application be told of events on a stream, from the first one on.
        "subscribe-to-events" => fn subscribe_to_events(
            chain_id: Hash,
            application_id: Hash,
            stream_name: Vec<u8>,
        ) -> ();
        /// Ends a subscription, and forgets how far it had come.
        "unsubscribe-from-events" => fn unsubscribe_from_events(
            chain_id: Hash,
            application_id: Hash,
            stream_name: Vec<u8>,
        ) -> ();
        /// Closes the chain: it executes nothing after this transaction.
        "close-chain" => fn close_chain() -> Result<(), ManageChainError>;
        /// Who owns the chain, in BCS.
        "chain-ownership" => fn chain_ownership() -> Vec<u8>;
        /// Gives the chain other owners, in BCS.
        "change-ownership" => fn change_ownership(ownership: Vec<u8>) -> Result<(), ManageChainError>;
        /// Asks the service of an application about the state from before the block; gives its response,
        /// which the block records.
        "query-service" => fn query_service(application: Hash, query: Vec<u8>) -> Vec<u8>;
    }

    interface "resident:app/storage" {
        /// The value of a key, if there is one.
        "read-value" => fn read_value(key: Vec<u8>) -> Option<Vec<u8>>;
        /// The values of many keys, in the order asked.
        "read-values" => fn read_values(keys: Vec<Vec<u8>>) -> Vec<Option<Vec<u8>>>;
        /// Whether a key has a value.
        "contains-key" => fn contains_key(key: Vec<u8>) -> bool;
        /// Whether each of many keys has a value, in the order asked.
        "contains-keys" => fn contains_keys(keys: Vec<Vec<u8>>) -> Vec<bool>;
        /// The keys that begin with a prefix, the prefix taken off, in byte order.
        "find-keys" => fn find_keys(prefix: Vec<u8>) -> Vec<Vec<u8>>;
        /// The keys that begin with a prefix, the prefix taken off, in byte order, with their values.
        "find-key-values" => fn find_key_values(prefix: Vec<u8>) -> Vec<KeyValue>;
        /// Applies operations in order, all of them or none.
        "write-batch" => fn write_batch(operations: Vec<WriteOperation>) -> ();
    }

    interface "resident:app/service-runtime" {
        /// Asks the service of another application, which sees the same state; gives its response.
        "query-application" => fn query_application(application: Hash, query: Vec<u8>) -> Vec<u8>;
        /// Hands an operation of the application, in its contract's encoding, to whoever asked.
        "schedule-operation" => fn schedule_operation(operation: Vec<u8>) -> ();
        /// The owners with a native balance on this chain, the chain itself excepted, in order.
        "balance-owners" => fn balance_owners() -> Vec<AccountOwner>;
        /// The same owners, each with its balance.
        "owner-balances" => fn owner_balances() -> Vec<OwnerBalance>;
    }

    interface "resident:app/diagnostics" {
        /// A line for the node's log.
        "log" => fn log(level: LogLevel, message: String) -> ();
        /// Ends the guest's execution as a panic; always an `Err`.
        "panic" => fn panic(message: String) -> ();
    }
}
