//! Compiled code that leaves the process and comes back: it does the same, and nothing else is loaded.

use std::{
    fmt::Write,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use resident_wasm::{
    EngineError, SealKey,
    prepare::PreparedModule,
    wasmer::{WasmerEngine, WasmerInstance, WasmerModule},
    wasmtime::{WasmtimeEngine, WasmtimeInstance, WasmtimeModule},
};

use super::{
    FUEL, Instance,
    host::{TestHost, contract, respond},
    prepare,
};

/// The engine and the module of either kind, so that a test is written once.
enum Engine {
    Wasmtime(WasmtimeEngine<TestHost>),
    Wasmer(WasmerEngine<TestHost>),
}

enum Module {
    Wasmtime(WasmtimeModule<TestHost>),
    Wasmer(WasmerModule<TestHost>),
}

impl Engine {
    fn all() -> [Self; 2] {
        let wasmtime = WasmtimeEngine::new().expect("Wasmtime runs here");
        let wasmer = WasmerEngine::new().expect("Wasmer runs here");
        [Self::Wasmtime(wasmtime), Self::Wasmer(wasmer)]
    }

    fn compile(&self, prepared: &Arc<PreparedModule>) -> Module {
        let compiled = match self {
            Self::Wasmtime(engine) => engine.compile(prepared.clone()).map(Module::Wasmtime),
            Self::Wasmer(engine) => engine.compile(prepared.clone()).map(Module::Wasmer),
        };
        compiled.expect("the engine compiles the module")
    }

    fn deserialize(
        &self,
        prepared: &Arc<PreparedModule>,
        sealed: &[u8],
        key: &SealKey,
    ) -> Result<Module, EngineError> {
        let prepared = prepared.clone();
        match self {
            Self::Wasmtime(engine) => engine
                .deserialize(prepared, sealed, key)
                .map(Module::Wasmtime),
            Self::Wasmer(engine) => engine
                .deserialize(prepared, sealed, key)
                .map(Module::Wasmer),
        }
    }
}

impl Module {
    fn serialize(&self, key: &SealKey) -> Vec<u8> {
        match self {
            Self::Wasmtime(module) => module.serialize(key),
            Self::Wasmer(module) => module.serialize(key),
        }
        .expect("the engine serializes the module")
    }

    fn instance(&self) -> Instance {
        match self {
            Self::Wasmtime(module) => WasmtimeInstance::new(module).map(Instance::Wasmtime),
            Self::Wasmer(module) => WasmerInstance::new(module).map(Instance::Wasmer),
        }
        .expect("there is room for an instance")
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Wasmtime(module) => module.size_bytes(),
            Self::Wasmer(module) => module.size_bytes(),
        }
    }
}

fn key() -> SealKey {
    let folder = tempfile::tempdir().unwrap();
    SealKey::of_folder(folder.path()).unwrap()
}

/// Of an operation the first byte says what happens: 0 asks the host, 1 loops for ever, 2 divides by
/// zero, 3 recurses for ever, 4 calls through the table with a wrong type, 5 grows the memory. All others
/// count in a global.
fn eventful() -> Arc<PreparedModule> {
    let code = format!(
        "(local $command i32)
         (local.set $command (i32.load8_u (local.get $address)))
         (global.set $count (i32.add (global.get $count) (i32.const 1)))
         (if (i32.eq (local.get $command) (i32.const 0)) (then (call $chain_id (i32.const 64))))
         (if (i32.eq (local.get $command) (i32.const 1)) (then (loop $again (br $again))))
         (if (i32.eq (local.get $command) (i32.const 2))
            (then (drop (i32.div_u (i32.const 1) (i32.const 0)))))
         (if (i32.eq (local.get $command) (i32.const 3)) (then (call $recurse)))
         (if (i32.eq (local.get $command) (i32.const 4))
            (then (call_indirect (param i64) (i64.const 0) (i32.const 0))))
         (if (i32.eq (local.get $command) (i32.const 5))
            (then (drop (memory.grow (i32.const 1)))))
         {}",
        respond("(global.get $count)")
    );
    let more = "(global $count (mut i32) (i32.const 0))
         (table 1 1 funcref)
         (elem (i32.const 0) $recurse)
         (func $recurse (call $recurse))";
    prepare(&contract(&code, more))
}

/// All that can be seen of an instance that is told these things one after the other.
fn history(module: &Module) -> Vec<String> {
    let mut instance = module.instance();
    let before = instance.snapshot();
    let mut events = Vec::new();
    for command in [9, 0, 9, 1, 2, 9, 3, 4, 9, 5, 9] {
        let (response, host) = instance.call_with(FUEL, &[command]);
        events.push(format!("{response:?} {:?}", host.meters));
        events.push(format!("{:?}", instance.snapshot()));
    }
    let mut fresh = module.instance();
    let restored = fresh.restore(&before);
    events.push(format!("{restored:?} {:?}", fresh.call(&[9])));
    events
}

