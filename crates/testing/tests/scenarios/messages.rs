//! Grants, bounces and refunds: who pays for a message, and that nothing is lost on any way back.

use resident_base::{Account, AccountOwner, Amount, ApplicationId};
use resident_chain::{IncomingBundle, MessageAction, StagingPolicy, Transaction};
use resident_execution::{
    FailureReason, Message, MessageKind, Operation, OutgoingMessage, ResourcePolicy, SystemMessage,
    SystemOperation,
};
use resident_testing::{PAIRS, StagedEverywhere, TestChain, TestChains};

use crate::{
    bundles::{self, stranger},
    courier::{self, Counted, Letter},
};

/// Enough for every message here.
const GRANT: u64 = 10_000_000;
/// What the receiver has: enough for a finalization, but not for a message.
const POCKET_MONEY: u64 = 80_000;

/// Two chains, where a unit of fuel costs one atto. Only the first one has money worth mentioning.
struct Mail {
    chains: TestChains,
    alice: TestChain,
    bob: TestChain,
    courier: ApplicationId,
}

impl Mail {
    fn new() -> Self {
        let mut policy = ResourcePolicy::default();
        policy.prices.fuel = Amount::from_attos(1);
        let chains = TestChains::new(PAIRS[0]).with_policy(policy);
        let alice = chains.open_root(1);
        let courier = courier::create(&chains, &alice);
        let bob = chains.open_child(&alice, 2);
        let mail = Self {
            chains,
            alice,
            bob,
            courier,
        };
        mail.fund(POCKET_MONEY);
        mail
    }

    fn fund(&self, attos: u64) {
        let transfer = Operation::System(SystemOperation::Transfer {
            owner: AccountOwner::CHAIN,
            recipient: Account::chain(self.bob.id),
            amount: attos.into_amount(),
        });
        self.chains.run(&self.alice, vec![transfer]);
        self.chains.deliver(&self.alice);
        self.receive(&self.bob);
    }

    /// The first chain's courier does what it is told, and what it sends is delivered. Gives the fees.
    fn order(&self, commands: &[&[u8]]) -> Amount {
        let transactions = [courier::operation(self.courier, commands)];
        let staged = self
            .chains
            .add_everywhere(&self.alice, &transactions, &StagingPolicy::Abort);
        let staged = staged.expect("the order is carried out").staged;
        self.chains.deliver(&self.alice);
        staged.execution.executed.outcome.fees
    }

    /// A chain takes what waits in its inbox, and what that sends is delivered.
    fn receive(&self, chain: &TestChain) -> StagedEverywhere {
        let inbox = self.chains.inbox_transactions(chain);
        let policy = TestChains::auto_retry(3);
        let staged = self.chains.add_everywhere(chain, &inbox, &policy);
        self.chains.deliver(chain);
        staged.expect("an inbox can be processed")
    }

    /// As [`receive`](Self::receive), in the name of nobody who could pay.
    fn receive_unpaid(&self, chain: &TestChain) -> StagedEverywhere {
        let stranger = TestChain {
            owner: TestChains::owner(77),
            ..*chain
        };
        self.receive(&stranger)
    }

    /// Commands that send a message to the first chain, which it has to pay for.
    fn answer(&self) -> Vec<u8> {
        Letter::new(self.alice.id, b"!").command()
    }

    fn alice_has(&self) -> Amount {
        courier::balance(&self.chains, Account::chain(self.alice.id))
    }

    fn bob_has(&self) -> Amount {
        courier::balance(&self.chains, Account::chain(self.bob.id))
    }

    fn to_bob<'a>(&self, commands: &'a [u8]) -> Letter<'a> {
        Letter::new(self.bob.id, commands)
    }

    fn counted(&self, chain: &TestChain) -> Counted {
        // Where nothing costs anything, so that anybody can ask.
        let free = TestChains::with_store(PAIRS[0], self.chains.store().clone());
        counted(&free, chain, self.courier)
    }
}

