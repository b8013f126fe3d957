//! Events and streams, with a contract that does with them whatever it is told to.

use resident_base::{ApplicationId, ChainId, EventId};
use resident_chain::{BlockError, DropReason, StagingPolicy, Transaction};
use resident_execution::{FailureReason, LimitKind, MissingData, OracleResponse, ResourcePolicy};
use resident_testing::{PAIRS, StagedEverywhere, TestChain, TestChains};

use crate::{
    bundles::{assert_leaves_no_trace, stranger},
    teller::{self, Told, follow, range, read, told, unfollow},
};

/// An author's chain and a follower's, and two applications that know both.
pub(crate) struct Scene {
    pub(crate) chains: TestChains,
    pub(crate) author: TestChain,
    pub(crate) follower: TestChain,
    pub(crate) teller: ApplicationId,
    pub(crate) other: ApplicationId,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let [author, follower] = [1, 2].map(|seed| chains.open_root(seed));
        let [teller, other] = teller::create(&chains, &author);
        Scene {
            chains,
            author,
            follower,
            teller,
            other,
        }
    }

    /// The same chains with other limits from now on.
    fn with_limits(self, change: impl FnOnce(&mut ResourcePolicy)) -> Self {
        let mut policy = ResourcePolicy::default();
        change(&mut policy);
        let chains = TestChains::with_store(PAIRS[0], self.chains.store().clone());
        Scene {
            chains: chains.with_policy(policy),
            ..self
        }
    }

    fn try_add(
        &self,
        chain: &TestChain,
        transactions: &[Transaction],
        policy: &StagingPolicy,
    ) -> Result<StagedEverywhere, BlockError> {
        self.chains.add_everywhere(chain, transactions, policy)
    }

    pub(crate) fn add(&self, chain: &TestChain, transactions: &[Transaction]) -> StagedEverywhere {
        let added = self.try_add(chain, transactions, &StagingPolicy::Abort);
        added.unwrap_or_else(|error| panic!("the block failed: {error}"))
    }

    /// A block of commands for the teller.
    pub(crate) fn run(&self, chain: &TestChain, commands: &[&[u8]]) -> StagedEverywhere {
        self.add(chain, &[teller::operation(self.teller, commands)])
    }

    fn refusal(&self, chain: &TestChain, transactions: &[Transaction]) -> FailureReason {
        let refused = self.try_add(chain, transactions, &StagingPolicy::Abort);
        match refused.err().expect("the block is refused") {
            BlockError::TransactionFailed { failure, .. } => failure.reason,
            error => panic!("refused for another reason: {error}"),
        }
    }

    /// A block of what is new on the chain's streams, which must all pass.
    fn update(&self, chain: &TestChain) -> usize {
        let updates = self.chains.stream_updates(chain);
        if updates.is_empty() {
            return 0;
        }
        self.add(chain, &updates);
        updates.len()
    }

    pub(crate) fn told(&self, chain: &TestChain, teller: ApplicationId) -> Vec<Told> {
        let nothing = [teller::operation(teller, &[])];
        let staged = self
            .chains
            .stage(chain, nothing.to_vec(), &StagingPolicy::Abort);
        let staged = staged.unwrap_or_else(|error| panic!("the question failed: {error}"));
        told(&staged.execution.executed.outcome.transactions[0].response)
    }

    fn event(&self, chain: ChainId, index: u32) -> EventId {
        EventId {
            chain_id: chain,
            stream_id: teller::stream(self.teller),
            index,
        }
    }
}

pub(crate) fn values(told: &[Told]) -> Vec<u8> {
    let value = |told: &Told| match told {
        Told::Value(value) => Some(*value),
        Told::Range { .. } => None,
    };
    told.iter().filter_map(value).collect()
}

