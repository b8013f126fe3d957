//! Times the end of a block without a disk: how long `Journal::finish` takes for a number of changed
//! keys, each replacing a value that the block has read.
//!
//! ```text
//! cargo run --release -p resident-storage --example finish_cost
//! ```

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::executor::block_on;
use resident_storage::{Journal, KeyValueStore, MemoryStore, Namespace};

const PARTITION: &[u8] = b"one chain";
const VALUE_BYTES: usize = 64;
const ROUNDS: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    for keys in [1, 30, 300, 3000] {
        let store: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::new());
        block_on(store.write(change_all(&store, keys, 0)?.finish()?.batch))?;
        let mut fastest = Duration::MAX;
        for round in 1..=ROUNDS {
            let journal = change_all(&store, keys, round)?;
            let start = Instant::now();
            let finished = journal.finish()?;
            fastest = fastest.min(start.elapsed());
            assert_eq!(finished.changes, keys as usize);
        }
        println!(
            "finish/keys={keys}: {fastest:?}, per key {:?}",
            fastest / keys
        );
    }
    Ok(())
}

fn change_all(
    store: &Arc<dyn KeyValueStore>,
    keys: u32,
    round: u32,
) -> Result<Journal, Box<dyn Error>> {
    let mut journal = Journal::open(store.clone(), PARTITION)?;
    for key in 0..keys {
        let mut value = vec![0; VALUE_BYTES];
        value[..4].copy_from_slice(&round.to_le_bytes());
        journal.read(Namespace::System, &key.to_be_bytes())?;
        journal.put(Namespace::System, &key.to_be_bytes(), value)?;
    }
    Ok(journal)
}
