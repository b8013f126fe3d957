//! The standard library's maps, filled and emptied again.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasherDefault, DefaultHasher},
};

use crate::Random;

/// So many keys go into a tree, and half of them out of it.
pub(crate) fn btree(count: u64) -> u64 {
    let mut random = Random(11);
    let mut map = BTreeMap::new();
    for value in 0..count {
        map.insert(random.next(), value);
    }
    let mut random = Random(11);
    for _ in 0..count / 2 {
        map.remove(&random.next());
    }
    map.values().fold(0, |sum, value| sum ^ value)
}

/// So many keys go into a hash map, and half of them out of it.
pub(crate) fn hash_map(count: u64) -> u64 {
    let mut random = Random(12);
    let mut map: HashMap<u64, u64, BuildHasherDefault<DefaultHasher>> = HashMap::default();
    for value in 0..count {
        map.insert(random.next(), value);
    }
    let mut random = Random(12);
    let removed = (0..count / 2).filter_map(|_| map.remove(&random.next()));
    removed.fold(0, |sum, value| sum ^ value)
}
