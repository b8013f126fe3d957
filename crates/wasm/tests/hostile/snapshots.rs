//! Bytes that are no snapshot, or were one. The decoder must answer each of them without a panic and in
//! memory that the bytes account for; and what it lets through either fits an instance exactly or leaves
//! it as it was.

use std::sync::Arc;

use resident_abi::entry_points::ExecuteOperation;
use resident_wasm::{
    PortableSnapshot,
    wasmer::{WasmerEngine, WasmerInstance},
    wasmtime::{WasmtimeEngine, WasmtimeInstance},
};

use crate::{
    allocation,
    bytes::cases,
    host::{TestHost, contract, respond},
    mutate::{Numbers, mutate},
};

const HASH_BYTES: usize = 32;

/// A word is written as one byte at least and read as eight, into a buffer that may have doubled.
fn decode(bytes: &[u8]) -> Option<PortableSnapshot> {
    let (decoded, peak) = allocation::peak_of(|| PortableSnapshot::decode(bytes));
    let allowed = (64 << 10) + 32 * bytes.len();
    assert!(peak <= allowed, "{peak} bytes for {}", bytes.len());
    decoded.ok()
}

/// An instance on each engine, with a snapshot of a state that was written to here and there.
struct Arena {
    wasmtime: WasmtimeInstance<TestHost>,
    wasmer: WasmerInstance<TestHost>,
    bytes: Vec<u8>,
}

impl Arena {
    fn open() -> Self {
        let store = "(i32.store (i32.load (local.get $address)) (i32.const 0x01000200))
            (memory.fill (i32.const 70000) (i32.const 7) (i32.const 100))";
        let code = contract(
            &format!("{store} {}", respond("(i32.const 1)")),
            r#"(data (i32.const 70050) "something")"#,
        );
        let prepared = resident_wasm::prepare_contract::<TestHost>(&code).expect("it is accepted");
        let prepared = Arc::new(prepared);
        let wasmtime = WasmtimeEngine::new().expect("Wasmtime runs here");
        let module = wasmtime.compile(prepared.clone()).expect("it compiles");
        let wasmtime = WasmtimeInstance::new(&module).expect("there is room");
        let wasmer = WasmerEngine::new().expect("Wasmer runs here");
        let module = wasmer.compile(prepared).expect("it compiles");
        let wasmer = WasmerInstance::new(&module).expect("there is room");
        let mut arena = Arena {
            wasmtime,
            wasmer,
            bytes: Vec::new(),
        };
        for address in [90_000u32, 100_001, 131_060] {
            let operation = (address.to_le_bytes().to_vec(),);
            let host = TestHost::with_fuel(1_000_000);
            let entered = arena.wasmtime.enter::<ExecuteOperation>(host, &operation);
            entered.result.expect("the operation passes");
        }
        arena.bytes = arena.wasmtime.portable_snapshot(None).to_bytes();
        arena
    }

    /// Restores on both engines, and tells whether it fitted.
    fn restore(&mut self, snapshot: &PortableSnapshot) -> bool {
        let before = self.wasmtime.portable_snapshot(None);
        let restored = self.wasmtime.restore_portable(snapshot);
        let after = self.wasmtime.portable_snapshot(None);
        assert_eq!(self.wasmer.restore_portable(snapshot), restored);
        match restored {
            Ok(()) => assert_eq!(after.to_bytes(), snapshot.to_bytes()),
            Err(_) => assert_eq!(after, before),
        }
        assert_eq!(self.wasmer.portable_snapshot(None), after);
        restored.is_ok()
    }
}

#[test]
fn random_bytes() {
    for seed in 0..cases(20_000) {
        let mut numbers = Numbers(seed);
        let length = numbers.below(300);
        let mut bytes = numbers.bytes(length);
        if seed % 2 == 0 {
            bytes.splice(0..0, *b"RSNP\x01\0\0\0");
        }
        assert_eq!(decode(&bytes), None);
    }
}

/// Damage that the hash would give away, made good by whoever did it.
#[test]
fn damaged_snapshots_with_the_right_hash() {
    let mut arena = Arena::open();
    let original = PortableSnapshot::decode(&arena.bytes).expect("it is whole");
    assert!(arena.wasmer.restore_portable(&original).is_ok());
    let body = arena.bytes[..arena.bytes.len() - HASH_BYTES].to_vec();
    let (mut decoded, mut restored) = (0, 0);
    for seed in 0..cases(20_000) {
        let mut bytes = mutate(seed, &body);
        let hash = *blake3::hash(&bytes).as_bytes();
        bytes.extend(hash);
        if let Some(snapshot) = decode(&bytes) {
            assert_eq!(snapshot.to_bytes(), bytes, "seed {seed}: another encoding");
            decoded += 1;
            restored += u64::from(arena.restore(&snapshot));
        }
    }
    assert!(
        decoded > 100 && restored > 20,
        "{decoded} decoded, {restored} restored"
    );
}

#[test]
fn damaged_snapshots() {
    let arena = Arena::open();
    for seed in 0..cases(20_000) {
        let bytes = mutate(seed, &arena.bytes);
        assert!(
            bytes == arena.bytes || decode(&bytes).is_none(),
            "seed {seed}"
        );
    }
}
