//! Views against plain collections: any sequence of changes, reads, saves and reloads gives the same answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use resident_sdk::{KeyValueStore, util::BlockingWait, views::View};

use crate::views::{Level, State, load, save};

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u64),
    Remove(u8),
    Add(u8),
    Get(u8),
    Scan,
    Push(u32),
    Pop,
    Bump,
    ReadFront(usize),
    EntryPush(u8, u32),
    EntryPop(u8),
    EntryNote(u8, u8, u64),
    EntryRemove(u8),
    EntryList,
    Clear(u8),
    Save,
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..6u8;
    prop_oneof![
        (key.clone(), any::<u64>()).prop_map(|(key, value)| Step::Insert(key, value)),
        key.clone().prop_map(Step::Remove),
        key.clone().prop_map(Step::Add),
        key.clone().prop_map(Step::Get),
        Just(Step::Scan),
        any::<u32>().prop_map(Step::Push),
        any::<u32>().prop_map(Step::Push),
        Just(Step::Pop),
        Just(Step::Bump),
        (0..5usize).prop_map(Step::ReadFront),
        (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::EntryPush(key, value)),
        key.clone().prop_map(Step::EntryPop),
        (key.clone(), 0..3u8, any::<u64>())
            .prop_map(|(key, note, value)| Step::EntryNote(key, note, value)),
        key.clone().prop_map(Step::EntryRemove),
        Just(Step::EntryList),
        (0..6u8).prop_map(Step::Clear),
        Just(Step::Save),
        Just(Step::Reload),
    ]
}

#[derive(Clone, Debug, Default)]
struct Model {
    map: BTreeMap<String, u64>,
    set: BTreeSet<u16>,
    queue: VecDeque<u32>,
    log: Vec<u32>,
    levels: BTreeMap<String, LevelModel>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct LevelModel {
    queue: VecDeque<u32>,
    notes: BTreeMap<u8, u64>,
}

/// Keys of different lengths, of which one begins with the other.
fn name(key: u8) -> String {
    "a".repeat(usize::from(key))
}

fn apply(step: &Step, state: &mut State, model: &mut Model) {
    match *step {
        Step::Insert(key, value) => {
            state.map.insert(&name(key), value).unwrap();
            model.map.insert(name(key), value);
        }
        Step::Remove(key) => {
            state.map.remove(&name(key)).unwrap();
            model.map.remove(&name(key));
            state.set.remove(&u16::from(key)).unwrap();
            model.set.remove(&u16::from(key));
        }
        Step::Add(key) => {
            *state
                .map
                .get_mut_or_default(&name(key))
                .blocking_wait()
                .unwrap() ^= 1;
            *model.map.entry(name(key)).or_default() ^= 1;
            state.set.insert(&u16::from(key)).unwrap();
            model.set.insert(u16::from(key));
        }
        Step::Get(key) => {
            assert_eq!(
                state.map.get(&name(key)).blocking_wait().unwrap().as_ref(),
                model.map.get(&name(key))
            );
            let contained = state.set.contains(&u16::from(key)).blocking_wait().unwrap();
            assert_eq!(contained, model.set.contains(&u16::from(key)));
        }
        Step::Scan => scan(state, model),
        Step::Push(value) => {
            state.queue.push_back(value);
            model.queue.push_back(value);
            state.log.push(value);
            model.log.push(value);
        }
        Step::Pop => {
            state.queue.delete_front();
            model.queue.pop_front();
        }
        Step::Bump => {
            state
                .queue
                .try_iter_mut()
                .blocking_wait()
                .unwrap()
                .for_each(|value| *value ^= 3);
            model.queue.iter_mut().for_each(|value| *value ^= 3);
        }
        Step::ReadFront(count) => {
            let expected: Vec<u32> = model.queue.iter().take(count).copied().collect();
            assert_eq!(
                state.queue.read_front(count).blocking_wait().unwrap(),
                expected
            );
            let expected: Vec<u32> = model.log.iter().skip(count).take(2).copied().collect();
            assert_eq!(
                state.log.read(count..count + 2).blocking_wait().unwrap(),
                expected
            );
        }
        Step::EntryPush(key, value) => {
            entry(state, key).queue.push_back(value);
            model
                .levels
                .entry(name(key))
                .or_default()
                .queue
                .push_back(value);
        }
        Step::EntryPop(key) => {
            entry(state, key).queue.delete_front();
            model.levels.entry(name(key)).or_default().queue.pop_front();
        }
        Step::EntryNote(key, note, value) => {
            entry(state, key).notes.insert(&note, value).unwrap();
            model
                .levels
                .entry(name(key))
                .or_default()
                .notes
                .insert(note, value);
        }
        Step::EntryRemove(key) => {
            state.levels.remove_entry(&name(key)).unwrap();
            model.levels.remove(&name(key));
        }
        Step::EntryList => compare_levels(state, model),
        Step::Clear(which) => clear(which, state, model),
        Step::Save | Step::Reload => unreachable!("handled by the caller"),
    }
}

fn entry(state: &mut State, key: u8) -> &mut Level {
    state
        .levels
        .load_entry_mut(&name(key))
        .blocking_wait()
        .unwrap()
}

fn clear(which: u8, state: &mut State, model: &mut Model) {
    match which {
        0 => (state.map.clear(), model.map.clear()),
        1 => (state.set.clear(), model.set.clear()),
        2 => (state.queue.clear(), model.queue.clear()),
        3 => (state.log.clear(), model.log.clear()),
        4 => (state.levels.clear(), model.levels.clear()),
        _ => ((), ()),
    };
}

fn scan(state: &State, model: &Model) {
    let mut pairs = state.map.index_values().blocking_wait().unwrap();
    // BCS puts the length of a text first, so shorter ones come first; here that is the model's order too.
    assert!(pairs.is_sorted());
    assert_eq!(pairs, model.map.clone().into_iter().collect::<Vec<_>>());
    pairs.clear();
    let collect = |key, value: std::borrow::Cow<'_, u64>| {
        pairs.push((key, *value));
        Ok(())
    };
    state
        .map
        .for_each_index_value(collect)
        .blocking_wait()
        .unwrap();
    assert_eq!(pairs.len(), model.map.len());
    assert_eq!(
        state.set.indices().blocking_wait().unwrap(),
        model.set.iter().copied().collect::<Vec<_>>()
    );
    assert_eq!(state.queue.count(), model.queue.len());
    assert_eq!(state.log.count(), model.log.len());
}

