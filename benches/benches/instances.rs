//! One instance of the counter contract on each engine: making it, an operation, its snapshots.

use std::sync::Arc;

use resident_abi::entry_points::{ExecuteOperation, Instantiate};
use resident_benches::{BenchHost, Subject, compare, contract};
use resident_wasm::{
    Entered, InstanceSnapshot, prepare_contract,
    wasmer::{WasmerEngine, WasmerInstance},
    wasmtime::{WasmtimeEngine, WasmtimeInstance},
};
use resident_witty::SnapshotSize;

/// A counter, with one operation that warms it up, and its lent host.
macro_rules! counter {
    ($instance:expr) => {{
        let mut instance = $instance;
        let host = BenchHost::default();
        let Entered { host, result } = instance.enter::<Instantiate>(host, &(b"0".to_vec(),));
        result.expect("the counter can be instantiated");
        let mut host = Some(host);
        increment!(instance, host);
        (instance, host)
    }};
}

/// One operation of the counter: `Increment { value: 1 }`.
macro_rules! increment {
    ($instance:ident, $host:ident) => {{
        let operation = [0, 1, 0, 0, 0, 0, 0, 0, 0].to_vec();
        let lent = $host
            .take()
            .expect("the host comes back from every operation");
        let Entered { host, result } = $instance.enter::<ExecuteOperation>(lent, &(operation,));
        $host = Some(host);
        result.expect("the counter can be incremented")
    }};
}

fn main() {
    let code = contract("counter");
    let prepared = prepare_contract::<BenchHost>(&code).expect("the counter is accepted");
    let prepared = Arc::new(prepared);
    let wasmtime = WasmtimeEngine::new().expect("Wasmtime runs here");
    let wasmtime = wasmtime
        .compile(prepared.clone())
        .expect("Wasmtime compiles it");
    let wasmer = WasmerEngine::new().expect("Wasmer runs here");
    let wasmer = wasmer.compile(prepared).expect("Wasmer compiles it");

    compare(vec![
        Subject::new("instantiate/engine=wasmtime", || {
            WasmtimeInstance::new(&wasmtime).is_ok()
        }),
        Subject::new("instantiate/engine=wasmer", || {
            WasmerInstance::new(&wasmer).is_ok()
        }),
    ]);

    let (mut on_wasmtime, mut wasmtime_host) =
        counter!(WasmtimeInstance::new(&wasmtime).expect("there is room"));
    let (mut on_wasmer, mut wasmer_host) =
        counter!(WasmerInstance::new(&wasmer).expect("there is room"));
    compare(vec![
        Subject::new("counter operation/engine=wasmtime", || {
            increment!(on_wasmtime, wasmtime_host)
        }),
        Subject::new("counter operation/engine=wasmer", || {
            increment!(on_wasmer, wasmer_host)
        }),
    ]);

    let bytes = on_wasmtime.snapshot(InstanceSnapshot::default());
    println!(
        "the counter's snapshot has {} bytes",
        bytes.snapshot_bytes()
    );
    let source = bytes.memory().to_vec();
    let mut copy = source.clone();
    let (mut first, mut second) = (Some(bytes.clone()), Some(bytes.clone()));
    compare(vec![
        Subject::new("plain copy of as many bytes", || {
            copy.copy_from_slice(&source);
        }),
        Subject::new("snapshot/engine=wasmtime", || {
            first = Some(on_wasmtime.snapshot(first.take().unwrap_or_default()));
        }),
        Subject::new("snapshot/engine=wasmer", || {
            second = Some(on_wasmer.snapshot(second.take().unwrap_or_default()));
        }),
    ]);
    compare(vec![
        Subject::new("restore/engine=wasmtime", || {
            on_wasmtime.restore(&bytes).is_ok()
        }),
        Subject::new("restore/engine=wasmer", || {
            on_wasmer.restore(&bytes).is_ok()
        }),
    ]);
}
