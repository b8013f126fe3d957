//! Transfers that are collected in a block and leave it as one message per destination.

use netting::{InitialBalances, Message, NettingAbi, Operation, Settlement};
use resident_base::{Account, AccountOwner, Amount, ApplicationId};
use resident_chain::{BlockOutcome, StagingPolicy, Transaction};
use resident_execution::{OutgoingMessage, ResourcePolicy};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::bundles::{self, assert_leaves_no_trace, stranger};

/// What each of two payers has at first.
const FUNDS: u128 = 1_000;

struct Scene {
    chains: TestChains,
    home: TestChain,
    away: [TestChain; 2],
    netting: ApplicationId<NettingAbi>,
}

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let home = chains.open_root(1);
        let away = [2, 3].map(|seed| chains.open_child(&home, seed));
        let funds = |owner| (owner, tokens(FUNDS));
        let balances = InitialBalances::from([home.owner, payer()].map(funds));
        let module = chains.publish(&home, "netting");
        let netting = chains
            .create(&home, module, &(), &balances, Vec::new())
            .with_abi();
        Self {
            chains,
            home,
            away,
            netting,
        }
    }

    /// The owner of the home chain pays on another chain, to one of five.
    fn transfer(&self, amount: u128, away: usize, receiver: u8) -> Transaction {
        let transfer = Operation::Transfer {
            source: Account::new(self.home.id, self.home.owner),
            amount: tokens(amount),
            target: self.account(away, receiver),
        };
        bundles::operation(TestChains::operation(self.netting, &transfer))
    }

    /// The other payer pays, as each of these messages of a bundle says: how much and where.
    fn pay(&self, origin: u8, height: u64, payments: &[(u128, usize)]) -> Transaction {
        let message = |(amount, away): &(u128, usize)| {
            let pay = Message::Pay {
                owner: payer(),
                amount: tokens(*amount),
                target: self.account(*away, 9),
            };
            let bytes = bcs::to_bytes(&pay).expect("a message can be encoded");
            (self.netting.forget_abi(), bytes)
        };
        let messages = payments.iter().map(message).collect();
        bundles::bundle(stranger(origin), height, Some(payer()), messages)
    }

    fn account(&self, away: usize, receiver: u8) -> Account {
        Account::new(self.away[away].id, TestChains::owner(receiver))
    }

    fn balance(&self, chain: &TestChain, owner: AccountOwner) -> Amount {
        let balance = Operation::Balance { owner };
        self.chains.ask(chain, self.netting, &balance)
    }
}

fn payer() -> AccountOwner {
    TestChains::owner(4)
}

fn tokens(amount: u128) -> Amount {
    Amount::from_tokens(amount)
}

/// What the block sent: nothing before its end, and then so many settlements.
fn settlements<const N: usize>(outcome: &BlockOutcome) -> [Settlement; N] {
    let before = outcome.transactions.iter();
    assert!(
        before
            .map(|transaction| &transaction.effects.messages)
            .all(Vec::is_empty)
    );
    let settlement = |sent: &OutgoingMessage| {
        let resident_execution::Message::User { bytes, .. } = &sent.message else {
            panic!("a message of the system: {sent:?}")
        };
        assert_eq!(
            sent.authenticated_owner, None,
            "nobody signed the end of the block"
        );
        match bcs::from_bytes(bytes).expect("a message of the application") {
            Message::Settle(settlement) => settlement,
            message => panic!("another message than expected: {message:?}"),
        }
    };
    let sent = outcome.finalization.effects.messages.iter().map(settlement);
    let sent: Vec<_> = sent.collect();
    sent.try_into().expect("so many messages")
}

fn sum<'a>(amounts: impl IntoIterator<Item = &'a Amount>) -> Amount {
    let add = |sum: Amount, amount: &Amount| sum.try_add(*amount).expect("it is little");
    amounts.into_iter().fold(Amount::ZERO, add)
}

#[test]
fn a_hundred_transfers_are_one_message() {
    let scene = Scene::new();
    let transfers: Vec<_> = (0..100)
        .map(|number| scene.transfer(2, 0, number % 5))
        .collect();
    let staged = scene
        .chains
        .add_everywhere(&scene.home, &transfers, &StagingPolicy::Abort)
        .unwrap()
        .staged;
    let outcome = &staged.execution.executed.outcome;
    let [settlement] = settlements(outcome);
    assert_eq!(settlement.debits, [(scene.home.owner, tokens(200))].into());
    let credits = (0..5).map(|receiver| (TestChains::owner(receiver), tokens(40)));
    assert_eq!(settlement.credits, credits.collect());
    assert_eq!(outcome.resources.messages, 1);
    let sent = &staged.execution.outgoing[&scene.away[0].id];
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].transaction_index, 100, "after all transactions");

    assert_eq!(scene.chains.deliver(&scene.home), 1);
    let received = scene
        .chains
        .process_inbox(&scene.away[0], &StagingPolicy::Abort);
    assert!(received.rejected.is_empty());
    for receiver in 0..5 {
        let balance = scene.balance(&scene.away[0], TestChains::owner(receiver));
        assert_eq!(balance, tokens(40));
    }
    assert_eq!(
        scene.balance(&scene.home, scene.home.owner),
        tokens(FUNDS - 200)
    );
}

