//! Where hostile modules are refused, or run on both engines.

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use resident_abi::entry_points::ExecuteOperation;
use resident_wasm::{
    CallError, Entered, GuestFailure, InstanceSnapshot, Meters, NATIVE_STACK_BYTES, TrapKind,
    prepare::{PreparedModule, RefusalReason, STACK_UNITS},
    prepare_contract,
    wasmer::{WasmerEngine, WasmerInstance},
    wasmtime::{WasmtimeEngine, WasmtimeInstance},
};

use crate::{
    allocation,
    host::{Refused, TestHost},
    raw::Raw,
};

/// Fuel of an operation unless a test says otherwise.
pub(crate) const FUEL: i64 = 2_000_000;

/// What an operation answered.
pub(crate) type Response = Result<Vec<u8>, CallError<Refused>>;

/// How an operation ended, on both engines.
#[derive(Debug, PartialEq)]
pub(crate) struct Ran {
    pub(crate) response: Response,
    pub(crate) meters: Meters,
    /// How often the host was asked for a value.
    pub(crate) asked: usize,
    pub(crate) snapshot: InstanceSnapshot,
}

impl Ran {
    /// What the guest did wrong.
    pub(crate) fn failure(&self) -> GuestFailure {
        match &self.response {
            Err(CallError::Guest(failure)) => failure.clone(),
            other => panic!("no failure of the guest: {other:?}"),
        }
    }
}

/// A trap of this kind.
pub(crate) fn trap(kind: TrapKind) -> GuestFailure {
    GuestFailure::Trap(kind)
}

/// Refuses a module, and checks that this took no more memory than the module deserves.
pub(crate) fn refused(code: &[u8]) -> RefusalReason {
    let (prepared, peak) = allocation::peak_of(|| prepare_contract::<TestHost>(code));
    let error = prepared.map(|_| ()).expect_err("the module is refused");
    assert!(error.offset <= code.len(), "{error}");
    assert!(
        peak <= allocation::allowed(code.len()),
        "{peak} bytes: {error}"
    );
    error.reason
}

/// Prepares an accepted module, compiles it on both engines and runs an operation on each with so much
/// fuel. Both must end alike.
pub(crate) fn run(name: &str, code: &[u8], fuel: i64) -> Ran {
    run_with(name, code, fuel, STACK_UNITS)
}

/// As [`run`], with another budget of call-stack height.
pub(crate) fn run_with(name: &str, code: &[u8], fuel: i64, stack: i32) -> Ran {
    let [first, second] = run_apart(name, code, fuel, stack);
    assert_eq!(first.response, second.response, "{name}");
    assert!(
        first == second,
        "{name}: other meters or another snapshot, {:?} and {:?}",
        first.meters,
        second.meters
    );
    first
}

/// As [`run_with`], for what need not end alike: more than a guest ever has.
pub(crate) fn run_apart(name: &str, code: &[u8], fuel: i64, stack: i32) -> [Ran; 2] {
    let meters = Meters { fuel, stack };
    let (prepared, preparing) = timed(|| prepare_contract::<TestHost>(code));
    let prepared = Arc::new(prepared.unwrap_or_else(|error| panic!("{name}: {error}")));
    let fight = || {
        (
            on_wasmtime(prepared.clone(), meters),
            on_wasmer(prepared.clone(), meters),
        )
    };
    let (first, second) = on_large_stack(fight);
    report(name, code, &prepared, [preparing, first.1, second.1]);
    [first.0, second.0]
}

/// Runs this on a thread like a block's: Wasmtime runs guests on the stack of the thread, which is as large as a block's
/// thread has for one.
pub(crate) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let arena = thread::Builder::new().stack_size(2 * NATIVE_STACK_BYTES);
    thread::scope(|scope| {
        let thread = arena
            .spawn_scoped(scope, work)
            .expect("there is room for a thread");
        thread.join().expect("no module makes the node panic")
    })
}

/// Runs a raw contract, which must pass.
pub(crate) fn survives(name: &str, raw: &Raw) -> Ran {
    let ran = run(name, &raw.build(), 20 * FUEL);
    assert_eq!(ran.response, Ok(Vec::new()), "{name}");
    ran
}

/// Refuses a raw contract, for being past this limit.
pub(crate) fn is_past(name: &str, raw: &Raw, limit: &str) {
    match refused(&raw.build()) {
        RefusalReason::Limit { what, .. } => assert_eq!(what, limit, "{name}"),
        other => panic!("{name}: {other}"),
    }
}

fn on_wasmtime(prepared: Arc<PreparedModule>, meters: Meters) -> (Ran, Duration) {
    static ENGINE: OnceLock<WasmtimeEngine<TestHost>> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| WasmtimeEngine::new().expect("Wasmtime runs here"));
    let (module, compiling) = timed(|| engine.compile(prepared));
    let module = module.expect("what is accepted can be compiled");
    let mut instance = WasmtimeInstance::new(&module).expect("there is room for an instance");
    let entered = bounded(meters, || {
        instance.enter::<ExecuteOperation>(host(meters), &operation())
    });
    (
        ran(entered, instance.snapshot(InstanceSnapshot::default())),
        compiling,
    )
}

fn on_wasmer(prepared: Arc<PreparedModule>, meters: Meters) -> (Ran, Duration) {
    static ENGINE: OnceLock<WasmerEngine<TestHost>> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| WasmerEngine::new().expect("Wasmer runs here"));
    let (module, compiling) = timed(|| engine.compile(prepared));
    let module = module.expect("what is accepted can be compiled");
    let mut instance = WasmerInstance::new(&module).expect("there is room for an instance");
    let entered = bounded(meters, || {
        instance.enter::<ExecuteOperation>(host(meters), &operation())
    });
    (
        ran(entered, instance.snapshot(InstanceSnapshot::default())),
        compiling,
    )
}

/// Runs a guest, and checks what the host allocated for it. The guest's own memory is not counted, nor is a look at a
/// stack higher than a guest ever has.
fn bounded<T>(meters: Meters, enter: impl FnOnce() -> T) -> T {
    let (entered, peak) = allocation::peak_of(enter);
    assert!(
        peak <= allocation::ALLOWED_RUNNING || meters.stack > 2 * STACK_UNITS,
        "{peak} bytes for a guest"
    );
    entered
}

fn host(meters: Meters) -> TestHost {
    TestHost {
        meters,
        ..TestHost::with_fuel(meters.fuel)
    }
}

fn operation() -> (Vec<u8>,) {
    (b"attack".to_vec(),)
}

fn ran(entered: Entered<TestHost, Vec<u8>>, snapshot: InstanceSnapshot) -> Ran {
    Ran {
        response: entered.result,
        meters: entered.host.meters,
        asked: entered.host.asked.len(),
        snapshot,
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Sizes, and milliseconds of preparing and compiling; for whoever reads along.
fn report(name: &str, code: &[u8], prepared: &PreparedModule, times: [Duration; 3]) {
    let kib = code.len() as f64 / 1024.0;
    let [prepare, wasmtime, wasmer] = times.map(|time| time.as_secs_f64() * 1000.0);
    println!(
        "{name:<44} {kib:>8.1} KiB, x{:<5.2} prepare {prepare:>7.1} ms, Wasmtime {wasmtime:>8.1} ms ({:>6.1} ms/KiB), \
         Wasmer {wasmer:>8.1} ms ({:>6.1} ms/KiB)",
        prepared.bytes.len() as f64 / code.len() as f64,
        (prepare + wasmtime) / kib,
        (prepare + wasmer) / kib,
    );
}
