//! Fuel is what the table says.

use resident_wasm::prepare::Costs;
use wasmtime::Val;

use crate::harness::{PLENTY, Prepared, prepare_text, run};

const ENTRY: u64 = Costs::FUNCTION_ENTRY;
const BASIC: u64 = Costs::BASIC;

fn used(fields: &str, argument: i32) -> u64 {
    run(fields, &[Val::I32(argument)]).used()
}

#[test]
fn straight_line() {
    let text = r#"(func (export "run") (param i32) (result i32)
        (nop) (i32.div_u (i32.load (local.get 0)) (i32.const 3)))"#;
    assert_eq!(
        used(text, 0),
        ENTRY + 2 * BASIC + Costs::MEMORY_ACCESS + Costs::DIVISION
    );
}

#[test]
fn locals_are_paid_at_the_entry() {
    let text = r#"(func (export "run") (param i32) (local i64 i64 i64 i64 i64 i64 i64 i64 i64))"#;
    assert_eq!(used(text, 0), ENTRY + 10 / Costs::LOCALS_PER_UNIT);
}

#[test]
fn loops_pay_per_round() {
    let text = r#"(func (export "run") (param i32)
        (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"#;
    assert_eq!(used(text, 1), ENTRY + 5 * BASIC);
    assert_eq!(used(text, 1_000), ENTRY + 5_000 * BASIC);
}

#[test]
fn an_if_pays_for_the_arm_that_runs() {
    let text = r#"(func (export "run") (param i32)
        (if (local.get 0) (then (drop (i32.const 1)))
            (else (drop (i32.const 1)) (drop (i32.const 1))))
        (drop (i32.const 1)))"#;
    assert_eq!(used(text, 1), ENTRY + (2 + 2 + 2) * BASIC);
    assert_eq!(used(text, 0), ENTRY + (2 + 4 + 2) * BASIC);
}

#[test]
fn branch_tables_pay_for_what_they_reach() {
    let text = r#"(func (export "run") (param i32)
        (block (block (br_table 0 1 2 (local.get 0))) (drop (i32.const 1)))
        (drop (i32.const 1)))"#;
    let table = ENTRY + BASIC + Costs::BRANCH_TABLE;
    assert_eq!(used(text, 0), table + 4 * BASIC);
    assert_eq!(used(text, 1), table + 2 * BASIC);
    assert_eq!(used(text, 2), table);
}

#[test]
fn early_return_pays_nothing_behind_it() {
    let text = r#"(func (export "run") (param i32)
        (block (block (br_if 1 (local.get 0)) (return)))
        (drop (i32.const 1)))"#;
    assert_eq!(used(text, 0), ENTRY + (2 + 1) * BASIC);
    assert_eq!(used(text, 1), ENTRY + (2 + 2) * BASIC);
}

#[test]
fn calls_pay_for_both_sides() {
    let text = r#"(import "env" "host" (func $host (param i64) (result i64)))
        (func $callee (drop (i32.const 1)))
        (func (export "run") (param i32)
            (call $callee) (drop (call $host (i64.const 1))) (drop (i32.const 1)))"#;
    assert_eq!(used(text, 0), 2 * (ENTRY + Costs::CALL) + (2 + 4) * BASIC);
}

#[test]
fn bulk_operations_pay_by_length() {
    let text = r#"(func (export "run") (param i32)
        (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))"#;
    let base = ENTRY + 3 * BASIC + Costs::BULK;
    assert_eq!(used(text, 7), base);
    assert_eq!(used(text, 65_536), base + 65_536 / 8);
    let text = r#"(func (export "run") (param i32)
        (memory.copy (i32.const 0) (i32.const 1) (local.get 0)))"#;
    assert_eq!(used(text, 4_096), base + 512);
}

#[test]
fn growth_pays_by_page_unless_it_cannot_succeed() {
    let text = r#"(func (export "run") (param i32) (result i32) (memory.grow (local.get 0)))"#;
    let prepared = prepare_text(text);
    let grow = |pages| Prepared::new(&prepared).call("run", &[Val::I32(pages)], PLENTY);
    let base = ENTRY + BASIC + Costs::MEMORY_GROW;
    let maximum = prepared.memory_maximum_pages.cast_signed();
    assert_eq!(grow(0).used(), base);
    assert_eq!(grow(3).used(), base + 3 * Costs::MEMORY_GROW_PER_PAGE);
    assert_eq!(grow(maximum - 1).results, Ok(vec![1]));
    for pages in [maximum, maximum + 1, -1] {
        assert_eq!(
            grow(pages).results,
            Ok(vec![u64::from(u32::MAX)]),
            "{pages} pages"
        );
    }
    assert_eq!(grow(-1).used(), base);
}

#[test]
fn a_panic_leaves_the_exact_rest() {
    let text = r#"(func (export "run") (param i32)
        (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (unreachable))"#;
    let outcome = run(text, &[Val::I32(10)]);
    assert_eq!(outcome.results, Err(None));
    assert_eq!(outcome.used(), ENTRY + 51 * BASIC);
}

#[test]
fn the_exact_amount_is_enough_and_one_less_is_not() {
    let text = r#"(func (export "run") (param i32)
        (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"#;
    let prepared = prepare_text(text);
    let needed = i64::try_from(used(text, 10)).expect("small");
    let outcome = Prepared::new(&prepared).call("run", &[Val::I32(10)], needed);
    assert_eq!((outcome.results.is_ok(), outcome.fuel), (true, 0));
    let outcome = Prepared::new(&prepared).call("run", &[Val::I32(10)], needed - 1);
    assert_eq!((outcome.results.is_ok(), outcome.fuel), (false, -1));
}
