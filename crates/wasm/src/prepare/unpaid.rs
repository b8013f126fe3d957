//! Where a straight run that only goes forward has to be checked, so that little can run that was not paid for.

use wasmparser::Operator;

/// The most fuel that code can spend without a check. A longer way forward is checked on the way.
const UNCHECKED_FUEL: u64 = 1_024;

/// Follows control through a function, in the order of its text, with the most that may have been spent since the last
/// check on any way to each place.
///
/// Ways backward lead to the heads of loops, which are checked. So the ways without a check only go forward, and one
/// pass finds the most that is spent on them.
#[derive(Default)]
pub(super) struct Unpaid {
    spent: u64,
    /// Blocks around the current instruction.
    blocks: Vec<Block>,
}

/// A block that has begun.
#[derive(Default)]
struct Block {
    /// The most that may have been spent on a way that leaves to the block's end.
    at_end: u64,
    /// What may have been spent where the other arm of an `if` begins.
    at_else: u64,
}

impl Unpaid {
    /// An instruction of the function, before the run that begins behind it.
    pub(super) fn follow(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } => self.blocks.push(Block::default()),
            Operator::If { .. } => self.blocks.push(Block {
                at_end: self.spent,
                at_else: self.spent,
            }),
            Operator::Else => {
                let spent = self.spent;
                if let Some(block) = self.blocks.last_mut() {
                    block.at_end = block.at_end.max(spent);
                    self.spent = block.at_else;
                }
            }
            Operator::End => {
                let block = self.blocks.pop().unwrap_or_default();
                self.spent = self.spent.max(block.at_end);
            }
            Operator::BrIf { relative_depth } => self.leave(*relative_depth),
            Operator::Br { relative_depth } => {
                self.leave(*relative_depth);
                self.spent = 0;
            }
            Operator::BrTable { targets } => {
                let depths = targets.targets().flatten();
                depths.for_each(|depth| self.leave(depth));
                self.leave(targets.default());
                self.spent = 0;
            }
            Operator::Return | Operator::Unreachable => self.spent = 0,
            _ => (),
        }
    }

    /// The fuel was checked here.
    pub(super) fn checked(&mut self) {
        self.spent = 0;
    }

    /// A run that costs so much begins. Returns whether it has to be checked.
    pub(super) fn run(&mut self, cost: u64) -> bool {
        self.spent += cost;
        let must_check = self.spent > UNCHECKED_FUEL;
        if must_check {
            self.spent = 0;
        }
        must_check
    }

    /// A branch. Depths beyond the blocks are the function, whose caller checks; a loop's are checked at its head.
    fn leave(&mut self, depth: u32) {
        let index = self.blocks.len().checked_sub(1 + depth as usize);
        if let Some(block) = index.and_then(|index| self.blocks.get_mut(index)) {
            block.at_end = block.at_end.max(self.spent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::BlockType;

    const BLOCK: Operator<'static> = Operator::Block {
        blockty: BlockType::Empty,
    };
    const IF: Operator<'static> = Operator::If {
        blockty: BlockType::Empty,
    };

    #[test]
    fn a_way_around_a_check_is_remembered() {
        let mut unpaid = Unpaid::default();
        assert!(!unpaid.run(1_000));
        unpaid.follow(&BLOCK);
        unpaid.follow(&Operator::BrIf { relative_depth: 0 });
        assert!(unpaid.run(1_000), "the way through the block");
        unpaid.follow(&Operator::End);
        assert!(!unpaid.run(24));
        assert!(unpaid.run(1), "the way around");
    }

    #[test]
    fn arms_do_not_add_up() {
        let mut unpaid = Unpaid::default();
        unpaid.follow(&IF);
        assert!(!unpaid.run(1_000));
        unpaid.follow(&Operator::Else);
        assert!(!unpaid.run(1_000));
        unpaid.follow(&Operator::End);
        assert!(!unpaid.run(24));
        assert!(unpaid.run(1));
    }
}
