//! A contract that asks for too much, answers with too much or sends too much: its own failure, and
//! never the node's.

use resident_base::{ApplicationId, Blob, BlobContent, BlobType, Bytecode};
use resident_chain::{BlockError, StagingPolicy, Transaction};
use resident_execution::{FailureReason, ResourcePolicy, put_blob};
use resident_storage::Batch;
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{self, stranger},
    gadget,
};

/// Creates an application of the contract.
fn create(chains: &TestChains, chain: &TestChain) -> ApplicationId {
    let code = Bytecode::new(wat::parse_str(TEXT).expect("the text is a module"));
    let module = chains.publish_code(chain, code);
    chains.create(chain, module, &(), &(), Vec::new())
}

fn operation(glutton: ApplicationId, command: &[u8]) -> Transaction {
    bundles::operation(TestChains::raw_operation(glutton, command.to_vec()))
}

/// Stages one operation, which must fail alike everywhere, and goes on with another.
fn failure(chains: &TestChains, chain: &TestChain, transaction: Transaction) -> FailureReason {
    let error = chains
        .stage_everywhere(chain, &[transaction], &StagingPolicy::Abort)
        .err()
        .expect("the block is refused");
    let BlockError::TransactionFailed { index: 0, failure } = error else {
        panic!("another error than expected: {error}");
    };
    failure.reason
}

/// Ten times four mebibytes are more than the largest memory. Reading them cost a vector of each before.
#[test]
fn answers_larger_than_any_memory() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let glutton = create(&chains, &chain);
    for key in b"abcdefghi" {
        chains.run(
            &chain,
            vec![TestChains::raw_operation(glutton, vec![b'w', *key])],
        );
    }
    for command in [b"r", b"f"] {
        let reason = failure(&chains, &chain, operation(glutton, command));
        assert!(
            matches!(reason, FailureReason::AnswerTooLarge { bytes } if bytes > 32 << 20),
            "{reason}"
        );
    }
    chains
        .add_everywhere(&chain, &[operation(glutton, b"-")], &StagingPolicy::Abort)
        .expect("the chain goes on");
}

/// A response of eight mebibytes for a caller whose memory is two pages.
#[test]
fn a_response_larger_than_the_callers_memory() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let glutton = create(&chains, &chain);
    let [gadget] = gadget::create(&chains, &chain);
    let call = gadget::operation(gadget, &gadget::call(glutton, b"a"));
    let reason = failure(&chains, &chain, call).to_string();
    assert!(
        reason.contains("the contract's allocator is broken"),
        "{reason}"
    );
    let call = gadget::operation(gadget, &gadget::call(glutton, b"-"));
    chains
        .add_everywhere(&chain, &[call], &StagingPolicy::Abort)
        .expect("the chain goes on");
}

/// When it is finalized, the glutton sends more than a block's record can hold. It has refused the block
/// then: the bundle that made it do so is taken out, and the others pass.
#[test]
fn a_finalization_larger_than_a_block() {
    let mut policy = ResourcePolicy::default();
    policy.limits.message_bytes = 1 << 30;
    let chains = TestChains::new(PAIRS[0]).with_policy(policy);
    let chain = chains.open_root(1);
    let (glutton, other) = (create(&chains, &chain), create(&chains, &chain));
    let message = |application, height, command: &[u8]| {
        let messages = vec![(application, command.to_vec())];
        bundles::bundle(stranger(1), height, None, messages)
    };
    let bundles = [message(other, 1, b"-"), message(glutton, 2, b"s")];

    let error = chains.stage_everywhere(&chain, &bundles, &StagingPolicy::Abort);
    match error.err().expect("the block is refused") {
        BlockError::Refused { application_id, .. } => assert_eq!(application_id, glutton),
        other => panic!("another error than expected: {other}"),
    }
    let staged = chains
        .add_everywhere(&chain, &bundles, &TestChains::auto_retry(3))
        .expect("the rest passes")
        .staged;
    let left = &staged.execution.executed.block.transactions;
    assert_eq!(left[0], bundles[0]);
    let removed = staged.rejected.len() + staged.dropped.len();
    assert_eq!(removed, 1, "only what made it too large is taken out");
}

