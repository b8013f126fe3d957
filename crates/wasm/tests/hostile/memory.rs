//! A node that has less memory than others. The attacker wants guests to learn it, and to do something else there:
//! then two honest nodes disagree.

use std::{env, process::Command, sync::Arc};

use resident_abi::entry_points::ExecuteOperation;
use resident_wasm::{
    CallError, EngineError, prepare_contract,
    wasmer::{WasmerEngine, WasmerInstance},
    wasmtime::{WasmtimeEngine, WasmtimeInstance},
};

use crate::{
    arena::{self, Response},
    host::{TestHost, respond},
    loops::wasm_with_memory,
};

const FUEL: i64 = 1 << 30;
/// What the process of [`guests_that_grow_where_nothing_is_left`] may have, in KiB.
const PROCESS_KIB: u32 = 2 << 20;
const ALONE: &str = "RESIDENT_TEST_HAS_LITTLE_MEMORY";

/// Grows by four hundred pages if the operation is not empty, and answers what `memory.grow` said.
fn growing() -> Vec<u8> {
    let grow = "(local $answer i32)
        (if (local.get $length) (then (local.set $answer (memory.grow (i32.const 400)))))";
    wasm_with_memory(&format!("{grow} {}", respond("(local.get $answer)")), "512")
}

/// Runs in a process of its own, which the system gives no more than so much memory.
#[test]
fn a_guest_does_not_learn_that_the_system_has_no_memory() {
    let test = "memory::guests_that_grow_where_nothing_is_left";
    let child = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -d {PROCESS_KIB} && exec \"$0\" \"$@\""))
        .arg(env::current_exe().expect("the test is a file"))
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(ALONE, "yes")
        .output()
        .expect("there is a shell");
    let told = String::from_utf8_lossy(&child.stdout);
    let error = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{told} {error}");
    assert!(told.contains("1 passed"), "{told}");
}

#[test]
#[ignore = "the test above runs it, in a process of its own"]
fn guests_that_grow_where_nothing_is_left() {
    if env::var(ALONE).is_err() {
        return;
    }
    arena::on_large_stack(|| {
        let prepared = Arc::new(prepare_contract::<TestHost>(&growing()).expect("accepted"));
        let engine = WasmtimeEngine::<TestHost>::new().expect("Wasmtime runs here");
        let module = engine.compile(prepared.clone()).expect("compiled");
        let mut instance = WasmtimeInstance::new(&module).expect("room for it");
        let mut first = |operation: &[u8]| -> Response {
            let operation = (operation.to_vec(),);
            let host = TestHost::with_fuel(FUEL);
            instance.enter::<ExecuteOperation>(host, &operation).result
        };
        let engine = WasmerEngine::<TestHost>::new().expect("Wasmer runs here");
        let module = engine.compile(prepared).expect("compiled");
        let mut instance = WasmerInstance::new(&module).expect("room for it");
        let mut second = |operation: &[u8]| -> Response {
            let operation = (operation.to_vec(),);
            let host = TestHost::with_fuel(FUEL);
            instance.enter::<ExecuteOperation>(host, &operation).result
        };
        // Everything that an engine allocates for a thread is there before nothing is left.
        assert_eq!(first(b""), Ok(vec![0; 4]));
        assert_eq!(second(b""), Ok(vec![0; 4]));
        let rest = take_all_memory();
        let ended = [first(b"grow"), second(b"grow")];
        drop(rest);
        for (ended, name) in ended.into_iter().zip(["wasmtime", "wasmer"]) {
            let fault = EngineError::SystemMemory { engine: name };
            assert_eq!(ended, Err(CallError::Engine(fault)));
        }
    });
}

/// Takes memory until less than two mebibytes are left.
fn take_all_memory() -> Vec<Vec<u8>> {
    let mut taken = Vec::with_capacity(8_192);
    for size in [64 << 20, 1 << 20] {
        loop {
            let mut more: Vec<u8> = Vec::new();
            if more.try_reserve_exact(size).is_err() {
                break;
            }
            taken.push(more);
        }
    }
    taken
}