/// What a courier has counted, as a block that is not stored would find it.
pub(crate) fn counted(chains: &TestChains, chain: &TestChain, courier: ApplicationId) -> Counted {
    let question = vec![courier::operation(courier, &[])];
    let staged = chains
        .stage(chain, question, &StagingPolicy::Abort)
        .unwrap_or_else(|error| panic!("the question failed: {error}"));
    Counted::from_bytes(&staged.execution.executed.outcome.transactions[0].response)
}

trait IntoAmount {
    fn into_amount(self) -> Amount;
}

impl IntoAmount for u64 {
    fn into_amount(self) -> Amount {
        Amount::from_attos(self.into())
    }
}

fn reasons(staged: &StagedEverywhere) -> Vec<FailureReason> {
    let rejected = staged.staged.rejected.iter();
    rejected
        .map(|(_, failure)| failure.reason.clone())
        .collect()
}

fn fees(staged: &StagedEverywhere) -> Amount {
    staged.staged.execution.executed.outcome.fees
}

fn sent(staged: &StagedEverywhere) -> Vec<OutgoingMessage> {
    let outcome = &staged.staged.execution.executed.outcome;
    let outcomes = outcome.transactions.iter();
    outcomes
        .flat_map(|outcome| outcome.effects.messages.clone())
        .collect()
}

#[test]
fn a_grant_pays_for_the_message_and_the_rest_comes_back() {
    let mail = Mail::new();
    let before = mail.alice_has();
    let order_fee = mail.order(&[&mail.to_bob(b"").with_grant(GRANT).command()]);
    let grant = GRANT.into_amount();
    let rest = before.saturating_sub(order_fee).saturating_sub(grant);
    assert_eq!(mail.alice_has(), rest, "the grant is on its way");

    let received = mail.receive(&mail.bob);
    assert_eq!(reasons(&received), []);
    assert_eq!(mail.counted(&mail.bob).arrived, 1);
    let of_finalization = POCKET_MONEY.into_amount().saturating_sub(mail.bob_has());
    assert!(of_finalization > Amount::ZERO, "the receiver pays for that");
    let of_message = fees(&received).saturating_sub(of_finalization);
    let refund = grant.saturating_sub(of_message);
    let expected = OutgoingMessage::refund(Account::chain(mail.alice.id), refund);
    assert_eq!(sent(&received), [expected]);

    let refunded = mail.receive(&mail.alice);
    assert_eq!(fees(&refunded), Amount::ZERO);
    let paid = order_fee.saturating_add(of_message);
    assert_eq!(mail.alice_has(), before.saturating_sub(paid));
}

#[test]
fn a_message_without_enough_of_a_grant_is_paid_for_by_the_receiver() {
    let mail = Mail::new();
    mail.order(&[&mail.to_bob(b"").command()]);
    let received = mail.receive(&mail.bob);
    let [
        FailureReason::InsufficientBalance {
            amount: missing, ..
        },
    ] = reasons(&received)[..]
    else {
        panic!("the chain cannot pay: {:?}", reasons(&received))
    };

    // With too small a grant neither: the grant goes back whole.
    let before = mail.alice_has();
    let order_fee = mail.order(&[&mail.to_bob(b"").with_grant(10).command()]);
    let received = mail.receive(&mail.bob);
    assert!(matches!(
        reasons(&received)[..],
        [FailureReason::InsufficientBalance { .. }]
    ));
    assert_eq!(
        (fees(&received), mail.bob_has()),
        (Amount::ZERO, POCKET_MONEY.into_amount())
    );
    mail.receive(&mail.alice);
    assert_eq!(mail.alice_has(), before.saturating_sub(order_fee));

    // With money of its own the chain pays what the grant does not.
    mail.fund(1_000_000);
    let before = mail.bob_has();
    mail.order(&[&mail.to_bob(b"").with_grant(10).command()]);
    let received = mail.receive(&mail.bob);
    assert_eq!((reasons(&received), sent(&received)), (vec![], vec![]));
    let paid = fees(&received).saturating_sub(Amount::from_attos(10));
    assert!(paid > missing, "the message and the finalization");
    assert_eq!(mail.bob_has(), before.saturating_sub(paid));
}

