//! Compiled contracts on disk: used again after a restart, and whatever is wrong with them, the block is
//! the same and the entry is made anew.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use futures::executor::block_on;
use resident_base::{
    AccountOwner, Amount, ApplicationId, Blob, BlobContent, BlockHeight, Bytecode,
    ChainDescription, ChainId, ChainOrigin, ChainOwnership, CryptoHash, InitialChainConfig,
    Timestamp, VmRuntime,
};
use resident_execution::{
    Action, BlockContext, EngineKind, Executor, Mode, ModuleCacheConfig, ModuleCounts, Operation,
    ResourcePolicy, Session, SessionKind, SystemOperation, put_blob,
};
use resident_storage::{Batch, KeyValueStore, MemoryStore};
use tempfile::TempDir;

const OWNER: AccountOwner = AccountOwner::Reserved(9);

/// A contract that counts its operations in memory, and responds with the count.
const COUNTER: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param i32 i32) (result i32)
        (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
        (i32.store (i32.const 32) (i32.const 64))
        (i32.store (i32.const 36) (i32.const 4))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#finalize")))"#;

/// A store with a chain on which the counter is an application.
struct Scene {
    store: Arc<dyn KeyValueStore>,
    chain_id: ChainId,
    application_id: ApplicationId,
    folder: TempDir,
}

/// What a block is on every node.
type Seen = (CryptoHash, Vec<Vec<u8>>, u64);

impl Scene {
    fn new() -> Self {
        let description = ChainDescription {
            origin: ChainOrigin::Root(0),
            config: InitialChainConfig {
                ownership: ChainOwnership::single(OWNER),
                balance: Amount::from_tokens(5),
                application_permissions: Default::default(),
            },
            timestamp: Timestamp::from(0),
        };
        let blob = Blob::new(BlobContent::new_chain_description(&description));
        let mut batch = Batch::new();
        put_blob(&mut batch, &blob);
        let store: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::new());
        block_on(store.write(batch)).unwrap();
        let mut scene = Scene {
            store,
            chain_id: description.id(),
            application_id: ApplicationId::new(CryptoHash::of_bytes(b"not created yet")),
            folder: tempfile::tempdir().unwrap(),
        };
        scene.application_id = scene.create_counter();
        scene
    }

    fn create_counter(&self) -> ApplicationId {
        let executor = Executor::new(EngineKind::Wasmtime, self.store.clone()).unwrap();
        let mut session = self.session(&executor);
        let publish = SystemOperation::PublishModule {
            contract: Bytecode::new(wat::parse_str(COUNTER).unwrap()),
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
        session.finalize(None).unwrap();
        let mut outcome = session.finish().unwrap();
        for blob in &outcome.blobs {
            put_blob(&mut outcome.batch, blob);
        }
        block_on(self.store.write(outcome.batch)).unwrap();
        bcs::from_bytes(&application_id).unwrap()
    }

    fn session(&self, executor: &Executor) -> Session {
        let context = BlockContext {
            chain_id: self.chain_id,
            height: BlockHeight(0),
            timestamp: Timestamp::from(1),
            authenticated_owner: Some(OWNER),
            policy: Arc::new(ResourcePolicy::default()),
        };
        Session::new(executor, SessionKind::Persistent, Mode::Staging, context).unwrap()
    }

    fn modules(&self) -> PathBuf {
        self.folder.path().join("modules")
    }

    /// A node that forgets all compiled contracts at once, so that every block asks the folder.
    fn node(&self, engine: EngineKind, folder: PathBuf) -> Executor {
        let config = ModuleCacheConfig {
            memory_bytes: 0,
            folder: Some(folder),
            ..ModuleCacheConfig::default()
        };
        Executor::with_module_cache(engine, self.store.clone(), config).unwrap()
    }

    /// Runs a block of two operations, which is not stored.
    fn block(&self, executor: &Executor) -> Seen {
        let mut session = self.session(executor);
        let responses = [1, 2].map(|_| {
            let operation = Operation::User {
                application_id: self.application_id,
                bytes: vec![7],
            };
            run(&mut session, operation)
        });
        session.finalize(None).unwrap();
        let outcome = session.finish().unwrap();
        let fuel = outcome.resources.wasm_fuel;
        (outcome.state_hash, responses.to_vec(), fuel)
    }
}

fn run(session: &mut Session, operation: Operation) -> Vec<u8> {
    session.begin_transaction(None);
    let response = session.run(Action::Operation(operation)).unwrap();
    session.end_transaction().unwrap();
    response
}

/// The one entry of a folder.
fn entry(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let entries: Vec<_> = paths.filter(|path| !path.ends_with("key")).collect();
    let [entry] = &entries[..] else {
        panic!("one entry was expected: {entries:?}");
    };
    entry.clone()
}

fn counts(compiled: u64, loaded: u64) -> ModuleCounts {
    ModuleCounts { compiled, loaded }
}

#[test]
fn a_node_that_starts_again_compiles_nothing() {
    for engine in EngineKind::ALL {
        let scene = Scene::new();
        let config = ModuleCacheConfig {
            folder: Some(scene.modules()),
            ..ModuleCacheConfig::default()
        };
        let start = || {
            let (store, config) = (scene.store.clone(), config.clone());
            Executor::with_module_cache(engine, store, config).unwrap()
        };
        let first = start();
        assert!(!scene.modules().exists(), "nothing was needed yet");
        let blocks = [scene.block(&first), scene.block(&first)];
        assert_eq!(first.module_counts(), counts(1, 0), "{engine}");
        drop(first);

        let second = start();
        assert_eq!(blocks, [scene.block(&second), scene.block(&second)]);
        assert_eq!(second.module_counts(), counts(0, 1), "{engine}");

        let without = Executor::new(engine, scene.store.clone()).unwrap();
        assert_eq!(blocks[0], scene.block(&without));
        assert_eq!(without.module_counts(), counts(1, 0), "{engine}");
    }
}

#[test]
fn entries_that_were_damaged_are_made_anew() {
    for engine in EngineKind::ALL {
        let scene = Scene::new();
        let node = scene.node(engine, scene.modules());
        let block = scene.block(&node);
        let path = entry(&scene.modules());
        let whole = fs::read(&path).unwrap();
        let flipped = |at: usize| {
            let mut entry = whole.clone();
            entry[at] ^= 1;
            entry
        };
        let offsets = [0, 8, 12, 19, 20, 52, 84, 115, 116, 200];
        let in_code = (1..=5).map(|part| whole.len() * part / 5 - 1);
        let lengths = [0, 1, 84, 116, whole.len() / 2, whole.len() - 1];
        let mut damages: Vec<_> = offsets.into_iter().chain(in_code).map(flipped).collect();
        damages.extend(lengths.map(|length| whole[..length].to_vec()));
        damages.push([whole.as_slice(), b"more"].concat());
        damages.push(b"something else\n".repeat(100));

        let mut expected = counts(1, 0);
        for (index, damage) in damages.iter().enumerate() {
            fs::write(&path, damage).unwrap();
            assert_eq!(scene.block(&node), block, "{engine}: damage {index}");
            expected.compiled += 1;
            assert_eq!(node.module_counts(), expected, "{engine}: damage {index}");
            assert_eq!(scene.block(&node), block, "{engine}: damage {index}");
            expected.loaded += 1;
            assert_eq!(node.module_counts(), expected, "{engine}: damage {index}");
        }
    }
}

#[test]
fn entries_from_elsewhere_are_made_anew() {
    let scene = Scene::new();
    let folders = ["one", "two", "three"].map(|name| scene.folder.path().join(name));
    let [wasmtime, wasmer] = EngineKind::ALL;
    let node = scene.node(wasmtime, folders[0].clone());
    let block = scene.block(&node);
    let path = entry(&folders[0]);

    // The same engine's code for the same module, but another node's.
    let other = scene.node(wasmtime, folders[1].clone());
    scene.block(&other);
    let others = entry(&folders[1]);
    assert_eq!(others.file_name(), path.file_name());
    fs::copy(others, &path).unwrap();
    assert_eq!(scene.block(&node), block);
    assert_eq!(node.module_counts(), counts(2, 0));

    // The other engine's code, sealed with the same key.
    fs::create_dir(&folders[2]).unwrap();
    fs::copy(folders[0].join("key"), folders[2].join("key")).unwrap();
    let other = scene.node(wasmer, folders[2].clone());
    scene.block(&other);
    let others = entry(&folders[2]);
    assert_ne!(others.file_name(), path.file_name());
    fs::copy(others, &path).unwrap();
    assert_eq!(scene.block(&node), block);
    assert_eq!(node.module_counts(), counts(3, 0));
    assert_eq!(scene.block(&node), block);
    assert_eq!(node.module_counts(), counts(3, 1));

    // A node that finds another key in its folder trusts nothing that is there.
    fs::write(folders[0].join("key"), [7; 32]).unwrap();
    let node = scene.node(wasmtime, folders[0].clone());
    assert_eq!(scene.block(&node), block);
    assert_eq!(node.module_counts(), counts(1, 0));
}

#[test]
fn nodes_may_share_a_folder_at_the_same_time() {
    let scene = Scene::new();
    let nodes: Vec<_> = [EngineKind::ALL, EngineKind::ALL]
        .concat()
        .into_iter()
        .map(|engine| scene.node(engine, scene.modules()))
        .collect();
    let expected = scene.block(&Executor::new(EngineKind::Wasmer, scene.store.clone()).unwrap());
    thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(|| {
                for round in 0..20 {
                    assert_eq!(scene.block(node), expected, "round {round}");
                }
            });
        }
    });
    for node in nodes {
        let ModuleCounts { compiled, loaded } = node.module_counts();
        assert_eq!(compiled + loaded, 20);
        assert!(compiled <= 1, "the folder was read while it was written");
    }
    let files = fs::read_dir(scene.modules()).unwrap().count();
    assert_eq!(files, 3, "the key, and an entry for each engine");
}

