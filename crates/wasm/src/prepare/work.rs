//! How much work a function makes for an optimising compiler.
//!
//! A compiler takes far longer for some bytes than for others. Preparation therefore adds up what it
//! knows to cost time, in units of about a microsecond of Cranelift on an ordinary machine, and
//! refuses a module past the limit. Measured on both engines:
//!
//! * an instruction takes about twice its fuel;
//! * every function takes something, and every straight run a block of code with a branch out of it;
//! * some passes walk up from a block to all those above it, so runs cost in their square too;
//! * results that a compiler may keep for later compete for registers, each with all others;
//! * each branch to a place where control can arrive from elsewhere hands over each local that may
//!   differ there, and a `br_table` does so once for each of its targets, even for equal ones.

use super::{Limits, PrepareError, error::within};

const FUNCTION: u64 = 400;
const FUEL_UNIT: u64 = 2;
const RUN: u64 = 32;
/// Pairs of runs that take one unit.
const RUN_PAIRS: u64 = 32;
/// Pairs of kept results that take one unit.
const KEPT_PAIRS: u64 = 32;
const JOINED_VALUE: u64 = 3;

/// What was counted in one function.
#[derive(Default)]
pub(super) struct Work {
    instructions: u64,
    runs: u64,
    kept: u64,
    joined_values: u64,
}

impl Work {
    /// Instructions worth so much fuel.
    pub(super) fn add_instruction(&mut self, fuel: u64) {
        self.instructions += fuel;
    }

    /// A straight run, or anything else that can stop a function for its fuel.
    pub(super) fn add_run(&mut self) {
        self.runs += 1;
    }

    /// A result that a compiler may keep, in quarters of a stack unit.
    pub(super) fn add_kept(&mut self, quarters: u64) {
        self.kept += quarters;
    }

    /// Branches that each hand over so many values.
    pub(super) fn add_branches(&mut self, branches: u64, values: u64) {
        self.joined_values = self
            .joined_values
            .saturating_add(branches.saturating_mul(values));
    }

    /// Refuses the function as soon as it hands over too much.
    pub(super) fn check(&self, offset: u64, limits: &Limits) -> Result<(), PrepareError> {
        within(
            offset,
            "number of values that a function joins",
            self.joined_values,
            limits.joined_values,
        )
    }

    /// All of it, in units.
    pub(super) fn units(&self) -> u64 {
        let pairs = |count: u64| count.saturating_mul(count);
        [
            FUNCTION,
            self.instructions.saturating_mul(FUEL_UNIT),
            self.runs.saturating_mul(RUN),
            pairs(self.runs) / RUN_PAIRS,
            pairs(self.kept) / KEPT_PAIRS,
            self.joined_values.saturating_mul(JOINED_VALUE),
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cost_in_their_square() {
        let work = |runs| Work {
            runs,
            ..Work::default()
        };
        assert_eq!(work(0).units(), FUNCTION);
        assert_eq!(work(64).units(), FUNCTION + 64 * RUN + 128);
        assert_eq!(work(u64::MAX).units(), u64::MAX, "no count can wrap");
    }
}
