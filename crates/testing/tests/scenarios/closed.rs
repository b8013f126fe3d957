//! Closed chains: they reject everything, and nothing that was on its way to them is lost.

use resident_base::{
    Account, AccountOwner, Amount, ApplicationId, ApplicationPermissions, ChainOwnership,
};
use resident_chain::{BlockError, MessageAction, StagingPolicy, Transaction};
use resident_execution::{FailureReason, MessageKind, Operation, SystemOperation};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{self, assert_leaves_no_trace, bundle, stranger},
    courier::{self, Letter},
    messages::{counted, reject},
    protected::with_kind,
};

struct Scene {
    chains: TestChains,
    host: TestChain,
    /// A chain that the courier may manage.
    managed: TestChain,
    courier: ApplicationId,
}

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let host = chains.open_root(1);
        let courier = courier::create(&chains, &host);
        let managed = open_managed(&chains, &host, courier);
        Self {
            chains,
            host,
            managed,
            courier,
        }
    }

    fn bundle(&self, origin: u8, height: u64, messages: &[&[u8]]) -> Transaction {
        let messages = messages
            .iter()
            .map(|commands| (self.courier, commands.to_vec()));
        bundle(stranger(origin), height, None, messages.collect())
    }
}

fn open_managed(chains: &TestChains, host: &TestChain, courier: ApplicationId) -> TestChain {
    let owner = TestChains::owner(2);
    let open = Operation::System(SystemOperation::OpenChain {
        ownership: ChainOwnership::single(owner),
        balance: Amount::ONE,
        application_permissions: ApplicationPermissions {
            manage_chain: vec![courier],
            ..ApplicationPermissions::default()
        },
    });
    let block = chains.run(host, vec![open]);
    let id = bcs::from_bytes(&block.outcome.transactions[0].response);
    TestChain {
        id: id.expect("an id"),
        owner,
    }
}

fn close() -> Transaction {
    bundles::operation(Operation::System(SystemOperation::CloseChain))
}

fn failure(error: BlockError) -> FailureReason {
    match error {
        BlockError::TransactionFailed { failure, .. } => failure.reason,
        error => panic!("another error than expected: {error}"),
    }
}

#[test]
fn what_comes_after_the_closing_is_rejected_and_bounces() {
    let scene = Scene::new();
    let (chains, host) = (&scene.chains, &scene.host);
    let transactions = [
        scene.bundle(1, 1, &[b""]),
        close(),
        with_kind(scene.bundle(1, 2, &[b"", b""]), MessageKind::Tracked),
        with_kind(scene.bundle(2, 1, &[b""]), MessageKind::Protected),
        scene.bundle(3, 1, &[]),
    ];
    let staged = [StagingPolicy::Abort, TestChains::auto_retry(0)].map(|policy| {
        let staged = chains.stage_everywhere(host, &transactions, &policy);
        staged.unwrap().staged
    });
    assert_eq!(staged[0].execution.executed, staged[1].execution.executed);
    let [staged, _] = staged;
    assert_eq!((staged.rejected.len(), staged.dropped.len()), (3, 0));
    let closed =
        |failure: &resident_execution::Failure| failure.reason == FailureReason::ChainClosed;
    assert!(staged.rejected.iter().all(|(_, failure)| closed(failure)));
    let outcomes = &staged.execution.executed.outcome.transactions;
    let sent: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.effects.messages.len())
        .collect();
    assert_eq!(sent, [0, 0, 1, 0, 0], "the tracked one bounces");

    chains.commit(staged.execution);
    assert!(chains.is_closed(host.id));
    for policy in [StagingPolicy::Abort, TestChains::auto_retry(3)] {
        let increment = courier::operation(scene.courier, &[]);
        for operation in [increment, close()] {
            let error = chains.stage_everywhere(host, &[operation], &policy).err();
            let error = error.expect("nothing is executed any more");
            assert_eq!(failure(error), FailureReason::ChainClosed);
        }
        let late = [scene.bundle(1, 3, &[b""])];
        let staged = chains
            .stage_everywhere(host, &late, &policy)
            .unwrap()
            .staged;
        assert_eq!(staged.rejected.len(), 1);
        // Whoever puts it into a block as accepted is refused.
        let mut executed = staged.execution.executed;
        let Transaction::ReceiveMessages(incoming) = &mut executed.block.transactions[0] else {
            panic!("it is a bundle")
        };
        incoming.action = MessageAction::Accept;
        for pair in PAIRS {
            let error = chains.execute(pair, &executed).err().expect("it is closed");
            assert_eq!(failure(error), FailureReason::ChainClosed);
        }
    }
}

#[test]
fn what_was_sent_to_a_closed_chain_comes_back() {
    let scene = Scene::new();
    let (chains, host, managed) = (&scene.chains, &scene.host, &scene.managed);
    let before = chains.balance(host.id, AccountOwner::CHAIN);
    let letter = Letter::new(managed.id, b"").tracked().command();
    let pay = courier::pay(managed.id, 77);
    let order = [courier::operation(scene.courier, &[&pay, &letter])];
    chains
        .add_everywhere(host, &order, &StagingPolicy::Abort)
        .unwrap();
    chains
        .add_everywhere(managed, &[close()], &StagingPolicy::Abort)
        .unwrap();
    chains.deliver(host);
    let staged = chains.process_inbox(managed, &TestChains::auto_retry(0));
    assert_eq!(staged.rejected.len(), 1);
    chains.deliver(managed);
    let staged = chains.process_inbox(host, &TestChains::auto_retry(0));
    assert_eq!(staged.rejected.len(), 0);
    assert_eq!(chains.balance(host.id, AccountOwner::CHAIN), before);
    assert_eq!(counted(chains, host, scene.courier).bounced, 1);
}