#[test]
fn events_have_indices_by_stream_and_are_stored_with_their_block() {
    let scene = Scene::new();
    let author = &scene.author;
    let block = scene.run(author, &[b"ea", b"n\x03", b"eb"]);
    let outcome = &block.staged.execution.executed.outcome;
    let events = &outcome.transactions[0].effects.events;
    let indices: Vec<_> = events.iter().map(|event| event.index).collect();
    assert_eq!(indices, [0, 0, 1]);
    scene.run(author, &[b"ec"]);
    let executor = scene.chains.executor(PAIRS[0].0);
    for (index, value) in [(0, Some(b'a')), (1, Some(b'b')), (2, Some(b'c')), (3, None)] {
        let stored = executor.read_event(&scene.event(author.id, index)).unwrap();
        assert_eq!(stored, value.map(|value| vec![value]), "event {index}");
    }
    let count = executor.event_count(author.id, &teller::stream(scene.teller));
    assert_eq!(count.unwrap(), 3);
}

#[test]
fn a_block_reads_its_own_events_without_an_oracle_and_earlier_ones_with() {
    let scene = Scene::new();
    let author = &scene.author;
    scene.run(author, &[b"ea"]);
    let commands = [
        b"eb".to_vec(),
        read(b'r', author.id, 1),
        read(b'r', author.id, 0),
    ];
    let transactions = [
        teller::operation(scene.teller, &commands.each_ref().map(Vec::as_slice)),
        teller::operation(scene.teller, &[&read(b'r', author.id, 1)]),
    ];
    let block = scene.add(author, &transactions);
    let transactions = &block.staged.execution.executed.outcome.transactions;
    assert_eq!(values(&told(&transactions[1].response)), *b"bab");
    let expected = OracleResponse::Event {
        id: scene.event(author.id, 0),
        value: b"a".to_vec(),
    };
    assert_eq!(transactions[0].effects.oracle_responses, [expected]);
    assert!(transactions[1].effects.oracle_responses.is_empty());
    let reason = scene.refusal(
        author,
        &[teller::operation(
            scene.teller,
            &[&read(b'r', author.id, 2)],
        )],
    );
    let missing = scene.event(author.id, 2);
    assert_eq!(reason, FailureReason::NoSuchEvent(Box::new(missing)));
}

#[test]
fn an_event_of_another_chain_is_missing_until_it_is_there() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let id = scene.event(author.id, 0);
    let operation = teller::operation(scene.teller, &[&read(b'r', author.id, 0)]);
    let refused = scene.try_add(
        follower,
        std::slice::from_ref(&operation),
        &StagingPolicy::Abort,
    );
    match refused.err() {
        Some(BlockError::MissingData(MissingData::Event(missing))) => assert_eq!(missing, id),
        other => panic!("{other:?}"),
    }
    // A bundle waits, and holds up nobody but its sender.
    let waiting = teller::message(scene.teller, stranger(1), 1, &[&read(b'r', author.id, 0)]);
    let good = teller::message(scene.teller, stranger(2), 1, &[b"ex"]);
    let added = scene.try_add(
        follower,
        &[waiting.clone(), good],
        &TestChains::auto_retry(0),
    );
    let staged = added.unwrap().staged;
    assert!(staged.rejected.is_empty());
    let [(_, DropReason::Missing(MissingData::Event(missing)))] = &staged.dropped[..] else {
        panic!("{:?}", staged.dropped);
    };
    assert_eq!(*missing, id);
    scene.run(author, &[b"ea"]);
    scene.add(follower, &[waiting, operation]);
    assert_eq!(values(&scene.told(follower, scene.teller)), *b"aa");
}

/// Something missing at the end of a block may not keep the chain from making blocks.
#[test]
fn a_bundle_that_makes_the_end_of_the_block_miss_an_event_waits() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let bundles = [
        teller::message(scene.teller, stranger(1), 1, &[b"ea"]),
        teller::message(scene.teller, stranger(2), 1, &[&read(b'z', author.id, 0)]),
    ];
    let staged = scene
        .try_add(follower, &bundles, &TestChains::auto_retry(0))
        .unwrap()
        .staged;
    let [(dropped, DropReason::Missing(_))] = &staged.dropped[..] else {
        panic!("{:?}", staged.dropped);
    };
    assert_eq!(dropped.origin, stranger(2));
    scene.run(author, &[b"eb"]);
    let added = scene.add(follower, &bundles[1..]);
    let end = &added.staged.execution.executed.outcome.finalization.effects;
    assert_eq!(end.oracle_responses.len(), 1);
    assert_eq!(values(&scene.told(follower, scene.teller)), *b"b");
}

