//! How often views call the host: each call costs more than everything else a view does.

use resident_sdk::{KeyValueStore, util::BlockingWait};

use crate::views::{Descending, Level, State, load, save};

/// A store with something in every view, and its call counter's value.
fn filled() -> KeyValueStore {
    let store = KeyValueStore::default();
    let mut state = load(&store);
    state.register.set("x".into());
    for number in 0..10u16 {
        state
            .map
            .insert(&number.to_string(), u64::from(number))
            .unwrap();
        state.set.insert(&number).unwrap();
        state.queue.push_back(u32::from(number));
        state.log.push(u32::from(number));
        let key = Descending(number);
        let level = state
            .custom_levels
            .load_entry_mut(&key)
            .blocking_wait()
            .unwrap();
        level.queue.push_back(u32::from(number));
    }
    save(&mut state);
    store
}

/// How many calls `action` makes on a freshly loaded state.
fn calls(action: impl FnOnce(&mut State)) -> u64 {
    let store = filled();
    let mut state = load(&store);
    let before = store.calls();
    action(&mut state);
    store.calls() - before
}

async fn best_of(state: &State) -> Option<Descending> {
    let mut best = None;
    let found = |key| {
        best = Some(key);
        Ok(false)
    };
    state
        .custom_levels
        .for_each_index_while(found)
        .await
        .unwrap();
    best
}

#[test]
fn loading_and_saving_are_one_call_each() {
    let store = KeyValueStore::default();
    let mut state = load(&store);
    assert_eq!(store.calls(), 1);
    state.register.set("x".into());
    state.map.insert("a", 1).unwrap();
    state.nested.queue.push_back(1);
    save(&mut state);
    assert_eq!(store.calls(), 2);
    save(&mut state);
    assert_eq!(store.calls(), 2, "there was nothing to save");
}

#[test]
fn a_key_is_read_once_whether_it_exists_or_not() {
    assert_eq!(
        calls(|state| {
            for _ in 0..3 {
                assert_eq!(state.map.get("5").blocking_wait().unwrap(), Some(5));
                assert!(state.map.contains_key("5").blocking_wait().unwrap());
            }
        }),
        1
    );
    assert_eq!(
        calls(|state| {
            for _ in 0..3 {
                assert_eq!(state.map.get("none").blocking_wait().unwrap(), None);
                assert_eq!(state.map.get_mut("none").blocking_wait().unwrap(), None);
            }
            *state
                .map
                .get_mut_or_default("none")
                .blocking_wait()
                .unwrap() += 1;
        }),
        1
    );
}

#[test]
fn blind_writes_call_nothing() {
    assert_eq!(
        calls(|state| {
            state.map.insert("5", 6).unwrap();
            state.map.remove("6").unwrap();
            state.set.remove(&5).unwrap();
            state.queue.push_back(1);
            state.queue.delete_front();
            state.log.push(1);
        }),
        0
    );
}

#[test]
fn a_complete_scan_answers_everything_after_it() {
    assert_eq!(
        calls(|state| {
            assert_eq!(state.map.index_values().blocking_wait().unwrap().len(), 10);
            assert_eq!(state.map.get("none").blocking_wait().unwrap(), None);
            assert_eq!(state.map.get("1").blocking_wait().unwrap(), Some(1));
            assert_eq!(state.map.indices().blocking_wait().unwrap().len(), 10);
        }),
        1
    );
}

#[test]
fn the_best_level_is_found_with_one_listing_and_one_read_per_level() {
    let made = calls(|state| {
        for expected in (0..10).rev() {
            for _ in 0..3 {
                let best = best_of(state).blocking_wait().unwrap();
                assert_eq!(best, Descending(expected));
            }
            let key = Descending(expected);
            let level: &mut Level = state
                .custom_levels
                .load_entry_mut(&key)
                .blocking_wait()
                .unwrap();
            assert_eq!(level.queue.count(), 1);
            state.custom_levels.remove_entry(&key).unwrap();
        }
        assert_eq!(best_of(state).blocking_wait(), None);
    });
    assert_eq!(made, 1 + 10);
}

#[test]
fn a_new_entry_asks_storage_for_nothing_but_its_existence() {
    assert_eq!(
        calls(|state| {
            let level = state
                .custom_levels
                .load_entry_mut(&Descending(99))
                .blocking_wait()
                .unwrap();
            assert_eq!(level.notes.get(&1).blocking_wait().unwrap(), None);
            assert_eq!(level.queue.front().blocking_wait().unwrap(), None);
        }),
        1
    );
}

#[test]
fn queues_read_what_is_asked_for() {
    assert_eq!(
        calls(|state| {
            assert_eq!(
                state.queue.read_front(4).blocking_wait().unwrap(),
                [0, 1, 2, 3]
            );
            assert_eq!(state.queue.front().blocking_wait().unwrap(), Some(0));
            assert_eq!(state.queue.read_front(2).blocking_wait().unwrap(), [0, 1]);
        }),
        1
    );
}
