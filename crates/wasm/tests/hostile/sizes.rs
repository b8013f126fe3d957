//! Much of everything: functions by the thousand, locals by the million, megabytes of code.

use resident_wasm::prepare::RefusalReason;
use wasm_encoder::{Instruction as I, ValType};

use crate::{
    arena::{self, FUEL, is_past, survives},
    compile,
    raw::{AT_ADDRESS, FIRST, Raw, change, encode, repeat},
};

#[test]
fn thousands_of_functions() {
    let functions = |count: usize| Raw::of(vec![(vec![], vec![]); count]);
    survives("1,500 functions", &functions(1_500));
    is_past(
        "21,000 functions",
        &functions(21_000),
        "number of functions",
    );
    let calls = repeat(5_000, &[I::Call(FIRST)]);
    survives("calls", &Raw::of(vec![(vec![], vec![]), (vec![], calls)]));
}

/// Locals declared by the million, or in runs of none at all.
#[test]
fn giant_locals() {
    survives(
        "4,000 locals",
        &Raw::one(&[(4_000, ValType::F64)], nothing()),
    );
    survives(
        "100,000 runs of no locals",
        &Raw::one(&vec![(0, ValType::I64); 100_000], nothing()),
    );
    for locals in [
        vec![(u32::MAX, ValType::I64)],
        vec![(1 << 31, ValType::I32); 2],
    ] {
        let reason = arena::refused(&Raw::one(&locals, Vec::new()).build());
        let is_refused = matches!(
            reason,
            RefusalReason::Limit {
                what: "number of locals",
                ..
            } | RefusalReason::Invalid { .. }
        );
        assert!(is_refused, "{reason}");
    }
}

fn nothing() -> Vec<u8> {
    encode(&[I::Nop])
}

/// Many values alive across many calls.
#[test]
fn values_alive_across_many_calls() {
    let locals = 300;
    let stores = (0..locals)
        .flat_map(|local| encode(&[I::I32Const(64), I::LocalGet(local), I::I64Store(AT_ADDRESS)]));
    let code = [
        change(locals),
        repeat(1_000, &[I::Call(FIRST)]),
        stores.collect(),
    ];
    let raw = Raw::of(vec![
        (vec![], vec![]),
        (vec![(locals, ValType::I64)], code.concat()),
    ]);
    survives("values alive across calls", &raw);
}

/// Modules of just the largest size, and one byte more.
#[test]
fn eight_mebibytes() {
    let body = |bytes: usize| (Vec::new(), repeat(bytes, &[I::Nop]));
    let mut raw = Raw::of(vec![body(500 << 10); 16]);
    let rest = (8 << 20) - raw.build().len();
    raw.bodies.push(body(rest - 6));
    assert_eq!(raw.build().len(), 8 << 20);
    survives("8 MiB of nothing", &raw);
    raw.bodies[0].1.push(1);
    is_past("8 MiB and a byte", &raw, "size of the module in bytes");
    let large = Raw::one(&[], repeat((512 << 10) - 2, &[I::Nop]));
    survives("512 KiB of nothing in one function", &large);
    let larger = Raw::one(&[], repeat(512 << 10, &[I::Nop]));
    is_past(
        "a function too large",
        &larger,
        "size of a function in bytes",
    );
}

/// The most that the limits allow, to see how long it takes: minutes, so only when asked for.
#[test]
#[ignore = "minutes: prints how long the most expensive modules under the limits take to compile"]
fn the_most_expensive_modules_under_the_limits() {
    let branches = repeat(21_000, &[I::LocalGet(0), I::BrIf(0)]);
    survives(
        "21,000 branches in one function",
        &Raw::one(&[(1, ValType::I32)], branches),
    );
    let branches = repeat(4_000, &[I::LocalGet(0), I::BrIf(0)]);
    let function = (vec![(1, ValType::I32)], branches);
    survives(
        "4,000 branches in each of 20 functions",
        &Raw::of(vec![function; 20]),
    );
    survives("20,000 functions", &Raw::of(vec![(vec![], vec![]); 19_990]));
    let loads = repeat(5_000, &[I::I32Load(AT_ADDRESS)]);
    let code = [encode(&[I::I32Const(0)]), loads, encode(&[I::Drop])].concat();
    survives(
        "5,000 loads in each of 15 functions",
        &Raw::of(vec![(vec![], code); 15]),
    );
    survives(
        "2,000 branches with 500 locals",
        &compile::branches_with_locals(500, 2_000),
    );
    let ran = arena::run("5,000 results to keep", &compile::hoisted(5_000), FUEL);
    assert!(ran.response.is_ok());
}
