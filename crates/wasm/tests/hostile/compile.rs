//! Bombs: few bytes published, much to prepare or to compile.
//!
//! The attacker pays for a small module and wants every validator to compile for minutes, or to run out
//! of memory while it does. Optimising compilers have passes that take the square of something: blocks
//! above blocks, branches times variables, results alive at once. What stops it is counted in
//! `prepare/work.rs`; before that, 36 KiB of one of these took 27 seconds and 2.6 GB on both engines.

use resident_wasm::prepare::RefusalReason;
use wasm_encoder::{BlockType, Instruction as I, ValType};

use crate::{
    arena::{self, FUEL, is_past, survives},
    host::{contract, respond},
    raw::{AT_ADDRESS, Raw, change, encode, repeat},
};

/// The first byte of memory: zero, which no compiler knows.
const UNKNOWN: [I<'static>; 2] = [I::I32Const(0), I::I32Load8U(AT_ADDRESS)];

const WORK: &str = "work of compiling the code";

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
    survives("memory.grow, 100 times", &chain(100));
    is_past("memory.grow, as often as fits", &chain(25_000), WORK);
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

/// So many branches to one loop, with so many locals that differ.
pub(crate) fn branches_with_locals(locals: u32, branches: usize) -> Raw {
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
}

/// A loop that computes so many results, the same in each turn.
pub(crate) fn hoisted(values: usize) -> Vec<u8> {
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
}

/// Many branches to one loop, each of which hands over every local.
#[test]
fn branches_that_hand_over_every_local() {
    survives("branches with 64 locals", &branches_with_locals(64, 1_000));
    is_past(
        "branches with 500 locals",
        &branches_with_locals(500, 4_000),
        WORK,
    );
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
    is_past("jump tables with 500 locals", &tables(500, 4_000, 8), WORK);
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
    let ran = arena::run("hoisted results", &hoisted(1_000), FUEL);
    assert!(ran.response.is_ok());
    let reason = arena::refused(&hoisted(20_000));
    assert!(
        matches!(reason, RefusalReason::Limit { what: WORK, .. }),
        "{reason}"
    );
}

/// Loops in loops, a thousand deep and many times over: passes that run until nothing changes run once for each.
#[test]
fn a_thousand_loops_in_each_other() {
    let nested = |times: usize| {
        let once = [
            repeat(1_000, &[I::Loop(BlockType::Empty)]),
            repeat(1_000, &[I::End]),
        ];
        Raw::one(&[], once.concat().repeat(times))
    };
    survives("a thousand loops in each other", &nested(1));
    is_past("ten thousand loops, a thousand deep", &nested(10), WORK);
}

/// Every function in a table, and every type, takes a bridge from outside, as wide as its parameters.
#[test]
fn wide_functions_that_escape() {
    let escaping = |functions: usize, parameters: usize| {
        let ty = format!("(type $wide (func (param {})))", "i64 ".repeat(parameters));
        let names: String = (0..functions).map(|index| format!("$f{index} ")).collect();
        let bodies: String = (0..functions)
            .map(|index| format!("(func $f{index} (type $wide))"))
            .collect();
        let table = format!("(table {functions} funcref) (elem (i32.const 0) func {names})");
        contract("(i32.const 32)", &format!("{ty} {bodies} {table}"))
    };
    let ran = arena::run("a hundred functions that escape", &escaping(100, 8), FUEL);
    assert!(ran.response.is_ok());
    is_refused_for("number of parameters", &escaping(1, 128));
    is_refused_for(WORK, &escaping(14_000, 64));
    let types: String = (0..4_000)
        .map(|index| {
            format!(
                "(type $t{index} (func (param {})))",
                "i64 i32 ".repeat(1 + index % 32)
            )
        })
        .collect();
    // Types that nothing has cost little.
    let ran = arena::run("types", &contract("(i32.const 32)", &types), FUEL);
    assert!(ran.response.is_ok());
}

/// Each call hands over operands and results, many of them through memory.
#[test]
fn calls_with_many_results() {
    let calls = |times: usize| {
        let results = "i64 ".repeat(16);
        let many = format!(
            "(func $many (result {results}) {})",
            "(i64.const 0)".repeat(16)
        );
        let call = format!("(call $many) {}", "(drop)".repeat(16));
        contract(
            &format!("{} {}", call.repeat(times), respond("(i32.const 1)")),
            &many,
        )
    };
    let ran = arena::run("calls with sixteen results", &calls(100), FUEL);
    assert!(ran.response.is_ok());
    is_refused_for(WORK, &calls(20_000));
}

/// A compiler has a table of variables times blocks, and each result of a block is a variable.
#[test]
fn variables_times_blocks() {
    let blocks = |times: usize, locals: u32| {
        let block = [
            I::Block(BlockType::Result(ValType::I64)),
            I::I64Const(1),
            I::End,
            I::Drop,
        ];
        Raw::one(&[(locals, ValType::I64)], repeat(times, &block))
    };
    survives("blocks with a result", &blocks(1_000, 0));
    is_past("blocks with a result, many", &blocks(60_000, 0), WORK);
    is_past(
        "blocks with a result and locals",
        &blocks(10_000, 4_000),
        WORK,
    );
}

/// What is stored and loaded again is seen through, and so are sums: a chain of them takes a rule for each pair.
#[test]
fn sums_through_memory() {
    let sums = |times: usize| {
        let code = "(global.set $heap (i32.add (global.get $heap) (i32.const 3)))".repeat(times);
        contract(&format!("{code} {}", respond("(i32.const 1)")), "")
    };
    let ran = arena::run("sums through a global", &sums(500), FUEL);
    assert!(ran.response.is_ok());
    is_refused_for(WORK, &sums(40_000));
}

fn is_refused_for(limit: &str, code: &[u8]) {
    match arena::refused(code) {
        RefusalReason::Limit { what, .. } => assert_eq!(what, limit),
        other => panic!("{limit}: {other}"),
    }
}
