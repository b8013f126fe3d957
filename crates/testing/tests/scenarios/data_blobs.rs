//! Data blobs that contracts and owners publish, and who can read them when.

use resident_base::{ApplicationId, Blob, BlobId, DataBlobHash};
use resident_chain::{BlockError, BlockOutcome, DropReason, StagingPolicy, Transaction};
use resident_execution::{
    Failure, FailureReason, LimitKind, MissingData, Operation, OracleResponse, ResourcePolicy,
    SystemOperation,
};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{self, assert_leaves_no_trace, stranger},
    maker::{self, Answers, Commands},
};

const DATA: &[u8] = b"data that somebody published";

struct Scene {
    chains: TestChains,
    chain: TestChain,
    maker: ApplicationId,
}

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let maker = maker::create(&chains, &chain);
        Self {
            chains,
            chain,
            maker,
        }
    }

    fn operation(&self, commands: &Commands) -> Transaction {
        let bytes = commands.bytes().to_vec();
        bundles::operation(TestChains::raw_operation(self.maker, bytes))
    }

    fn message(&self, sender: u8, height: u64, commands: &Commands) -> Transaction {
        let messages = vec![(self.maker, commands.bytes().to_vec())];
        bundles::bundle(stranger(sender), height, None, messages)
    }

    fn add(&self, transactions: &[Transaction]) -> Result<BlockOutcome, BlockError> {
        let policy = StagingPolicy::Abort;
        let added = self
            .chains
            .add_everywhere(&self.chain, transactions, &policy)?;
        Ok(added.staged.execution.executed.outcome)
    }
}

fn hash(bytes: &[u8]) -> DataBlobHash {
    DataBlobHash(Blob::new_data(bytes).id().hash)
}

fn publish(bytes: &[u8]) -> Transaction {
    let bytes = bytes.to_vec();
    bundles::operation(Operation::System(SystemOperation::PublishDataBlob {
        bytes,
    }))
}

/// What a failed operation says.
fn reason(error: BlockError) -> FailureReason {
    match error {
        BlockError::TransactionFailed {
            failure: Failure { reason, .. },
            ..
        } => reason,
        error => panic!("it failed for another reason: {error}"),
    }
}

#[test]
fn a_blob_is_readable_at_once_and_for_ever() {
    let scene = Scene::new();
    let id = BlobId::from(hash(DATA));
    let read = Commands::new().read_blob(hash(DATA));
    let block = [
        scene.operation(&Commands::new().create_blob(DATA).read_blob(hash(DATA))),
        scene.operation(&read.clone().assert_blob(hash(DATA)).create_blob(DATA)),
        publish(b"an owner's"),
        scene.operation(&Commands::new().read_blob(hash(b"an owner's"))),
    ];
    let outcome = scene.add(&block).unwrap();
    let mut answers = Answers(&outcome.transactions[0].response);
    assert_eq!(answers.hash(), id.hash);
    assert_eq!(answers.bytes(DATA.len()), DATA);
    answers.end();
    let published = bcs::from_bytes::<DataBlobHash>(&outcome.transactions[2].response).unwrap();
    assert_eq!(published, hash(b"an owner's"));
    assert_eq!(outcome.transactions[3].response, b"an owner's");
    let blobs = outcome.transactions.iter();
    let blobs: Vec<_> = blobs.map(|outcome| outcome.effects.blobs.clone()).collect();
    let owners = BlobId::from(hash(b"an owner's"));
    assert_eq!(blobs, [vec![id], vec![], vec![owners], vec![]], "each once");
    let asked = |outcome: &BlockOutcome| -> Vec<OracleResponse> {
        let transactions = outcome.transactions.iter();
        transactions
            .flat_map(|outcome| outcome.effects.oracle_responses.clone())
            .collect()
    };
    assert_eq!(asked(&outcome), [], "the block has its own blobs");
    let used = &outcome.resources;
    assert_eq!((used.blobs_to_read, used.blobs_to_publish), (4, 3));
    let sizes = 2 * DATA.len() as u64 + 10;
    assert_eq!(
        (used.blob_bytes_to_read, used.blob_bytes_to_publish),
        (sizes, sizes)
    );

    // In a later block it comes from the store, and the block says that it has to be there.
    let outcome = scene
        .add(&[scene.operation(&read.assert_blob(hash(DATA)))])
        .unwrap();
    assert_eq!(outcome.transactions[0].response, DATA);
    assert_eq!(
        asked(&outcome),
        [OracleResponse::Blob(id), OracleResponse::Blob(id)]
    );
}

