//! How call depth is counted, and why the budget is safe.

/// What the host gives [`STACK_EXPORT`](super::STACK_EXPORT) before it enters a module from
/// outside, in units of one operand (eight bytes in a native frame).
///
/// A function that makes calls takes its parameters, its locals, its highest operand stack and
/// eight units for what every frame has (return address, saved registers), and gives them back when
/// it returns. An optimising compiler may spill copies and keep values of its own beside those, so
/// a unit is assumed to become up to four native operands: 32 bytes. The budget is then one
/// mebibyte of native stack.
///
/// A function that makes no call takes nothing, since at most one such frame exists at a time; the
/// limits on locals and operands bound it to 160 KiB by the same reckoning. Engines therefore need
/// 1.25 MiB of native stack beside what host functions use. When a host function enters another
/// instance on the same native stack, it hands over the caller's remaining units instead.
pub const STACK_UNITS: i32 = 32_768;

/// Units that every frame takes beside its values.
const FRAME_UNITS: u64 = 8;

/// Instructions that a function may have before its length counts.
const FREE_STEPS: u64 = 512;

/// The units that a function with calls takes while it runs.
///
/// A compiler may also keep results of its own making alive across a call, if the same is computed
/// again behind it. Their number is bounded by that of the instructions, so a long function takes a
/// unit, which is four native operands, for every four.
pub(super) fn frame_units(locals: u64, operand_height: u64, steps: u64) -> i32 {
    let long = steps.saturating_sub(FREE_STEPS) / 4;
    i32::try_from(locals + operand_height + FRAME_UNITS + long).expect("limits keep frames small")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_functions_take_more_of_the_stack() {
        assert_eq!(frame_units(3, 5, FREE_STEPS), 16);
        assert_eq!(frame_units(3, 5, FREE_STEPS + 4_000), 1_016);
    }

    /// A frame of the longest function that fits a module must be a number, not a panic.
    #[test]
    fn the_largest_frame_is_counted() {
        let limits = crate::prepare::Limits::PROTOCOL;
        let units = frame_units(limits.locals, limits.operand_height, limits.function_bytes);
        assert!(units > STACK_UNITS, "it is more than a guest has");
    }
}
