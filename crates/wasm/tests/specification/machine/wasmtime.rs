//! Wasmtime.

use resident_wasm::{
    TrapKind,
    prepare::{FUEL_EXPORT, STACK_EXPORT, STACK_UNITS},
};
pub(super) use wasmtime::Engine;
use wasmtime::{Config, Func, FuncType, Instance, Linker, Module, OptLevel, Store, Trap, Val};

use super::{FUEL, NATIVE_STACK_BYTES, Outcome, SPECTEST, SURFACE, Stop, ValueType, stop};
use crate::value::Value;

/// As for contracts, but each instance is allocated by itself.
pub(super) fn engine() -> Engine {
    let mut config = Config::new();
    config
        .gc_support(false)
        .wasm_exceptions(false)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(NATIVE_STACK_BYTES)
        .async_stack_size(NATIVE_STACK_BYTES)
        .memory_may_move(false)
        .wasm_backtrace_max_frames(None);
    Engine::new(&config).expect("Wasmtime runs here")
}

pub(super) struct Machine {
    store: Store<()>,
    instance: Instance,
}

impl Machine {
    pub(super) fn new(engine: &Engine, code: &[u8]) -> Result<Self, String> {
        let module = Module::new(engine, code).map_err(|error| format!("{error:#}"))?;
        let mut store = Store::new(engine, ());
        let instance = linker(engine)
            .instantiate(&mut store, &module)
            .map_err(|error| format!("{error:#}"))?;
        Ok(Self { store, instance })
    }

    pub(super) fn call(&mut self, name: &str, arguments: &[Value]) -> Outcome {
        self.set(FUEL_EXPORT, Val::I64(FUEL));
        self.set(STACK_EXPORT, Val::I32(STACK_UNITS));
        let function = self.instance.get_func(&mut self.store, name);
        let function = function.expect("the suite calls what a module exports");
        let arguments: Vec<_> = arguments.iter().map(to_val).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let called = function.call(&mut self.store, &arguments, &mut results);
        let fuel = self.get(FUEL_EXPORT).unwrap_i64();
        let stack = self.get(STACK_EXPORT).unwrap_i32();
        let results = match called {
            Ok(()) => Ok(results.iter().map(from_val).collect()),
            Err(error) => Err(stop(fuel, stack, trap(&error))),
        };
        Outcome {
            results,
            fuel,
            stack,
        }
    }

    pub(super) fn global(&mut self, name: &str) -> Value {
        from_val(&self.get(name))
    }

    fn get(&mut self, name: &str) -> Val {
        let global = self.instance.get_global(&mut self.store, name);
        global.expect("exported global").get(&mut self.store)
    }

    fn set(&mut self, name: &str, value: Val) {
        let global = self.instance.get_global(&mut self.store, name);
        let global = global.expect("exported global");
        global
            .set(&mut self.store, value)
            .expect("a counter is mutable");
    }
}

fn linker(engine: &Engine) -> Linker<()> {
    let mut linker = Linker::new(engine);
    for import in SURFACE.imports {
        let ty = FuncType::new(engine, import.params.iter().map(val_type), []);
        linker
            .func_new(SPECTEST, import.name, ty, |_, _, _| Ok(()))
            .expect("names are distinct");
    }
    linker
}

fn val_type(ty: &ValueType) -> wasmtime::ValType {
    match ty {
        ValueType::I32 => wasmtime::ValType::I32,
        ValueType::I64 => wasmtime::ValType::I64,
        ValueType::F32 => wasmtime::ValType::F32,
        ValueType::F64 => wasmtime::ValType::F64,
    }
}

fn to_val(value: &Value) -> Val {
    match *value {
        Value::I32(bits) => Val::I32(bits.cast_signed()),
        Value::I64(bits) => Val::I64(bits.cast_signed()),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::FuncRef { is_null } => {
            assert!(is_null, "the suite passes no functions");
            Val::FuncRef(None::<Func>)
        }
    }
}

fn from_val(value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(value.cast_unsigned()),
        Val::I64(value) => Value::I64(value.cast_unsigned()),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::FuncRef(function) => Value::FuncRef {
            is_null: function.is_none(),
        },
        other => panic!("preparation refuses values like {other:?}"),
    }
}

fn trap(error: &wasmtime::Error) -> Stop {
    let Some(trap) = error.downcast_ref::<Trap>() else {
        return Stop::Trap(TrapKind::Other);
    };
    Stop::Trap(match trap {
        Trap::StackOverflow => return Stop::NativeStack,
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull => TrapKind::IndirectCallToNull,
        Trap::BadSignature => TrapKind::BadSignature,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::IntegerDivisionByZero,
        Trap::BadConversionToInteger => TrapKind::BadConversionToInteger,
        _ => TrapKind::Other,
    })
}
