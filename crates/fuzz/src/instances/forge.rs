//! Snapshots that nobody took: bits changed, and the hash made right again.

use resident_base::CryptoHash;
use resident_wasm::{PortableSnapshot, RestoreError};

use super::lane::Lane;
use crate::{
    compare::{Difference, ensure, same, same_state},
    host::FuzzHost,
    instance::{Compiled, Entry, Kind},
    random::Random,
    tally::Tally,
};

/// The hash at the end of a portable snapshot.
const HASH_BYTES: usize = 32;

/// Restores a forged snapshot on both engines. They have to agree on whether it fits; if it does, it is
/// as good as any other state, and if not, nothing may have changed.
pub(super) fn check(
    portable: &[u8],
    compiled: &Compiled,
    host: &FuzzHost,
    entry: &Entry,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<(), Difference> {
    let bytes = forge(portable, random);
    let Ok(snapshot) = PortableSnapshot::decode(&bytes) else {
        tally.count("snapshots", "forged, not decoded");
        return Ok(());
    };
    same("a snapshot's own bytes", &bytes, &snapshot.to_bytes())?;
    let mut first = Lane::new(compiled, Kind::Wasmtime)?;
    let mut second = Lane::new(compiled, Kind::Wasmer)?;
    let results = [&mut first, &mut second].map(|lane| restore(lane, &snapshot));
    let [result, other] = results;
    let (result, other) = (result?, other?);
    same("restores of a forged snapshot", &result, &other)?;
    if result.is_err() {
        tally.count("snapshots", "forged, refused");
        return Ok(());
    }
    tally.count("snapshots", "forged, restored");
    same_state("a forged state", first.snapshot(), second.snapshot())?;
    let [outcome, other] = [&mut first, &mut second].map(|lane| lane.call(host.clone(), entry));
    outcome.compare(&other)?;
    same_state("after a forged state", first.snapshot(), second.snapshot())
}

fn restore(
    lane: &mut Lane,
    snapshot: &PortableSnapshot,
) -> Result<Result<(), RestoreError>, Difference> {
    let before = lane.snapshot().clone();
    let result = lane.restore_portable(snapshot);
    match result {
        Ok(()) => ensure(lane.portable() == *snapshot, || {
            "a forged snapshot is not what is taken of it".to_owned()
        })?,
        Err(_) => same_state("after a refused restore", &before, lane.snapshot())?,
    }
    Ok(result)
}

/// Changes bits behind the module's hash, and hashes again.
fn forge(portable: &[u8], random: &mut Random) -> Vec<u8> {
    const BEGIN: usize = 8 + HASH_BYTES;
    let end = portable.len() - HASH_BYTES;
    let mut body = portable[..end].to_vec();
    for _ in 0..=random.below(2) {
        // The counts stand first, and would hardly be met in a long snapshot.
        let room = match random.percent(30) {
            true => end.min(BEGIN + 40) - BEGIN,
            false => end - BEGIN,
        };
        let position = BEGIN + random.below(room as u64) as usize;
        body[position] ^= 1 << random.below(8);
    }
    let hash = CryptoHash::of_bytes(&body);
    body.extend_from_slice(hash.as_bytes());
    body
}
