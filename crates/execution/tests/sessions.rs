//! What a session answers when it is used wrongly, or on what it does not know.

use std::sync::Arc;

use futures::executor::block_on;
use resident_base::{
    AccountOwner, Amount, Blob, BlobContent, BlockHeight, ChainDescription, ChainId, ChainOrigin,
    ChainOwnership, CryptoHash, InitialChainConfig, Timestamp,
};
use resident_execution::{
    BlockContext, EngineKind, Executor, Fault, Mode, ResourcePolicy, Session, SessionKind, put_blob,
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
