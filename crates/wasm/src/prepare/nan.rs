//! Which float results are made canonical.
//!
//! Wasm leaves sign and payload of a NaN result open for arithmetic and for conversions between
//! floats; every other instruction passes bits on unchanged. Only what can be *observed* has to be
//! canonical: a result that the next instruction feeds into arithmetic again, or compares, or
//! converts to an integer, shows nothing of its payload and is left alone.

use wasmparser::Operator;

use super::analyse::Step;

/// The bits of the canonical `f32` NaN.
pub(super) const CANONICAL_F32: u32 = 0x7fc0_0000;
/// The bits of the canonical `f64` NaN.
pub(super) const CANONICAL_F64: u64 = 0x7ff8_0000_0000_0000;

/// Width of a float.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Float {
    F32,
    F64,
}

/// The width of the step's result if it must be made canonical.
pub(super) fn needs_canonical(steps: &[Step<'_>], index: usize) -> Option<Float> {
    let width = arithmetic(&steps[index].operator)?;
    let next = steps.get(index + 1).map(|step| &step.operator);
    let hidden = next.is_some_and(|next| arithmetic(next).is_some() || hides_payload(next));
    (!hidden).then_some(width)
}

/// The width of the result of an instruction whose NaN results have an open payload.
fn arithmetic(operator: &Operator<'_>) -> Option<Float> {
    use Operator as O;
    match operator {
        O::F32Add
        | O::F32Sub
        | O::F32Mul
        | O::F32Div
        | O::F32Min
        | O::F32Max
        | O::F32Sqrt
        | O::F32Ceil
        | O::F32Floor
        | O::F32Trunc
        | O::F32Nearest
        | O::F32DemoteF64 => Some(Float::F32),
        O::F64Add
        | O::F64Sub
        | O::F64Mul
        | O::F64Div
        | O::F64Min
        | O::F64Max
        | O::F64Sqrt
        | O::F64Ceil
        | O::F64Floor
        | O::F64Trunc
        | O::F64Nearest
        | O::F64PromoteF32 => Some(Float::F64),
        _ => None,
    }
}

/// Instructions that take floats and give the same for every NaN.
#[rustfmt::skip]
fn hides_payload(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::F32Eq | O::F32Ne | O::F32Lt | O::F32Gt | O::F32Le | O::F32Ge
        | O::F64Eq | O::F64Ne | O::F64Lt | O::F64Gt | O::F64Le | O::F64Ge
        | O::I32TruncF32S | O::I32TruncF32U | O::I32TruncF64S | O::I32TruncF64U
        | O::I64TruncF32S | O::I64TruncF32U | O::I64TruncF64S | O::I64TruncF64U
        | O::I32TruncSatF32S | O::I32TruncSatF32U | O::I32TruncSatF64S | O::I32TruncSatF64U
        | O::I64TruncSatF32S | O::I64TruncSatF32U | O::I64TruncSatF64S | O::I64TruncSatF64U
    )
}
