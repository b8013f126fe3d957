//! What a module costs an optimising compiler, in nanoseconds of the slower engine on an ordinary machine.
//!
//! A compiler takes far longer for some bytes than for others, and its memory with it. Preparation therefore adds up
//! what is known to cost time, on the prepared code, and refuses a module past the limit. Each constant is from a
//! search for the dearest modules, `the_dearest_modules` among the hostile ones, measured on both engines:
//!
//! * every operator takes some time, every function and every basic block takes more;
//! * a value that lives across a basic block takes time, and memory, in each; any variable can, and so can any result
//!   that is the same wherever it is computed, if it is computed twice: half of them, for whole blocks;
//! * each branch to a place where control can arrive from elsewhere hands over each local that may differ there;
//! * passes that run until nothing changes run once for each loop around;
//! * ranges of one value are merged one by one, so blocks also cost in their square;
//! * a function that something outside can call needs a bridge, and each type and import as well.

use super::{Limits, PrepareError, Shape, error::within};

const FUNCTION: u64 = 60_000;
const BLOCK: u64 = 10_000;
/// A pair of basic blocks.
const BLOCK_PAIR: u64 = 13;
/// A value that lives across a basic block.
const LIVE: u64 = 450;
/// A value that a branch hands over. It takes one more nanosecond for each variable of the function.
const JOINED: u64 = 800;
/// A loop around a basic block.
const LOOP_DEPTH: u64 = 600;

/// A function, a type or an import that code outside is bridged to, and each value that goes across.
const BRIDGE: u64 = 60_000;
const BRIDGED_VALUE: u64 = 6_000;

impl Shape {
    /// The time of compiling the function, in nanoseconds.
    pub(super) fn work(&self) -> u64 {
        let live = self.variables.saturating_mul(self.blocks);
        let kept = (self.kept.saturating_mul(self.blocks) / 2).saturating_add(self.loaded / 2);
        let joined = JOINED.saturating_add(self.variables);
        [
            FUNCTION,
            self.operators,
            self.blocks.saturating_mul(BLOCK),
            self.blocks
                .saturating_mul(self.blocks)
                .saturating_mul(BLOCK_PAIR),
            live.saturating_add(kept).saturating_mul(LIVE),
            self.joins.saturating_mul(joined),
            self.loop_depths.saturating_mul(LOOP_DEPTH),
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

/// What is counted while a function is read, to refuse it before its code is written again.
#[derive(Default)]
pub(super) struct Work {
    kept: u64,
    joined_values: u64,
}

impl Work {
    /// Instructions worth so much fuel.
    pub(super) fn add_instruction(&mut self, _: u64) {}

    /// A straight run, or anything else that can stop a function for its fuel.
    pub(super) fn add_run(&mut self) {}

    /// A result that a compiler may keep, in quarters of a stack unit.
    pub(super) fn add_kept(&mut self, quarters: u64) {
        self.kept += quarters;
    }

    /// What a compiler may keep across calls beside locals and operands, in quarters of a stack unit.
    pub(super) fn kept(&self) -> u64 {
        self.kept
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
}

/// The time of making bridges for so many functions, types and imports, which have so many parameters and results.
pub(super) fn of_bridges(count: u64, values: u64) -> u64 {
    let values = values.saturating_mul(BRIDGED_VALUE);
    count.saturating_mul(BRIDGE).saturating_add(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cost_in_their_square() {
        let work = |blocks| {
            Shape {
                blocks,
                ..Shape::default()
            }
            .work()
        };
        assert_eq!(work(0), FUNCTION);
        assert_eq!(work(64), FUNCTION + 64 * BLOCK + 64 * 64 * BLOCK_PAIR);
        assert_eq!(work(u64::MAX), u64::MAX, "no count can wrap");
    }
}
