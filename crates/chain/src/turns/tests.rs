//! Turns over a store in memory.

use futures::executor::block_on;
use resident_base::Timestamp;
use resident_storage::MemoryStore;

use super::*;
use crate::{
    WaitReason, put_waiting, receive_bundles,
    records::tests::{bundle, chain},
};

/// Takes everything, but for what is sent at these heights.
struct Except(Vec<u64>);

impl Chooser for Except {
    fn is_resting(&mut self, _: Cursor, known: &Waiting) -> bool {
        known.retry_at > 0
    }

    fn choose(&mut self, _: ChainId, bundle: &MessageBundle, _: Option<&Waiting>) -> Choice {
        match self.0.contains(&bundle.height.0) {
            true => Choice::Wait,
            false => Choice::Propose(MessageAction::Accept),
        }
    }
}

/// An inbox with bundles of these senders at heights from 1 on.
fn inbox(senders: &[(u8, u64)]) -> MemoryStore {
    let store = MemoryStore::new();
    for (origin, count) in senders {
        let bundles = (1..=*count).map(|height| bundle(height, 0)).collect();
        let batch = block_on(receive_bundles(&store, chain(0), chain(*origin), bundles)).unwrap();
        block_on(store.write(batch)).unwrap();
    }
    store
}

fn take(store: &MemoryStore, limit: usize, turns: &Turns, skip: &[u8]) -> TakenTurns {
    take_except(store, limit, turns, skip, &[])
}

fn take_except(
    store: &MemoryStore,
    limit: usize,
    turns: &Turns,
    skip: &[u8],
    heights: &[u64],
) -> TakenTurns {
    let skip = skip.iter().map(|origin| chain(*origin)).collect();
    let request = TurnRequest {
        limit,
        turns,
        skip: &skip,
    };
    let mut chooser = Except(heights.to_vec());
    block_on(take_turns(store, chain(0), &request, &mut chooser)).unwrap()
}

/// Senders and heights.
fn order(taken: &TakenTurns) -> Vec<(u8, u64)> {
    let bundles = taken.bundles.iter();
    bundles
        .map(|incoming| (incoming.origin.0.as_bytes()[0], incoming.bundle.height.0))
        .collect()
}

fn from(origin: u8) -> Turns {
    Turns {
        next: Some(chain(origin)),
        ..Turns::default()
    }
}

fn consume(store: &MemoryStore, origin: u8, height: u64) {
    let mut batch = Batch::new();
    let cursor = bundle(height, 0).cursor();
    batch.put(
        records::consumed_local_key(chain(0), chain(origin)),
        records::encode(&cursor),
    );
    block_on(store.write(batch)).unwrap();
}

#[test]
fn everybody_has_one_before_anybody_has_two() {
    let store = inbox(&[(1, 300), (2, 2), (3, 1)]);
    let taken = take(&store, 7, &Turns::default(), &[]);
    let expected = [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (1, 3), (1, 4)];
    assert_eq!(order(&taken), expected);
    assert_eq!(taken.next, Some(chain(1)));
    let all = take(&store, 1000, &Turns::default(), &[]);
    assert_eq!((all.bundles.len(), all.next), (303, None));
    let of_first = order(&all).into_iter().filter(|(origin, _)| *origin == 1);
    assert!(of_first.map(|(_, height)| height).eq(1..=300));
}

#[test]
fn reading_starts_at_the_remembered_place_and_goes_around() {
    let store = inbox(&[(1, 2), (2, 1), (3, 1), (4, 1)]);
    assert_eq!(
        order(&take(&store, 3, &from(3), &[])),
        [(3, 1), (4, 1), (1, 1)]
    );
    // That one has gone.
    let store = inbox(&[(1, 2), (2, 1), (4, 1)]);
    let taken = take(&store, 2, &from(3), &[]);
    assert_eq!(order(&taken), [(4, 1), (1, 1)]);
    assert!(taken.next > Some(chain(1)) && taken.next <= Some(chain(2)));
    let rest = Turns {
        next: taken.next,
        ..Turns::default()
    };
    let taken = take(&store, 9, &rest, &[4]);
    assert_eq!(order(&taken), [(2, 1), (1, 1), (1, 2)]);
}

