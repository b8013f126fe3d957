//! The example `archive`, which reaches the world outside and creates applications and chains by the SDK.

use std::{collections::BTreeSet, sync::Arc};

use ::archive::{ArchiveAbi, Operation, Response};
use resident_base::{ApplicationId, Blob, DataBlobHash, ModuleId, http};
use resident_chain::{BlockError, BlockOutcome, StagingPolicy, Transaction};
use resident_execution::ResourcePolicy;
use resident_sdk::ContractAbi;
use resident_testing::{FakeOracle, PAIRS, TestChain, TestChains};

use crate::bundles;

const URL: &str = "https://example.org/page";
const PAGE: &[u8] = b"what the page says";

struct Scene {
    chains: TestChains,
    chain: TestChain,
    module: ModuleId,
    archive: ApplicationId<ArchiveAbi>,
}

impl Scene {
    fn new() -> Self {
        let policy = ResourcePolicy {
            http_request_allow_list: BTreeSet::from(["example.org".to_owned()]),
            ..ResourcePolicy::default()
        };
        let oracle = FakeOracle::new().with_answer(URL, http::Response::ok(PAGE));
        let chains = TestChains::new(PAIRS[0])
            .with_policy(policy)
            .with_oracle(Arc::new(oracle));
        let chain = chains.open_root(1);
        let module = chains.publish(&chain, "archive");
        let archive = chains.create(&chain, module, &(), &(), Vec::new());
        Self {
            chains,
            chain,
            module,
            archive: archive.with_abi(),
        }
    }

    fn add(&self, operations: &[Operation]) -> Result<(Vec<Response>, BlockOutcome), BlockError> {
        let transactions = operations
            .iter()
            .map(|operation| bundles::operation(TestChains::operation(self.archive, operation)));
        let transactions: Vec<Transaction> = transactions.collect();
        let policy = StagingPolicy::Abort;
        let added = self
            .chains
            .add_everywhere(&self.chain, &transactions, &policy)?;
        let outcome = added.staged.execution.executed.outcome;
        let decode = |response: Vec<u8>| ArchiveAbi::deserialize_response(response).unwrap();
        let transactions = outcome.transactions.iter();
        let responses = transactions.map(|outcome| decode(outcome.response.clone()));
        Ok((responses.collect(), outcome))
    }
}

fn url() -> String {
    URL.to_owned()
}

fn on_shelf(name: &str, operation: Operation) -> Operation {
    Operation::OnShelf {
        name: name.to_owned(),
        operation: Box::new(operation),
    }
}

#[test]
fn pages_are_kept_on_shelves_that_nothing_named() {
    let scene = Scene::new();
    let (name, module_id) = ("left".to_owned(), scene.module);
    let fetch = Operation::Fetch { url: url() };
    let read = Operation::Read { url: url() };
    let block = [
        Operation::AddShelf { name, module_id },
        on_shelf("left", fetch.clone()),
        on_shelf("left", read.clone()),
        fetch,
    ];
    let (responses, outcome) = scene.add(&block).unwrap();
    let hash = DataBlobHash(Blob::new_data(PAGE).id().hash);
    assert!(matches!(responses[0], Response::Shelf(shelf) if shelf != scene.archive));
    assert_eq!(responses[1], Response::Fetched(hash));
    assert_eq!(responses[2], Response::Page(PAGE.to_vec()));
    assert_eq!(responses[3], Response::Fetched(hash));
    assert_eq!(outcome.resources.http_requests, 2);
    assert_eq!(
        outcome.transactions[3].effects.blobs,
        [],
        "it is there already"
    );

    let block = [on_shelf("left", read.clone()), read];
    let (responses, _) = scene.add(&block).unwrap();
    assert_eq!(responses, vec![Response::Page(PAGE.to_vec()); 2]);
}

#[test]
fn a_shelf_that_fails_fails_the_archive() {
    let scene = Scene::new();
    let error = scene
        .add(&[on_shelf("right", Operation::Read { url: url() })])
        .err();
    let error = error.expect("there is no such shelf").to_string();
    assert!(error.contains("there is no shelf right"), "{error}");
    let (name, module_id) = ("right".to_owned(), scene.module);
    let read = on_shelf("right", Operation::Read { url: url() });
    let error = scene
        .add(&[Operation::AddShelf { name, module_id }, read])
        .err();
    let error = error.expect("nothing is on it").to_string();
    assert!(error.contains("was never fetched"), "{error}");
}

#[test]
fn a_branch_is_a_chain_that_can_be_used() {
    let scene = Scene::new();
    let owner = TestChains::owner(5);
    let (responses, _) = scene.add(&[Operation::OpenBranch { owner }]).unwrap();
    let Response::Branch(id) = responses[0] else {
        panic!("a chain was opened");
    };
    let branch = TestChain { id, owner };
    let operation = Operation::OpenBranch { owner };
    scene.chains.call(&branch, scene.archive, &operation);
}