fn compare_levels(state: &State, model: &Model) {
    let keys = state.levels.indices().blocking_wait().unwrap();
    assert_eq!(keys, model.levels.keys().cloned().collect::<Vec<_>>());
    for (key, expected) in &model.levels {
        let level = state
            .levels
            .try_load_entry(key)
            .blocking_wait()
            .unwrap()
            .unwrap();
        let found = LevelModel {
            queue: level.queue.elements().blocking_wait().unwrap().into(),
            notes: level
                .notes
                .index_values()
                .blocking_wait()
                .unwrap()
                .into_iter()
                .collect(),
        };
        assert_eq!(&found, expected);
    }
}

fn compare_all(state: &State, model: &Model) {
    scan(state, model);
    compare_levels(state, model);
    assert_eq!(
        state.queue.elements().blocking_wait().unwrap(),
        model.queue.iter().copied().collect::<Vec<_>>()
    );
    assert_eq!(state.log.read(..).blocking_wait().unwrap(), model.log);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn views_behave_like_collections(steps in prop::collection::vec(step(), 0..60)) {
        let store = KeyValueStore::default();
        let mut state = load(&store);
        let mut model = Model::default();
        let mut saved = Model::default();
        for step in &steps {
            match step {
                Step::Save => {
                    save(&mut state);
                    saved = model.clone();
                }
                Step::Reload => {
                    state = load(&store);
                    model = saved.clone();
                }
                step => apply(step, &mut state, &mut model),
            }
        }
        compare_all(&state, &model);
        save(&mut state);
        compare_all(&state, &model);
        compare_all(&load(&store), &model);
    }

    #[test]
    fn the_same_content_is_stored_the_same_way(steps in prop::collection::vec(step(), 0..40)) {
        // Maps, sets and entries leave no trace of how they came about. (Queues keep their indices.)
        let store = KeyValueStore::default();
        let mut state = load(&store);
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::Save | Step::Reload => { save(&mut state); state = load(&store); }
                Step::EntryPush(..) | Step::EntryPop(..) | Step::Push(_) | Step::Pop => {}
                step => apply(step, &mut state, &mut model),
            }
        }
        save(&mut state);
        let other = KeyValueStore::default();
        let mut state = load(&other);
        for (key, value) in &model.map { state.map.insert(key, *value).unwrap(); }
        for key in &model.set { state.set.insert(key).unwrap(); }
        for (key, level) in &model.levels {
            let entry = state.levels.load_entry_mut(key).blocking_wait().unwrap();
            for (note, value) in &level.notes { entry.notes.insert(note, *value).unwrap(); }
        }
        save(&mut state);
        prop_assert_eq!(store.contents(), other.contents());
    }
}
