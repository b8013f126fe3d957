//! Measurements across crates: engines, snapshots, preparation, the journal.
//!
//! One file per subject under `benches/`, each a program of its own: `cargo bench --package
//! resident-benches --bench instances`. Every line is a median with the smallest and the largest sample of
//! the thread's processor time, and both sides of a comparison are measured in turns in the same process,
//! so that they see the same machine. What blocks cost as a whole is measured by `resident bench`.

#![forbid(unsafe_code)]

mod bare;
mod guest;
mod host;
mod measure;

pub use bare::bare;
pub use guest::{CompiledGuest, Engines, Guest};
pub use host::{BenchHost, HASH_PARTS};
pub use measure::{Subject, compare, median, process_time, sample, show, thread_time};

use std::path::Path;

/// The bytes of an example's contract.
///
/// # Panics
/// If it was not built; the message says how to.
pub fn contract(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/contracts");
    let file = folder.join(name).with_extension("wasm");
    std::fs::read(&file).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run scripts/build-contracts.sh {name} first",
            file.display()
        )
    })
}
