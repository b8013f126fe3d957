//! What a session answers when it is used wrongly, or on what it does not know.

use std::sync::Arc;

use futures::executor::block_on;
use resident_base::{
    AccountOwner, Amount, ApplicationId, Blob, BlobContent, BlockHeight, Bytecode,
    ChainDescription, ChainId, ChainOrigin, ChainOwnership, CryptoHash, InitialChainConfig,
    Timestamp, VmRuntime,
};
use resident_execution::{
    Action, BlockContext, EngineKind, Executor, Fault, Mode, Operation, ResourcePolicy, Session,
    SessionKind, SystemOperation, put_blob,
};
use resident_storage::{Batch, KeyValueStore, MemoryStore};

const OWNER: AccountOwner = AccountOwner::Reserved(9);

fn executor() -> (Executor, ChainId) {
    let description = ChainDescription {
        origin: ChainOrigin::Root(0),
        config: InitialChainConfig {
            ownership: ChainOwnership::single(OWNER),
            balance: Amount::from_tokens(5),
            application_permissions: Default::default(),
        },
        timestamp: Timestamp::from(0),
    };
    let store: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::new());
    let mut batch = Batch::new();
    put_blob(
        &mut batch,
        &Blob::new(BlobContent::new_chain_description(&description)),
    );
    block_on(store.write(batch)).unwrap();
    (
        Executor::new(EngineKind::Wasmtime, store).unwrap(),
        description.id(),
    )
}

fn start(executor: &Executor, chain_id: ChainId, mode: Mode) -> Result<Session, Fault> {
    let context = BlockContext {
        chain_id,
        height: BlockHeight(0),
        timestamp: Timestamp::from(1),
        authenticated_owner: Some(OWNER),
        policy: Arc::new(ResourcePolicy::default()),
    };
    Session::new(executor, SessionKind::Persistent, mode, context)
}

#[test]
fn a_chain_begins_with_what_its_description_says() {
    let (executor, chain_id) = executor();
    assert_eq!(executor.read_ownership(chain_id).unwrap(), None);
    let outcome = start(&executor, chain_id, Mode::Staging)
        .unwrap()
        .finish()
        .unwrap();
    block_on(executor.store().write(outcome.batch)).unwrap();
    let ownership = executor.read_ownership(chain_id).unwrap();
    assert_eq!(ownership, Some(ChainOwnership::single(OWNER)));
    let balance = executor
        .read_balance(chain_id, AccountOwner::CHAIN)
        .unwrap();
    assert_eq!(balance, Amount::from_tokens(5));
}

#[test]
fn an_unknown_chain_is_named() {
    let (executor, _) = executor();
    let unknown = ChainId(CryptoHash::of_bytes(b"nowhere"));
    let fault = start(&executor, unknown, Mode::Staging).err().unwrap();
    assert!(
        matches!(fault, Fault::UnknownChain(chain_id) if chain_id == unknown),
        "{fault}"
    );
}

#[test]
fn committed_execution_takes_no_checkpoints() {
    let (executor, chain_id) = executor();
    let mut session = start(&executor, chain_id, Mode::Committed).unwrap();
    assert!(matches!(session.checkpoint(), Err(Fault::Misuse(_))));
}

#[test]
fn an_older_checkpoint_is_refused() {
    let (executor, chain_id) = executor();
    let mut session = start(&executor, chain_id, Mode::Staging).unwrap();
    let older = session.checkpoint().unwrap();
    let newer = session.checkpoint().unwrap();
    session
        .roll_back(&older)
        .expect_err("the newer one has taken its place");
    session.roll_back(&newer).unwrap();
    session.roll_back(&newer).unwrap();
}