#[test]
fn every_destination_gets_its_own_message() {
    let scene = Scene::new();
    let transfers: Vec<_> = (0..100)
        .map(|number| scene.transfer(1, usize::from(number % 4 == 0), 7))
        .collect();
    let staged = scene
        .chains
        .add_everywhere(&scene.home, &transfers, &StagingPolicy::Abort)
        .unwrap()
        .staged;
    let mut sums = settlements::<2>(&staged.execution.executed.outcome)
        .map(|settlement| sum(settlement.credits.values()));
    sums.sort_unstable();
    assert_eq!(sums, [tokens(25), tokens(75)]);
    assert_eq!(scene.chains.deliver(&scene.home), 2);
    for (away, expected) in scene.away.iter().zip([75, 25]) {
        scene.chains.process_inbox(away, &StagingPolicy::Abort);
        assert_eq!(scene.balance(away, TestChains::owner(7)), tokens(expected));
    }
}

/// What a bundle added to the sums goes with it, and nothing else does.
#[test]
fn nothing_is_lost_when_bundles_fail() {
    let scene = Scene::new();
    let block = [
        scene.pay(1, 1, &[(100, 0), (10, 1)]),
        // Its second payment is more than there is.
        scene.pay(2, 1, &[(50, 0), (5_000, 0)]),
        scene.transfer(30, 0, 9),
        scene.pay(3, 1, &[(0, 1)]),
        scene.pay(2, 2, &[(200, 1)]),
        scene.pay(3, 2, &[(1, 0)]),
        // The last: more than is left of it.
        scene.pay(1, 2, &[(600, 0), (90, 1)]),
        scene.pay(1, 3, &[(689, 1)]),
    ];
    let policy = TestChains::auto_retry(4);
    let with = assert_leaves_no_trace(&scene.chains, &scene.home, &block, &[1, 3, 6], &policy);
    assert_eq!(with.staged.rejected.len(), 3);
}

#[test]
fn what_left_is_what_arrives() {
    let scene = Scene::new();
    let mut block = Vec::new();
    for height in 1..=20 {
        block.push(scene.pay(1, height, &[(7, 0), (3, 1)]));
        // Every third fails in its second message.
        let second = if height % 3 == 0 { 2_000 } else { 2 };
        block.push(scene.pay(2, height, &[(4, 0), (second, 1)]));
        block.push(scene.transfer(1, height as usize % 2, 9));
    }
    let policy = TestChains::auto_retry(4);
    let staged = scene
        .chains
        .add_everywhere(&scene.home, &block, &policy)
        .unwrap()
        .staged;
    assert_eq!(staged.rejected.len(), 6);
    let all = settlements::<2>(&staged.execution.executed.outcome);
    let paid = 20 * 10 + 14 * 6;
    let debits = all.iter().flat_map(|settlement| settlement.debits.values());
    assert_eq!(sum(debits), tokens(paid + 20));
    assert_eq!(scene.balance(&scene.home, payer()), tokens(FUNDS - paid));
    scene.chains.deliver(&scene.home);
    let arrived = scene.away.each_ref().map(|away| {
        scene.chains.process_inbox(away, &StagingPolicy::Abort);
        scene.balance(away, TestChains::owner(9))
    });
    assert_eq!(sum(&arrived), tokens(paid + 20));
}

/// The end of a block is paid for as its transactions are.
#[test]
fn what_finalization_uses_is_charged_to_the_block() {
    let scene = Scene::new();
    let mut policy = ResourcePolicy::default();
    policy.prices.message = tokens(3);
    policy.prices.fuel = Amount::from_attos(5);
    let chains = TestChains::with_store(PAIRS[0], scene.chains.store().clone()).with_policy(policy);
    let before = chains.balance(scene.home.id, AccountOwner::CHAIN);
    let transfers = [scene.transfer(1, 0, 1), scene.transfer(1, 0, 2)];
    let staged = chains
        .add_everywhere(&scene.home, &transfers, &StagingPolicy::Abort)
        .unwrap();
    let outcome = &staged.staged.execution.executed.outcome;
    let fuel = Amount::from_attos(5 * u128::from(outcome.resources.wasm_fuel));
    assert_eq!(outcome.fees, tokens(3).try_add(fuel).unwrap());
    assert_eq!(staged.staging[0].fuel, outcome.resources.wasm_fuel);
    let after = chains.balance(scene.home.id, AccountOwner::CHAIN);
    assert_eq!(before.try_sub(outcome.fees), Ok(after));
}