#[test]
fn code_that_comes_back_does_what_it_did() {
    let (key, prepared) = (key(), eventful());
    let mut histories = Vec::new();
    for engine in Engine::all() {
        let compiled = engine.compile(&prepared);
        let sealed = compiled.serialize(&key);
        let loaded = engine.deserialize(&prepared, &sealed, &key).unwrap();
        assert_eq!(history(&compiled), history(&loaded));
        let again = loaded.serialize(&key);
        let loaded = engine.deserialize(&prepared, &again, &key).unwrap();
        drop(compiled);
        histories.push(history(&loaded));

        let size = loaded.size_bytes();
        let least = sealed.len() / 2 + prepared.bytes.len();
        assert!((least..10 * sealed.len()).contains(&size), "{size}");
    }
    assert_eq!(histories[0], histories[1]);
    assert!(
        histories[0].iter().any(|event| event.contains("OutOfFuel")),
        "{histories:?}"
    );
}

#[test]
fn code_of_another_engine_instance_is_the_same_code() {
    let (key, prepared) = (key(), eventful());
    for (one, other) in Engine::all().into_iter().zip(Engine::all()) {
        let sealed = one.compile(&prepared).serialize(&key);
        drop(one);
        other.deserialize(&prepared, &sealed, &key).unwrap();
    }
}

#[test]
fn only_what_was_sealed_for_this_module_and_engine_is_loaded() {
    let (key, prepared) = (key(), eventful());
    let engines = Engine::all();
    let sealed = engines
        .each_ref()
        .map(|engine| engine.compile(&prepared).serialize(&key));
    let other_module = prepare(&contract("(i32.const 0)", ""));
    for (index, engine) in engines.iter().enumerate() {
        let refuse = |prepared: &_, sealed: &[u8], key: &_, why: &str| {
            let error = engine.deserialize(prepared, sealed, key).err();
            let error = error.expect(why).to_string();
            assert!(error.contains(why), "{error}");
        };
        let (own, foreign) = (&sealed[index], &sealed[1 - index]);
        refuse(&prepared, foreign, &key, "another engine");
        refuse(&other_module, own, &key, "another module");
        refuse(&prepared, own, &self::key(), "seal is broken");
        refuse(&prepared, &prepared.bytes, &key, "not compiled code");
        refuse(&prepared, &[], &key, "not compiled code");
        // The engine's own bytes, without a seal.
        refuse(&prepared, &own[116..], &key, "not compiled code");
        refuse(&prepared, &own[..own.len() - 1], &key, "bytes instead of");
        for at in (116..own.len()).step_by(own.len() / 20) {
            let mut damaged = own.clone();
            damaged[at] ^= 0x40;
            refuse(&prepared, &damaged, &key, "seal is broken");
        }
    }
}

/// Wasmer locks an engine while it compiles, and making an instance needs that lock too, so a block used
/// to wait for the modules of all others.
#[test]
fn instances_are_made_while_another_module_compiles() {
    let small = prepare(&contract("(i32.const 0)", ""));
    let large = prepare(&contract("(i32.const 0)", &functions(120)));
    for engine in Engine::all() {
        let module = engine.compile(&small);
        let (compiling, longest) = thread::scope(|scope| {
            let compiling = scope.spawn(|| timed(|| drop(engine.compile(&large))));
            let mut longest = Duration::ZERO;
            while !compiling.is_finished() {
                longest = longest.max(timed(|| drop(module.instance())));
            }
            (compiling.join().expect("the module compiles"), longest)
        });
        assert!(
            longest < compiling / 2,
            "an instance took {longest:?} while a module compiled for {compiling:?}"
        );
    }
}

fn timed(job: impl FnOnce()) -> Duration {
    let started = Instant::now();
    job();
    started.elapsed()
}

/// So many functions, each with something for an optimiser to think about.
fn functions(count: u32) -> String {
    let mut text = String::new();
    for function in 0..count {
        write!(
            text,
            "(func (export \"f{function}\") (param i64) (result i64) (local.get 0)"
        )
        .unwrap();
        for step in 0..40 {
            write!(
                text,
                "(i64.const {}) (i64.mul) (local.get 0) (i64.xor) (local.set 0)
                 (if (result i64) (i64.eqz (local.get 0))
                    (then (i64.load (i32.const {step}))) (else (i64.const {function})))
                 (local.get 0) (i64.add)",
                function * 7 + step
            )
            .unwrap();
        }
        text.push(')');
    }
    text
}