#[test]
fn a_folder_that_cannot_be_used_costs_only_time() {
    let scene = Scene::new();
    let file = scene.folder.path().join("file");
    fs::write(&file, b"text").unwrap();
    let expected = scene.block(&Executor::new(EngineKind::Wasmtime, scene.store.clone()).unwrap());
    for folder in [file.clone(), file.join("below")] {
        let node = scene.node(EngineKind::Wasmtime, folder);
        assert_eq!(scene.block(&node), expected);
        assert_eq!(scene.block(&node), expected);
        assert_eq!(node.module_counts(), counts(2, 0));
    }
    assert_eq!(fs::read(&file).unwrap(), b"text");

    // The disk goes away while the node runs.
    let node = scene.node(EngineKind::Wasmtime, scene.modules());
    scene.block(&node);
    fs::remove_dir_all(scene.modules()).unwrap();
    fs::write(scene.modules(), b"text").unwrap();
    assert_eq!(scene.block(&node), expected);
    assert_eq!(node.module_counts(), counts(2, 0));
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let node = scene.node(EngineKind::Wasmtime, scene.modules());
    let expected = scene.block(&node);
    let set_mode = |mode| {
        fs::set_permissions(scene.modules(), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(0o777);
    let node = scene.node(EngineKind::Wasmtime, scene.modules());
    assert_eq!(scene.block(&node), expected);
    assert_eq!(node.module_counts(), counts(1, 0));
    set_mode(0o755);
    let node = scene.node(EngineKind::Wasmtime, scene.modules());
    assert_eq!(scene.block(&node), expected);
    assert_eq!(node.module_counts(), counts(0, 1));
    // Nothing can be written any more, unless the test is run by somebody who may do everything.
    set_mode(0o500);
    assert_eq!(scene.block(&node), expected);
    fs::remove_file(entry(&scene.modules())).unwrap_or_default();
    assert_eq!(scene.block(&node), expected);
    set_mode(0o700);
}

#[test]
fn zero_bytes_on_disk_leave_the_disk_alone() {
    let scene = Scene::new();
    let config = ModuleCacheConfig {
        folder: Some(scene.modules()),
        folder_bytes: 0,
        ..ModuleCacheConfig::default()
    };
    let node = Executor::with_module_cache(EngineKind::Wasmtime, scene.store.clone(), config);
    scene.block(&node.unwrap());
    assert!(!scene.modules().exists());
}
