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

use super::shape::Shape;

const FUNCTION: u64 = 60_000;
const BLOCK: u64 = 10_000;
/// A pair of basic blocks.
const BLOCK_PAIR: u64 = 30;
/// A value that lives across a basic block.
const LIVE: u64 = 450;
/// A pair of results that may be kept, and so compete for registers.
const KEPT_PAIR: u64 = 4;
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
            self.kept
                .saturating_mul(self.kept)
                .saturating_mul(KEPT_PAIR),
            self.joins.saturating_mul(joined),
            self.loop_depths.saturating_mul(LOOP_DEPTH),
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
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