#[test]
fn a_record_that_contradicts_a_known_event_refuses_the_block() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    scene.run(author, &[b"ea"]);
    let operation = teller::operation(scene.teller, &[&read(b'r', author.id, 0)]);
    let staged = scene
        .chains
        .stage(follower, vec![operation], &StagingPolicy::Abort);
    let honest = staged.unwrap().execution.executed;
    for pair in PAIRS {
        scene.chains.execute(pair, &honest).unwrap();
        let mut lying = honest.clone();
        let responses = &mut lying.outcome.transactions[0].effects.oracle_responses;
        let OracleResponse::Event { value, .. } = &mut responses[0] else {
            panic!("{responses:?}");
        };
        *value = b"z".to_vec();
        let reason = refusal(scene.chains.execute(pair, &lying));
        let id = Box::new(scene.event(author.id, 0));
        assert_eq!(reason, FailureReason::EventDiffers(id));

        let mut silent = honest.clone();
        silent.outcome.transactions[0]
            .effects
            .oracle_responses
            .clear();
        let reason = refusal(scene.chains.execute(pair, &silent));
        assert!(
            matches!(reason, FailureReason::OracleMismatch { .. }),
            "{reason}"
        );
    }
}

fn refusal<T>(result: Result<T, BlockError>) -> FailureReason {
    match result.err() {
        Some(BlockError::TransactionFailed { failure, .. }) => failure.reason,
        other => panic!("{other:?}"),
    }
}

/// A node that has not got the author's chain trusts the record.
#[test]
fn a_record_is_enough_where_the_event_is_not() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let elsewhere = Scene::new();
    scene.run(author, &[b"ea"]);
    let command = read(b'r', author.id, 0);
    let commands = [follow(author.id, scene.teller), command];
    let commands = commands.each_ref().map(Vec::as_slice);
    let transactions = [
        teller::operation(scene.teller, &commands),
        teller::update(scene.teller, &[(author.id, 1)]),
    ];
    let block = scene.add(follower, &transactions).staged.execution.executed;
    for pair in PAIRS {
        let repeated = elsewhere.chains.execute(pair, &block).unwrap();
        assert_eq!(repeated.executed, block);
        // But it has to be the answer to what is asked.
        let mut other = block.clone();
        let responses = &mut other.outcome.transactions[1].effects.oracle_responses;
        responses[0] = OracleResponse::EventExists(scene.event(author.id, 1));
        let reason = refusal(elsewhere.chains.execute(pair, &other));
        assert!(
            matches!(reason, FailureReason::OracleMismatch { .. }),
            "{reason}"
        );
    }
}

#[test]
fn ranges_arrive_once_and_in_order_at_every_subscriber() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let (teller, other) = (scene.teller, scene.other);
    scene.run(author, &[b"ea", b"eb"]);
    let commands = [follow(author.id, teller), follow(follower.id, teller)];
    let commands = commands.each_ref().map(Vec::as_slice);
    scene.run(follower, &[commands[0], commands[0], commands[1], b"ex"]);
    let other_follows = teller::operation(other, &[&follow(author.id, teller)]);
    // One update for each application. The other one cannot read, but it is told.
    scene.add(follower, &[other_follows]);
    assert_eq!(scene.update(follower), 2);
    let mut expected = vec![range(author.id, 0, 2), Told::Value(b'a'), Told::Value(b'b')];
    let own = [range(follower.id, 0, 1), Told::Value(b'x')];
    expected.extend(own);
    if follower.id < author.id {
        expected.rotate_right(2);
    }
    assert_eq!(scene.told(follower, teller), expected);
    assert_eq!(scene.told(follower, other), [range(author.id, 0, 2)]);
    assert_eq!(scene.update(follower), 0, "there is nothing new");

    scene.run(author, &[b"ec"]);
    scene.run(author, &[b"ed"]);
    assert_eq!(scene.update(follower), 2);
    expected.extend([range(author.id, 2, 4), Told::Value(b'c'), Told::Value(b'd')]);
    assert_eq!(scene.told(follower, teller), expected);
    let told = [range(author.id, 0, 2), range(author.id, 2, 4)];
    assert_eq!(scene.told(follower, other), told);
}