/// Each message of a bundle has its own grant, and pays for itself.
#[test]
fn grants_are_counted_by_message() {
    let mail = Mail::new();
    mail.fund(1_000_000);
    let before = mail.bob_has();
    let small = mail.to_bob(b"").with_grant(10).command();
    let large = mail.to_bob(b"").with_grant(GRANT).command();
    let none = mail.to_bob(b"").command();
    mail.order(&[&large, &small, &none]);
    let received = mail.receive(&mail.bob);
    assert_eq!(reasons(&received), []);
    assert_eq!(mail.counted(&mail.bob).arrived, 3);
    let messages = sent(&received);
    let [refund] = &messages[..] else {
        panic!("only the first has something left: {messages:?}")
    };
    let Message::System(SystemMessage::Credit { amount, .. }) = refund.message else {
        panic!("it is a credit")
    };
    let by_large = GRANT.into_amount().saturating_sub(amount);
    // The first message also pays for loading the application.
    assert!(
        by_large > Amount::from_attos(POCKET_MONEY.into())
            && by_large < Amount::from_attos(500_000)
    );
    let paid = before.saturating_sub(mail.bob_has());
    let granted = by_large.saturating_add(Amount::from_attos(10));
    assert_eq!(fees(&received), paid.saturating_add(granted));
}

#[test]
fn a_rejected_message_bounces_with_signer_and_grant() {
    let mail = Mail::new();
    let before = mail.alice_has();
    let letter = mail.to_bob(b"x").tracked().signed().with_grant(GRANT);
    let order_fee = mail.order(&[&letter.command()]);
    let rejected = mail.receive(&mail.bob);
    assert_eq!(reasons(&rejected).len(), 1);
    assert_eq!(fees(&rejected), Amount::ZERO, "rejecting is free");
    let messages = sent(&rejected);
    let [bounce] = &messages[..] else {
        panic!("the message bounces: {messages:?}")
    };
    assert_eq!(
        (bounce.kind, bounce.destination, bounce.authenticated_owner),
        (MessageKind::Bouncing, mail.alice.id, Some(mail.alice.owner))
    );
    assert_eq!(
        (bounce.grant, bounce.refund_grant_to),
        (GRANT.into_amount(), Some(Account::chain(mail.alice.id)))
    );

    let bounced = mail.receive(&mail.alice);
    assert_eq!((reasons(&bounced), sent(&bounced)), (vec![], vec![]));
    let paid = order_fee.saturating_add(fees(&bounced));
    assert_eq!(mail.alice_has(), before.saturating_sub(paid));
    let expected = Counted {
        bounced: 1,
        bounced_signed: 1,
        ..Counted::default()
    };
    assert_eq!(mail.counted(&mail.alice), expected);
}

#[test]
fn what_is_not_tracked_is_forgotten_and_its_grant_refunded() {
    let mail = Mail::new();
    let before = mail.alice_has();
    let order_fee = mail.order(&[
        &mail.to_bob(b"x").command(),
        &mail.to_bob(b"").with_grant(GRANT).command(),
    ]);
    let rejected = mail.receive(&mail.bob);
    assert_eq!(reasons(&rejected).len(), 1, "one bundle");
    let refund = OutgoingMessage::refund(Account::chain(mail.alice.id), GRANT.into_amount());
    assert_eq!(sent(&rejected), [refund]);
    mail.receive(&mail.alice);
    assert_eq!(mail.alice_has(), before.saturating_sub(order_fee));
    assert_eq!(mail.counted(&mail.alice), Counted::default());
}

/// The sender's own contract fails when the message comes back.
#[test]
fn a_bounce_that_fails_is_forgotten_and_its_grant_refunded() {
    let mail = Mail::new();
    let before = mail.alice_has();
    let letter = mail.to_bob(b"!x").tracked().with_grant(GRANT);
    let order_fee = mail.order(&[&letter.command()]);
    assert_eq!(reasons(&mail.receive(&mail.bob)).len(), 1);
    let bounced = mail.receive(&mail.alice);
    assert_eq!(reasons(&bounced).len(), 1);
    let refund = OutgoingMessage::refund(Account::chain(mail.alice.id), GRANT.into_amount());
    assert_eq!(sent(&bounced), [refund]);
    let refunded = mail.receive(&mail.alice);
    assert_eq!((reasons(&refunded), sent(&refunded)), (vec![], vec![]));
    assert_eq!(mail.alice_has(), before.saturating_sub(order_fee));
    assert_eq!(mail.counted(&mail.alice), Counted::default());
}

