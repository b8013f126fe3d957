//! Preparing and compiling the example contracts.

use std::sync::Arc;

use resident_benches::{BenchHost, Subject, compare, contract};
use resident_wasm::{prepare_contract, wasmer::WasmerEngine, wasmtime::WasmtimeEngine};

fn main() {
    let wasmtime = WasmtimeEngine::<BenchHost>::new().expect("Wasmtime runs here");
    let wasmer = WasmerEngine::<BenchHost>::new().expect("Wasmer runs here");
    for name in ["counter", "fungible", "matching-engine"] {
        let code = contract(name);
        let prepared = prepare_contract::<BenchHost>(&code).expect("the example is accepted");
        println!(
            "{name}: {} bytes published, {} prepared",
            code.len(),
            prepared.bytes.len()
        );
        let prepared = Arc::new(prepared);
        compare(vec![
            Subject::new(format!("prepare/module={name}"), || {
                prepare_contract::<BenchHost>(&code).is_ok()
            }),
            Subject::new(format!("compile/module={name}/engine=wasmtime"), || {
                wasmtime.compile(prepared.clone()).is_ok()
            }),
            Subject::new(format!("compile/module={name}/engine=wasmer"), || {
                wasmer.compile(prepared.clone()).is_ok()
            }),
        ]);
    }
}
