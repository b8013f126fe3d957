//! Instances on both engines: the same results, the same meters, the same snapshots; and a restored
//! instance is what it was.

mod code;
mod host;
mod pool;
mod snapshots;
mod worlds;

use std::sync::Arc;

use host::{Refused, TestHost, contract, contract_with_allocator, respond};
use resident_abi::entry_points::ExecuteOperation;
use resident_wasm::{
    CallError, Entered, GuestFailure, InstanceSnapshot, PortableSnapshot, RestoreError, TrapKind,
    prepare::PreparedModule,
    prepare_contract,
    wasmer::{WasmerEngine, WasmerInstance},
    wasmtime::{WasmtimeEngine, WasmtimeInstance},
};

const FUEL: i64 = 10_000_000;

/// An instance on either engine, so that a test is written once.
enum Instance {
    Wasmtime(WasmtimeInstance<TestHost>),
    Wasmer(WasmerInstance<TestHost>),
}

macro_rules! each {
    ($self:ident, $instance:ident => $call:expr) => {
        match $self {
            Instance::Wasmtime($instance) => $call,
            Instance::Wasmer($instance) => $call,
        }
    };
}

type Response = Result<Vec<u8>, CallError<Refused>>;

impl Instance {
    fn call_with(&mut self, fuel: i64, operation: &[u8]) -> (Response, TestHost) {
        let host = TestHost::with_fuel(fuel);
        let parameters = (operation.to_vec(),);
        let Entered { host, result } =
            each!(self, instance => instance.enter::<ExecuteOperation>(host, &parameters));
        (result, host)
    }

    fn call(&mut self, operation: &[u8]) -> Response {
        self.call_with(FUEL, operation).0
    }

    fn snapshot(&mut self) -> InstanceSnapshot {
        each!(self, instance => instance.snapshot(InstanceSnapshot::default()))
    }

    fn restore(&mut self, snapshot: &InstanceSnapshot) -> Result<(), RestoreError> {
        each!(self, instance => instance.restore(snapshot))
    }

    fn portable_snapshot(&mut self) -> PortableSnapshot {
        each!(self, instance => instance.portable_snapshot(None))
    }

    fn restore_portable(&mut self, snapshot: &PortableSnapshot) -> Result<(), RestoreError> {
        each!(self, instance => instance.restore_portable(snapshot))
    }

    fn memory_bytes(&self) -> u64 {
        each!(self, instance => instance.memory_bytes())
    }
}

fn prepare(code: &[u8]) -> Arc<PreparedModule> {
    Arc::new(prepare_contract::<TestHost>(code).expect("the test's module is accepted"))
}

/// A fresh instance on each engine.
fn instances(prepared: &Arc<PreparedModule>) -> [Instance; 2] {
    let wasmtime = WasmtimeEngine::new().expect("Wasmtime runs here");
    let module = wasmtime
        .compile(prepared.clone())
        .expect("Wasmtime compiles the module");
    let wasmtime = WasmtimeInstance::new(&module).expect("there is room for an instance");
    let wasmer = WasmerEngine::new().expect("Wasmer runs here");
    let module = wasmer
        .compile(prepared.clone())
        .expect("Wasmer compiles the module");
    let wasmer = WasmerInstance::new(&module).expect("there is room for an instance");
    [Instance::Wasmtime(wasmtime), Instance::Wasmer(wasmer)]
}

fn number(response: Response) -> i32 {
    i32::from_le_bytes(
        response
            .expect("the operation passes")
            .try_into()
            .expect("four bytes"),
    )
}