#[test]
fn an_update_only_goes_forward_and_only_to_what_exists() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let teller = scene.teller;
    let update = |heads: &[(ChainId, u32)]| teller::update(teller, heads);
    scene.run(author, &[b"ea", b"eb", b"ec"]);
    let reason = scene.refusal(follower, &[update(&[(author.id, 1)])]);
    assert!(
        matches!(reason, FailureReason::NotSubscribed(_)),
        "{reason}"
    );
    let commands = [follow(author.id, teller), follow(follower.id, teller)].concat();
    scene.run(follower, &[&commands]);
    let reason = scene.refusal(follower, &[update(&[])]);
    assert!(
        matches!(reason, FailureReason::EmptyUpdate { .. }),
        "{reason}"
    );
    let missing = scene.try_add(
        follower,
        &[update(&[(author.id, 4)])],
        &StagingPolicy::Abort,
    );
    match missing.err() {
        Some(BlockError::MissingData(MissingData::Event(id))) => assert_eq!(id.index, 3),
        other => panic!("{other:?}"),
    }
    let reason = scene.refusal(follower, &[update(&[(follower.id, 1)])]);
    assert!(matches!(reason, FailureReason::NoSuchEvent(_)), "{reason}");

    // Two steps of one update are two ranges, and so are two updates of one block.
    let steps = [
        update(&[(author.id, 1), (author.id, 2)]),
        update(&[(author.id, 3)]),
    ];
    let block = scene.add(follower, &steps);
    let outcome = &block.staged.execution.executed.outcome;
    let responses = &outcome.transactions[1].effects.oracle_responses;
    assert_eq!(
        responses[0],
        OracleResponse::EventExists(scene.event(author.id, 2))
    );
    let ranges: Vec<_> = scene
        .told(follower, teller)
        .into_iter()
        .filter(|told| matches!(told, Told::Range { .. }))
        .collect();
    let expected = [(0, 1), (1, 2), (2, 3)].map(|(from, to)| range(author.id, from, to));
    assert_eq!(ranges, expected);
    for next in [0, 2, 3] {
        let reason = scene.refusal(follower, &[update(&[(author.id, next)])]);
        assert!(matches!(reason, FailureReason::NoNewEvents(_)), "{reason}");
    }
}

#[test]
fn an_application_that_fails_keeps_nothing_from_the_others() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let (teller, other) = (scene.teller, scene.other);
    let follows = [teller, other]
        .map(|subscriber| teller::operation(subscriber, &[&follow(author.id, teller)]));
    scene.add(follower, &follows);
    scene.run(author, &[b"ea", b"ep"]);
    let updates = scene.chains.stream_updates(follower);
    assert_eq!(updates.len(), 2);
    let bundle =
        |height, commands: &[&[u8]]| teller::message(teller, stranger(1), height, commands);
    let mut transactions = vec![bundle(1, &[b"e1"])];
    transactions.extend(updates.clone());
    transactions.push(bundle(2, &[b"e2"]));
    let policy = TestChains::auto_retry(3);
    let staged = scene
        .try_add(follower, &transactions, &policy)
        .unwrap()
        .staged;
    assert!(staged.rejected.is_empty() && staged.dropped.is_empty());
    let [(update, DropReason::Failed(failure))] = &staged.dropped_updates[..] else {
        panic!("{:?}", staged.dropped_updates);
    };
    assert_eq!(update.subscriber, teller);
    assert_eq!(failure.application_id, Some(teller));
    assert_eq!(staged.execution.executed.block.transactions.len(), 3);
    assert_eq!(scene.told(follower, teller), []);
    assert_eq!(scene.told(follower, other), [range(author.id, 0, 2)]);

    // It is offered again and fails again; an owner who wants to see failures sees it.
    let again = scene.chains.stream_updates(follower);
    assert_eq!(again.len(), 1);
    let refused = scene.try_add(follower, &again, &StagingPolicy::Abort);
    assert!(matches!(refused, Err(BlockError::TransactionFailed { .. })));
    // A part of it passes, and what is left begins where that ended.
    scene.add(follower, &[teller::update(teller, &[(author.id, 1)])]);
    assert_eq!(values(&scene.told(follower, teller)), *b"a");
    // It helps to stop following.
    scene.run(follower, &[&unfollow(author.id, teller)]);
    assert_eq!(scene.chains.stream_updates(follower), []);
}