#[test]
fn records_of_the_layer_above_stay_apart_and_roll_back() {
    let (executor, chain_id) = executor();
    let mut session = start(&executor, chain_id, Mode::Staging).unwrap();
    assert!(matches!(
        session.write_system(&[0x01], vec![1]),
        Err(Fault::Misuse(_))
    ));
    assert!(matches!(session.read_system(&[]), Err(Fault::Misuse(_))));
    session.write_system(&[0x80, 1], vec![1]).unwrap();
    let checkpoint = session.checkpoint().unwrap();
    session.write_system(&[0x80, 1], vec![2]).unwrap();
    session.roll_back(&checkpoint).unwrap();
    assert_eq!(session.read_system(&[0x80, 1]).unwrap(), Some(vec![1]));
}

/// A contract over one key. Instantiating it writes a value of 128 KiB. Of an operation, the first byte
/// says what is done with the key: 0 asks whether it has a value, 1 deletes it, 2 writes an empty value.
const HOLDER: &str = r#"(module
    (import "resident:app/storage" "contains-key" (func $contains (param i32 i32) (result i32)))
    (import "resident:app/storage" "write-batch" (func $write (param i32 i32)))
    (memory (export "memory") 3)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512))
    (func $put (param $length i32)
        (i32.store8 (i32.const 256) (i32.const 2))
        (i32.store (i32.const 264) (i32.const 3))
        (i32.store (i32.const 268) (i32.const 1024))
        (i32.store (i32.const 272) (local.get $length))
        (call $write (i32.const 256) (i32.const 1)))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32)
        (call $put (i32.const 131072)))
    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param $address i32) (param i32) (result i32)
        (local $command i32)
        (local.set $command (i32.load8_u (local.get $address)))
        (if (i32.eqz (local.get $command))
            (then (drop (call $contains (i32.const 0) (i32.const 3)))))
        (if (i32.eq (local.get $command) (i32.const 1))
            (then
                (i32.store8 (i32.const 256) (i32.const 0))
                (i32.store (i32.const 264) (i32.const 3))
                (call $write (i32.const 256) (i32.const 1))))
        (if (i32.eq (local.get $command) (i32.const 2)) (then (call $put (i32.const 0))))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#finalize")))"#;

fn run(session: &mut Session, operation: Operation) -> Vec<u8> {
    session.begin_transaction(None);
    let response = session.run(Action::Operation(operation)).unwrap();
    session.end_transaction().unwrap();
    response
}

/// Finishes a block and stores it.
fn commit(executor: &Executor, mut session: Session) {
    session.finalize(None).unwrap();
    let mut outcome = session.finish().unwrap();
    for blob in &outcome.blobs {
        put_blob(&mut outcome.batch, blob);
    }
    block_on(executor.store().write(outcome.batch)).unwrap();
}

/// A value is loaded to tell whether it is there, and to take it out of the state's hash. Loading is
/// what costs, so it is paid for, whatever it is for.
#[test]
fn values_that_are_loaded_are_paid_for_even_if_the_contract_never_sees_them() {
    let (executor, chain_id) = executor();
    let mut session = start(&executor, chain_id, Mode::Staging).unwrap();
    let publish = SystemOperation::PublishModule {
        contract: Bytecode::new(wat::parse_str(HOLDER).unwrap()),
        service: Bytecode::new(Vec::new()),
        vm_runtime: VmRuntime::Wasm,
    };
    let module_id = run(&mut session, Operation::System(publish));
    let create = SystemOperation::CreateApplication {
        module_id: bcs::from_bytes(&module_id).unwrap(),
        parameters: Vec::new(),
        instantiation_argument: Vec::new(),
        required_application_ids: Vec::new(),
    };
    let application_id = run(&mut session, Operation::System(create));
    let application_id: ApplicationId = bcs::from_bytes(&application_id).unwrap();
    commit(&executor, session);

    for command in [0, 1, 2] {
        let mut session = start(&executor, chain_id, Mode::Staging).unwrap();
        let bytes = vec![command];
        run(
            &mut session,
            Operation::User {
                application_id,
                bytes,
            },
        );
        let resources = session.resources();
        assert_eq!(resources.bytes_to_read, 131_072, "command {command}");
        assert!(resources.wasm_fuel > 131_072, "command {command}");
    }
}
