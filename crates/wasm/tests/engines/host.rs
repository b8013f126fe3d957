//! A host that answers just enough, and contracts in text form to run against it.

use resident_abi::{ContractHost, wire};
use resident_wasm::{Host, Meters};

/// What a test's host function answers when the contract asks for something it does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str);

/// Knows one value and refuses to write.
#[derive(Debug, Default)]
pub(crate) struct TestHost {
    pub(crate) meters: Meters,
    /// What `read-value` was asked for.
    pub(crate) asked: Vec<Vec<u8>>,
    /// Where the guest failed.
    pub(crate) failed_in: Vec<String>,
}

impl TestHost {
    pub(crate) fn with_fuel(fuel: i64) -> Self {
        let meters = Meters {
            fuel,
            stack: resident_wasm::prepare::STACK_UNITS,
        };
        TestHost {
            meters,
            asked: Vec::new(),
            failed_in: Vec::new(),
        }
    }
}

impl Host for TestHost {
    fn meters(&self) -> Meters {
        self.meters
    }

    fn set_meters(&mut self, meters: Meters) {
        self.meters = meters;
    }

    fn note_trap(&mut self, functions: &[&str]) {
        self.failed_in = functions.iter().map(ToString::to_string).collect();
    }
}

macro_rules! refuse {
    ($($method:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $method(&mut self $(, $argument: $type)*) -> Result<$result, Refused> {
            $(let _ = $argument;)*
            Err(Refused(stringify!($method)))
        })*
    };
}

impl ContractHost for TestHost {
    type Error = Refused;

    fn read_value(&mut self, key: Vec<u8>) -> Result<Option<Vec<u8>>, Refused> {
        self.meters.fuel -= 1_000;
        self.asked.push(key.clone());
        Ok(Some([b"value of ".as_slice(), &key].concat()))
    }

    fn remaining_fuel(&mut self) -> Result<u64, Refused> {
        Ok(self.meters.fuel as u64)
    }

    refuse! {
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
        emit(stream_name: Vec<u8>, value: Vec<u8>) -> u32;
        read_event(chain_id: wire::Hash, stream_name: Vec<u8>, index: u32) -> Vec<u8>;
        subscribe_to_events(chain_id: wire::Hash, application_id: wire::Hash, stream_name: Vec<u8>) -> ();
        unsubscribe_from_events(chain_id: wire::Hash, application_id: wire::Hash, stream_name: Vec<u8>) -> ();
        close_chain() -> Result<(), wire::ManageChainError>;
        chain_ownership() -> Vec<u8>;
        change_ownership(ownership: Vec<u8>) -> Result<(), wire::ManageChainError>;
        query_service(application: wire::Hash, query: Vec<u8>) -> Vec<u8>;
        query_application(application: wire::Hash, query: Vec<u8>) -> Vec<u8>;
        schedule_operation(operation: Vec<u8>) -> ();
        balance_owners() -> Vec<wire::AccountOwner>;
        owner_balances() -> Vec<wire::OwnerBalance>;
        read_values(keys: Vec<Vec<u8>>) -> Vec<Option<Vec<u8>>>;
        contains_key(key: Vec<u8>) -> bool;
        contains_keys(keys: Vec<Vec<u8>>) -> Vec<bool>;
        find_keys(prefix: Vec<u8>) -> Vec<Vec<u8>>;
        find_key_values(prefix: Vec<u8>) -> Vec<wire::KeyValue>;
        write_batch(operations: Vec<wire::WriteOperation>) -> ();
        log(level: wire::LogLevel, message: String) -> ();
        panic(message: String) -> ();
        create_data_blob(bytes: Vec<u8>) -> wire::Hash;
        read_data_blob(hash: wire::Hash) -> Vec<u8>;
        assert_data_blob_exists(hash: wire::Hash) -> ();
        publish_module(contract: Vec<u8>, service: Vec<u8>, vm_runtime: wire::VmRuntime) -> wire::ModuleId;
        create_application(module_id: wire::ModuleId, parameters: Vec<u8>, argument: Vec<u8>, required_application_ids: Vec<wire::Hash>) -> wire::Hash;
        open_chain(ownership: Vec<u8>, permissions: Vec<u8>, payer: wire::AccountOwner, balance: wire::Amount) -> wire::Hash;
        http_request(request: wire::OutgoingRequest) -> wire::IncomingResponse;
    }
}

/// A contract that has all that it must have, a bump allocator, and `code` as its operation: the
/// body of a function `(address, length) -> address of (address, length)`.
///
/// `$heap` is its hidden allocator state, `$stack_pointer` a hidden stack pointer.
pub(crate) fn contract(code: &str, more: &str) -> Vec<u8> {
    contract_with_allocator("(call $allocate (local.get 3))", code, more)
}

/// As [`contract`], with another body of `cabi_realloc`.
pub(crate) fn contract_with_allocator(allocator: &str, code: &str, more: &str) -> Vec<u8> {
    contract_with_imports("", allocator, code, more)
}

/// As [`contract_with_allocator`], with more imports.
pub(crate) fn contract_with_imports(
    imports: &str,
    allocator: &str,
    code: &str,
    more: &str,
) -> Vec<u8> {
    let text = format!(
        r#"(module
            {imports}
            (import "resident:app/storage" "read-value"
                (func $read_value (param i32 i32 i32)))
            (import "resident:app/runtime" "chain-id" (func $chain_id (param i32)))
            (memory (export "memory") 2 10)
            (global $heap (mut i32) (i32.const 4096))
            (global $stack_pointer (mut i32) (i32.const 1024))
            (func $allocate (param $size i32) (result i32)
                (global.get $heap)
                (global.set $heap (i32.and
                    (i32.add (i32.add (global.get $heap) (local.get $size)) (i32.const 15))
                    (i32.const -16))))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                {allocator})
            {more}
            (func (export "resident:app/contract-entrypoints#execute-operation")
                (param $address i32) (param $length i32) (result i32)
                {code})
            (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
            (func (export "resident:app/contract-entrypoints#finalize"))
        )"#
    );
    wat::parse_str(text).expect("the test's module is valid")
}

/// Code that responds with the four bytes of an expression's `i32`.
pub(crate) fn respond(expression: &str) -> String {
    format!(
        "(i32.store (i32.const 64) {expression})
         (i32.store (i32.const 32) (i32.const 64))
         (i32.store (i32.const 36) (i32.const 4))
         (i32.const 32)"
    )
}
