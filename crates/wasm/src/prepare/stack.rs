//! How call depth is counted, and why the budget is safe.

use wasmparser::Operator;

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
/// limits on locals, operands and the work of compiling bound it to half a mebibyte by the same
/// reckoning. Engines therefore need 1.5 MiB of native stack beside what host functions use. When a
/// host function enters another instance on the same native stack, it hands over the caller's remaining
/// units instead.
pub const STACK_UNITS: i32 = 32_768;

/// Units that every frame takes beside its values.
const FRAME_UNITS: u64 = 8;

/// What results may be kept for before it counts: as much as sixteen units.
const FREE_KEPT: u64 = 64;

/// Quarters of a unit in a whole one.
const QUARTERS: u64 = 4;

/// The units that a function with calls takes while it runs; `kept` is in quarters of a unit.
///
/// A compiler may also keep results of its own making alive across a call: what is computed from the
/// same values in each turn of a loop is computed once, before the loop, and stays in the frame. No
/// local or operand shows that. Their number is bounded by that of the instructions which compute
/// something; see [`kept_by`].
pub(super) fn frame_units(locals: u64, operand_height: u64, kept: u64) -> i32 {
    let kept = kept.saturating_sub(FREE_KEPT) / QUARTERS;
    i32::try_from(locals + operand_height + FRAME_UNITS + kept).expect("limits keep frames small")
}

/// What a compiler may keep of an instruction's result, in quarters of a unit: eight bytes each. A
/// float is spilled to sixteen, because the registers are as wide as that.
///
/// Values of locals are counted already, constants are made anew where they are needed, and what a
/// call returns or memory holds cannot be computed ahead; an address can.
pub(super) fn kept_by(operator: &Operator<'_>) -> u64 {
    use Operator as O;
    match operator {
        O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. } | O::Drop | O::Nop => 0,
        O::I32Const { .. } | O::I64Const { .. } | O::F32Const { .. } | O::F64Const { .. } => 0,
        O::Block { .. } | O::Loop { .. } | O::If { .. } | O::Else | O::End => 0,
        O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } | O::Return | O::Unreachable => 0,
        O::Call { .. } => 0,
        other if is_float(other) => 2,
        _ => 1,
    }
}

/// Whether the result is a float that is computed.
#[rustfmt::skip]
fn is_float(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::F32Abs | O::F32Neg | O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest | O::F32Sqrt
        | O::F32Add | O::F32Sub | O::F32Mul | O::F32Div | O::F32Min | O::F32Max | O::F32Copysign
        | O::F64Abs | O::F64Neg | O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest | O::F64Sqrt
        | O::F64Add | O::F64Sub | O::F64Mul | O::F64Div | O::F64Min | O::F64Max | O::F64Copysign
        | O::F32ConvertI32S | O::F32ConvertI32U | O::F32ConvertI64S | O::F32ConvertI64U
        | O::F64ConvertI32S | O::F64ConvertI32U | O::F64ConvertI64S | O::F64ConvertI64U
        | O::F32DemoteF64 | O::F64PromoteF32 | O::F32ReinterpretI32 | O::F64ReinterpretI64
        | O::Select | O::TypedSelect { .. } | O::GlobalGet { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_that_can_be_kept_take_some_of_the_stack() {
        assert_eq!(frame_units(3, 5, FREE_KEPT), 16);
        assert_eq!(frame_units(3, 5, FREE_KEPT + 4_000), 1_016);
    }

    /// A frame of the longest function that fits a module must be a number, not a panic.
    #[test]
    fn the_largest_frame_is_counted() {
        let limits = crate::prepare::Limits::PROTOCOL;
        let kept = 2 * limits.function_bytes;
        let units = frame_units(limits.locals, limits.operand_height, kept);
        assert!(units > STACK_UNITS, "it is more than a guest has");
    }
}
