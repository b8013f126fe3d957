//! A contract that does to streams what the bytes of an operation or a message tell it to.

use resident_base::{ApplicationId, Bytecode, ChainId, StreamId};
use resident_chain::Transaction;
use resident_execution::{StreamHead, SubscriberUpdate};
use resident_testing::{TestChain, TestChains};

use crate::bundles;

/// What the contract was told, oldest first: an operation answers with all of it. It is stored at the end
/// of each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A range of a stream.
    Range {
        /// The first byte of its chain's id.
        chain: u8,
        /// The first new index.
        previous: u8,
        /// The index after the last one.
        next: u8,
    },
    /// The value of an event, or of an operation's `r`.
    Value(u8),
}

pub(crate) fn told(response: &[u8]) -> Vec<Told> {
    let entries = response.chunks(4).map(|entry| match *entry {
        [b'u', chain, previous, next] => Told::Range {
            chain,
            previous,
            next,
        },
        [b'v', value, 0, 0] => Told::Value(value),
        _ => panic!("the contract answered {entry:?}"),
    });
    entries.collect()
}

/// A range of a chain's stream as it is told.
pub(crate) fn range(chain: ChainId, previous: u8, next: u8) -> Told {
    let chain = chain.0.as_bytes()[0];
    Told::Range {
        chain,
        previous,
        next,
    }
}

/// Commands for the teller, one after the other:
///
/// | bytes | what they do |
/// |---|---|
/// | `e`, a byte | emits the byte to the stream `s` |
/// | `n`, a length | emits to a stream with a name of so many zeros |
/// | `v`, a length in 256 bytes | emits a value of that size to the stream `s` |
/// | `s`, chain, application | follows the stream `s` |
/// | `u`, chain, application | no longer |
/// | `r`, chain, index | reads its own event |
/// | `f`, a byte | emits the byte when the block is finalized |
/// | `z`, chain, index | reads its own event when the block is finalized |
/// | `x` | reaches `unreachable` |
///
/// When it is told of events of its own, it reads them all. It fails if one of them is `p`, and refuses the
/// block if one of them is `q`.
pub(crate) fn operation(teller: ApplicationId, commands: &[&[u8]]) -> Transaction {
    let commands = commands.concat();
    bundles::operation(TestChains::raw_operation(teller, commands))
}

pub(crate) fn message(
    teller: ApplicationId,
    origin: ChainId,
    height: u64,
    commands: &[&[u8]],
) -> Transaction {
    let messages = vec![(teller, commands.concat())];
    bundles::bundle(origin, height, None, messages)
}

/// The command that follows the stream of an application on a chain.
pub(crate) fn follow(chain: ChainId, application: ApplicationId) -> Vec<u8> {
    with_stream(b's', chain, application)
}

pub(crate) fn unfollow(chain: ChainId, application: ApplicationId) -> Vec<u8> {
    with_stream(b'u', chain, application)
}

fn with_stream(command: u8, chain: ChainId, application: ApplicationId) -> Vec<u8> {
    let application = application.application_description_hash;
    [
        [command].as_slice(),
        chain.0.as_bytes().as_slice(),
        application.as_bytes(),
    ]
    .concat()
}

/// The command that reads an event, now (`r`) or at the end of the block (`z`).
pub(crate) fn read(command: u8, chain: ChainId, index: u8) -> Vec<u8> {
    [&[command], chain.0.as_bytes().as_slice(), &[index]].concat()
}

/// The update that tells a teller of its own stream on some chains.
pub(crate) fn update(teller: ApplicationId, heads: &[(ChainId, u32)]) -> Transaction {
    let head = |&(chain_id, next_index): &(ChainId, u32)| StreamHead {
        chain_id,
        stream_id: stream(teller),
        next_index,
    };
    Transaction::UpdateStreams(SubscriberUpdate {
        subscriber: teller,
        streams: heads.iter().map(head).collect(),
    })
}

pub(crate) fn stream(teller: ApplicationId) -> StreamId {
    StreamId {
        application_id: teller.into(),
        stream_name: "s".into(),
    }
}

/// Publishes the contract, and creates as many applications of it.
pub(crate) fn create<const N: usize>(chains: &TestChains, chain: &TestChain) -> [ApplicationId; N] {
    let code = Bytecode::new(wat::parse_str(TEXT).expect("the text is a module"));
    let module = chains.publish_code(chain, code);
    [(); N].map(|()| chains.create(chain, module, &(), &(), Vec::new()))
}