#[test]
fn a_blob_that_nobody_published_is_missing_until_somebody_does() {
    let scene = Scene::new();
    let id = BlobId::from(hash(DATA));
    for commands in [
        Commands::new().read_blob(hash(DATA)),
        Commands::new()
            .create_blob(b"other")
            .assert_blob(hash(DATA)),
    ] {
        let error = scene.add(&[scene.operation(&commands)]).err();
        let error = error.expect("there is no such blob");
        assert!(
            matches!(error, BlockError::MissingData(MissingData::Blob(missing)) if missing == id),
            "{error}"
        );
    }
    let read = Commands::new().read_blob(hash(DATA));
    let waiting = [
        scene.message(1, 1, &read),
        scene.message(2, 1, &Commands::new().create_blob(b"other")),
        scene.message(1, 2, &read),
    ];
    let policy = TestChains::auto_retry(3);
    let staged = assert_leaves_no_trace(&scene.chains, &scene.chain, &waiting, &[0, 2], &policy);
    let reasons: Vec<_> = staged
        .staged
        .dropped
        .iter()
        .map(|(_, reason)| reason)
        .collect();
    let missing = DropReason::Missing(MissingData::Blob(id));
    assert_eq!(reasons, [&missing, &DropReason::AfterDropped]);

    let all = [
        publish(DATA),
        waiting[0].clone(),
        waiting[1].clone(),
        waiting[2].clone(),
    ];
    let staged = scene
        .chains
        .add_everywhere(&scene.chain, &all, &policy)
        .unwrap();
    assert!(staged.staged.dropped.is_empty() && staged.staged.rejected.is_empty());
}

#[test]
fn what_a_failed_bundle_published_is_not_there() {
    let scene = Scene::new();
    let create = Commands::new().create_blob(DATA);
    let read = Commands::new().read_blob(hash(DATA));
    let block = [
        scene.message(1, 1, &Commands::new().create_blob(b"first")),
        scene.message(2, 1, &create.clone().read_blob(hash(DATA)).fail()),
        scene.message(3, 1, &read),
        scene.message(
            2,
            2,
            &Commands::new()
                .read_blob(hash(b"first"))
                .create_blob(b"third"),
        ),
        scene.message(1, 2, &create),
        scene.message(4, 1, &read),
    ];
    let policy = TestChains::auto_retry(8);
    let staged = assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[1, 2], &policy);
    let staged = staged.staged;
    assert_eq!((staged.rejected.len(), staged.dropped.len()), (1, 1));
    assert!(matches!(staged.dropped[0].1, DropReason::Missing(_)));
    let outcome = &staged.execution.executed.outcome;
    let blobs = outcome
        .transactions
        .iter()
        .flat_map(|outcome| &outcome.effects.blobs);
    let expected = [b"first".as_slice(), b"third", DATA].map(|data| BlobId::from(hash(data)));
    assert!(blobs.eq(&expected));
}

#[test]
fn finalization_can_publish_and_read() {
    let scene = Scene::new();
    let later = Commands::new().create_blob(DATA).read_blob(hash(b"before"));
    let outcome = scene.add(&[publish(b"before")]).unwrap();
    assert_eq!(outcome.resources.blobs_to_publish, 1);
    let outcome = scene
        .add(&[scene.operation(&Commands::new().later(&later))])
        .unwrap();
    let effects = &outcome.finalization.effects;
    assert_eq!(effects.blobs, [hash(DATA).into()]);
    assert_eq!(
        effects.oracle_responses,
        [OracleResponse::Blob(hash(b"before").into())]
    );
    let outcome = scene
        .add(&[scene.operation(&Commands::new().read_blob(hash(DATA)))])
        .unwrap();
    assert_eq!(outcome.transactions[0].response, DATA);
}

#[test]
fn blobs_have_limits() {
    type Change = fn(&mut ResourcePolicy);
    let scene = Scene::new();
    scene.add(&[publish(DATA)]).unwrap();
    let read = Commands::new().read_blob(hash(DATA));
    let create = Commands::new().create_blob(&[7; 20]);
    let cases: [(Change, &Commands, LimitKind); 5] = [
        (
            |policy| policy.limits.blobs_read = 2,
            &read,
            LimitKind::BlobsRead,
        ),
        (
            |policy| policy.limits.blob_bytes_read = 80,
            &read,
            LimitKind::BlobBytesRead,
        ),
        (
            |policy| policy.limits.blobs_published = 2,
            &create,
            LimitKind::BlobsPublished,
        ),
        (
            |policy| policy.limits.blob_bytes_published = 59,
            &create,
            LimitKind::BlobBytesPublished,
        ),
        (
            |policy| policy.limits.blob_bytes = 19,
            &create,
            LimitKind::BlobBytes,
        ),
    ];
    for (change, commands, limit) in cases {
        let mut policy = ResourcePolicy::default();
        change(&mut policy);
        let store = scene.chains.store().clone();
        let chains = TestChains::with_store(PAIRS[0], store).with_policy(policy);
        let transactions = vec![scene.operation(commands); 3];
        let abort = StagingPolicy::Abort;
        let error = chains
            .stage_everywhere(&scene.chain, &transactions, &abort)
            .err();
        let error = error.expect("that is too much");
        // Two others have used up what there is, except where one is too large by itself.
        let expected = match limit {
            LimitKind::BlobBytes => FailureReason::Limit(limit),
            limit => FailureReason::Crowded(limit),
        };
        assert_eq!(reason(error), expected);
        if limit != LimitKind::BlobBytes {
            chains
                .stage_everywhere(&scene.chain, &transactions[..2], &abort)
                .expect("two are allowed");
        }
    }
}
