//! The views that the tests use.

use resident_sdk::{
    KeyValueStore,
    util::BlockingWait,
    views::{
        CollectionView, CustomCollectionView, CustomMapView, CustomSerialize, LogView, MapView,
        QueueView, RegisterView, RootView, SetView, View, ViewError, ViewStorageContext,
        generic::context::ViewContext,
    },
};

/// A key whose bytes are in descending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descending(pub(crate) u16);

impl CustomSerialize for Descending {
    fn to_custom_bytes(&self) -> Result<Vec<u8>, ViewError> {
        Ok((!self.0).to_be_bytes().to_vec())
    }

    fn from_custom_bytes(bytes: &[u8]) -> Result<Self, ViewError> {
        let bytes = bytes
            .try_into()
            .map_err(|_| ViewError::CustomKey("not two bytes".into()))?;
        Ok(Descending(!u16::from_be_bytes(bytes)))
    }
}

#[derive(View)]
#[view(context = ViewStorageContext)]
pub(crate) struct Level {
    pub(crate) total: RegisterView<u64>,
    pub(crate) queue: QueueView<u32>,
    pub(crate) notes: MapView<u8, u64>,
}

#[derive(RootView)]
#[view(context = ViewStorageContext)]
pub(crate) struct State {
    pub(crate) register: RegisterView<String>,
    pub(crate) map: MapView<String, u64>,
    pub(crate) custom_map: CustomMapView<Descending, u64>,
    pub(crate) set: SetView<u16>,
    pub(crate) queue: QueueView<u32>,
    pub(crate) log: LogView<u32>,
    pub(crate) levels: CollectionView<String, Level>,
    pub(crate) custom_levels: CustomCollectionView<Descending, Level>,
    pub(crate) nested: Level,
}

pub(crate) fn load(store: &KeyValueStore) -> State {
    let context = ViewContext::new_unchecked(store.clone(), Vec::new(), ());
    State::load(context)
        .blocking_wait()
        .expect("the state loads")
}

pub(crate) fn save(state: &mut State) {
    state.save().blocking_wait().expect("the state is saved");
}

#[test]
fn an_unsaved_change_is_seen_but_not_stored() {
    let store = KeyValueStore::default();
    let mut state = load(&store);
    state.register.set("hello".into());
    state.map.insert("one", 1).unwrap();
    assert_eq!(state.register.get(), "hello");
    assert_eq!(state.map.get("one").blocking_wait().unwrap(), Some(1));
    assert!(store.contents().is_empty());
    save(&mut state);
    assert_eq!(load(&store).register.get(), "hello");
}

#[test]
fn keys_are_as_documented() {
    let store = KeyValueStore::default();
    let mut state = load(&store);
    state.register.set("x".into());
    state.set.insert(&7).unwrap();
    state.queue.push_back(5);
    state.nested.total.set(9);
    *state.nested.total.get_mut() += 1;
    state
        .custom_levels
        .load_entry_mut(&Descending(0xff00))
        .blocking_wait()
        .unwrap()
        .total
        .set(3);
    save(&mut state);
    let bounds = [[0; 8], 1u64.to_le_bytes()].concat();
    let expected = [
        (vec![0], vec![1, b'x']),
        (vec![3, 7, 0], vec![]),
        (vec![4, 0], bounds),
        (
            [vec![4, 1], vec![0; 8]].concat(),
            5u32.to_le_bytes().to_vec(),
        ),
        (vec![7, 0, 0, 0xff], vec![]),
        (vec![7, 1, 2, 0, 0xff, 0], 3u64.to_le_bytes().to_vec()),
        (vec![8, 0], 10u64.to_le_bytes().to_vec()),
    ];
    assert_eq!(store.contents(), expected.into_iter().collect());
}

#[test]
fn custom_keys_are_iterated_in_the_order_of_their_bytes() {
    let store = KeyValueStore::default();
    let mut state = load(&store);
    for key in [3, 500, 1, 40] {
        state
            .custom_map
            .insert(&Descending(key), u64::from(key))
            .unwrap();
    }
    save(&mut state);
    let mut state = load(&store);
    state.custom_map.insert(&Descending(41), 41).unwrap();
    state.custom_map.remove(&Descending(3)).unwrap();
    let values: Vec<u64> = state
        .custom_map
        .index_values()
        .blocking_wait()
        .unwrap()
        .into_iter()
        .map(|pair| pair.1)
        .collect();
    assert_eq!(values, [500, 41, 40, 1]);
}

#[test]
fn clearing_the_root_leaves_nothing_behind() {
    let store = KeyValueStore::default();
    let mut state = load(&store);
    state.register.set("x".into());
    state.map.insert("a", 1).unwrap();
    state.set.insert(&1).unwrap();
    state.queue.push_back(1);
    state.log.push(1);
    state
        .levels
        .load_entry_mut("level")
        .blocking_wait()
        .unwrap()
        .queue
        .push_back(2);
    save(&mut state);
    assert!(!store.contents().is_empty());
    let mut state = load(&store);
    state.clear();
    assert_eq!(
        state.map.indices().blocking_wait().unwrap(),
        Vec::<String>::new()
    );
    save(&mut state);
    assert!(store.contents().is_empty());
}

#[test]
fn an_entry_that_replaces_a_removed_one_starts_empty() {
    let store = KeyValueStore::default();
    let mut state = load(&store);
    let level = state
        .levels
        .load_entry_mut("level")
        .blocking_wait()
        .unwrap();
    level.notes.insert(&1, 10).unwrap();
    level.total.set(5);
    save(&mut state);

    let mut state = load(&store);
    state.levels.remove_entry("level").unwrap();
    let level = state
        .levels
        .load_entry_mut("level")
        .blocking_wait()
        .unwrap();
    assert_eq!(*level.total.get(), 0);
    assert_eq!(level.notes.get(&1).blocking_wait().unwrap(), None);
    level.notes.insert(&2, 20).unwrap();
    save(&mut state);

    let mut state = load(&store);
    let level = state
        .levels
        .load_entry_mut("level")
        .blocking_wait()
        .unwrap();
    assert_eq!(
        level.notes.index_values().blocking_wait().unwrap(),
        [(2, 20)]
    );
    assert_eq!(*level.total.get(), 0);
}

#[test]
fn an_entry_can_be_read_through_a_shared_reference() {
    let store = KeyValueStore::default();
    let mut state = load(&store);
    state
        .levels
        .load_entry_mut("a")
        .blocking_wait()
        .unwrap()
        .total
        .set(4);
    let guard = state
        .levels
        .try_load_entry("a")
        .blocking_wait()
        .unwrap()
        .unwrap();
    assert_eq!(*guard.total.get(), 4);
    drop(guard);
    assert!(
        state
            .levels
            .try_load_entry("b")
            .blocking_wait()
            .unwrap()
            .is_none()
    );
    assert_eq!(state.levels.indices().blocking_wait().unwrap(), ["a"]);
}

#[test]
fn views_and_their_futures_are_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let store = KeyValueStore::default();
    let mut state = is_send(load(&store));
    drop(is_send(state.map.get("a")));
    drop(is_send(state.queue.front()));
    drop(is_send(state.levels.load_entry_mut("a")));
    drop(is_send(state.levels.try_load_entry("a")));
    drop(is_send(state.save()));
}