#[test]
fn unfollowing_forgets_the_position() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let teller = scene.teller;
    scene.run(author, &[b"ea"]);
    scene.run(follower, &[&follow(author.id, teller)]);
    assert_eq!(scene.update(follower), 1);
    scene.run(
        follower,
        &[&unfollow(author.id, teller), &unfollow(author.id, teller)],
    );
    scene.run(author, &[b"eb"]);
    assert_eq!(scene.update(follower), 0);
    scene.run(follower, &[&follow(author.id, teller)]);
    assert_eq!(scene.update(follower), 1);
    assert_eq!(values(&scene.told(follower, teller)), *b"aab");
}

#[test]
fn what_is_rolled_back_was_never_emitted_followed_or_told() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let teller = scene.teller;
    scene.run(author, &[b"ea", b"eb"]);
    scene.run(follower, &[&follow(author.id, teller)]);
    let message = |origin, height, commands: &[&[u8]]| {
        teller::message(teller, stranger(origin), height, commands)
    };
    let unfollow_and_fail = [unfollow(author.id, teller), b"x".to_vec()].concat();
    let follow_and_fail = [follow(follower.id, teller), b"x".to_vec()].concat();
    let own = read(b'r', follower.id, 0);
    let transactions = [
        message(1, 1, &[b"e1", b"x"]),
        message(1, 2, &[b"e2"]),
        message(2, 1, &[&unfollow_and_fail]),
        message(3, 1, &[&follow_and_fail]),
        message(4, 1, &[b"e4", &own]),
        teller::update(teller, &[(author.id, 2)]),
        message(2, 2, &[b"f2"]),
        message(3, 2, &[&own]),
    ];
    let policy = TestChains::auto_retry(3);
    assert_leaves_no_trace(&scene.chains, follower, &transactions, &[0, 2, 3], &policy);
    let staged = scene
        .try_add(follower, &transactions, &policy)
        .unwrap()
        .staged;
    assert_eq!(staged.rejected.len(), 3);
    // The event of the failed bundle is not the first of its stream: another one is.
    assert_eq!(values(&scene.told(follower, teller)), *b"2ab2");
    let executor = scene.chains.executor(PAIRS[0].0);
    let events = [0, 1, 2, 3].map(|index| {
        let id = scene.event(follower.id, index);
        executor.read_event(&id).unwrap()
    });
    let expected = [Some(b"2"), Some(b"4"), Some(b"2"), None];
    assert_eq!(
        events,
        expected.map(|value| value.map(|value| value.to_vec()))
    );
    let end = &staged.execution.executed.outcome.finalization.effects;
    assert_eq!(
        end.events.len(),
        1,
        "what is emitted at the end stands there"
    );
}

#[test]
fn a_refused_block_moves_nothing_forward() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let teller = scene.teller;
    scene.run(author, &[b"ea"]);
    scene.run(follower, &[&follow(author.id, teller)]);
    let refused = [
        teller::update(teller, &[(author.id, 1)]),
        teller::operation(teller, &[b"ez", b"x"]),
    ];
    scene.refusal(follower, &refused);
    scene.add(follower, &refused[..1]);
    scene.run(follower, &[b"e0", &read(b'r', follower.id, 0)]);
    assert_eq!(values(&scene.told(follower, teller)), *b"a0");
}

#[test]
fn an_event_too_many_at_the_end_of_the_block_takes_out_a_bundle() {
    let scene = Scene::new().with_limits(|policy| policy.limits.events = 1);
    let (teller, follower) = (scene.teller, &scene.follower);
    let transactions = [
        teller::message(teller, stranger(1), 1, &[b"f1"]),
        teller::message(teller, stranger(2), 1, &[b"e2"]),
    ];
    let policy = TestChains::auto_retry(3);
    let staged = scene
        .try_add(follower, &transactions, &policy)
        .unwrap()
        .staged;
    let [(dropped, DropReason::Refused(failure))] = &staged.dropped[..] else {
        panic!("{:?}", staged.dropped);
    };
    assert_eq!(dropped.origin, stranger(2));
    assert_eq!(failure.reason, FailureReason::Crowded(LimitKind::Events));
}

