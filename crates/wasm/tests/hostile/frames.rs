//! Frames. The attacker looks for values that a compiler keeps in a native frame and that the units of the call stack do not
//! count, and recurses until the native stack ends: on one engine, and not on the other.
//!
//! Two things stop him. Every value that a compiler can make out of a function is counted, with no trust in how well
//! it shares slots (`prepare/frame.rs`); and the native stack is several times what the budget can become. So each shape
//! here, which is the worst of its kind that was found, runs on the real native stack until *that* ends, with more units than
//! there are; what it has used of them by then says how far the budget is from the end. With `--nocapture` each shape prints
//! its bytes per unit.

use resident_wasm::{
    CallError, EngineError, GuestFailure, NATIVE_STACK_BYTES,
    prepare::{RefusalReason, STACK_UNIT_BYTES, STACK_UNITS},
    prepare_contract,
};

use crate::{
    arena::{self, Ran},
    host::{TestHost, contract, respond},
    shapes::{self, SIZES, Shape},
};

const PLENTY: i64 = 1 << 40;

/// The least that the native stack must be of what the budget of a query takes of it.
const MARGIN: f64 = 2.0;

/// The units that a query has; see `services.rs` of `resident-execution`.
const MOST_UNITS: i32 = 2 * STACK_UNITS;

/// Whether the module is accepted. The only reason not to is that it would take too long to compile, so the worst frames of
/// its kind are those of smaller ones.
fn is_accepted(name: &str, code: &[u8]) -> bool {
    match prepare_contract::<TestHost>(code).map_err(|error| error.reason) {
        Ok(_) => true,
        Err(RefusalReason::Limit { what, found, .. }) if what.starts_with("work of compiling") => {
            println!("{name}: refused, {found} {what}");
            false
        }
        Err(other) => panic!("{name}: {other}"),
    }
}

