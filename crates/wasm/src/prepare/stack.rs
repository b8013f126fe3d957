//! How call depth is counted, and why the budget is safe.
//!
//! A native frame holds, besides what every frame has, values that are alive across something: the operands and
//! locals of the function, and results that a compiler computes ahead or keeps for later. It spills each of them to a
//! slot of its own, or lets values share slots; how often it finds slots to share depends on its version, so nothing
//! here relies on it. `FrameValues` therefore counts *every* value that a compiler can make
//! out of a function, once, and no frame is larger than that many of the widest slots.

/// What the host gives [`STACK_EXPORT`](super::STACK_EXPORT) before it enters a module from
/// outside, in units of [`STACK_UNIT_BYTES`].
///
/// A function that makes calls, or is large, takes the units of its frame, and gives them back when it returns. The whole budget is eight
/// mebibytes of native stack, if every value of every frame were spilled to the widest slot there is, all of them at once.
/// Engines run guests on [`NATIVE_STACK_BYTES`](crate::NATIVE_STACK_BYTES), which is several times that. When a
/// host function enters another instance, it hands over the caller's remaining units instead.
pub const STACK_UNITS: i32 = 1 << 19;

/// The widest slot that a compiler spills a value to, in bytes: that of a float, because the registers are as wide.
pub const STACK_UNIT_BYTES: usize = 16;

/// Units that every frame takes beside its values, for its return address, saved registers, pointers to the instance, and
/// for the trampolines between guest and host. Also what bounds the number of frames, which a failure has to walk over.
pub(super) const FRAME_UNITS: u64 = 128;

/// The largest frame of a function without calls that takes nothing of the budget. Only one such frame exists at a
/// time, so the native stack has room for it.
const FREE_LEAF_UNITS: u64 = 1_024;

/// The units that a function takes while it runs; `None` if it need not take any.
pub(super) fn units_taken(frame: u64, has_calls: bool) -> Option<i32> {
    let units = i32::try_from(frame).unwrap_or(i32::MAX);
    (has_calls || frame > FREE_LEAF_UNITS).then_some(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_functions_without_calls_take_nothing() {
        assert_eq!(units_taken(FREE_LEAF_UNITS, false), None);
        assert_eq!(units_taken(FREE_LEAF_UNITS + 1, false), Some(1_025));
        assert_eq!(units_taken(FRAME_UNITS, true), Some(128));
    }

    /// A frame that no guest has room for must be a number, not a panic.
    #[test]
    fn the_largest_frame_is_counted() {
        assert_eq!(units_taken(u64::MAX, true), Some(i32::MAX));
    }
}
