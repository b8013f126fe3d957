//! Bytes that are no module, or were one. Preparation must answer each of them: without a panic, with an
//! offset that lies within, in memory that the bytes account for, and with something that both engines
//! compile if it accepts.
//!
//! `RESIDENT_FUZZ_CASES` makes more cases than a test run has time for.

use std::{env, fs, path::PathBuf, sync::Arc};

use resident_wasm::{prepare_contract, wasmer::WasmerEngine, wasmtime::WasmtimeEngine};

use crate::{
    allocation,
    host::{TestHost, contract, respond},
    mutate::{Numbers, mutate},
};

pub(crate) fn cases(usual: u64) -> u64 {
    env::var("RESIDENT_FUZZ_CASES").map_or(usual, |cases| cases.parse().expect("a number"))
}

/// Prepares bytes, and tells whether they were accepted.
fn answer(code: &[u8]) -> Option<resident_wasm::prepare::PreparedModule> {
    let (answer, peak) = allocation::peak_of(|| prepare_contract::<TestHost>(code));
    assert!(
        peak <= allocation::allowed(code.len()),
        "{peak} bytes for {}",
        code.len()
    );
    match answer {
        Ok(prepared) => Some(prepared),
        Err(error) => {
            assert!(error.offset <= code.len(), "{error}");
            None
        }
    }
}

/// Small modules with something of everything that is accepted.
fn small_modules() -> Vec<Vec<u8>> {
    let loops = "(local $left i32)
        (loop $again
            (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 3)))
            (br_if $again (local.tee $left (i32.add (local.get $left) (i32.const 1)))))";
    let more = r#"(type $t (func (param f32 f64) (result f32 i64))) (table 4 funcref)
        (elem (i32.const 1) $many $allocate) (elem declare func $many)
        (data (i32.const 100) "something") (start $begin) (func $begin)
        (func $many (type $t)
            (block (block (block (br_table 0 1 2 (i32.const 7)))))
            (f32.sqrt (local.get 0)) (i64.trunc_sat_f64_s (f64.add (local.get 1) (f64.const 1))))
        (func $calls (param f32 f64) (result f32 i64)
            (memory.fill (i32.const 0) (i32.const 0) (memory.grow (i32.const 1)))
            (call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 1)))"#;
    vec![
        contract(&respond("(i32.const 1)"), ""),
        contract(&format!("{loops} {}", respond("(i32.const 1)")), more),
    ]
}

/// The built examples, as far as they are there.
fn built_contracts() -> Vec<Vec<u8>> {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/contracts");
    let folder = env::var_os("RESIDENT_CONTRACTS").map_or_else(|| workspace.into(), PathBuf::from);
    let names = ["counter", "fungible", "matching-engine"];
    let read = |name: &&str| fs::read(folder.join(format!("{name}.wasm"))).ok();
    names.iter().filter_map(read).collect()
}

#[test]
fn random_bytes() {
    for seed in 0..cases(20_000) {
        let mut numbers = Numbers(seed);
        let length = numbers.below(200);
        let mut code = numbers.bytes(length);
        if seed % 2 == 0 {
            // Past the first eight bytes, so that sections are read.
            code.splice(0..0, *b"\0asm\x01\0\0\0");
        }
        answer(&code);
    }
}

#[test]
fn modules_cut_at_every_byte() {
    for code in small_modules() {
        for length in 0..code.len() {
            // Between the last section and the names it is a whole module.
            answer(&code[..length]);
        }
    }
    for code in built_contracts() {
        for length in (0..code.len()).step_by(code.len() / 20) {
            answer(&code[..length]);
        }
    }
}

/// Damaged modules. Some are still accepted; the engines must then compile them.
#[test]
fn damaged_modules() {
    let wasmtime = WasmtimeEngine::<TestHost>::new().expect("Wasmtime runs here");
    let wasmer = WasmerEngine::<TestHost>::new().expect("Wasmer runs here");
    let (mut accepted, modules) = (0, small_modules());
    for seed in 0..cases(6_000) {
        let code = mutate(seed, &modules[seed as usize % modules.len()]);
        let Some(prepared) = answer(&code) else {
            continue;
        };
        accepted += 1;
        if accepted % 8 == 0 {
            let prepared = Arc::new(prepared);
            assert!(wasmtime.compile(prepared.clone()).is_ok(), "seed {seed}");
            assert!(wasmer.compile(prepared).is_ok(), "seed {seed}");
        }
    }
    assert!(
        accepted > 50,
        "the damage is too great to test what comes behind: {accepted}"
    );
}

#[test]
fn damaged_contracts() {
    let contracts = built_contracts();
    for seed in 0..cases(40) {
        if let Some(code) = contracts.get(seed as usize % contracts.len().max(1)) {
            answer(&mutate(seed, code));
        }
    }
}
