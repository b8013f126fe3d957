//! What a chain permits to applications, and demands of its owners.

use std::collections::BTreeSet;

use resident_base::{
    Account, AccountOwner, Amount, ApplicationId, ApplicationPermissions, ChainOwnership,
};
use resident_chain::{BlockError, MessageAction, StagingPolicy, Transaction};
use resident_execution::{Operation, SystemOperation};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{self, stranger},
    probe,
};

struct Scene {
    chains: TestChains,
    root: TestChain,
    ids: [ApplicationId; 2],
}

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let root = chains.open_root(1);
        let ids = probe::create(&chains, &root);
        Self { chains, root, ids }
    }

    /// A chain with these permissions.
    fn open(&self, change: impl FnOnce(&mut ApplicationPermissions)) -> TestChain {
        let mut application_permissions = ApplicationPermissions::default();
        change(&mut application_permissions);
        let operation = SystemOperation::OpenChain {
            ownership: ChainOwnership::single(self.root.owner),
            balance: Amount::ONE,
            application_permissions,
        };
        let block = self
            .chains
            .run(&self.root, vec![Operation::System(operation)]);
        TestChain {
            id: bcs::from_bytes(&block.outcome.transactions[0].response).unwrap(),
            owner: self.root.owner,
        }
    }

    /// Whether these transactions make a block, on every engine and session.
    fn add(&self, chain: &TestChain, transactions: &[Transaction]) -> Result<(), BlockError> {
        let policy = TestChains::auto_retry(1);
        let added = self.chains.add_everywhere(chain, transactions, &policy);
        added.map(|_| ())
    }
}

fn pay(chain: &TestChain) -> Transaction {
    bundles::operation(Operation::System(SystemOperation::Transfer {
        owner: AccountOwner::CHAIN,
        recipient: Account::new(chain.id, TestChains::owner(7)),
        amount: Amount::from_attos(1),
    }))
}

#[test]
fn a_chain_says_which_applications_may_query_services() {
    let scene = Scene::new();
    let [first, second] = scene.ids;
    let ask = |asking, asked| probe::ask(asking, asked, b"n");
    for (permitted, expected) in [
        (None, [true, true]),
        (Some(vec![]), [false, false]),
        (Some(vec![second]), [false, true]),
    ] {
        let chain = scene.open(|permissions| permissions.call_service_as_oracle = permitted);
        for (id, expected) in [first, second].into_iter().zip(expected) {
            let added = scene.add(&chain, &[ask(id, first)]);
            assert_eq!(added.is_ok(), expected);
            let Err(error) = added else {
                continue;
            };
            let reason = format!("the chain does not permit application {id} to query services");
            assert!(error.to_string().contains(&reason), "{error}");
            // It is the application that asks, whoever sent the message.
            let message = bundles::bundle(
                stranger(1),
                1,
                None,
                vec![(id, probe::question(first, b"n"))],
            );
            let policy = TestChains::auto_retry(1);
            let staged = scene
                .chains
                .stage_everywhere(&chain, &[message], &policy)
                .unwrap();
            assert_eq!(staged.staged.rejected.len(), 1);
        }
    }
}

#[test]
fn a_block_with_operations_has_what_the_chain_demands() {
    let scene = Scene::new();
    let [first, second] = scene.ids;
    let chain = scene.open(|permissions| permissions.mandatory_applications = vec![first, second]);
    let (set, message) = (
        |id| probe::set(id, b"1"),
        |height, id| bundles::bundle(stranger(1), height, None, vec![(id, b"w1".to_vec())]),
    );
    let bad = |height, id| bundles::bundle(stranger(1), height, None, vec![(id, b"x".to_vec())]);
    // The transactions, and what is missing.
    let table = [
        (vec![pay(&chain)], vec![first, second]),
        (vec![set(first)], vec![second]),
        (vec![pay(&chain), set(second), set(first)], vec![]),
        (vec![message(1, second), set(first)], vec![]),
        (vec![bad(2, second), set(first)], vec![second]),
        // Nobody chose what comes from outside.
        (vec![message(3, second)], vec![]),
        (vec![], vec![]),
    ];
    for (transactions, missing) in table {
        let added = scene.add(&chain, &transactions);
        let found = match added {
            Ok(()) => BTreeSet::new(),
            Err(BlockError::MissingApplications { applications }) => applications,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(found, missing.into_iter().collect(), "{transactions:?}");
    }
}

/// The rule is the same for whoever runs a block again.
#[test]
fn a_fixed_block_without_what_the_chain_demands_is_refused() {
    let scene = Scene::new();
    let [first, second] = scene.ids;
    let chain = scene.open(|permissions| permissions.mandatory_applications = vec![first]);
    let message = bundles::bundle(stranger(1), 1, None, vec![(first, b"w1".to_vec())]);
    let good = vec![message, probe::set(second, b"1")];
    let staged = scene
        .chains
        .stage(&chain, good, &StagingPolicy::Abort)
        .unwrap();
    let mut executed = staged.execution.executed;
    scene.chains.execute(PAIRS[0], &executed).unwrap();
    match &mut executed.block.transactions[0] {
        Transaction::ReceiveMessages(incoming) => incoming.action = MessageAction::Reject,
        other => panic!("{other:?}"),
    }
    for pair in PAIRS {
        let error = scene.chains.execute(pair, &executed).err();
        let Some(BlockError::MissingApplications { applications }) = error else {
            panic!("it is refused: {error:?}");
        };
        assert_eq!(applications, BTreeSet::from([first]));
    }
}
