//! A contract that sends what it is told to, counts what arrives and what comes back, and manages its chain.

use resident_base::{Account, Amount, ApplicationId, Bytecode, ChainId};
use resident_chain::Transaction;
use resident_testing::{TestChain, TestChains};

use crate::bundles;

/// What an operation answers, after its commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Messages that arrived and were executed.
    pub(crate) arrived: u32,
    /// Messages that came back.
    pub(crate) bounced: u32,
    /// Those of them that came back with a signer.
    pub(crate) bounced_signed: u32,
    /// How managing the chain went the last time: 0 for never, 1 for done, 2 for refused.
    pub(crate) managed: u32,
}

impl Counted {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let word = |index: usize| {
            let bytes = bytes[4 * index..][..4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes)
        };
        assert_eq!(bytes.len(), 16);
        Self {
            arrived: word(0),
            bounced: word(1),
            bounced_signed: word(2),
            managed: word(3),
        }
    }
}

/// A message to be sent, as a command. Bytes of an operation or a message are commands:
///
/// | byte | what it does |
/// |---|---|
/// | `s` | sends a message: see [`Letter`] |
/// | `t` | moves native tokens of the chain to another one: see [`pay`] |
/// | `x` | reaches `unreachable` |
/// | `k` | closes the chain |
/// | `o` | gives the chain the owners that the rest encodes |
/// | `q` | asks who owns the chain, and gives it the same owners |
/// | `!` | nothing; but a message that begins with it also fails when it comes back |
///
/// A message that comes back is counted, and its commands are not executed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) to: ChainId,
    pub(crate) authenticated: bool,
    pub(crate) tracked: bool,
    /// Fuel that the grant is for.
    pub(crate) grant: u64,
    pub(crate) commands: &'a [u8],
}

impl<'a> Letter<'a> {
    /// A plain message.
    pub(crate) fn new(to: ChainId, commands: &'a [u8]) -> Self {
        Self {
            to,
            authenticated: false,
            tracked: false,
            grant: 0,
            commands,
        }
    }

    pub(crate) fn tracked(self) -> Self {
        Self {
            tracked: true,
            ..self
        }
    }

    pub(crate) fn signed(self) -> Self {
        Self {
            authenticated: true,
            ..self
        }
    }

    pub(crate) fn with_grant(self, grant: u64) -> Self {
        Self { grant, ..self }
    }

    /// The command that sends it.
    pub(crate) fn command(self) -> Vec<u8> {
        let length = u8::try_from(self.commands.len()).expect("a short message");
        [
            &[b's', self.authenticated.into(), self.tracked.into()],
            self.grant.to_le_bytes().as_slice(),
            self.to.0.as_bytes(),
            &[length],
            self.commands,
        ]
        .concat()
    }
}

/// The command that moves attos of the chain's own tokens to another chain.
pub(crate) fn pay(to: ChainId, attos: u64) -> Vec<u8> {
    [b"t", to.0.as_bytes().as_slice(), &attos.to_le_bytes()].concat()
}

/// Publishes the contract, and creates an application of it.
pub(crate) fn create(chains: &TestChains, chain: &TestChain) -> ApplicationId {
    let code = Bytecode::new(wat::parse_str(TEXT).expect("the text is a module"));
    let module = chains.publish_code(chain, code);
    chains.create(chain, module, &(), &(), Vec::new())
}

/// An operation of commands.
pub(crate) fn operation(courier: ApplicationId, commands: &[&[u8]]) -> Transaction {
    bundles::operation(TestChains::raw_operation(courier, commands.concat()))
}

/// What an account has: a shorter name for what these tests ask most.
pub(crate) fn balance(chains: &TestChains, account: Account) -> Amount {
    chains.balance(account.chain_id, account.owner)
}