// 16: what host functions answer. 64: this application. 128: the key, the name, one byte to emit, the
// batch. 256: whether the log is loaded, what to do at the end of the block. 1024: zeros, for names.
// 8192: the log.
const TEXT: &str = r#"(module
    (import "resident:app/storage" "read-value" (func $read_value (param i32 i32 i32)))
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/runtime" "application-id" (func $application_id (param i32)))
    (import "resident:app/runtime" "emit"
        (func $emit (param i32 i32 i32 i32) (result i32)))
    (import "resident:app/runtime" "read-event"
        (func $read_event (param i64 i64 i64 i64 i32 i32 i32 i32)))
    (import "resident:app/runtime" "subscribe-to-events"
        (func $subscribe (param i64 i64 i64 i64 i64 i64 i64 i64 i32 i32)))
    (import "resident:app/runtime" "unsubscribe-from-events"
        (func $unsubscribe (param i64 i64 i64 i64 i64 i64 i64 i64 i32 i32)))
    (memory (export "memory") 8 40)
    (data (i32.const 128) "l")
    (data (i32.const 129) "s")
    (global $heap (mut i32) (i32.const 65536))
    (global $log (mut i32) (i32.const 0))

    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))

    (func $load
        (if (i32.load8_u (i32.const 256)) (then (return)))
        (i32.store8 (i32.const 256) (i32.const 1))
        (call $application_id (i32.const 64))
        (call $read_value (i32.const 128) (i32.const 1) (i32.const 16))
        (if (i32.load8_u (i32.const 16)) (then
            (global.set $log (i32.load (i32.const 24)))
            (memory.copy (i32.const 8192) (i32.load (i32.const 20)) (global.get $log)))))

    (func $note (param i32)
        (i32.store (i32.add (i32.const 8192) (global.get $log)) (local.get 0))
        (global.set $log (i32.add (global.get $log) (i32.const 4))))

    (func $emit_byte (param i32)
        (i32.store8 (i32.const 130) (local.get 0))
        (drop (call $emit (i32.const 129) (i32.const 1) (i32.const 130) (i32.const 1))))

    ;; Reads an event of the chain at an address, notes its first byte and gives it.
    (func $read (param $chain i32) (param $index i32) (result i32)
        (local $value i32)
        (call $read_event
            (i64.load align=1 (local.get $chain))
            (i64.load offset=8 align=1 (local.get $chain))
            (i64.load offset=16 align=1 (local.get $chain))
            (i64.load offset=24 align=1 (local.get $chain))
            (i32.const 129) (i32.const 1) (local.get $index) (i32.const 16))
        (local.set $value (i32.load8_u (i32.load (i32.const 16))))
        (call $note (i32.or (i32.const 118) (i32.shl (local.get $value) (i32.const 8))))
        (local.get $value))

    (func $act (param $at i32) (param $length i32)
        (local $end i32) (local $command i32) (local $byte i32)
        (call $load)
        (local.set $end (i32.add (local.get $at) (local.get $length)))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $command (i32.load8_u (local.get $at)))
            (local.set $byte (i32.load8_u offset=1 (local.get $at)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (if (i32.eq (local.get $command) (i32.const 101)) (then ;; e
                (call $emit_byte (local.get $byte))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))))
            (if (i32.eq (local.get $command) (i32.const 110)) (then ;; n
                (drop (call $emit (i32.const 1024) (local.get $byte) (i32.const 129) (i32.const 1)))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))))
            (if (i32.eq (local.get $command) (i32.const 118)) (then ;; v
                (drop (call $emit (i32.const 129) (i32.const 1)
                    (i32.const 1024) (i32.mul (local.get $byte) (i32.const 256))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))))
            (if (i32.eq (local.get $command) (i32.const 115)) (then ;; s
                (call $subscribe
                    (i64.load align=1 (local.get $at))
                    (i64.load offset=8 align=1 (local.get $at))
                    (i64.load offset=16 align=1 (local.get $at))
                    (i64.load offset=24 align=1 (local.get $at))
                    (i64.load offset=32 align=1 (local.get $at))
                    (i64.load offset=40 align=1 (local.get $at))
                    (i64.load offset=48 align=1 (local.get $at))
                    (i64.load offset=56 align=1 (local.get $at))
                    (i32.const 129) (i32.const 1))
                (local.set $at (i32.add (local.get $at) (i32.const 64)))))
            (if (i32.eq (local.get $command) (i32.const 117)) (then ;; u
                (call $unsubscribe
                    (i64.load align=1 (local.get $at))
                    (i64.load offset=8 align=1 (local.get $at))
                    (i64.load offset=16 align=1 (local.get $at))
                    (i64.load offset=24 align=1 (local.get $at))
                    (i64.load offset=32 align=1 (local.get $at))
                    (i64.load offset=40 align=1 (local.get $at))
                    (i64.load offset=48 align=1 (local.get $at))
                    (i64.load offset=56 align=1 (local.get $at))
                    (i32.const 129) (i32.const 1))
                (local.set $at (i32.add (local.get $at) (i32.const 64)))))
            (if (i32.eq (local.get $command) (i32.const 114)) (then ;; r
                (drop (call $read (local.get $at) (i32.load8_u offset=32 (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 33)))))
            (if (i32.eq (local.get $command) (i32.const 102)) (then ;; f
                (i32.store8 (i32.const 257) (local.get $byte))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))))
            (if (i32.eq (local.get $command) (i32.const 122)) (then ;; z
                (i32.store8 (i32.const 258) (i32.const 1))
                (memory.copy (i32.const 260) (local.get $at) (i32.const 33))
                (local.set $at (i32.add (local.get $at) (i32.const 33)))))
            (if (i32.eq (local.get $command) (i32.const 120)) (then (unreachable))) ;; x
            (br $next))))

    ;; Whether an update is of a stream of this application.
    (func $is_own (param i32) (result i32)
        (i32.and (i32.and
            (i32.load8_u offset=32 (local.get 0))
            (i64.eq (i64.load offset=40 (local.get 0)) (i64.load (i32.const 64))))
            (i64.eq (i64.load offset=48 (local.get 0)) (i64.load (i32.const 72)))))

    (func $process (param $at i32) (param $count i32)
        (local $index i32) (local $value i32)
        (call $load)
        (block $done (loop $next
            (br_if $done (i32.eqz (local.get $count)))
            (local.set $index (i32.load offset=80 (local.get $at)))
            (call $note (i32.or
                (i32.or (i32.const 117) (i32.shl (i32.load8_u (local.get $at)) (i32.const 8)))
                (i32.or
                    (i32.shl (local.get $index) (i32.const 16))
                    (i32.shl (i32.load offset=84 (local.get $at)) (i32.const 24)))))
            (if (call $is_own (local.get $at)) (then
                (block $read_all (loop $one
                    (br_if $read_all
                        (i32.ge_u (local.get $index) (i32.load offset=84 (local.get $at))))
                    (local.set $value (call $read (local.get $at) (local.get $index)))
                    (if (i32.eq (local.get $value) (i32.const 112)) (then (unreachable))) ;; p
                    (if (i32.eq (local.get $value) (i32.const 113)) ;; q
                        (then (i32.store8 (i32.const 259) (i32.const 1))))
                    (local.set $index (i32.add (local.get $index) (i32.const 1)))
                    (br $one)))))
            (local.set $at (i32.add (local.get $at) (i32.const 88)))
            (local.set $count (i32.sub (local.get $count) (i32.const 1)))
            (br $next))))

    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (call $act (local.get 0) (local.get 1))
        (i32.store (i32.const 32) (i32.const 8192))
        (i32.store (i32.const 36) (global.get $log))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (call $act (local.get 0) (local.get 1)))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32)
        (call $process (local.get 0) (local.get 1)))
    (func (export "resident:app/contract-entrypoints#finalize")
        (if (i32.load8_u (i32.const 259)) (then (unreachable)))
        (if (i32.load8_u (i32.const 257)) (then (call $emit_byte (i32.load8_u (i32.const 257)))))
        (if (i32.load8_u (i32.const 258)) (then
            (drop (call $read (i32.const 260) (i32.load8_u (i32.const 292))))))
        ;; One operation, `put`, of the key "l" and the log.
        (i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (i32.const 128))
        (i32.store (i32.const 312) (i32.const 1))
        (i32.store (i32.const 316) (i32.const 8192))
        (i32.store (i32.const 320) (global.get $log))
        (call $write_batch (i32.const 304) (i32.const 1)))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;
