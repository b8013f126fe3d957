//! Recursion. The attacker wants the *native* stack of the node to overflow: that kills a process, or
//! ends a contract at a depth that depends on the engine, its version and the machine.
//!
//! Engines do have a limit of their own for the native stack, but what is left there when a guest calls
//! itself depends on how its compiler lays out frames. Preparation counts frames in units that depend on
//! the module alone, and they must run out first. So here are the frames that take most native stack for
//! a unit. They get twice the units that a contract ever has, and must still end by them.

use resident_wasm::{GuestFailure, prepare::STACK_UNITS};

use crate::{
    arena,
    host::{contract, contract_with_allocator, respond},
};

const PLENTY: i64 = 1 << 28;

/// A contract whose operation calls `$deeper`, given by its fields.
fn recursive(result: &str, fields: &str) -> Vec<u8> {
    let call = format!("(call $deeper ({result}.const 0))");
    let word = match result {
        "i32" => call,
        "f64" => format!("(i32.wrap_i64 (i64.reinterpret_f64 {call}))"),
        _ => format!("(i32.wrap_i64 {call})"),
    };
    contract(&respond(&word), fields)
}

fn ends_by_units(name: &str, code: &[u8]) {
    for units in [STACK_UNITS, 2 * STACK_UNITS] {
        let ran = arena::run_with(name, code, PLENTY, units);
        assert_eq!(ran.failure(), GuestFailure::StackExhausted, "{name}");
        assert!(ran.meters.stack < 0, "{name}: the native stack ended first");
        assert!(ran.meters.fuel > 0, "{name}");
    }
}

#[test]
fn recursion_without_an_end() {
    for (name, fields) in [
        (
            "direct recursion",
            "(func $deeper (param i32) (result i32) (call $deeper (local.get 0)))",
        ),
        (
            "mutual recursion",
            "(func $deeper (param i32) (result i32) (call $other (local.get 0)))
             (func $other (param i32) (result i32) (call $deeper (local.get 0)))",
        ),
        (
            "recursion through the table",
            "(type $t (func (param i32) (result i32))) (table 2 funcref) (elem (i32.const 1) $deeper)
             (func $deeper (param i32) (result i32)
                (call_indirect (type $t) (local.get 0) (i32.const 1)))",
        ),
        (
            "recursion in a loop with a jump table",
            "(func $deeper (param i32) (result i32)
                (loop $again
                    (block $a (block $b
                        (br_table $a $b $again (call $deeper (i32.add (local.get 0) (i32.const 1))))))
                    (br $again))
                (unreachable))",
        ),
    ] {
        ends_by_units(name, &recursive("i32", fields));
    }
}

/// The attack that worked: results that are the same in each turn of a loop are computed once and stay in
/// the frame, where no local and no operand shows them. Floats take sixteen bytes there.
#[test]
fn results_kept_across_calls() {
    for count in [16, 100, 128, 500] {
        for (ty, add, multiply, test) in [
            ("i64", "i64.xor", "i64.mul", "(local.get $sum)"),
            (
                "f64",
                "f64.add",
                "f64.mul",
                "(i64.trunc_sat_f64_s (local.get $sum))",
            ),
        ] {
            let turn: String = (0..count)
                .map(|i| {
                    format!(
                        "({multiply} (local.get $x) ({ty}.const {})) ({add})",
                        2 * i + 3
                    )
                })
                .collect();
            let fields = format!(
                "(func $deeper (param $x {ty}) (result {ty}) (local $sum {ty})
                    (loop $again
                        (call $deeper (local.get $x)) {turn} (local.set $sum)
                        (br_if $again (i32.wrap_i64 {test})))
                    (local.get $sum))"
            );
            ends_by_units(&format!("{count} kept {ty}"), &recursive(ty, &fields));
        }
    }
}

