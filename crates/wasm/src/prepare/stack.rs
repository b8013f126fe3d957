//! How call depth is counted, and why the budget is safe.
//!
//! A native frame holds, besides what every frame has, values that are alive across something: the operands and
//! locals of the function, and results that a compiler computes ahead or keeps for later. It spills each of them to a
//! slot of its own, or lets values share slots; how often it finds slots to share depends on its version, so nothing
//! here relies on it. `FrameValues` therefore counts *every* value that a compiler can make
//! out of a function, once, and no frame is larger than that many of the widest slots.

use wasmparser::Operator;

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

/// What an instruction's result adds to the values that compete for registers, in halves; for the work of compiling.
/// A float weighs twice as much.
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
