//! A contract that publishes, creates, reads and asks as the bytes of an operation or a message tell it to.

use resident_base::{
    AccountOwner, ApplicationId, ApplicationPermissions, Bytecode, ChainOwnership, CryptoHash,
    DataBlobHash, ModuleId,
};
use resident_testing::{TestChain, TestChains};
use serde::Serialize;

/// What the maker is told to do, one after the other. What each answers is appended to what an operation
/// responds, and stands in the state under the key "o".
#[derive(Clone, Default)]
pub(crate) struct Commands(Vec<u8>);

impl Commands {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Publishes data. Answers its hash.
    pub(crate) fn create_blob(self, bytes: &[u8]) -> Self {
        self.op(b'd').block(bytes)
    }

    /// Answers the content of a data blob.
    pub(crate) fn read_blob(self, hash: DataBlobHash) -> Self {
        self.op(b'r').raw(hash.0.as_bytes())
    }

    /// Asserts that a data blob exists.
    pub(crate) fn assert_blob(self, hash: DataBlobHash) -> Self {
        self.op(b'a').raw(hash.0.as_bytes())
    }

    /// Publishes a contract without a service, and remembers the module. Answers the hash of the contract.
    pub(crate) fn publish(self, contract: &Bytecode) -> Self {
        self.op(b'm').block(&contract.bytes)
    }

    /// Remembers a module.
    pub(crate) fn module(self, id: ModuleId) -> Self {
        let op = self.op(b'k');
        op.raw(id.contract_blob_hash.as_bytes())
            .raw(id.service_blob_hash.as_bytes())
    }

    /// Creates an application of the remembered module, which runs these commands when it is instantiated,
    /// and remembers the application. Answers its id.
    pub(crate) fn create(self, then: &Self) -> Self {
        self.op(b'n').block(&[b"!", then.bytes()].concat())
    }

    /// Calls the remembered application. Answers what that answers.
    pub(crate) fn call(self, commands: &Self) -> Self {
        self.op(b'c').block(commands.bytes())
    }

    /// Remembers an application.
    pub(crate) fn application(self, id: ApplicationId) -> Self {
        self.op(b't')
            .raw(id.application_description_hash.as_bytes())
    }

    /// Writes the remembered application to the state.
    pub(crate) fn save(self) -> Self {
        self.op(b's')
    }

    /// Remembers the application that is written in the state.
    pub(crate) fn load(self) -> Self {
        self.op(b'l')
    }

    /// Opens a chain with some attos of an account. Answers its id.
    pub(crate) fn open(self, owner: AccountOwner, payer: AccountOwner, attos: u64) -> Self {
        let (ownership, permissions) = (
            encode(&ChainOwnership::single(owner)),
            encode(&ApplicationPermissions::default()),
        );
        self.open_encoded(&ownership, &permissions, payer, attos)
    }

    /// As [`open`](Self::open), with bytes that may be wrong.
    pub(crate) fn open_encoded(
        self,
        ownership: &[u8],
        permissions: &[u8],
        payer: AccountOwner,
        attos: u64,
    ) -> Self {
        let (case, hash) = match payer {
            AccountOwner::Reserved(byte) => (0, CryptoHash::from([u64::from(byte), 0, 0, 0])),
            AccountOwner::Address32(hash) => (1, hash),
            AccountOwner::Address20(_) => panic!("the maker knows no such payers"),
        };
        let op = self
            .op(b'o')
            .block(ownership)
            .block(permissions)
            .raw(&[case]);
        op.raw(hash.as_bytes()).raw(&attos.to_le_bytes())
    }

    /// Asks for a URL. Answers the status as four bytes, and the body.
    pub(crate) fn get(self, url: &str) -> Self {
        self.op(b'h').block(url.as_bytes())
    }

    /// Fails.
    pub(crate) fn fail(self) -> Self {
        self.op(b'x')
    }

    /// What follows is done when the block is finalized.
    pub(crate) fn later(self, commands: &Self) -> Self {
        self.op(b'f').block(commands.bytes())
    }

    fn op(self, code: u8) -> Self {
        self.raw(&[code])
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn block(self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("commands are short");
        self.raw(&length.to_le_bytes()).raw(bytes)
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    bcs::to_bytes(value).expect("it can be encoded")
}

/// Reads what a maker answered.
pub(crate) struct Answers<'a>(pub(crate) &'a [u8]);

impl<'a> Answers<'a> {
    pub(crate) fn hash(&mut self) -> CryptoHash {
        let bytes: [u8; 32] = self.bytes(32).try_into().expect("32 bytes");
        bytes.into()
    }

    pub(crate) fn application(&mut self) -> ApplicationId {
        ApplicationId::new(self.hash())
    }