/// The same without a loop: what is computed before the call is not computed again behind it.
#[test]
fn results_used_before_and_behind_a_call() {
    let sums: String = (0..60)
        .map(|i| {
            format!(
                "(i64.mul (local.get $x) (i64.const {})) (i64.xor)",
                2 * i + 3
            )
        })
        .collect();
    let fields = format!(
        "(func $deeper (param $x i64) (result i64)
            (i32.const 8) (i64.const 0) {sums} (i64.store)
            (call $deeper (local.get $x)) {sums})"
    );
    ends_by_units(
        "results on both sides of a call",
        &recursive("i64", &fields),
    );
}

/// Frames as large as the limits allow: locals and operands of the widest kind, all alive across calls.
#[test]
fn giant_frames() {
    for (name, locals, operands) in [
        ("giant locals", 1_500, 0),
        ("giant operands", 0, 1_000),
        ("giant locals and operands", 1_000, 1_000),
        ("frames of middle size", 100, 100),
    ] {
        let load = |i: usize| format!("(f64.load offset={} (i32.const 0))", 8 * i);
        let set: String = (0..locals)
            .map(|i| format!("(local.set {} {})", i + 1, load(i)))
            .collect();
        let push: String = (0..operands).map(|i| load(locals + i)).collect();
        let read: String = (0..locals)
            .map(|i| format!("(f64.add (local.get {}))", i + 1))
            .collect();
        let fields = format!(
            "(func $deeper (param f64) (result f64) (local {}) {set} {push}
                (call $deeper (local.get 0)) {} {read})",
            "f64 ".repeat(locals),
            "(f64.add)".repeat(operands)
        );
        ends_by_units(name, &recursive("f64", &fields));
    }
}

/// Arguments and results travel on the native stack too, where the callee's frame does not show them.
#[test]
fn many_parameters_and_results() {
    let (parameters, results) = (64, 16);
    let arguments: String = (0..parameters)
        .map(|i| format!("(local.get {i})"))
        .collect();
    let fields = format!(
        "(type $t (func (param {}) (result {})))
         (func $much (type $t) (call $much {arguments}))
         (func $deeper (param i64) (result i64) {} (call $much) {})",
        "i64 ".repeat(parameters),
        "i64 ".repeat(results),
        "(local.get 0)".repeat(parameters),
        "(i64.xor)".repeat(results - 1)
    );
    ends_by_units("many parameters and results", &recursive("i64", &fields));
}

/// Functions without calls take nothing of the budget, so the last of a recursion may have a large frame.
#[test]
fn a_giant_leaf_at_the_end_of_a_recursion() {
    for (name, values) in [("large leaf", 200), ("giant leaf", 1_500)] {
        let turn = "(f64.nearest (local.get $e)) (local.tee $e) (f64.mul)".repeat(values);
        let fields = format!(
            "(func $deeper (param f64) (result f64)
                (if (f64.eq (call $leaf (local.get 0)) (f64.const 1)) (then (unreachable)))
                (call $deeper (local.get 0)))
             (func $leaf (param $x f64) (result f64) (local $e f64) (local $sum f64)
                (loop $again
                    (local.set $e (local.get $x))
                    (f64.load (i32.const 64)) {turn} (local.set $sum)
                    (br_if $again (i32.wrap_i64 (i64.trunc_sat_f64_s (local.get $sum)))))
                (local.get $sum))"
        );
        ends_by_units(name, &recursive("f64", &fields));
    }
}

/// An allocator that asks the host for a list, which the host allocates.
#[test]
fn recursion_through_the_host() {
    let code = contract_with_allocator(
        "(call $read_value (i32.const 0) (i32.const 4) (i32.const 16)) (i32.const 64)",
        "(i32.const 16)",
        "",
    );
    let ran = arena::run("recursion through the host", &code, PLENTY);
    assert_eq!(ran.failure(), GuestFailure::StackExhausted);
    assert!(ran.asked < 128, "{} host frames", ran.asked);
}
