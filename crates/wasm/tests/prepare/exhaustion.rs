//! Endless code ends, and says why.

use resident_wasm::prepare::{Exhaustion, STACK_UNITS};
use wasmtime::Val;

use crate::harness::{PLENTY, Prepared, prepare_text};

fn fails(fields: &str, fuel: i64) -> (Result<Vec<u64>, Option<Exhaustion>>, i64) {
    let outcome = Prepared::new(&prepare_text(fields)).call("run", &[], fuel);
    (outcome.results, outcome.fuel)
}

#[test]
fn endless_loops_run_out_of_fuel() {
    for text in [
        r#"(func (export "run") (loop (br 0)))"#,
        r#"(func (export "run") (loop (loop (br 1))))"#,
        r#"(func (export "run") (loop (br_table 0 0 (i32.const 5))))"#,
        r#"(func $f) (func (export "run") (loop (call $f) (br 0)))"#,
        r#"(func (export "run") (loop (br_if 0 (i32.const 1))) )"#,
        r#"(func (export "run") (loop (if (i32.const 1) (then (br 1)))))"#,
    ] {
        let (results, fuel) = fails(text, 100_000);
        assert_eq!(results, Err(Some(Exhaustion::Fuel)), "{text}");
        assert!(fuel < 0, "{text}");
    }
}

#[test]
fn a_huge_length_runs_out_of_fuel_and_never_wraps() {
    for operation in ["memory.fill", "memory.copy"] {
        let text = format!(
            r#"(func (export "run") ({operation} (i32.const 0) (i32.const 0) (i32.const -1)))"#
        );
        let (results, fuel) = fails(&text, 1_000_000);
        assert_eq!(results, Err(Some(Exhaustion::Fuel)));
        assert!(fuel < 0);
    }
}

#[test]
fn a_callers_remaining_run_cannot_start_without_fuel() {
    let text = r#"(import "env" "host" (func $host (param i64) (result i64)))
        (func (export "run") (drop (call $host (i64.const 1))))"#;
    assert_eq!(fails(text, 3).0, Err(Some(Exhaustion::Fuel)));
}

/// A run behind a branch is not checked by itself, so the way back to the host has to be.
#[test]
fn what_was_not_paid_for_does_not_return() {
    let text = r#"(func $spends (param i32) (result i32)
            (if (local.get 0) (then (drop (i32.const 1)) (drop (i32.const 1))))
            (i32.const 7))
        (func (export "run") (result i32) (call $spends (i32.const 1)))"#;
    let prepared = prepare_text(text);
    let used = Prepared::new(&prepared).call("run", &[], PLENTY).used();
    let needed = i64::try_from(used).expect("small");
    assert_eq!(fails(text, needed), (Ok(vec![7]), 0));
    for missing in 1..=needed {
        let (results, fuel) = fails(text, needed - missing);
        assert_eq!(results, Err(Some(Exhaustion::Fuel)), "{missing} missing");
        assert!(
            (-missing..0).contains(&fuel),
            "{missing} missing, {fuel} left"
        );
    }
}

/// Every way around a loop meets a check, also where one loop's head is the next thing in another.
#[test]
fn loops_within_loops_run_out_of_fuel() {
    for text in [
        r#"(func (export "run") (loop (loop (loop (br 2)))))"#,
        r#"(func (export "run") (loop (block (block (br 0)) (br 1))))"#,
        r#"(func (export "run") (loop (if (i32.const 1) (then (nop) (br 1)))))"#,
        r#"(func (export "run") (loop (loop) (if (i32.const 0) (then) (else (br 1)))))"#,
    ] {
        assert_eq!(
            fails(text, 100_000).0,
            Err(Some(Exhaustion::Fuel)),
            "{text}"
        );
    }
}

#[test]
fn endless_recursion_exhausts_the_stack() {
    for text in [
        r#"(func $f (export "run") (call $f))"#,
        r#"(func $f (export "run") (call $g)) (func $g (call $f))"#,
        r#"(type $t (func)) (table 1 funcref) (elem (i32.const 0) $f)
           (func $f (export "run") (call_indirect (type $t) (i32.const 0)))"#,
    ] {
        let (results, fuel) = fails(text, PLENTY);
        assert_eq!(results, Err(Some(Exhaustion::Stack)), "{text}");
        assert!(fuel > 0);
    }
}

/// Frames with many live values take much more native stack; the units must account for it.
#[test]
fn large_frames_exhaust_the_units_before_the_native_stack() {
    for count in [10, 100, 1_000] {
        let text = recursion_with_live_values(count);
        let (results, _) = fails(&text, PLENTY);
        assert_eq!(results, Err(Some(Exhaustion::Stack)), "{count} values");
    }
}

/// As many values on the operand stack as locals, all of them used after the call.
fn recursion_with_live_values(count: usize) -> String {
    let load = |index: usize| format!("(i64.load offset={} (i32.const 0))", index * 8);
    let locals: String = (0..count / 2)
        .map(|i| format!("(local.set {i} {})", load(i)))
        .collect();
    let operands: String = (count / 2..count).map(load).collect();
    let sums = "(i64.xor)".repeat(count - count / 2 - 1);
    let reads: String = (0..count / 2)
        .map(|i| format!("(i64.xor (local.get {i}))"))
        .collect();
    format!(
        r#"(func $f (export "run") (result i64) (local {}) {locals} {operands}
            (drop (call $f)) {sums} {reads})"#,
        "i64 ".repeat(count / 2)
    )
}

#[test]
fn recursion_depth_is_exact() {
    // One parameter, at most two operands, two that a call hands over, 15 values, and 128 units for the frame.
    let text = r#"(func $f (export "run") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (call $f (i32.sub (local.get 0) (i32.const 1))))
            (else (i32.const 5))))"#;
    let prepared = prepare_text(text);
    let depth = STACK_UNITS / 148;
    let fits = Prepared::new(&prepared).call("run", &[Val::I32(depth - 1)], PLENTY);
    assert_eq!((fits.results, fits.stack), (Ok(vec![5]), STACK_UNITS));
    let deeper = Prepared::new(&prepared).call("run", &[Val::I32(depth)], PLENTY);
    assert_eq!(deeper.results, Err(Some(Exhaustion::Stack)));
    assert!(deeper.stack < 0);
}
