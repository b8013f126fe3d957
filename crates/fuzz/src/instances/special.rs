//! Steps that check more than that the lanes agree.

use resident_wasm::{Meters, prepare::STACK_UNITS};

use super::{Course, PLENTY, forge, lane::decode};
use crate::{
    compare::{Difference, ensure, same, same_state},
    host::FuzzHost,
};

/// At least what a response takes in the guest's memory besides its own bytes.
const RESPONSE_HEADER_BYTES: i64 = 64;

impl Course<'_> {
    /// Makes a call with less fuel than it needs, and with just enough.
    pub(super) fn starve(&mut self) -> Result<(), Difference> {
        self.save()?;
        let entry = self.entry();
        let stack = STACK_UNITS;
        let meters = |fuel| Meters { fuel, stack };
        let first = self.call(&entry, meters(PLENTY))?;
        let after = self.lanes[0].snapshot().clone();
        self.roll_back()?;
        let spent = PLENTY - first.meters.fuel;
        if first.response.is_err() || first.asked_for_fuel || spent == 0 {
            return Ok(());
        }
        let less = self.random.below(spent.unsigned_abs()).cast_signed();
        let starved = self.call(&entry, meters(less))?;
        ensure(starved.response.is_err(), || {
            format!("a call that needs {spent} of fuel passes with {less}")
        })?;
        self.roll_back()?;
        // A guest must have fuel for the bytes of its response, which the host charges after the call.
        let bytes = first.response.as_ref().map_or(0, Vec::len) as i64 + RESPONSE_HEADER_BYTES;
        let exact = self.call(&entry, meters(spent + bytes))?;
        same(
            "the response with just enough fuel",
            &first.response,
            &exact.response,
        )?;
        same(
            "what is left of just enough fuel",
            &bytes,
            &exact.meters.fuel,
        )?;
        same_state("just enough fuel", &after, self.lanes[0].snapshot())?;
        self.keep(entry, meters(spent + bytes), exact);
        self.tally.count("fuel", "starved and repeated");
        Ok(())
    }

    /// Changes a bit of a portable snapshot, which has to be noticed.
    pub(super) fn tamper(&mut self) -> Result<(), Difference> {
        let mut bytes = self.checkpoint.saved[0].portable.clone();
        let position = self.random.below(bytes.len() as u64) as usize;
        bytes[position] ^= 1 << self.random.below(8);
        self.tally.count("snapshots", "tampered with");
        ensure(decode(&bytes).is_err(), || {
            format!("a flipped bit in byte {position} of a portable snapshot goes unnoticed")
        })?;
        bytes.truncate(position);
        ensure(decode(&bytes).is_err(), || {
            format!("a portable snapshot cut to {position} bytes is accepted")
        })
    }

    /// Makes up a snapshot, which has to be refused or to be a state like any other.
    pub(super) fn forge(&mut self) -> Result<(), Difference> {
        let (entry, meters) = (self.entry(), self.meters());
        let host = FuzzHost::new(meters, self.state.clone());
        let portable = &self.checkpoint.saved[0].portable;
        forge::check(
            portable,
            self.compiled,
            &host,
            &entry,
            self.random,
            self.tally,
        )
    }
}
