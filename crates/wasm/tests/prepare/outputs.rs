//! What preparing gives beside the instrumented functions.

use resident_wasm::prepare::{
    CapturedGlobal, Costs, Limits, START_EXPORT, ValueType, prepare, prepare_with_limits,
};
use wasmtime::Val;

use crate::harness::{PLENTY, Prepared, SURFACE, prepare_text};

#[test]
fn hidden_mutable_globals_are_reachable() {
    let prepared = prepare_text(
        r#"(global (mut i32) (i32.const 65536)) (global i32 (i32.const 3))
           (global (mut f64) (f64.const 2.5)) (global (export "seen") (mut i64) (i64.const 9))
           (func (export "run") (global.set 0 (i32.sub (global.get 0) (i32.const 16))))"#,
    );
    let global = |index, ty| CapturedGlobal {
        export_name: format!("resident:global:{index}"),
        ty,
    };
    let expected = [
        global(0, ValueType::I32),
        global(2, ValueType::F64),
        global(3, ValueType::I64),
    ];
    assert_eq!(prepared.captured_globals, expected);
    let mut instance = Prepared::new(&prepared);
    assert!(instance.call("run", &[], PLENTY).results.is_ok());
    assert_eq!(instance.get("resident:global:0").unwrap_i32(), 65_520);
    instance.set("resident:global:3", Val::I64(10));
    assert_eq!(instance.get("seen").unwrap_i64(), 10);
}

#[test]
fn start_runs_when_it_is_called() {
    let prepared = prepare_text(
        r#"(global (export "ran") (mut i32) (i32.const 0))
           (func $start (global.set 0 (i32.const 1))) (start $start)"#,
    );
    assert!(prepared.has_start);
    let mut instance = Prepared::new(&prepared);
    assert_eq!(instance.get("ran").unwrap_i32(), 0);
    let outcome = instance.call(START_EXPORT, &[], PLENTY);
    assert_eq!(outcome.used(), Costs::FUNCTION_ENTRY + 2 * Costs::BASIC);
    assert_eq!(instance.get("ran").unwrap_i32(), 1);
    assert!(!prepare_text("").has_start);
}

#[test]
fn the_memory_maximum_is_lowered() {
    let maximum = |declared: &str| {
        let text = format!(r#"(module (memory (export "memory") 2 {declared}))"#);
        let prepared = prepare(&wat::parse_str(text).expect("text"), &SURFACE).expect("accepted");
        (prepared.memory_initial_pages, prepared.memory_maximum_pages)
    };
    let protocol = Limits::PROTOCOL.memory_maximum_pages;
    assert_eq!(maximum(""), (2, protocol));
    assert_eq!(maximum("65536"), (2, protocol));
    assert_eq!(maximum("5"), (2, 5));
}

/// One engine refuses to instantiate a table whose maximum is past a limit of its own, so that a module
/// accepted here could have failed on some nodes only.
#[test]
fn a_tables_maximum_is_its_size() {
    for declared in ["2", "2 7", "2 0xffff_ffff"] {
        let prepared = prepare_text(&format!(r#"(table (export "table") {declared} funcref)"#));
        let mut prepared = Prepared::new(&prepared);
        let table = prepared.instance.get_table(&mut prepared.store, "table");
        let ty = table.expect("table").ty(&prepared.store);
        assert_eq!((ty.minimum(), ty.maximum()), (2, Some(2)), "{declared}");
    }
}

#[test]
fn names_are_kept_within_bounds_and_custom_sections_are_dropped() {
    let text = r#"(module (memory (export "memory") 1) (@custom "other" "hidden-content")
        (func $first) (func $"zweite_ünd") (func $third))"#;
    let code = wat::parse_str(text).expect("text");
    let prepared = prepare(&code, &SURFACE).expect("accepted");
    assert_eq!(prepared.function_names[&1], "zweite_ünd");
    assert!(
        !prepared
            .bytes
            .windows(6)
            .any(|part| part == b"hidden" || part == b"zweite")
    );
    let limits = Limits {
        names: 2,
        name_bytes: 8,
        ..Limits::PROTOCOL
    };
    let bounded = prepare_with_limits(&code, &SURFACE, &limits).expect("accepted");
    let names: Vec<_> = bounded.function_names.into_values().collect();
    assert_eq!(names, ["first", "zweite_"]);
    assert_eq!(bounded.hash, prepared.hash);
}

#[test]
fn the_same_bytes_give_the_same_module() {
    let text = r#"(import "env" "host" (func (param i64) (result i64)))
        (func (export "run") (param f64) (result f64 i64)
            (f64.add (local.get 0) (f64.const 1)) (call 0 (i64.const 1)))"#;
    let (first, second) = (prepare_text(text), prepare_text(text));
    assert_eq!(first, second);
    assert_ne!(first.hash, prepare_text("").hash);
    // A change here changes what every published module becomes: raise `PREPARE_VERSION` with it.
    assert_eq!(
        hex(&first.hash),
        "1f3297ca85a86cc51ec1ba54cdcc85809c437a28853cd1f833a567ce7b324749"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
