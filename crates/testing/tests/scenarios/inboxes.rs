//! Inboxes of every kind of bundle in random order, and what must hold of every block that is built from
//! one: each bundle is executed, rejected (and bounced if it is tracked) or still waiting, and the block is
//! what it would be if it had been made of the surviving transactions from the start.

use std::collections::BTreeMap;

use resident_base::{ApplicationId, ChainId};
use resident_chain::{IncomingBundle, MessageAction, StagedBlock, StagingPolicy, Transaction};
use resident_execution::{MessageKind, ResourcePolicy};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{bundles::stranger, gadget, protected::with_kind, random::Random};

const INBOXES: usize = 60;
const SENDERS: u64 = 6;

/// How often each thing happened, so that the test is of something.
#[derive(Debug, Default)]
struct Counts {
    accepted: usize,
    rejected: usize,
    bounced: usize,
    waiting: usize,
    restarted: usize,
}

#[test]
fn nothing_is_lost_from_random_inboxes() {
    let mut policy = ResourcePolicy::default();
    policy.limits.transaction_fuel = 200_000;
    let chains = TestChains::new(PAIRS[0]).with_policy(policy);
    let chain = chains.open_root(1);
    let gadgets = gadget::create(&chains, &chain);
    let mut counts = Counts::default();
    for seed in 1..=INBOXES as u64 {
        let mut random = Random::new(seed);
        let inbox = inbox(&mut random, gadgets);
        let max_failures = random.below(4) as u32;
        let policy = TestChains::auto_retry(max_failures);
        match chains.stage_everywhere(&chain, &inbox, &policy) {
            Ok(everywhere) => {
                let staged = &everywhere.staged;
                check_accounts(&inbox, staged, &mut counts);
                check_executions(inbox.len(), staged, &mut counts);
                check_survivors(&chains, &chain, staged);
            }
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(
        counts.accepted > 100 && counts.rejected > 40 && counts.bounced > 15,
        "{counts:?}"
    );
    assert!(counts.waiting > 30 && counts.restarted > 15, "{counts:?}");
}

/// Bundles of several senders, in any order among senders, and in that of their heights for each.
fn inbox(random: &mut Random, gadgets: [ApplicationId; 2]) -> Vec<Transaction> {
    let mut heights = BTreeMap::new();
    let count = 8 + random.below(25);
    let bundles = (0..count).map(|_| {
        let sender = random.below(SENDERS) as u8;
        let height = heights.entry(sender).or_insert(0u64);
        *height += 1;
        let (commands, kind) = kind(random);
        let gadget = gadgets[random.below(2) as usize];
        let messages = [b"b".as_slice(), commands];
        let bundle = gadget::message(gadget, stranger(sender), *height, &messages);
        with_kind(bundle, kind)
    });
    bundles.collect()
}

/// What a bundle's last message does, and whether it may be rejected.
fn kind(random: &mut Random) -> (&'static [u8], MessageKind) {
    const FAILING: [&[u8]; 4] = [b"x", b"gi", b"p", b"r"];
    let failing = FAILING[random.below(4) as usize];
    match random.below(20) {
        0..=8 => (b"bw", MessageKind::Simple),
        9 => (b"bw", MessageKind::Protected),
        10..=12 => (failing, MessageKind::Simple),
        13..=15 => (failing, MessageKind::Tracked),
        16 => (failing, MessageKind::Protected),
        17 | 18 => (b"l", MessageKind::Simple),
        _ => (b"f", MessageKind::Simple),
    }
}

/// Every bundle is in the block or waits, those of a sender that wait are its last, what may not be rejected
/// is not, and what is tracked bounces.
fn check_accounts(inbox: &[Transaction], staged: &StagedBlock, counts: &mut Counts) {
    let executed = &staged.execution.executed;
    let in_block = executed
        .block
        .transactions
        .iter()
        .filter_map(Transaction::bundle);
    let waiting = staged.dropped.iter().map(|(incoming, _)| incoming);
    let mut found: Vec<_> = in_block.clone().chain(waiting.clone()).map(place).collect();
    let mut expected: Vec<_> = inbox
        .iter()
        .filter_map(Transaction::bundle)
        .map(place)
        .collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    for late in waiting.clone() {
        let overtaken =
            |early: &IncomingBundle| early.origin == late.origin && place(early) > place(late);
        assert!(
            !in_block.clone().any(overtaken),
            "a later bundle went first"
        );
    }
    let rejected = in_block
        .clone()
        .filter(|incoming| incoming.action == MessageAction::Reject);
    let messages = rejected
        .clone()
        .flat_map(|incoming| &incoming.bundle.messages);
    let of_kind = |kind| {
        messages
            .clone()
            .filter(|posted| posted.kind == kind)
            .count()
    };
    assert_eq!(of_kind(MessageKind::Protected), 0);
    let outcomes = executed.outcome.transactions.iter();
    let sent = outcomes.flat_map(|outcome| &outcome.effects.messages);
    let bounced = sent
        .filter(|message| message.kind == MessageKind::Bouncing)
        .count();
    assert_eq!(bounced, of_kind(MessageKind::Tracked));
    assert_eq!(rejected.clone().count(), staged.rejected.len());
    counts.rejected += staged.rejected.len();
    counts.accepted += in_block.count() - staged.rejected.len();
    counts.bounced += bounced;
    counts.waiting += waiting.count();
}

/// In one pass each bundle is tried once, rejected at most once, and executed again at most as often as
/// bundles pass. How many passes there are depends on how many are refused.
fn check_executions(bundles: usize, staged: &StagedBlock, counts: &mut Counts) {
    assert!(staged.executions <= staged.passes * 3 * bundles as u64);
    let settled = (staged.rejected.len() + staged.dropped.len()) as u64;
    let log = u64::from(bundles.next_power_of_two().ilog2());
    assert!(staged.passes <= (settled + 1) * (log + 4));
    counts.restarted += usize::from(staged.passes > 1);
}

/// A block made of exactly the surviving transactions.
fn check_survivors(chains: &TestChains, chain: &TestChain, staged: &StagedBlock) {
    let executed = &staged.execution.executed;
    let survivors = &executed.block.transactions;
    let again = chains
        .stage_everywhere(chain, survivors, &StagingPolicy::Abort)
        .expect("all of them passed");
    assert_eq!(again.staged.executions, survivors.len() as u64);
    assert_eq!(again.staged.execution.executed, *executed);
}

fn place(incoming: &IncomingBundle) -> (ChainId, u64) {
    (incoming.origin, incoming.bundle.height.0)
}
