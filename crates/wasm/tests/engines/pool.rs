//! More instances at once than the engine's pool has room for.

use resident_wasm::wasmtime::{WasmtimeEngine, WasmtimeInstance};

use super::{FUEL, Instance, contract, prepare};
use crate::host::TestHost;

/// Counts the calls in memory, which grows, and answers with their number.
fn counting() -> Vec<u8> {
    let body = "(i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 1)))
        (drop (memory.grow (i32.const 1)))
        (i32.store (i32.const 32) (i32.const 128))
        (i32.store (i32.const 36) (i32.const 4))
        (i32.const 32)";
    contract(body, "")
}

#[test]
fn instances_without_a_place_in_the_pool_are_like_the_others() {
    let engine = WasmtimeEngine::<TestHost>::with_pool(2).expect("Wasmtime runs here");
    let module = engine.compile(prepare(&counting())).expect("it compiles");
    let make = || WasmtimeInstance::new(&module).map(Instance::Wasmtime);
    let mut instances: Vec<_> = (0..6)
        .map(|_| make().expect("there is always room"))
        .collect();
    for round in 1..=3 {
        let mut fuel = Vec::new();
        for instance in &mut instances {
            let (response, host) = instance.call_with(FUEL, b"");
            assert_eq!(response, Ok(i32::to_le_bytes(round).to_vec()));
            fuel.push(host.meters.fuel);
        }
        assert!(fuel.windows(2).all(|pair| pair[0] == pair[1]), "{fuel:?}");
    }
    // Both directions, in both forms.
    for (from, to) in [(0, 5), (5, 1)] {
        instances[from].call(b"").expect("it passes");
        let portable = instances[from].portable_snapshot();
        instances[to].restore_portable(&portable).expect("it fits");
        let snapshot = instances[from].snapshot();
        assert_eq!(instances[to].snapshot(), snapshot);
        instances[to].restore(&snapshot).expect("it fits");
    }
    drop(instances);
    make().expect("the pool has room again");
}