#[test]
fn an_application_closes_only_a_chain_that_it_manages() {
    let scene = Scene::new();
    let (chains, host, managed) = (&scene.chains, &scene.host, &scene.managed);
    let ask = [courier::operation(scene.courier, &[b"k"])];
    chains
        .add_everywhere(host, &ask, &StagingPolicy::Abort)
        .unwrap();
    assert!(!chains.is_closed(host.id));
    assert_eq!(counted(chains, host, scene.courier).managed, 2, "refused");

    // A bundle that closes the chain and then fails has not closed it.
    let policy = TestChains::auto_retry(3);
    let transactions = [
        scene.bundle(1, 1, &[b"kx"]),
        scene.bundle(1, 2, &[b"k", b""]),
        scene.bundle(1, 3, &[b""]),
    ];
    let staged = assert_leaves_no_trace(chains, managed, &transactions, &[0, 1], &policy).staged;
    let reasons: Vec<_> = staged
        .rejected
        .iter()
        .map(|(_, failure)| &failure.reason)
        .collect();
    assert_eq!(
        reasons[1],
        &FailureReason::ChainClosed,
        "by its own first message"
    );

    let closes = [scene.bundle(2, 1, &[b"k"]), scene.bundle(2, 2, &[b""])];
    let staged = chains
        .add_everywhere(managed, &closes, &policy)
        .unwrap()
        .staged;
    assert_eq!(staged.rejected.len(), 1);
    assert!(chains.is_closed(managed.id));
}

#[test]
fn an_application_gives_a_chain_that_it_manages_other_owners() {
    let scene = Scene::new();
    let (chains, managed) = (&scene.chains, &scene.managed);
    let order = |ownership: &ChainOwnership| {
        let ownership = bcs::to_bytes(ownership).unwrap();
        [courier::operation(scene.courier, &[b"o", &ownership])]
    };
    let other = ChainOwnership::single(TestChains::owner(5));
    let on_host = chains.stage_everywhere(&scene.host, &order(&other), &StagingPolicy::Abort);
    let executed = on_host.unwrap().staged.execution.executed;
    let response = &executed.outcome.transactions[0].response;
    assert_eq!(courier::Counted::from_bytes(response).managed, 2, "refused");

    let garbage = [courier::operation(scene.courier, &[b"o", &[9; 7]])];
    for bad in [order(&ChainOwnership::default()), garbage] {
        let error = chains
            .stage_everywhere(managed, &bad, &StagingPolicy::Abort)
            .err();
        let reason = failure(error.expect("the chain would have no owner"));
        assert_eq!(reason, FailureReason::BadOwnership);
    }
    // In a bundle that fails, and then for good.
    let ownership = bcs::to_bytes(&other).unwrap();
    let change = [b"o".as_slice(), &ownership].concat();
    let transactions = [
        scene.bundle(1, 1, &[&change, b"x"]),
        scene.bundle(1, 2, &[b""]),
    ];
    let policy = TestChains::auto_retry(0);
    assert_leaves_no_trace(chains, managed, &transactions, &[0], &policy);
    chains
        .add_everywhere(managed, &order(&other), &StagingPolicy::Abort)
        .unwrap();
    // Asking for the owners gives them.
    let same = [courier::operation(scene.courier, &[b"q"])];
    let staged = chains.add_everywhere(managed, &same, &StagingPolicy::Abort);
    let executed = staged.unwrap().staged.execution.executed;
    let response = &executed.outcome.transactions[0].response;
    assert_eq!(courier::Counted::from_bytes(response).managed, 1);
    let read = chains
        .executor(PAIRS[0].0)
        .read_ownership(managed.id)
        .unwrap();
    assert_eq!(read, Some(other));
}

/// The closing is free of what an operation of the chain may cost it: whoever rejects pays nothing.
#[test]
fn a_closed_chain_without_money_goes_on_rejecting() {
    let scene = Scene::new();
    let (host, managed) = (&scene.host, &scene.managed);
    let everything = Operation::System(SystemOperation::Transfer {
        owner: AccountOwner::CHAIN,
        recipient: Account::chain(host.id),
        amount: Amount::ONE,
    });
    let last = [bundles::operation(everything), close()];
    let policy = StagingPolicy::Abort;
    scene
        .chains
        .add_everywhere(managed, &last, &policy)
        .unwrap();
    let mut prices = resident_execution::ResourcePolicy::default();
    prices.prices.fuel = Amount::ONE;
    prices.prices.message = Amount::ONE;
    let chains = TestChains::with_store(PAIRS[0], scene.chains.store().clone()).with_policy(prices);
    let tracked = with_kind(scene.bundle(1, 1, &[b""]), MessageKind::Tracked);
    for transactions in [[tracked.clone()], [reject(tracked)]] {
        let staged = chains
            .stage_everywhere(managed, &transactions, &policy)
            .unwrap();
        let outcome = &staged.staged.execution.executed.outcome;
        assert_eq!(outcome.fees, Amount::ZERO);
        assert_eq!(outcome.transactions[0].effects.messages.len(), 1);
    }
}
