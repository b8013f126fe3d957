//! What other compilers make is accepted and runs: contracts in C and in AssemblyScript, written
//! against the boundary without the SDK. scripts/build-foreign.sh compiles them.

mod host;

use std::{fs, path::Path, sync::Arc};

use host::{CounterHost, Ended};
use resident_abi::entry_points::{ExecuteOperation, Finalize, Instantiate};
use resident_wasm::{
    CallError, Entered,
    prepare::PreparedModule,
    prepare_contract,
    wasmer::{WasmerEngine, WasmerInstance},
    wasmtime::{WasmtimeEngine, WasmtimeInstance},
};

/// Enough for every single call here.
const FUEL: i64 = 10_000;

type Called<T> = Result<T, CallError<Ended>>;

/// A contract that lives on both engines, each with its own state.
struct Contract {
    wasmtime: (WasmtimeInstance<CounterHost>, CounterHost),
    wasmer: (WasmerInstance<CounterHost>, CounterHost),
}

/// Enters both instances, with the same fuel; both must do the same.
macro_rules! enter {
    ($contract:expr, $entry:ty, $parameters:expr) => {{
        let parameters = &$parameters;
        let (instance, host) = &mut $contract.wasmtime;
        let Entered { host: left, result } = instance.enter::<$entry>(full(host), parameters);
        *host = left;
        let (instance, host) = &mut $contract.wasmer;
        let entered = instance.enter::<$entry>(full(host), parameters);
        *host = entered.host;
        assert_eq!(entered.result, result, "the engines differ");
        let [wasmtime, wasmer] = [&$contract.wasmtime.1, &$contract.wasmer.1];
        assert_eq!(
            wasmtime, wasmer,
            "the engines leave different states or fuel"
        );
        result
    }};
}

impl Contract {
    fn new(prepared: &Arc<PreparedModule>) -> Self {
        let engine = WasmtimeEngine::new().expect("Wasmtime runs here");
        let module = engine.compile(prepared.clone());
        let module = module.expect("Wasmtime compiles the module");
        let wasmtime = WasmtimeInstance::new(&module).expect("there is room for an instance");
        let engine = WasmerEngine::new().expect("Wasmer runs here");
        let module = engine.compile(prepared.clone());
        let module = module.expect("Wasmer compiles the module");
        let wasmer = WasmerInstance::new(&module).expect("there is room for an instance");
        let host = CounterHost::with_fuel(FUEL);
        Contract {
            wasmtime: (wasmtime, host.clone()),
            wasmer: (wasmer, host),
        }
    }

    fn instantiate(&mut self, argument: &[u8]) -> Called<()> {
        enter!(self, Instantiate, (argument.to_vec(),))
    }

    fn execute(&mut self, operation: &[u8]) -> Called<Vec<u8>> {
        enter!(self, ExecuteOperation, (operation.to_vec(),))
    }

    fn finalize(&mut self) -> Called<()> {
        enter!(self, Finalize, ())
    }

    /// What is stored under the counter's key.
    fn stored(&self) -> Option<&[u8]> {
        let values = &self.wasmtime.1.values;
        values.get(b"counter".as_slice()).map(Vec::as_slice)
    }

    fn memory_bytes(&self) -> [u64; 2] {
        [self.wasmtime.0.memory_bytes(), self.wasmer.0.memory_bytes()]
    }
}

/// The host with its state and with all the fuel that a call gets.
fn full(host: &CounterHost) -> CounterHost {
    let values = host.values.clone();
    CounterHost {
        values,
        ..CounterHost::with_fuel(FUEL)
    }
}

/// The contracts of all languages, prepared.
fn contracts() -> [Arc<PreparedModule>; 2] {
    ["c", "assemblyscript"].map(|language| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/foreign");
        let file = folder.join(format!("{language}.wasm"));
        let code = fs::read(&file).unwrap_or_else(|error| {
            panic!(
                "cannot read {} ({error}): run scripts/build-foreign.sh",
                file.display()
            )
        });
        let prepared = prepare_contract::<CounterHost>(&code);
        Arc::new(prepared.unwrap_or_else(|error| panic!("{}: {error}", file.display())))
    })
}

#[test]
fn a_counter_counts() {
    for prepared in contracts() {
        let mut contract = Contract::new(&prepared);
        assert_eq!(contract.instantiate(&5_u64.to_le_bytes()), Ok(()));
        assert_eq!(contract.stored(), Some(5_u64.to_le_bytes().as_slice()));
        for (added, sum) in [(3, 8), (1 << 40, (1 << 40) + 8), (u64::MAX, (1 << 40) + 7)] {
            let response = contract.execute(&added.to_le_bytes());
            assert_eq!(response, Ok(u64::to_le_bytes(sum).to_vec()));
            assert_eq!(contract.stored(), Some(u64::to_le_bytes(sum).as_slice()));
        }
        assert_eq!(contract.finalize(), Ok(()));
    }
}

/// Nothing is stored before `instantiate`: the host answers with nothing.
#[test]
fn a_counter_begins_at_nothing() {
    for prepared in contracts() {
        let mut contract = Contract::new(&prepared);
        let response = contract.execute(&7_u64.to_le_bytes());
        assert_eq!(response, Ok(7_u64.to_le_bytes().to_vec()));
    }
}

/// The function behind `cabi_post_` gives the heap back; without it a page of memory would be full.
#[test]
fn memory_does_not_grow_with_operations() {
    for prepared in contracts() {
        let mut contract = Contract::new(&prepared);
        let [before, _] = contract.memory_bytes();
        for _ in 0..5_000 {
            assert!(contract.execute(&1_u64.to_le_bytes()).is_ok());
        }
        assert_eq!(contract.stored(), Some(5_000_u64.to_le_bytes().as_slice()));
        assert_eq!(contract.memory_bytes(), [before, before]);
    }
}

/// An assertion in C and a `throw` in AssemblyScript; the host gets their message.
#[test]
fn a_panic_says_why() {
    for prepared in contracts() {
        let mut contract = Contract::new(&prepared);
        let message = "a number has eight bytes".to_owned();
        let panic = CallError::Host(Ended::Panic(message));
        assert_eq!(contract.execute(b"short"), Err(panic));
        assert_eq!(contract.stored(), None);
    }
}
