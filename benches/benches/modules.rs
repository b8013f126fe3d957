//! Preparing and compiling the example contracts, and loading what was compiled from the disk.

use std::{fs, sync::Arc};

use resident_benches::{BenchHost, Subject, compare, contract};
use resident_wasm::{SealKey, prepare_contract, wasmer::WasmerEngine, wasmtime::WasmtimeEngine};

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
        let files = ["wasmtime", "wasmer"].map(|engine| folder.path().join(engine));
        let sealed = [on_wasmtime.serialize(&key), on_wasmer.serialize(&key)];
        let sizes = files.each_ref().map(|file| {
            let index = usize::from(file.ends_with("wasmer"));
            let entry = sealed[index].as_ref().expect("it can be serialized");
            fs::write(file, entry).expect("the file can be written");
            entry.len()
        });
        println!(
            "{name}: {} bytes published, {} prepared; on disk {} for wasmtime and {} for wasmer; in memory {} and {}",
            code.len(),
            prepared.bytes.len(),
            sizes[0],
            sizes[1],
            on_wasmtime.size_bytes(),
            on_wasmer.size_bytes(),
        );
        let read = |index: usize| fs::read(&files[index]).expect("the file was written");
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
                let loaded = wasmtime.deserialize(prepared.clone(), &read(0), &key);
                assert!(loaded.is_ok(), "what is measured is not a rebuild");
            }),
            Subject::new(format!("load/module={name}/engine=wasmer"), || {
                let loaded = wasmer.deserialize(prepared.clone(), &read(1), &key);
                assert!(loaded.is_ok(), "what is measured is not a rebuild");
            }),
        ]);
    }
}