/// Tokens share a bundle with a message that nobody wants, not even its sender.
#[test]
fn tokens_return_although_what_came_with_them_fails_twice() {
    let mail = Mail::new();
    let before = mail.alice_has();
    let letter = mail.to_bob(b"!x").tracked().command();
    let order_fee = mail.order(&[&courier::pay(mail.bob.id, 77), &letter]);
    let rejected = mail.receive(&mail.bob);
    let kinds: Vec<_> = sent(&rejected).iter().map(|sent| sent.kind).collect();
    assert_eq!(kinds, [MessageKind::Bouncing; 2]);
    let bounced = mail.receive(&mail.alice);
    assert_eq!((reasons(&bounced).len(), sent(&bounced)), (1, vec![]));
    assert_eq!(mail.alice_has(), before.saturating_sub(order_fee));
    assert_eq!(mail.bob_has(), POCKET_MONEY.into_amount());
}

/// A refund shares its bundle with an answer that fails on the chain that is to be refunded. It used to bounce, to the
/// refunded account's namesake on the other chain: there the chain itself, whose owner could arrange for it.
#[test]
fn a_refund_in_a_rejected_bundle_belongs_to_who_is_refunded() {
    let mail = Mail::new();
    let before = mail.alice_has();
    let answer = Letter::new(mail.alice.id, b"x").command();
    let order_fee = mail.order(&[&mail.to_bob(&answer).with_grant(GRANT).command()]);
    let received = mail.receive(&mail.bob);
    assert_eq!((reasons(&received).len(), sent(&received).len()), (0, 2));
    let bob_has = mail.bob_has();
    let rejected = mail.receive(&mail.alice);
    assert_eq!((reasons(&rejected).len(), sent(&rejected)), (1, vec![]));
    // The finalization was paid for by the other chain, and the message by the grant.
    let by_bob = POCKET_MONEY.into_amount().saturating_sub(bob_has);
    let by_grant = fees(&received).saturating_sub(by_bob);
    let paid = order_fee.saturating_add(by_grant);
    assert_eq!(mail.alice_has(), before.saturating_sub(paid));
    assert_eq!(mail.bob_has(), bob_has);
}

/// The same, with nobody's malice: what else is in the bundle cannot be paid, or the chain is closed by then.
#[test]
fn a_refund_belongs_to_who_is_refunded_whatever_happens_there() {
    for is_closed in [true, false] {
        let mail = Mail::new();
        let answer = mail.answer();
        let grant = mail.to_bob(&answer).with_grant(GRANT).command();
        mail.order(&[&grant]);
        // The rest of the chain's tokens goes to its owner, so that it cannot pay for the answer; or it closes.
        let rest = match is_closed {
            true => Operation::System(SystemOperation::CloseChain),
            false => Operation::System(SystemOperation::Transfer {
                owner: AccountOwner::CHAIN,
                recipient: Account::new(mail.alice.id, mail.alice.owner),
                amount: mail.alice_has(),
            }),
        };
        mail.chains.run(&mail.alice, vec![rest]);
        let before = mail.alice_has();
        let received = mail.receive(&mail.bob);
        let [_, refund] = &sent(&received)[..] else {
            panic!("an answer and a refund: {:?}", sent(&received))
        };
        let Message::System(SystemMessage::Credit { amount, .. }) = refund.message else {
            panic!("it is a credit")
        };
        let bob_has = mail.bob_has();
        let staged = mail.receive_unpaid(&mail.alice);
        assert_eq!((reasons(&staged).len(), sent(&staged)), (1, vec![]));
        assert_eq!(mail.alice_has(), before.saturating_add(amount));
        assert_eq!(mail.bob_has(), bob_has);
    }
}

