//! A contract that does what each byte of an operation or a message tells it to.

use resident_base::{ApplicationId, Bytecode, ChainId};
use resident_chain::Transaction;
use resident_testing::{TestChain, TestChains};

use crate::bundles;

/// What an operation answers, and what a write stores: everything that a failure could leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The size of memory in pages.
    pub(crate) pages: u32,
    /// The hidden stack pointer, as it is inside of an entry.
    pub(crate) stack_pointer: u32,
    /// Counted in memory.
    pub(crate) in_memory: u32,
    /// Where the allocator goes on.
    pub(crate) heap: u32,
    /// Counted in a hidden global.
    pub(crate) in_global: u32,
}

impl Observed {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let word = |index: usize| {
            let bytes = bytes[4 * index..][..4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes)
        };
        assert_eq!(bytes.len(), 20);
        Self {
            pages: word(0),
            stack_pointer: word(1),
            in_memory: word(2),
            heap: word(3),
            in_global: word(4),
        }
    }
}

/// A message of commands for the gadget:
///
/// | byte | what it does |
/// |---|---|
/// | `b` | counts, in memory and in a hidden global |
/// | `g` | grows memory by a page and fills its end |
/// | `w` | writes what is [`Observed`] to the state |
/// | `x` | reaches `unreachable`, with the stack pointer lowered |
/// | `i` | divides by zero |
/// | `p` | panics |
/// | `l` | loops for ever |
/// | `r` | calls itself for ever |
/// | `m` | grows memory for ever |
/// | `f` | makes the gadget refuse the block when it is finalized |
/// | `c` | calls the application whose 32 bytes follow, with the rest |
pub(crate) fn message(
    gadget: ApplicationId,
    origin: ChainId,
    height: u64,
    commands: &[&[u8]],
) -> Transaction {
    let messages = commands
        .iter()
        .map(|commands| (gadget, commands.to_vec()))
        .collect();
    bundles::bundle(origin, height, None, messages)
}

/// An operation of commands, which answers what is [`Observed`] after them.
pub(crate) fn operation(gadget: ApplicationId, commands: &[u8]) -> Transaction {
    bundles::operation(TestChains::raw_operation(gadget, commands.to_vec()))
}

/// Commands that call another gadget with commands.
pub(crate) fn call(callee: ApplicationId, commands: &[u8]) -> Vec<u8> {
    [
        b"c",
        callee.application_description_hash.as_bytes().as_slice(),
        commands,
    ]
    .concat()
}

/// Publishes the contract, and creates as many applications of it.
pub(crate) fn create<const N: usize>(chains: &TestChains, chain: &TestChain) -> [ApplicationId; N] {
    let module = chains.publish_code(chain, code());
    [(); N].map(|()| chains.create(chain, module, &(), &(), Vec::new()))
}

pub(crate) fn code() -> Bytecode {
    Bytecode::new(wat::parse_str(TEXT).expect("the text is a module"))
}

const TEXT: &str = r#"(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/diagnostics" "panic" (func $panic (param i32 i32)))
    (import "resident:app/runtime" "call-application"
        (func $call_application (param i32 i64 i64 i64 i64 i32 i32 i32)))
    (memory (export "memory") 2 40)
    (data (i32.const 600) "as it was told")
    (global $heap (mut i32) (i32.const 4096))
    (global $stack_pointer (mut i32) (i32.const 1024))
    (global $count (mut i32) (i32.const 0))

    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))

    (func $observe
        (i32.store (i32.const 256) (memory.size))
        (i32.store (i32.const 260) (global.get $stack_pointer))
        (i32.store (i32.const 264) (i32.load (i32.const 128)))
        (i32.store (i32.const 268) (global.get $heap))
        (i32.store (i32.const 272) (global.get $count)))

    ;; One operation, `put`, of the key "k" and what is observed.
    (func $write
        (call $observe)
        (i32.store8 (i32.const 300) (i32.const 107))
        (i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (i32.const 300))
        (i32.store (i32.const 312) (i32.const 1))
        (i32.store (i32.const 316) (i32.const 256))
        (i32.store (i32.const 320) (i32.const 20))
        (call $write_batch (i32.const 304) (i32.const 1)))

    (func $count
        (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 1)))
        (global.set $count (i32.add (global.get $count) (i32.const 1))))

    (func $grow (result i32)
        (local $pages i32)
        (local.set $pages (memory.grow (i32.const 1)))
        (if (i32.ge_s (local.get $pages) (i32.const 0))
            (then (i32.store
                (i32.add (i32.mul (local.get $pages) (i32.const 65536)) (i32.const 65532))
                (i32.const 7))))
        (local.get $pages))

    (func $deeper (param i32) (result i32)
        (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))

    (func $act (param $address i32) (param $length i32)
        (local $end i32) (local $command i32)
        (local.set $end (i32.add (local.get $address) (local.get $length)))
        (global.set $stack_pointer (i32.sub (global.get $stack_pointer) (i32.const 16)))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $address) (local.get $end)))
            (local.set $command (i32.load8_u (local.get $address)))
            (local.set $address (i32.add (local.get $address) (i32.const 1)))
            (if (i32.eq (local.get $command) (i32.const 98)) (then (call $count)))
            (if (i32.eq (local.get $command) (i32.const 103)) (then (drop (call $grow))))
            (if (i32.eq (local.get $command) (i32.const 119)) (then (call $write)))
            (if (i32.eq (local.get $command) (i32.const 120)) (then (unreachable)))
            (if (i32.eq (local.get $command) (i32.const 105))
                (then (drop (i32.div_u (i32.const 1) (i32.load (i32.const 140))))))
            (if (i32.eq (local.get $command) (i32.const 112))
                (then (call $panic (i32.const 600) (i32.const 14))))
            (if (i32.eq (local.get $command) (i32.const 108))
                (then (loop $again (call $count) (br $again))))
            (if (i32.eq (local.get $command) (i32.const 114))
                (then (drop (call $deeper (i32.const 0)))))
            (if (i32.eq (local.get $command) (i32.const 109))
                (then (loop $again (drop (call $grow)) (br $again))))
            (if (i32.eq (local.get $command) (i32.const 102))
                (then (i32.store (i32.const 132) (i32.const 1))))
            (if (i32.eq (local.get $command) (i32.const 99)) (then
                (call $call_application
                    (i32.const 1)
                    (i64.load align=1 (local.get $address))
                    (i64.load offset=8 align=1 (local.get $address))
                    (i64.load offset=16 align=1 (local.get $address))
                    (i64.load offset=24 align=1 (local.get $address))
                    (i32.add (local.get $address) (i32.const 32))
                    (i32.sub (i32.sub (local.get $end) (local.get $address)) (i32.const 32))
                    (i32.const 48))
                (br $done)))
            (br $next)))
        (global.set $stack_pointer (i32.add (global.get $stack_pointer) (i32.const 16))))

    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (call $act (local.get 0) (local.get 1))
        (call $observe)
        (i32.store (i32.const 32) (i32.const 256))
        (i32.store (i32.const 36) (i32.const 20))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (call $act (local.get 0) (local.get 1)))
    (func (export "resident:app/contract-entrypoints#finalize")
        (if (i32.load (i32.const 132)) (then (unreachable)))
        (call $write))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;
