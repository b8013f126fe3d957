//! Bombs: few bytes published, much to prepare or to compile.
//!
//! The attacker pays for a small module and wants every validator to compile for minutes, or to run out
//! of memory while it does. Optimising compilers have passes that take the square of something: blocks
//! above blocks, branches times variables, results alive at once. What stops it is counted in
//! `prepare/work.rs`; before that, 36 KiB of one of these took 27 seconds and 2.6 GB on both engines.

use resident_wasm::prepare::RefusalReason;
use wasm_encoder::{BlockType, Instruction as I, MemArg, MemArgTarget, ValType};

use crate::{
    arena::{self, FUEL},
    host::{contract, respond},
    raw::{FIRST, Raw, encode, repeat},
};

const AT_ADDRESS: MemArg = MemArg {
    offset: 0,
    align: 0,
    target: MemArgTarget::Memory(0),
    ordering: None,
};

/// The first byte of memory: zero, which no compiler knows.
const UNKNOWN: [I<'static>; 2] = [I::I32Const(0), I::I32Load8U(AT_ADDRESS)];

fn survives(name: &str, raw: &Raw) {
    let ran = arena::run(name, &raw.build(), 20 * FUEL);
    assert_eq!(ran.response, Ok(Vec::new()), "{name}");
}

fn is_past(name: &str, raw: &Raw, limit: &str) {
    match arena::refused(&raw.build()) {
        RefusalReason::Limit { what, .. } => assert_eq!(what, limit, "{name}"),
        other => panic!("{name}: {other}"),
    }
}

const WORK: &str = "work of compiling the code";
const JOINED: &str = "number of values that a function joins";

/// Sixteen to forty bytes of metering for two published ones.
#[test]
fn instructions_that_multiply() {
    let chain = |times: usize| {
        Raw::one(
            &[],
            [
                encode(&[I::I32Const(0)]),
                repeat(times, &[I::MemoryGrow(0)]),
                encode(&[I::Drop]),
            ]
            .concat(),
        )
    };
    survives("memory.grow, 1,000 times", &chain(1_000));
    is_past("memory.grow, as often as fits", &chain(250_000), WORK);
    let floats = |times: usize| {
        let code = repeat(times, &[I::F64Sqrt, I::F64Neg]);
        Raw::one(
            &[],
            [encode(&[I::F64Const(1.0.into())]), code, encode(&[I::Drop])].concat(),
        )
    };
    survives("results made canonical", &floats(1_500));
    is_past(
        "results made canonical, as often as fits",
        &floats(250_000),
        WORK,
    );
}

/// Every branch begins a run with a charge of its own, and a block below all blocks before it.
#[test]
fn tiny_blocks() {
    let branches = |times: usize| {
        Raw::one(
            &[(1, ValType::I32)],
            repeat(times, &[I::LocalGet(0), I::BrIf(0)]),
        )
    };
    survives("branches", &branches(2_000));
    is_past("branches, as many as fit", &branches(130_000), WORK);
    let ifs = |times: usize| {
        let code = [I::LocalGet(0), I::If(BlockType::Empty), I::End];
        Raw::one(&[(1, ValType::I32)], repeat(times, &code))
    };
    survives("empty ifs", &ifs(1_000));
    is_past("empty ifs, as many as fit", &ifs(100_000), WORK);
}

#[test]
fn deep_nesting() {
    let nested = |depth: usize, times: usize| {
        let once = [
            repeat(depth, &[I::Loop(BlockType::Empty)]),
            repeat(depth, &[I::End]),
        ];
        Raw::one(&[], once.concat().repeat(times))
    };
    survives("1,000 nested loops", &nested(1_000, 1));
    is_past(
        "nested too deep",
        &nested(1_025, 1),
        "depth of nested blocks",
    );
    is_past("nested loops, as many as fit", &nested(1_000, 170), WORK);
}

/// Adds one to each of so many locals, so that all are others on each way.
fn change(locals: u32) -> Vec<u8> {
    (0..locals)
        .flat_map(|local| {
            encode(&[
                I::LocalGet(local),
                I::I64Const(1),
                I::I64Add,
                I::LocalSet(local),
            ])
        })
        .collect()
}

/// Many branches to one loop, each of which hands over every local.
#[test]
fn branches_that_hand_over_every_local() {
    let branches = |locals: u32, branches: usize| {
        let jumps = repeat(
            branches,
            &[UNKNOWN[0].clone(), UNKNOWN[1].clone(), I::BrIf(0)],
        );
        let code = [
            encode(&[I::Loop(BlockType::Empty)]),
            change(locals),
            jumps,
            encode(&[I::End]),
        ];
        Raw::one(&[(locals, ValType::I64)], code.concat())
    };
    survives("branches with 64 locals", &branches(64, 1_000));
    is_past("branches with 500 locals", &branches(500, 4_000), JOINED);
}

/// One jump table with thousands of equal targets: a byte for each, and a copy of every local.
#[test]
fn jump_tables_that_hand_over_every_local() {
    let tables = |locals: u32, targets: usize, tables: usize| {
        let [zero, load] = UNKNOWN;
        // The loop's head is meant by all of them but the first, which is taken.
        let depths: Vec<u32> = [0].into_iter().chain(vec![1; targets]).collect();
        let table = [
            I::Block(BlockType::Empty),
            zero,
            load,
            I::BrTable(depths.into(), 0),
            I::End,
        ];
        let code = [
            encode(&[I::Loop(BlockType::Empty)]),
            change(locals),
            repeat(tables, &table),
            encode(&[I::End]),
        ];
        Raw::one(&[(locals, ValType::I64)], code.concat())
    };
    survives("a jump table with 50 locals", &tables(50, 4_000, 1));
    is_past(
        "jump tables with 500 locals",
        &tables(500, 4_000, 8),
        JOINED,
    );
    is_past(
        "a jump table too large",
        &tables(1, 4_097, 1),
        "number of branch targets",
    );
}

#[test]
fn a_jump_table_to_as_many_places_as_can_be() {
    let (open, close) = ("(block ".repeat(500), ")".repeat(500));
    let depths: String = (0..500).map(|depth| format!("{depth} ")).collect();
    let code = contract(
        &format!(
            "{open} (br_table {depths} (i32.load8_u (i32.const 0))) {close} {}",
            respond("(i32.const 1)")
        ),
        "",
    );
    let ran = arena::run("a jump table to 500 places", &code, FUEL);
    assert_eq!(ran.response, Ok(vec![1, 0, 0, 0]));
}

/// What is the same in each turn of a loop is computed before it, and all of it competes for registers.
#[test]
fn results_that_compete_for_registers() {
    let hoisted = |values: usize| {
        let turn = "(f64.nearest (local.get $e)) (local.tee $e) (f64.mul)".repeat(values);
        contract(
            &format!(
                "(local $e f64) (local $sum f64)
                 (loop $again
                    (local.set $e (f64.const 1.5))
                    (f64.load (i32.const 512)) {turn} (local.set $sum)
                    (br_if $again (i32.wrap_i64 (i64.trunc_sat_f64_s (local.get $sum)))))
                 {}",
                respond("(i32.const 1)")
            ),
            "",
        )
    };
    let ran = arena::run("hoisted results", &hoisted(1_000), FUEL);
    assert!(ran.response.is_ok());
    let reason = arena::refused(&hoisted(20_000));
    assert!(
        matches!(reason, RefusalReason::Limit { what: WORK, .. }),
        "{reason}"
    );
}

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
        &Raw::one(&[(4_000, ValType::F64)], change_none()),
    );
    survives(
        "100,000 runs of no locals",
        &Raw::one(&vec![(0, ValType::I64); 100_000], change_none()),
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

fn change_none() -> Vec<u8> {
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
        "5,000 loads in each of 30 functions",
        &Raw::of(vec![(vec![], code); 30]),
    );
}