/// A grant comes back to whoever paid it, so it takes a signature to make somebody pay one.
#[test]
fn nobody_makes_a_chain_pay_for_a_grant() {
    let mail = Mail::new();
    let theft = mail.to_bob(b"").with_grant(GRANT).command();
    let mallory = TestChains::owner(9);
    let cases = [
        (None, "not authorised to take tokens"),
        (Some(mallory), "would have to pay"),
    ];
    for (owner, reason) in cases {
        let messages = vec![(mail.courier, theft.clone())];
        let bundle = bundles::bundle(stranger(1), 1, owner, messages);
        let policy = TestChains::auto_retry(0);
        let staged = mail
            .chains
            .stage_everywhere(&mail.alice, &[bundle], &policy)
            .unwrap();
        let found = reasons(&staged)[0].to_string();
        assert!(found.contains(reason), "{found}");
    }
}

#[test]
fn a_bundle_is_executed_whole_or_not_at_all() {
    let mail = Mail::new();
    mail.fund(1_000_000);
    let fine = mail.to_bob(b"").tracked().command();
    let bad = mail.to_bob(b"x").tracked().command();
    mail.order(&[&fine, &fine, &bad]);
    mail.order(&[&fine]);
    let received = mail.receive(&mail.bob);
    assert_eq!(reasons(&received).len(), 1);
    assert_eq!(mail.counted(&mail.bob).arrived, 1);
    assert_eq!(reasons(&mail.receive(&mail.alice)), []);
    assert_eq!(mail.counted(&mail.alice).bounced, 3);
}

/// A rejection needs room for what bounces, too. Without it the bundle waits; as the first of a block it
/// always has room.
#[test]
fn a_rejection_that_does_not_fit_waits_until_it_comes_first() {
    let mail = Mail::new();
    let letter = mail.to_bob(b"x").tracked().command();
    mail.order(&[&letter.repeat(30)]);
    let mut policy = ResourcePolicy::default();
    policy.limits.block_bytes = 4_000;
    let chains = TestChains::with_store(PAIRS[0], mail.chains.store().clone()).with_policy(policy);
    let large = chains.inbox_transactions(&mail.bob).remove(0);
    let size = bcs::serialized_size(&large).unwrap();
    assert!((1_500..2_500).contains(&size), "{size}");
    let small = bundles::bundle(stranger(1), 1, None, vec![(mail.courier, vec![])]);
    let policy = TestChains::auto_retry(0);
    let both = [small, large.clone()];
    let staged = chains.add_everywhere(&mail.bob, &both, &policy).unwrap();
    assert_eq!(staged.staged.rejected.len(), 0);
    assert_eq!(staged.staged.dropped.len(), 1);
    let staged = chains.add_everywhere(&mail.bob, &[large], &policy).unwrap();
    assert_eq!(staged.staged.rejected.len(), 1);
    assert_eq!(sent(&staged).len(), 30);
    chains.deliver(&mail.bob);
    assert_eq!(reasons(&mail.receive(&mail.alice)), []);
    assert_eq!(mail.counted(&mail.alice).bounced, 30);
}

/// An owner may reject what would pass.
#[test]
fn a_draft_may_reject_a_bundle() {
    let mail = Mail::new();
    mail.order(&[&mail.to_bob(b"").tracked().command()]);
    let inbox = mail.chains.inbox_transactions(&mail.bob);
    let rejected: Vec<_> = inbox.into_iter().map(reject).collect();
    let staged = mail
        .chains
        .add_everywhere(&mail.bob, &rejected, &StagingPolicy::Abort)
        .unwrap();
    assert_eq!(staged.staged.rejected.len(), 0, "it did not fail");
    assert_eq!(sent(&staged).len(), 1);
    mail.chains.deliver(&mail.bob);
    mail.receive(&mail.alice);
    assert_eq!(mail.counted(&mail.alice).bounced, 1);
}

/// The same bundle, to be rejected.
pub(crate) fn reject(transaction: Transaction) -> Transaction {
    match transaction {
        Transaction::ReceiveMessages(incoming) => Transaction::ReceiveMessages(IncomingBundle {
            action: MessageAction::Reject,
            ..incoming
        }),
        operation => operation,
    }
}