#[test]
fn one_of_those_who_were_passed_over_is_first() {
    let store = inbox(&[(1, 1), (2, 2), (3, 1)]);
    let turns = Turns {
        passed_over: vec![(chain(9), 2), (chain(3), 1), (chain(2), 1)],
        ..from(2)
    };
    let taken = take(&store, 9, &turns, &[]);
    assert_eq!(order(&taken), [(3, 1), (2, 1), (1, 1), (2, 2)]);
    assert_eq!(taken.gone, [chain(9)]);
}

#[test]
fn what_waits_holds_up_only_its_sender() {
    let store = inbox(&[(1, 2), (2, 2), (3, 2)]);
    let mut batch = Batch::new();
    let waiting = Waiting {
        cursor: bundle(1, 0).cursor(),
        reason: WaitReason::Nothing,
        tries: 1,
        since: Timestamp::from(0),
        retry_at: 5,
        given_up: None,
    };
    put_waiting(&mut batch, chain(0), chain(2), &waiting);
    block_on(store.write(batch)).unwrap();
    let taken = take_except(&store, 9, &Turns::default(), &[], &[2]);
    assert_eq!(order(&taken), [(1, 1), (3, 1)]);
    assert_eq!(taken.known, BTreeMap::from([(chain(2), waiting)]));
}

/// They used to lie before all others in each page.
#[test]
fn bundles_that_a_block_took_before_they_arrived_leave_the_inbox() {
    let store = inbox(&[(1, 200), (2, 3), (3, 1)]);
    consume(&store, 1, 200);
    consume(&store, 2, 2);
    assert_eq!(block_on(inbox::count(&store, chain(0))).unwrap(), 2);
    let taken = take(&store, 1, &Turns::default(), &[]);
    assert_eq!(order(&taken), [(2, 3)]);
    for rest in [136, 72, 8, 0] {
        let taken = take(&store, 9, &Turns::default(), &[]);
        assert_eq!(order(&taken), [(2, 3), (3, 1)]);
        block_on(store.write(taken.stale)).unwrap();
        let prefix = records::inbox_prefix(chain(0));
        let page = block_on(store.scan_keys(&prefix, None, 1000)).unwrap();
        assert_eq!(page.entries.len(), rest + 2);
    }
}

#[test]
fn a_block_is_filled_by_bytes_too() {
    let store = inbox(&[(1, 1), (2, 1)]);
    let mut batch = Batch::new();
    let large = MessageBundle {
        messages: vec![crate::inbox::tests::large_message(MAX_BLOCK_BYTES - 999)],
        ..bundle(9, 0)
    };
    for origin in 3..=6 {
        let key = records::inbox_key(chain(0), chain(origin), large.cursor());
        batch.put(key, records::encode(&large));
    }
    block_on(store.write(batch)).unwrap();
    let taken = take(&store, 9, &from(3), &[]);
    assert_eq!(order(&taken), [(3, 9), (4, 9)]);
    assert_eq!(taken.next, Some(chain(5)));
}

/// However the limit cuts, everybody is reached in as many blocks as there are senders for each place.
#[test]
fn nobody_is_forgotten_whatever_the_limit() {
    let senders: Vec<_> = (1..=50).map(|origin| (origin, 70)).collect();
    let store = inbox(&senders);
    for limit in [1, 3, 7, 49, 50, 51, 200] {
        let (mut turns, mut seen) = (from(23), BTreeSet::new());
        for _ in 0..50usize.div_ceil(limit) {
            let taken = take(&store, limit, &turns, &[]);
            seen.extend(order(&taken).into_iter().map(|(origin, _)| origin));
            turns.next = taken.next.or(turns.next);
        }
        assert_eq!(seen.len(), 50, "with {limit} in a block");
    }
}