/// Runs a shape until the native stack ends; gives the bytes that a unit became.
fn bytes_per_unit(name: &str, ran: &Ran) -> f64 {
    let used = i64::from(i32::MAX) - i64::from(ran.meters.stack);
    match &ran.response {
        Err(CallError::Engine(EngineError::NativeStack { .. })) => {
            NATIVE_STACK_BYTES as f64 / used as f64
        }
        // More units than there are were not enough to end it.
        Err(CallError::Guest(GuestFailure::StackExhausted)) => {
            NATIVE_STACK_BYTES as f64 / f64::from(i32::MAX)
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn the_native_stack_is_twice_what_the_worst_frames_take() {
    let allowed = NATIVE_STACK_BYTES as f64 / f64::from(MOST_UNITS) / MARGIN;
    let mut worst = [(0.0, String::new()), (0.0, String::new())];
    for Shape { name, fields } in shapes::ALL {
        for size in SIZES {
            let code = recursive(&fields(size));
            let name = format!("{name}, {size}");
            if !is_accepted(&name, &code) {
                continue;
            }
            let found = arena::run_apart(&name, &code, PLENTY, i32::MAX);
            let found = found.map(|ran| bytes_per_unit(&name, &ran));
            println!(
                "{name:<56} Wasmtime {:>6.2}, Wasmer {:>6.2}",
                found[0], found[1]
            );
            for (worst, bytes) in worst.iter_mut().zip(found) {
                assert!(bytes < allowed, "{name}: {bytes} bytes per unit");
                if bytes > worst.0 {
                    *worst = (bytes, name.clone());
                }
            }
        }
    }
    println!(
        "bytes per unit, at most {allowed} for a margin of {MARGIN}; {STACK_UNIT_BYTES} counted: {worst:?}"
    );
}

/// With what a contract has, all of them end alike: by the units.
#[test]
fn every_shape_ends_at_the_same_call() {
    for Shape { name, fields } in shapes::ALL {
        let code = recursive(&fields(60));
        if !is_accepted(name, &code) {
            continue;
        }
        for units in [STACK_UNITS, MOST_UNITS] {
            let ran = arena::run_with(name, &code, PLENTY, units);
            assert_eq!(ran.failure(), GuestFailure::StackExhausted, "{name}");
        }
    }
}

/// A contract whose operation calls `$deeper` for ever.
pub(crate) fn recursive(fields: &str) -> Vec<u8> {
    contract(
        &respond("(i32.wrap_i64 (call $deeper (i64.const 0)))"),
        fields,
    )
}

/// The attack that worked: nothing of this runs but the recursion, so it ended after a few hundred calls on the engine
/// that has a place in the frame for the results of each call, and never on the other.
#[test]
fn calls_that_never_run_have_room_for_their_results() {
    for count in [16, 100, 1_000] {
        let calls = format!("(call $many) {}", "(drop)".repeat(16)).repeat(count);
        let fields = format!(
            "(func $many (result {}) {})
             (func $deeper (param $depth i64) (result i64)
                (if (i64.eqz (local.get $depth)) (then (return (i64.const 7))))
                (if (i32.load (i32.const 900)) (then {calls}))
                (call $deeper (i64.sub (local.get $depth) (i64.const 1))))",
            "i64 ".repeat(16),
            "(i64.const 1)".repeat(16)
        );
        let code = contract(
            &respond("(i32.wrap_i64 (call $deeper (i64.const 400)))"),
            &fields,
        );
        if count > 100 && !is_accepted("calls that never run", &code) {
            continue;
        }
        let ran = arena::run("calls that never run", &code, PLENTY);
        match ran.response {
            Ok(_) => assert_eq!(count, 16),
            Err(_) => assert_eq!(ran.failure(), GuestFailure::StackExhausted),
        }
    }
}

/// A trap takes a look at the stack, on one engine on the guest's own. There has to be room for that in the deepest
/// frame that there can be; where the stack ended within it, the next trap waited for ever.
#[test]
fn a_trap_in_the_deepest_frame_returns() {
    let fields = |depth: u32| {
        format!(
            "(func $deeper (param $depth i64) (result i64)
                (if (i64.eqz (local.get $depth)) (then (unreachable)))
                (call $deeper (i64.sub (local.get $depth) (i64.const 1))))
             (func $begin (result i64) (call $deeper (i64.const {depth})))"
        )
    };
    let code = |depth| contract(&respond("(i32.wrap_i64 (call $begin))"), &fields(depth));
    let traps = |depth| {
        let ran = arena::run("a trap deep down", &code(depth), PLENTY);
        ran.failure() == arena::trap(resident_wasm::TrapKind::Unreachable)
    };
    // Each frame takes more than 128 units.
    let (mut fits, mut too_deep) = (0, STACK_UNITS as u32 / 128);
    while too_deep - fits > 1 {
        let middle = fits.midpoint(too_deep);
        match traps(middle) {
            true => fits = middle,
            false => too_deep = middle,
        }
    }
    assert!(fits > 3_000, "{fits} frames");
    assert!(traps(fits) && !traps(fits + 1));
}

/// Two functions of the module with one name outside would be two pointers to keep.
#[test]
fn an_import_stands_for_one_function() {
    let import = r#"(import "resident:app/storage" "read-value" (func (param i32 i32 i32)))"#;
    let allocator = "(call $allocate (local.get 3))";
    let code = crate::host::contract_with_imports(import, allocator, "(i32.const 0)", "");
    let refused = arena::refused(&code).to_string();
    assert!(refused.contains("imported twice"), "{refused}");
}

/// Two recursions in each other, the outer one through a function with many call sites that each give sixteen values.
/// At these depths one engine once came to the end of its native stack and the other did not; at some of them it
/// came there inside of the unwinder, with a lock held, and the node hung.
#[test]
fn a_trap_at_the_bottom_of_two_recursions() {
    let results = "i64 ".repeat(16);
    let values = "(i64.const 1)".repeat(16);
    let sites = format!("(call $many) {}", "(drop)".repeat(16)).repeat(60);
    let nested = |outer: u32, inner: u32| {
        let fields = format!(
            "(func $many (result {results}) {values})
             (func $inner (param $left i32)
                (if (local.get $left)
                    (then (call $inner (i32.sub (local.get $left) (i32.const 1))))
                    (else unreachable)))
             (func $outer (param $left i32)
                (if (local.get $left)
                    (then (call $outer (i32.sub (local.get $left) (i32.const 1))))
                    (else (call $inner (i32.const {inner}))))
                (if (i32.load (i32.const 900)) (then {sites})))"
        );
        let code = format!(
            "(call $outer (i32.const {outer})) {}",
            respond("(i32.const 1)")
        );
        contract(&code, &fields)
    };
    let bottoms = (230..=245).step_by(3).map(|inner| (325, inner));
    for (outer, inner) in bottoms.chain([(400, 100), (100, 2_000), (1_000, 0)]) {
        let name = format!("{outer} calls, and {inner} in the last");
        let failure = arena::run(&name, &nested(outer, inner), PLENTY).failure();
        assert!(
            matches!(
                failure,
                GuestFailure::Trap(_) | GuestFailure::StackExhausted
            ),
            "{name}: {failure}"
        );
    }
}