    pub(crate) fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    pub(crate) fn end(self) {
        assert!(self.0.is_empty(), "there is more than was expected");
    }
}

/// Publishes the maker.
pub(crate) fn publish(chains: &TestChains, chain: &TestChain) -> ModuleId {
    chains.publish_code(chain, code())
}

/// Publishes the maker, and creates an application of it.
pub(crate) fn create(chains: &TestChains, chain: &TestChain) -> ApplicationId {
    let module = publish(chains, chain);
    chains.create(chain, module, &(), &(), Vec::new())
}

pub(crate) fn code() -> Bytecode {
    Bytecode::new(wat::parse_str(TEXT).expect("the text is a module"))
}

/// The maker's code with something in it that changes its hash and nothing else.
pub(crate) fn other_code(number: u8) -> Bytecode {
    let text = TEXT.replace(
        "(i32.const 700) \"o\"",
        &format!("(i32.const 700) \"o\\{number:02x}\""),
    );
    Bytecode::new(wat::parse_str(text).expect("the text is a module"))
}

/// Memory:
///
/// | from | what |
/// |---|---|
/// | 64 | where host functions answer, 96 bytes |
/// | 192 | the remembered module: two hashes |
/// | 256 | the remembered application |
/// | 300 | one operation of a batch |
/// | 700 | the keys "o" and "i", and the parameters "null" |
/// | 1024 | the commands of the finalization |
/// | 32768 | what was answered |
/// | 65536 | the heap, empty between entries |
const TEXT: &str = r#"(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/storage" "read-value" (func $read_value (param i32 i32 i32)))
    (import "resident:app/runtime" "call-application"
        (func $call_application (param i32 i64 i64 i64 i64 i32 i32 i32)))
    (import "resident:app/runtime" "create-data-blob"
        (func $create_data_blob (param i32 i32 i32)))
    (import "resident:app/runtime" "read-data-blob"
        (func $read_data_blob (param i64 i64 i64 i64 i32)))
    (import "resident:app/runtime" "assert-data-blob-exists"
        (func $assert_data_blob (param i64 i64 i64 i64)))
    (import "resident:app/runtime" "publish-module"
        (func $publish_module (param i32 i32 i32 i32 i32 i32)))
    (import "resident:app/runtime" "create-application" (func $create_application
        (param i64 i64 i64 i64 i64 i64 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "resident:app/runtime" "open-chain" (func $open_chain
        (param i32 i32 i32 i32 i32 i64 i64 i64 i64 i64 i64 i32)))
    (import "resident:app/runtime" "http-request"
        (func $http_request (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (memory (export "memory") 4 40)
    (data (i32.const 700) "o")
    (data (i32.const 708) "i")
    (data (i32.const 712) "null")
    (global $heap (mut i32) (i32.const 65536))
    (global $out (mut i32) (i32.const 32768))
    (global $cursor (mut i32) (i32.const 0))
    (global $later (mut i32) (i32.const 0))

    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))

    (func $answer (param $address i32) (param $length i32)
        (memory.copy (global.get $out) (local.get $address) (local.get $length))
        (global.set $out (i32.add (global.get $out) (local.get $length))))

    ;; The pair of address and length that a host function answered.
    (func $answer_list (param $pair i32)
        (call $answer (i32.load (local.get $pair)) (i32.load offset=4 (local.get $pair))))

    ;; Takes so many bytes of the commands, and gives their address.
    (func $take (param $length i32) (result i32)
        (global.get $cursor)
        (global.set $cursor (i32.add (global.get $cursor) (local.get $length))))

    ;; Takes bytes behind their length, and gives address and length.
    (func $take_block (result i32 i32)
        (local $length i32)
        (local.set $length (i32.load (call $take (i32.const 4))))
        (call $take (local.get $length))
        (local.get $length))

    (func $hash (param $address i32) (result i64 i64 i64 i64)
        (i64.load (local.get $address))
        (i64.load offset=8 (local.get $address))
        (i64.load offset=16 (local.get $address))
        (i64.load offset=24 (local.get $address)))

    (func $put (param $key i32) (param $value i32) (param $length i32)
        (i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (local.get $key))
        (i32.store (i32.const 312) (i32.const 1))
        (i32.store (i32.const 316) (local.get $value))
        (i32.store (i32.const 320) (local.get $length))
        (call $write_batch (i32.const 304) (i32.const 1)))

    (func $write
        (call $put (i32.const 700) (i32.const 32768)
            (i32.sub (global.get $out) (i32.const 32768))))

    (func $create_blob
        (call $create_data_blob (call $take_block) (i32.const 64))
        (call $answer (i32.const 64) (i32.const 32)))

    (func $publish
        (call $publish_module (call $take_block) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 64))
        (memory.copy (i32.const 192) (i32.const 64) (i32.const 64))
        (call $answer (i32.const 64) (i32.const 32)))

    (func $create
        (local $argument i32) (local $length i32)
        (call $take_block)
        (local.set $length)
        (local.set $argument)
        (call $create_application
            (call $hash (i32.const 192)) (call $hash (i32.const 224)) (i32.const 0)
            (i32.const 712) (i32.const 4)
            (local.get $argument) (local.get $length)
            (i32.const 0) (i32.const 0)
            (i32.const 256))
        (call $answer (i32.const 256) (i32.const 32)))

    (func $call
        (local $argument i32) (local $length i32)
        (call $take_block)
        (local.set $length)
        (local.set $argument)
        (call $call_application (i32.const 1) (call $hash (i32.const 256))
            (local.get $argument) (local.get $length) (i32.const 64))
        (call $answer_list (i32.const 64)))

    (func $load
        (call $read_value (i32.const 708) (i32.const 1) (i32.const 64))
        (memory.copy (i32.const 256) (i32.load (i32.const 68)) (i32.const 32)))

    (func $open
        (local $payer i32)
        (call $take_block)
        (call $take_block)
        (local.set $payer (call $take (i32.const 41)))
        (i32.load8_u (local.get $payer))
        (call $hash (i32.add (local.get $payer) (i32.const 1)))
        (i64.load (i32.add (local.get $payer) (i32.const 33)))
        (i64.const 0)
        (i32.const 64)
        (call $open_chain)
        (call $answer (i32.const 64) (i32.const 32)))

    (func $get
        (local $url i32) (local $length i32)
        (call $take_block)
        (local.set $length)
        (local.set $url)
        (call $http_request (i32.const 0) (local.get $url) (local.get $length)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (i32.store (i32.const 96) (i32.load16_u (i32.const 64)))
        (call $answer (i32.const 96) (i32.const 4))
        (call $answer_list (i32.const 76)))

    (func $finally
        (local $commands i32) (local $length i32)
        (call $take_block)
        (local.set $length)
        (local.set $commands)
        (memory.copy (i32.const 1024) (local.get $commands) (local.get $length))
        (global.set $later (local.get $length)))

    (func $act (param $address i32) (param $length i32)
        (local $end i32) (local $command i32)
        (global.set $cursor (local.get $address))
        (local.set $end (i32.add (local.get $address) (local.get $length)))
        (block $done (loop $next
            (br_if $done (i32.ge_u (global.get $cursor) (local.get $end)))
            (local.set $command (i32.load8_u (call $take (i32.const 1))))
            (if (i32.eq (local.get $command) (i32.const 100)) (then (call $create_blob)))
            (if (i32.eq (local.get $command) (i32.const 114)) (then
                (call $read_data_blob (call $hash (call $take (i32.const 32))) (i32.const 64))
                (call $answer_list (i32.const 64))))
            (if (i32.eq (local.get $command) (i32.const 97)) (then
                (call $assert_data_blob (call $hash (call $take (i32.const 32))))))
            (if (i32.eq (local.get $command) (i32.const 109)) (then (call $publish)))
            (if (i32.eq (local.get $command) (i32.const 107)) (then
                (memory.copy (i32.const 192) (call $take (i32.const 64)) (i32.const 64))))
            (if (i32.eq (local.get $command) (i32.const 110)) (then (call $create)))
            (if (i32.eq (local.get $command) (i32.const 99)) (then (call $call)))
            (if (i32.eq (local.get $command) (i32.const 116)) (then
                (memory.copy (i32.const 256) (call $take (i32.const 32)) (i32.const 32))))
            (if (i32.eq (local.get $command) (i32.const 115)) (then
                (call $put (i32.const 708) (i32.const 256) (i32.const 32))))
            (if (i32.eq (local.get $command) (i32.const 108)) (then (call $load)))
            (if (i32.eq (local.get $command) (i32.const 111)) (then (call $open)))
            (if (i32.eq (local.get $command) (i32.const 104)) (then (call $get)))
            (if (i32.eq (local.get $command) (i32.const 102)) (then (call $finally)))
            (if (i32.eq (local.get $command) (i32.const 120)) (then (unreachable)))
            (br $next))))

    ;; What is on the heap is given back, and so is what was answered.
    (func $leave
        (global.set $heap (i32.const 65536))
        (global.set $out (i32.const 32768)))

    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (call $act (local.get 0) (local.get 1))
        (call $write)
        (i32.store (i32.const 32) (i32.const 32768))
        (i32.store (i32.const 36) (i32.sub (global.get $out) (i32.const 32768)))
        (call $leave)
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (call $act (local.get 0) (local.get 1))
        (call $write)
        (call $leave))
    ;; Arguments that do not begin with "!" are no commands.
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32)
        (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 33)) (then
            (call $act (i32.add (local.get 0) (i32.const 1))
                (i32.sub (local.get 1) (i32.const 1)))
            (call $write)))
        (call $leave))
    (func (export "resident:app/contract-entrypoints#finalize")
        (call $act (i32.const 1024) (global.get $later)))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;
