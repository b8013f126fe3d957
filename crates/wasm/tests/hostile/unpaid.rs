//! Code that runs before anybody looks whether it was paid for. The attacker wants as much of that as there can be:
//! it fails in the end, but a node has done the work, and a failed bundle costs him nothing.

use resident_wasm::GuestFailure;

use crate::{
    arena,
    host::{contract, respond},
};

/// What the guest has.
const LITTLE: i64 = 40_000;
/// What it has where all of its code costs little.
const LEAST: i64 = 500;
/// The cost of the straight run in each of the functions below, and a little more.
const RUN: i64 = 1_050;

fn ends_within_a_run(name: &str, fields: &str) {
    let code = contract(&respond("(call $begin)"), fields);
    let ran = arena::run(name, &code, LITTLE);
    assert_eq!(ran.failure(), GuestFailure::OutOfFuel, "{name}");
    let fuel = ran.meters.fuel;
    assert!((-RUN..0).contains(&fuel), "{name}: {fuel} left");
}

/// The attack that worked: on their way back, calls that wait for each other did not look at what was left, and each went
/// on with its last run: in thousands of small frames with long runs to minus 80 million.
#[test]
fn the_way_back_from_many_calls() {
    let run = "(drop (i64.const 1))".repeat(500);
    ends_within_a_run(
        "a way back",
        &format!(
            "(func $begin (result i32) (call $deeper (i32.const 300)) (i32.const 0))
             (func $deeper (param $depth i32)
                (if (local.get $depth)
                    (then (call $deeper (i32.sub (local.get $depth) (i32.const 1)))))
                (if (i32.eqz (i32.load (i32.const 900))) (then {run})))"
        ),
    );
}

/// The same through the table.
#[test]
fn the_way_back_from_many_indirect_calls() {
    let run = "(drop (i64.const 1))".repeat(500);
    ends_within_a_run(
        "an indirect way back",
        &format!(
            "(type $t (func (param i32))) (table 2 funcref) (elem (i32.const 1) $deeper)
             (func $begin (result i32) (call $deeper (i32.const 300)) (i32.const 0))
             (func $deeper (param $depth i32)
                (if (local.get $depth)
                    (then (call_indirect (type $t)
                        (i32.sub (local.get $depth) (i32.const 1)) (i32.const 1))))
                (if (i32.eqz (i32.load (i32.const 900))) (then {run})))"
        ),
    );
}

/// One function that only goes forward, in runs that each cost little, and leaves a mark after each: marks tell how far
/// it came.
#[test]
fn a_long_way_forward() {
    let step = "(if (i32.eqz (i32.load (i32.const 900)))
                    (then (global.set $heap (i32.add (global.get $heap) (i32.const 1)))))";
    let around = "(block (br_if 0 (i32.eqz (i32.load (i32.const 900)))) (drop (i64.const 1)))";
    for (name, step, cost) in [
        ("forward", step.to_owned(), 9),
        ("forward around blocks", format!("{step} {around}"), 14),
    ] {
        let fields = format!(
            "(func $begin (result i32) {} (i32.const 0))",
            step.repeat(200)
        );
        let code = contract(&respond("(call $begin)"), &fields);
        let ran = arena::run(name, &code, LEAST);
        assert_eq!(ran.failure(), GuestFailure::OutOfFuel, "{name}");
        // The operation itself takes sixteen bytes of the heap.
        let steps = ran.snapshot.globals()[0] as i64 - 4_096 - 16;
        assert!(steps * cost < LEAST + 1_100, "{name}: {steps} steps");
        assert!(ran.meters.fuel > -1_100, "{name}: {}", ran.meters.fuel);
    }
}