#[test]
fn an_update_that_leads_to_a_refusal_gives_way() {
    let scene = Scene::new();
    let (author, follower) = (&scene.author, &scene.follower);
    let (teller, other) = (scene.teller, scene.other);
    let follows = [teller, other]
        .map(|subscriber| teller::operation(subscriber, &[&follow(author.id, teller)]));
    scene.add(follower, &follows);
    scene.run(author, &[b"eq"]);
    let own = |height| teller::message(teller, stranger(1), height, &[b"ea"]);
    let mut transactions = vec![own(1)];
    transactions.extend(scene.chains.stream_updates(follower));
    transactions.push(teller::message(other, stranger(2), 1, &[b"eb"]));
    let policy = TestChains::auto_retry(3);
    let staged = scene
        .try_add(follower, &transactions, &policy)
        .unwrap()
        .staged;
    assert!(staged.rejected.is_empty() && staged.dropped.is_empty());
    let [(update, DropReason::Refused(failure))] = &staged.dropped_updates[..] else {
        panic!("{:?}", staged.dropped_updates);
    };
    assert_eq!(update.subscriber, teller);
    assert_eq!(failure.application_id, Some(teller));
    let transactions = &staged.execution.executed.block.transactions;
    assert_eq!(transactions.len(), 3, "nothing else is to blame");
    assert_eq!(scene.told(follower, other), [range(author.id, 0, 1)]);
    scene.add(follower, &[own(2)]);
}

/// What a block emits and what it reads from other blocks is recorded in it, and kept in memory until then.
#[test]
fn events_do_not_fill_more_than_the_block() {
    let scene = Scene::new().with_limits(|policy| policy.limits.block_bytes = 2_048);
    let (author, follower) = (&scene.author, &scene.follower);
    scene.run(author, &[&[b'v', 4]]);
    let twice: [&[u8]; 2] = [&[b'v', 4], &[b'v', 4]];
    let read_twice = read(b'r', author.id, 0).repeat(2);
    scene.run(follower, &[&read(b'r', author.id, 0)]);
    for (chain, commands) in [(author, &twice[..]), (follower, &[&read_twice, b"ea"])] {
        let operation = teller::operation(scene.teller, commands);
        let reason = scene.refusal(chain, &[operation]);
        assert_eq!(reason, FailureReason::Limit(LimitKind::BlockBytes));
    }
}

#[test]
fn limits_of_names_values_numbers_and_subscriptions() {
    let scene = Scene::new().with_limits(|policy| {
        policy.limits.events = 2;
        policy.limits.event_bytes = 512;
        policy.limits.subscriptions = 2;
    });
    let (author, follower) = (&scene.author, &scene.follower);
    let teller = scene.teller;
    let longest: [&[u8]; 2] = [&[b'n', 64], &[b'v', 2]];
    let block = scene.run(author, &longest);
    let effects = &block.staged.execution.executed.outcome.transactions[0].effects;
    assert_eq!(effects.events[0].stream_id.stream_name.0.len(), 64);
    assert_eq!(effects.events[1].value.len(), 512);
    let follows: Vec<_> = [1, 2, 3]
        .map(|number| follow(stranger(number), teller))
        .concat();
    let refused: [(&[u8], _); 4] = [
        (&[b'n', 65], LimitKind::StreamNameBytes),
        (&[b'v', 3], LimitKind::EventBytes),
        (b"eaebec", LimitKind::Events),
        (&follows, LimitKind::Subscriptions),
    ];
    for (commands, limit) in refused {
        let reason = scene.refusal(follower, &[teller::operation(teller, &[commands])]);
        assert_eq!(reason, FailureReason::Limit(limit));
    }
    // Bundles over the limit of events wait for the next block; nothing is lost.
    let bundles = [1, 2, 3].map(|origin| teller::message(teller, stranger(origin), 1, &[b"ea"]));
    let policy = TestChains::auto_retry(3);
    let staged = scene.try_add(follower, &bundles, &policy).unwrap().staged;
    assert_eq!((staged.rejected.len(), staged.dropped.len()), (0, 1));
    // One is given up for another one.
    scene.run(follower, &[&follows[..2 * 65]]);
    let instead = [unfollow(stranger(1), teller), follow(stranger(3), teller)].concat();
    scene.run(follower, &[&instead]);
}
