//! What an optimising compiler takes for single operators, in nanoseconds.
//!
//! From `the_dearest_modules` among the hostile modules: two thousand of each in one function, on the slower engine.

use wasmparser::Operator;

use super::{Costs, analyse::pays_by_size};

/// A call, besides what it hands over.
pub(super) const CALL: u64 = 20_000;
/// A value that is handed to a function.
pub(super) const PARAMETER: u64 = 3_000;
/// A value that a function gives, of which all but the first go through memory.
pub(super) const RESULT: u64 = 12_000;
/// One target of a `br_table`.
pub(super) const BRANCH_TARGET: u64 = 1_000;
/// Basic blocks that `call_indirect` becomes, for its checks.
pub(super) const INDIRECT_BLOCKS: u64 = 4;
/// Arithmetic on what was stored before and is loaded again: optimisers see through memory, and then through chains of
/// sums by rules that try each with each.
pub(super) const FORWARDED: u64 = 130_000;
/// Loads of that kind between two calls before it counts: rules have a limited depth, so short chains are cheap.
pub(super) const FREE_FORWARDED: u64 = 8;

const NAME: u64 = 150;
const CONSTANT: u64 = 1_500;
const MEMORY_ACCESS: u64 = 10_000;
const GLOBAL: u64 = 3_000;
const DIVISION: u64 = 12_000;
const LIBRARY_CALL: u64 = 40_000;
const CHECKED_CONVERSION: u64 = 16_000;
/// Rules for sums look at what they are made of.
const SUM: u64 = 10_000;
const OTHER: u64 = 4_000;

/// The time of one operator on its own.
pub(super) fn of(operator: &Operator<'_>) -> u64 {
    use Operator as O;
    match operator {
        O::Nop | O::Block { .. } | O::Loop { .. } | O::Else | O::End => NAME,
        O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. } | O::Drop => NAME,
        O::I32Const { .. } | O::I64Const { .. } | O::F32Const { .. } | O::F64Const { .. } => {
            CONSTANT
        }
        O::GlobalGet { .. } | O::GlobalSet { .. } => GLOBAL,
        O::Call { .. } | O::CallIndirect { .. } => CALL,
        other if pays_by_size(other) => LIBRARY_CALL,
        other if is_load(other) || is_store(other) => MEMORY_ACCESS,
        other if Costs::of(other) == Costs::DIVISION => DIVISION,
        other if is_checked_conversion(other) => CHECKED_CONVERSION,
        other if kind_of(other) == Kind::Sum => SUM,
        _ => OTHER,
    }
}

/// What an operator does to values, as far as a compiler cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The same operands give the same result, at any place.
    Pure,
    /// As [`Kind::Pure`]; sums can be regrouped, and those with a constant are cheap enough to be made anew.
    Sum,
    /// Reads memory, at this offset.
    Load(u64),
    /// Writes memory, at this offset.
    Store(u64),
    /// Nothing of that.
    Other,
}

/// The kind of an operator.
pub(super) fn kind_of(operator: &Operator<'_>) -> Kind {
    use Operator as O;
    /// Globals have no offset; this is beyond all that have one.
    const GLOBALS: u64 = 1 << 32;
    match operator {
        O::GlobalGet { global_index } => Kind::Load(GLOBALS + u64::from(*global_index)),
        O::GlobalSet { global_index } => Kind::Store(GLOBALS + u64::from(*global_index)),
        O::MemorySize { .. } => Kind::Load(2 * GLOBALS),
        O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. } | O::Drop | O::Nop => {
            Kind::Other
        }
        O::I32Const { .. } | O::I64Const { .. } | O::F32Const { .. } | O::F64Const { .. } => {
            Kind::Other
        }
        O::Block { .. } | O::Loop { .. } | O::If { .. } | O::Else | O::End => Kind::Other,
        O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } | O::Return | O::Unreachable => {
            Kind::Other
        }
        O::Call { .. } | O::CallIndirect { .. } => Kind::Other,
        O::I32Add
        | O::I64Add
        | O::I32Sub
        | O::I64Sub
        | O::I32Xor
        | O::I64Xor
        | O::I32Or
        | O::I64Or
        | O::I32And
        | O::I64And => Kind::Sum,
        other if pays_by_size(other) => Kind::Other,
        other => match (offset_of(other), is_store(other)) {
            (Some(offset), false) => Kind::Load(offset),
            (Some(offset), true) => Kind::Store(offset),
            (None, _) => Kind::Pure,
        },
    }
}

/// Whether it traps for what the result cannot hold.
fn is_checked_conversion(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::I32TruncF32S
            | O::I32TruncF32U
            | O::I32TruncF64S
            | O::I32TruncF64U
            | O::I64TruncF32S
            | O::I64TruncF32U
            | O::I64TruncF64S
            | O::I64TruncF64U
    )
}

fn is_load(operator: &Operator<'_>) -> bool {
    offset_of(operator).is_some() && !is_store(operator)
}

fn is_store(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::I32Store { .. }
            | O::I64Store { .. }
            | O::F32Store { .. }
            | O::F64Store { .. }
            | O::I32Store8 { .. }
            | O::I32Store16 { .. }
            | O::I64Store8 { .. }
            | O::I64Store16 { .. }
            | O::I64Store32 { .. }
    )
}

/// Where a load or a store goes, beside its address.
fn offset_of(operator: &Operator<'_>) -> Option<u64> {
    use Operator as O;
    match operator {
        O::I32Load { memarg }
        | O::I64Load { memarg }
        | O::F32Load { memarg }
        | O::F64Load { memarg }
        | O::I32Load8S { memarg }
        | O::I32Load8U { memarg }
        | O::I32Load16S { memarg }
        | O::I32Load16U { memarg }
        | O::I64Load8S { memarg }
        | O::I64Load8U { memarg }
        | O::I64Load16S { memarg }
        | O::I64Load16U { memarg }
        | O::I64Load32S { memarg }
        | O::I64Load32U { memarg }
        | O::I32Store { memarg }
        | O::I64Store { memarg }
        | O::F32Store { memarg }
        | O::F64Store { memarg }
        | O::I32Store8 { memarg }
        | O::I32Store16 { memarg }
        | O::I64Store8 { memarg }
        | O::I64Store16 { memarg }
        | O::I64Store32 { memarg } => Some(memarg.offset),
        _ => None,
    }
}