/// Whoever publishes a blob chooses what it holds. One that should describe an application and does not is
/// no fault of the node that reads it.
#[test]
fn a_description_that_is_none() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let content = BlobContent::new(BlobType::ApplicationDescription, b"nonsense".to_vec());
    let blob = Blob::new(content);
    let id = ApplicationId::new(blob.id().hash);
    let mut batch = Batch::new();
    put_blob(&mut batch, &blob);
    futures::executor::block_on(chains.store().write(batch)).unwrap();

    let reason = failure(&chains, &chain, operation(id, b"x"));
    assert_eq!(reason, FailureReason::BadApplication(id));
    let bundle = bundles::bundle(stranger(1), 1, None, vec![(id, b"x".to_vec())]);
    let staged = chains
        .add_everywhere(&chain, &[bundle], &TestChains::auto_retry(3))
        .expect("the chain goes on")
        .staged;
    let reasons: Vec<_> = staged
        .rejected
        .iter()
        .map(|(_, failure)| &failure.reason)
        .collect();
    assert_eq!(reasons, [&FailureReason::BadApplication(id)]);
}

/// What the first byte of an operation or a message makes it do:
///
/// | byte | what it does |
/// |---|---|
/// | `w` | writes four mebibytes under the key of the next byte |
/// | `r` | reads the first key ten times at once |
/// | `f` | reads all keys and values at once |
/// | `a` | answers with eight mebibytes |
/// | `s` | makes it send four messages of five mebibytes when it is finalized |
const TEXT: &str = r#"(module
    (import "resident:app/storage" "write-batch" (func $write_batch (param i32 i32)))
    (import "resident:app/storage" "read-values" (func $read_values (param i32 i32 i32)))
    (import "resident:app/storage" "find-key-values" (func $find (param i32 i32 i32)))
    (import "resident:app/runtime" "send-message"
        (func $send (param i32)))
    (memory (export "memory") 256)
    (data (i32.const 500) "a")
    (global $heap (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.and
            (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 15))
            (i32.const -16))))

    (func $write (param $key i32)
        (i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (local.get $key))
        (i32.store (i32.const 312) (i32.const 1))
        (i32.store (i32.const 316) (i32.const 0x100000))
        (i32.store (i32.const 320) (i32.const 0x400000))
        (call $write_batch (i32.const 304) (i32.const 1)))

    (func $read
        (local $at i32)
        (local.set $at (i32.const 1024))
        (loop $again
            (i32.store (local.get $at) (i32.const 500))
            (i32.store offset=4 (local.get $at) (i32.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $again (i32.lt_u (local.get $at) (i32.const 1104))))
        (call $read_values (i32.const 1024) (i32.const 10) (i32.const 48)))

    (func $act (param $address i32)
        (local $command i32)
        (local.set $command (i32.load8_u (local.get $address)))
        (i32.store (i32.const 32) (i32.const 0x100000))
        (i32.store (i32.const 36) (i32.const 0))
        (if (i32.eq (local.get $command) (i32.const 119))
            (then (call $write (i32.add (local.get $address) (i32.const 1)))))
        (if (i32.eq (local.get $command) (i32.const 114)) (then (call $read)))
        (if (i32.eq (local.get $command) (i32.const 102))
            (then (call $find (i32.const 0) (i32.const 0) (i32.const 48))))
        (if (i32.eq (local.get $command) (i32.const 97))
            (then (i32.store (i32.const 36) (i32.const 0x800000))))
        (if (i32.eq (local.get $command) (i32.const 115))
            (then (i32.store (i32.const 132) (i32.const 4)))))

    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (call $act (local.get 0))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32)
        (call $act (local.get 0)))
    (func (export "resident:app/contract-entrypoints#finalize")
        (loop $again (if (i32.load (i32.const 132)) (then
            (i32.store (i32.const 132) (i32.sub (i32.load (i32.const 132)) (i32.const 1)))
            ;; The message's record: a chain, three fields of zeros, and where the message is.
            (i64.store (i32.const 1024) (i64.const 1))
            (i32.store (i32.const 1192) (i32.const 0x100000))
            (i32.store (i32.const 1196) (i32.const 0x500000))
            (call $send (i32.const 1024))
            (br $again)))))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;