/// The arm of an `if` is paid for without a check, so the host has to look before it does anything.
#[test]
fn a_guest_without_fuel_is_refused_by_the_host() {
    let spend = "(drop (i32.const 1)) (drop (i32.const 1)) (drop (i32.const 1))";
    let ask = "(call $chain_id (i32.const 64))";
    let code = contract(
        &format!("(if (local.get $length) (then {spend})) {ask} (i32.const 32)"),
        "",
    );
    for mut instance in instances(&prepare(&code)) {
        let asked = CallError::Host(Refused("chain_id"));
        let enough =
            (0..1_000).find(|fuel| instance.call_with(*fuel, b"o").0 == Err(asked.clone()));
        let enough = enough.expect("it is not much");
        assert_eq!(instance.call_with(enough, b"o").1.meters.fuel, 0);
        let (response, host) = instance.call_with(enough - 1, b"o");
        assert_eq!(response, Err(CallError::Guest(GuestFailure::OutOfFuel)));
        assert_eq!(host.meters.fuel, -1);
    }
}

#[test]
fn a_host_call_takes_bytes_and_gives_bytes() {
    // Reads the value whose key is the operation, and responds with it.
    let code = contract(
        "(call $read_value (local.get $address) (local.get $length) (i32.const 16))
         (i32.const 20)",
        "",
    );
    for mut instance in instances(&prepare(&code)) {
        let (response, host) = instance.call_with(FUEL, b"key");
        assert_eq!(response.expect("the operation passes"), b"value of key");
        assert_eq!(host.asked, [b"key"]);
        assert!(host.meters.fuel < FUEL - 1_000, "the host's charge counts");
    }
}

#[test]
fn an_error_of_the_host_comes_back_unchanged() {
    let code = contract("(call $chain_id (i32.const 64)) (i32.const 0)", "");
    for mut instance in instances(&prepare(&code)) {
        assert_eq!(
            instance.call(b""),
            Err(CallError::Host(Refused("chain_id")))
        );
    }
}

#[test]
fn both_engines_spend_the_same_fuel_and_run_out_at_the_same_place() {
    // Counts in memory as far as the operation's first byte says.
    let code = contract(
        &format!(
            "(local $left i32)
             (local.set $left (i32.mul (i32.load8_u (local.get $address)) (i32.const 1000)))
             (loop $again
                (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 1)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))
             {}",
            respond("(i32.load (i32.const 128))")
        ),
        "",
    );
    let [mut wasmtime, mut wasmer] = instances(&prepare(&code));
    let (response, host) = wasmtime.call_with(FUEL, &[7]);
    let (other_response, other_host) = wasmer.call_with(FUEL, &[7]);
    assert_eq!(number(response), 7_000);
    assert_eq!(number(other_response), 7_000);
    assert_eq!(host.meters, other_host.meters);
    let spent = FUEL - host.meters.fuel;

    for fuel in [spent - 1, spent / 2, 1, 0] {
        let (response, host) = wasmtime.call_with(fuel, &[7]);
        let (other_response, other_host) = wasmer.call_with(fuel, &[7]);
        assert_eq!(response, Err(CallError::Guest(GuestFailure::OutOfFuel)));
        assert_eq!(other_response, response);
        assert_eq!(host.meters, other_host.meters);
        assert_eq!(wasmtime.snapshot(), wasmer.snapshot());
    }
}

#[test]
fn endless_recursion_ends_the_same_way_on_both_engines() {
    let code = contract(
        &respond("(call $deeper (i32.const 0))"),
        "(func $deeper (param i32) (result i32)
            (i32.store (i32.const 128) (local.get 0))
            (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))",
    );
    let [mut wasmtime, mut wasmer] = instances(&prepare(&code));
    let (response, host) = wasmtime.call_with(FUEL, b"");
    let (other_response, other_host) = wasmer.call_with(FUEL, b"");
    assert_eq!(
        response,
        Err(CallError::Guest(GuestFailure::StackExhausted))
    );
    assert_eq!(other_response, response);
    assert_eq!(host.meters, other_host.meters);
    assert_eq!(wasmtime.snapshot(), wasmer.snapshot());
}

