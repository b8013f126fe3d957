//! Preparing and compiling the example contracts, and loading what was compiled from the disk.

use std::{fs, sync::Arc};

use resident_benches::{BenchHost, Subject, compare, contract};
use resident_wasm::{
    EngineError, SealKey, prepare_contract, wasmer::WasmerEngine, wasmtime::WasmtimeEngine,
};

fn main() {
    let wasmtime = WasmtimeEngine::<BenchHost>::new().expect("Wasmtime runs here");
    let wasmer = WasmerEngine::<BenchHost>::new().expect("Wasmer runs here");
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let key = SealKey::of_folder(folder.path()).expect("the folder can be written");
    for name in ["counter", "fungible", "matching-engine"] {
        let code = contract(name);
        let prepared = prepare_contract::<BenchHost>(&code).expect("the example is accepted");
        let prepared = Arc::new(prepared);
        let on_wasmtime = wasmtime.compile(prepared.clone()).expect("it compiles");
        let on_wasmer = wasmer.compile(prepared.clone()).expect("it compiles");
        let keep = |engine: &str, sealed: Result<Vec<u8>, EngineError>| {
            let (file, entry) = (folder.path().join(engine), sealed.expect("it serializes"));
            fs::write(&file, &entry).expect("the file can be written");
            (file, entry.len())
        };
        let (wasmtime_file, wasmtime_bytes) = keep("wasmtime", on_wasmtime.serialize(&key));
        let (wasmer_file, wasmer_bytes) = keep("wasmer", on_wasmer.serialize(&key));
        println!(
            "{name}: {} bytes published, {} prepared\n\
             wasmtime: {wasmtime_bytes} on disk, {} in memory; wasmer: {wasmer_bytes} on disk, {} in memory",
            code.len(),
            prepared.bytes.len(),
            on_wasmtime.size_bytes(),
            on_wasmer.size_bytes(),
        );
        let read = |file| fs::read(file).expect("the file was written");
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
            Subject::new(format!("serialize/module={name}/engine=wasmtime"), || {
                on_wasmtime.serialize(&key).is_ok()
            }),
            Subject::new(format!("serialize/module={name}/engine=wasmer"), || {
                on_wasmer.serialize(&key).is_ok()
            }),
            Subject::new(format!("load/module={name}/engine=wasmtime"), || {
                let loaded = wasmtime.deserialize(prepared.clone(), &read(&wasmtime_file), &key);
                assert!(loaded.is_ok(), "what is measured is not a rebuild");
            }),
            Subject::new(format!("load/module={name}/engine=wasmer"), || {
                let loaded = wasmer.deserialize(prepared.clone(), &read(&wasmer_file), &key);
                assert!(loaded.is_ok(), "what is measured is not a rebuild");
            }),
        ]);
    }
}
