//! Folders, databases and signers that a node refuses.

use std::{fs, path::Path};

use futures::executor::block_on;
use resident_base::{AccountSecretKey, Amount};
use resident_node::{LocalNode, NodeConfig, NodeError};
use resident_storage::{FORMAT_VERSION, OpenError};

#[test]
fn a_block_signed_by_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    let node = LocalNode::open(folder.path(), NodeConfig::default()).unwrap();
    let [owner, other] = [1, 2].map(|seed| AccountSecretKey::from_seed([seed; 32]));
    let create = node.create_root_chain(1, owner.public().owner(), Amount::ONE);
    let chain = block_on(create).unwrap();
    let error = block_on(node.propose(chain, Vec::new(), &other)).expect_err("not an owner");
    assert!(matches!(error, NodeError::NotAnOwner { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("sign with the key of one of its owners"),
        "{error}"
    );
    block_on(node.propose(chain, Vec::new(), &owner)).expect("the owner may");
}

#[test]
fn folders_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "text").unwrap();
    let open = |path: &Path| {
        let error = LocalNode::open(path, NodeConfig::default()).err();
        match error.expect("the folder is refused") {
            NodeError::Open(error) => error,
            other => panic!("another error than expected: {other}"),
        }
    };
    let error = open(&file);
    assert!(matches!(error, OpenError::NotAFolder { .. }), "{error}");
    assert!(error.to_string().contains("name a folder"), "{error}");
    let error = open(&file.join("below"));
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    assert!(error.to_string().contains("name another folder"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"text");
}

#[test]
fn a_database_of_another_version_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let key = AccountSecretKey::from_seed([1; 32]);
    let node = LocalNode::open(folder.path(), NodeConfig::default()).unwrap();
    let create = node.create_root_chain(1, key.public().owner(), Amount::ONE);
    let chain = block_on(create).unwrap();
    block_on(node.propose(chain, Vec::new(), &key)).unwrap();
    let tip = block_on(node.tip(chain)).unwrap();
    drop(node);

    let entries = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files: Vec<_> = entries.collect();
    let [file] = &files[..] else {
        panic!("one file was expected: {files:?}")
    };
    set_version(file, FORMAT_VERSION + 1);
    let before = fs::read(file).unwrap();
    match LocalNode::open(folder.path(), NodeConfig::default()).err() {
        Some(NodeError::Open(error @ OpenError::OtherVersion { .. })) => {
            assert!(
                error.to_string().contains("run the program that wrote it"),
                "{error}"
            );
        }
        other => panic!("another error than expected: {other:?}"),
    }
    assert!(fs::read(file).unwrap() == before, "the file was changed");

    set_version(file, FORMAT_VERSION);
    let node = LocalNode::open(folder.path(), NodeConfig::default()).unwrap();
    assert_eq!(block_on(node.tip(chain)).unwrap(), tip);
    block_on(node.propose(chain, Vec::new(), &key)).expect("the chain goes on");
}

fn set_version(file: &Path, version: u32) {
    let database = redb::Database::create(file).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u32>::new("meta");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format version", version)
        .unwrap();
    transaction.commit().unwrap();
}