/// An allocator that calls a host function which returns a list, which is lowered by the allocator: a
/// recursion in which most native frames are the host's.
#[test]
fn endless_recursion_through_the_host_ends_the_same_way_on_both_engines() {
    let code = contract_with_allocator(
        "(i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 1)))
         (call $read_value (i32.const 0) (i32.const 4) (i32.const 16))
         (call $allocate (local.get 3))",
        "(i32.const 16)",
        "",
    );
    let [mut wasmtime, mut wasmer] = instances(&prepare(&code));
    let (response, host) = wasmtime.call_with(FUEL, b"x");
    let (other_response, other_host) = wasmer.call_with(FUEL, b"x");
    assert_eq!(
        response,
        Err(CallError::Guest(GuestFailure::StackExhausted))
    );
    assert_eq!(other_response, response);
    assert_eq!(host.meters, other_host.meters);
    assert_eq!(host.asked.len(), other_host.asked.len());
    assert!(host.asked.len() < 128);
    assert_eq!(wasmtime.snapshot(), wasmer.snapshot());
}

#[test]
fn a_host_call_gives_its_part_of_the_stack_back() {
    let code = contract(
        "(local $left i32)
         (local.set $left (i32.const 1000))
         (loop $again
            (call $read_value (local.get $address) (local.get $length) (i32.const 16))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
         (i32.const 20)",
        "",
    );
    for mut instance in instances(&prepare(&code)) {
        let (response, host) = instance.call_with(FUEL, b"key");
        assert_eq!(response.expect("the operation passes"), b"value of key");
        assert_eq!(host.meters.stack, resident_wasm::prepare::STACK_UNITS);
    }
}

#[test]
fn traps_are_told_apart_and_alike() {
    let cases = [
        ("(unreachable)", TrapKind::Unreachable),
        (
            "(drop (i32.load (i32.const -4)))",
            TrapKind::MemoryOutOfBounds,
        ),
        (
            "(drop (i32.div_u (i32.const 1) (i32.load (i32.const 0))))",
            TrapKind::IntegerDivisionByZero,
        ),
        (
            "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (i32.load (i32.const 0)) (i32.const 1))))",
            TrapKind::IntegerOverflow,
        ),
        (
            "(drop (i32.trunc_f32_s (f32.reinterpret_i32 (i32.const 0x7fc00000))))",
            TrapKind::BadConversionToInteger,
        ),
        (
            "(call_indirect $table (type $nothing) (i32.const 1))",
            TrapKind::IndirectCallToNull,
        ),
        (
            "(call_indirect $table (type $nothing) (i32.const 0))",
            TrapKind::BadSignature,
        ),
        (
            "(call_indirect $table (type $nothing) (i32.const 2))",
            TrapKind::TableOutOfBounds,
        ),
    ];
    let more = "(type $nothing (func)) (table $table 2 2 funcref) (elem (i32.const 0) $allocate)";
    for (instruction, kind) in cases {
        let code = contract(&format!("{instruction} (i32.const 0)"), more);
        for mut instance in instances(&prepare(&code)) {
            let expected = Err(CallError::Guest(GuestFailure::Trap(kind)));
            assert_eq!(instance.call(b""), expected, "{instruction}");
        }
    }
}

#[test]
fn the_functions_in_which_a_guest_failed_are_named() {
    let code = contract(
        "(call $outer) (i32.const 0)",
        "(func $outer (call $inner)) (func $inner (unreachable))",
    );
    for mut instance in instances(&prepare(&code)) {
        let (response, host) = instance.call_with(FUEL, b"");
        response.expect_err("the operation traps");
        assert_eq!(host.failed_in, ["inner", "outer", "?"]);
    }
}

#[test]
fn a_pointer_out_of_memory_is_the_contracts_failure() {
    let code = contract(
        "(call $read_value (i32.const -8) (i32.const 64) (i32.const 16)) (i32.const 16)",
        "",
    );
    for mut instance in instances(&prepare(&code)) {
        let response = instance.call(b"");
        assert!(
            matches!(response, Err(CallError::Guest(GuestFailure::Malformed(_)))),
            "{response:?}"
        );
    }
}

/// The published system captured exported globals only. Rust's stack pointer is not exported, and a
/// trap leaves it wherever it was.
#[test]
fn restoring_after_a_trap_resets_hidden_globals_and_memory() {
    let code = contract(
        &format!(
            "(global.set $stack_pointer (i32.sub (global.get $stack_pointer) (i32.const 16)))
             (i32.store (i32.const 128) (i32.const 77))
             (if (i32.load8_u (local.get $address)) (then (unreachable)))
             (global.set $stack_pointer (i32.add (global.get $stack_pointer) (i32.const 16)))
             (i32.store (i32.const 128) (i32.const 0))
             {}",
            respond("(global.get $stack_pointer)")
        ),
        "",
    );
    for mut instance in instances(&prepare(&code)) {
        assert_eq!(number(instance.call(&[0])), 1024);
        let before = instance.snapshot();
        instance.call(&[1]).expect_err("the operation traps");
        assert_ne!(instance.snapshot(), before, "the trap left its traces");
        instance.restore(&before).expect("the snapshot fits");
        assert_eq!(instance.snapshot(), before);
        assert_eq!(number(instance.call(&[0])), 1024);
    }
}

#[test]
fn memory_that_grew_wants_a_new_instance() {
    let code = contract(
        &format!(
            "(drop (memory.grow (i32.load8_u (local.get $address)))) {}",
            respond("(memory.size)")
        ),
        "",
    );
    let prepared = prepare(&code);
    for (mut instance, mut fresh) in instances(&prepared).into_iter().zip(instances(&prepared)) {
        assert_eq!(number(instance.call(&[1])), 3);
        let before = instance.snapshot();
        assert_eq!(number(instance.call(&[2])), 5);
        let grown = instance.snapshot();
        let error = instance.restore(&before).expect_err("memory cannot shrink");
        assert_eq!(
            error,
            RestoreError::MemoryGrew {
                snapshot: 3 << 16,
                instance: 5 << 16
            }
        );
        assert_eq!(
            instance.snapshot(),
            grown,
            "a refused restore changes nothing"
        );
        fresh
            .restore(&before)
            .expect("a new instance can grow to the snapshot's size");
        assert_eq!(fresh.memory_bytes(), 3 << 16);
        assert_eq!(fresh.snapshot(), before);
        assert_eq!(number(fresh.call(&[0])), 3);
        assert_eq!(number(fresh.call(&[8])), 3, "growth past the maximum fails");
    }
}

#[test]
fn a_snapshot_of_one_engine_continues_on_the_other() {
    let code = contract(
        &format!(
            "(i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 3)))
             {}",
            respond("(i32.load (i32.const 128))")
        ),
        "",
    );
    let [mut wasmtime, mut wasmer] = instances(&prepare(&code));
    for _ in 0..3 {
        wasmtime.call(b"x").expect("the operation passes");
        wasmer
            .restore(&wasmtime.snapshot())
            .expect("the snapshot fits");
        assert_eq!(wasmer.call(b"xyz"), wasmtime.call(b"xyz"));
        assert_eq!(wasmer.snapshot(), wasmtime.snapshot());
    }
}

#[test]
fn a_snapshot_of_another_module_is_refused() {
    let first = contract(&respond("(i32.const 1)"), "");
    let second = contract(&respond("(i32.const 2)"), "");
    for (mut one, mut other) in instances(&prepare(&first))
        .into_iter()
        .zip(instances(&prepare(&second)))
    {
        let before = other.snapshot();
        let error = other
            .restore(&one.snapshot())
            .expect_err("the modules differ");
        assert!(matches!(error, RestoreError::OtherModule { .. }), "{error}");
        assert_eq!(other.snapshot(), before);
    }
}

#[test]
fn a_start_function_runs_once_before_the_first_entry() {
    let code = contract(
        &respond("(i32.load (i32.const 128))"),
        "(func $begin
            (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 5))))
         (start $begin)",
    );
    let prepared = prepare(&code);
    for (mut instance, mut fresh) in instances(&prepared).into_iter().zip(instances(&prepared)) {
        assert_eq!(number(instance.call(b"")), 5);
        assert_eq!(number(instance.call(b"")), 5);
        fresh
            .restore(&instance.snapshot())
            .expect("the snapshot fits");
        assert_eq!(
            number(fresh.call(b"")),
            5,
            "what was restored has started already"
        );
    }
}