const TEXT: &str = r#"(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/storage" "read-value" (func $read_value (param i32 i32 i32)))
    (import "resident:app/runtime" "send-message" (func $send_message (param i32)))
    (import "resident:app/runtime" "transfer" (func $transfer
        (param i32 i64 i64 i64 i64) (param i64 i64 i64 i64) (param i32 i64 i64 i64 i64)
        (param i64 i64)))
    (import "resident:app/runtime" "message-is-bouncing" (func $is_bouncing (param i32)))
    (import "resident:app/runtime" "authenticated-owner" (func $owner (param i32)))
    (import "resident:app/runtime" "close-chain" (func $close_chain (param i32)))
    (import "resident:app/runtime" "change-ownership"
        (func $change_ownership (param i32 i32 i32)))
    (import "resident:app/runtime" "chain-ownership" (func $chain_ownership (param i32)))
    (memory (export "memory") 2 40)
    (global $heap (mut i32) (i32.const 4096))

    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))

    ;; The counts are at 128, and stored under "c".
    (func $load (local $from i32)
        (i32.store8 (i32.const 300) (i32.const 99))
        (call $read_value (i32.const 300) (i32.const 1) (i32.const 320))
        (if (i32.load8_u (i32.const 320)) (then
            (local.set $from (i32.load (i32.const 324)))
            (i64.store (i32.const 128) (i64.load align=1 (local.get $from)))
            (i64.store (i32.const 136) (i64.load offset=8 align=1 (local.get $from))))))

    (func $save
        (i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (i32.const 300))
        (i32.store (i32.const 312) (i32.const 1))
        (i32.store (i32.const 316) (i32.const 128))
        (i32.store (i32.const 320) (i32.const 16))
        (call $write_batch (i32.const 304) (i32.const 1)))

    (func $count (param $at i32)
        (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1))))

    ;; The message's record is at 1024.
    (func $send (param $from i32) (result i32) (local $length i32)
        (i64.store (i32.const 1024) (i64.load offset=10 align=1 (local.get $from)))
        (i64.store (i32.const 1032) (i64.load offset=18 align=1 (local.get $from)))
        (i64.store (i32.const 1040) (i64.load offset=26 align=1 (local.get $from)))
        (i64.store (i32.const 1048) (i64.load offset=34 align=1 (local.get $from)))
        (i32.store8 (i32.const 1056) (i32.load8_u (local.get $from)))
        (i32.store8 (i32.const 1057) (i32.load8_u offset=1 (local.get $from)))
        (i64.store (i32.const 1064) (i64.load offset=2 align=1 (local.get $from)))
        (local.set $length (i32.load8_u offset=42 (local.get $from)))
        (i32.store (i32.const 1192) (i32.add (local.get $from) (i32.const 43)))
        (i32.store (i32.const 1196) (local.get $length))
        (call $send_message (i32.const 1024))
        (i32.add (i32.add (local.get $from) (i32.const 43)) (local.get $length)))

    (func $pay (param $from i32) (result i32)
        (call $transfer
            (i32.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)
            (i64.load align=1 (local.get $from))
            (i64.load offset=8 align=1 (local.get $from))
            (i64.load offset=16 align=1 (local.get $from))
            (i64.load offset=24 align=1 (local.get $from))
            (i32.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)
            (i64.load offset=32 align=1 (local.get $from)) (i64.const 0))
        (i32.add (local.get $from) (i32.const 40)))

    (func $managed
        (i32.store (i32.const 140) (i32.add (i32.load8_u (i32.const 400)) (i32.const 1))))

    (func $act (param $at i32) (param $length i32) (local $end i32) (local $command i32)
        (local.set $end (i32.add (local.get $at) (local.get $length)))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $command (i32.load8_u (local.get $at)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (if (i32.eq (local.get $command) (i32.const 115))
                (then (local.set $at (call $send (local.get $at)))))
            (if (i32.eq (local.get $command) (i32.const 116))
                (then (local.set $at (call $pay (local.get $at)))))
            (if (i32.eq (local.get $command) (i32.const 120)) (then (unreachable)))
            (if (i32.eq (local.get $command) (i32.const 107))
                (then (call $close_chain (i32.const 400)) (call $managed)))
            (if (i32.eq (local.get $command) (i32.const 113)) (then
                (call $chain_ownership (i32.const 480))
                (call $change_ownership
                    (i32.load (i32.const 480))
                    (i32.load (i32.const 484))
                    (i32.const 400))
                (call $managed)))
            (if (i32.eq (local.get $command) (i32.const 111)) (then
                (call $change_ownership
                    (local.get $at)
                    (i32.sub (local.get $end) (local.get $at))
                    (i32.const 400))
                (call $managed)
                (br $done)))
            (br $next))))

    (func $come_back (param $at i32)
        (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 33)) (then (unreachable)))
        (call $count (i32.const 132))
        (call $owner (i32.const 440))
        (if (i32.load8_u (i32.const 440)) (then (call $count (i32.const 136)))))

    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (call $load)
        (call $act (local.get 0) (local.get 1))
        (call $save)
        (i32.store (i32.const 32) (i32.const 128))
        (i32.store (i32.const 36) (i32.const 16))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (call $load)
        (call $is_bouncing (i32.const 420))
        (if (i32.load8_u (i32.const 421))
            (then (call $come_back (local.get 0)))
            (else
                (call $count (i32.const 128))
                (call $act (local.get 0) (local.get 1))))
        (call $save))
    (func (export "resident:app/contract-entrypoints#finalize"))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;
