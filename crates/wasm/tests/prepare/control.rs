//! Control flow keeps its meaning.

use wasmtime::Val;

use crate::harness::run;

fn check(fields: &str, argument: i32, expected: &[u64]) {
    let outcome = run(fields, &[Val::I32(argument)]);
    assert_eq!(outcome.results, Ok(expected.to_vec()));
}

#[test]
fn early_return_leaves_nested_blocks() {
    let text = r#"(func (export "run") (param i32) (result i32 i64)
        (block (loop (block
            (i32.eqz (local.get 0)) (if (then (i32.const 7) (i64.const 8) (return)))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br 1))))
        (i32.const 1) (i64.const 2))"#;
    check(text, 5, &[7, 8]);
}

#[test]
fn branches_to_the_function_label_return() {
    let text = r#"(func (export "run") (param i32) (result i32)
        (block
            (i32.const 40) (br_if 1 (local.get 0)) (drop)
            (block (i32.const 41) (br 2))
        )
        (i32.const 42))"#;
    check(text, 1, &[40]);
    check(text, 0, &[41]);
}

#[test]
fn branch_tables_reach_every_target() {
    let text = r#"(func (export "run") (param i32) (result i32)
        (block (result i32) (block (result i32)
            (i32.const 10) (br_table 0 1 2 (local.get 0)))
            (i32.add (i32.const 1)))
        (i32.add (i32.const 100)))"#;
    check(text, 0, &[111]);
    check(text, 1, &[110]);
    check(text, 2, &[10]);
    check(text, 3, &[10]);
}

#[test]
fn functions_give_several_results() {
    let text = r#"(func $pair (param i32) (result i32 i32)
            (local.get 0) (i32.add (local.get 0) (i32.const 1)))
        (func (export "run") (param i32) (result i32 i32) (local i32)
            (call $pair (local.get 0))
            (local.set 1)
            (if (i32.gt_s (local.get 1) (i32.const 9)) (then (call $pair (local.get 1)) (return)))
            (call $pair)
            (i32.sub) (local.get 1))"#;
    check(text, 3, &[u64::from(u32::MAX), 4]);
    check(text, 9, &[10, 11]);
}

#[test]
fn dead_code_is_dropped_whatever_its_types() {
    let text = r#"(func (export "run") (param i32) (result i32) (local i32)
        (block (result i32)
            (i32.const 1)
            (br 0)
            (i32.add) (select) (drop)
            (block (result f64) (loop (br 1 (f64.const 0))) (f64.const 1) (unreachable))
            (drop)
            (if (then (return (i32.const 3))) (else (unreachable)))
            (i32.const 2))
        (local.set 1)
        (if (result i32) (local.get 0)
            (then (local.get 1) (br 1) (i32.const 9) (f32.const 1) (drop))
            (else (i32.const 5) (return) (nop))))"#;
    check(text, 1, &[1]);
    check(text, 0, &[5]);
}

#[test]
fn code_behind_a_block_that_never_ends_is_still_typed() {
    let text = r#"(func (export "run") (param i32) (result i32)
        (block (result i32) (loop (result i32)
            (if (local.get 0) (then (return (i32.const 6))))
            (local.set 0 (i32.const 1)) (br 0)))
        (i32.add (i32.const 1)))"#;
    check(text, 0, &[6]);
}

#[test]
fn indirect_calls_and_host_calls_work() {
    let text = r#"(import "env" "host" (func $host (param i64) (result i64)))
        (type $one (func (param i64) (result i64)))
        (table 4 funcref) (elem (i32.const 1) $double $host)
        (func $double (param i64) (result i64) (i64.mul (local.get 0) (i64.const 2)))
        (func (export "run") (param i32) (result i64)
            (call_indirect (type $one) (i64.const 21) (local.get 0)))"#;
    check(text, 1, &[42]);
    check(text, 2, &[22]);
    assert_eq!(run(text, &[Val::I32(0)]).results, Err(None));
    assert_eq!(run(text, &[Val::I32(9)]).results, Err(None));
}

#[test]
fn bulk_operations_and_growth_work() {
    let text = r#"(func (export "run") (param i32) (result i32 i32 i32)
        (memory.fill (i32.const 10) (i32.const 7) (local.get 0))
        (memory.copy (i32.const 100) (i32.const 10) (local.get 0))
        (i32.load8_u (i32.add (i32.const 99) (local.get 0)))
        (memory.grow (i32.const 2))
        (memory.size))"#;
    check(text, 16, &[7, 1, 3]);
    assert_eq!(run(text, &[Val::I32(70_000)]).results, Err(None));
}

#[test]
fn references_to_functions_work() {
    let text = r#"(table 2 funcref) (elem (i32.const 0) func $f) (elem declare func $f)
        (global funcref (ref.func $f))
        (func $f (result i32) (i32.const 3))
        (func (export "run") (param i32) (result i32 i32)
            (ref.is_null (table.get (local.get 0))) (ref.is_null (ref.func $f)))"#;
    check(text, 0, &[0, 0]);
    check(text, 1, &[1, 0]);
}
