//! Wasmer.

use std::sync::Once;

use resident_wasm::{
    TrapKind,
    prepare::{FUEL_EXPORT, STACK_EXPORT, STACK_UNITS},
};
pub(super) use wasmer::Engine;
use wasmer::{
    Function, FunctionType, Imports, Instance, Module, RuntimeError, Store, Type,
    Value as WasmerValue,
    sys::{Cranelift, CraneliftOptLevel, EngineBuilder},
};
use wasmer_types::TrapCode;

use super::{FUEL, NATIVE_STACK_BYTES, Outcome, SPECTEST, SURFACE, Stop, ValueType, stop};
use crate::value::Value;

/// As for contracts.
pub(super) fn engine() -> Engine {
    static STACK_SIZE: Once = Once::new();
    STACK_SIZE.call_once(|| wasmer_vm::set_stack_size(NATIVE_STACK_BYTES));
    let mut compiler = Cranelift::new();
    compiler.opt_level(CraneliftOptLevel::Speed);
    compiler.canonicalize_nans(false);
    EngineBuilder::new(compiler).engine().into()
}

pub(super) struct Machine {
    store: Store,
    instance: Instance,
}

impl Machine {
    pub(super) fn new(engine: &Engine, code: &[u8]) -> Result<Self, String> {
        let module = Module::new(engine, code).map_err(|error| error.to_string())?;
        let mut store = Store::new(engine.clone());
        let imports = imports(&mut store);
        let instance = Instance::new(&mut store, &module, &imports);
        let instance = instance.map_err(|error| error.to_string())?;
        Ok(Self { store, instance })
    }

    pub(super) fn call(&mut self, name: &str, arguments: &[Value]) -> Outcome {
        self.set(FUEL_EXPORT, WasmerValue::I64(FUEL));
        self.set(STACK_EXPORT, WasmerValue::I32(STACK_UNITS));
        let function = self.instance.exports.get_function(name);
        let function = function.expect("the suite calls what a module exports");
        let arguments: Vec<_> = arguments.iter().map(to_value).collect();
        let called = function.call(&mut self.store, &arguments);
        let fuel = self.get(FUEL_EXPORT).unwrap_i64();
        let stack = self.get(STACK_EXPORT).unwrap_i32();
        let results = match called {
            Ok(results) => Ok(results.iter().map(from_value).collect()),
            Err(error) => Err(stop(fuel, stack, trap(error))),
        };
        Outcome {
            results,
            fuel,
            stack,
        }
    }

    pub(super) fn global(&mut self, name: &str) -> Value {
        from_value(&self.get(name))
    }

    fn get(&mut self, name: &str) -> WasmerValue {
        let global = self.instance.exports.get_global(name);
        global.expect("exported global").get(&mut self.store)
    }

    fn set(&mut self, name: &str, value: WasmerValue) {
        let global = self.instance.exports.get_global(name);
        let global = global.expect("exported global");
        global
            .set(&mut self.store, value)
            .expect("a counter is mutable");
    }
}

fn imports(store: &mut Store) -> Imports {
    let mut imports = Imports::new();
    for import in SURFACE.imports {
        let params: Vec<_> = import.params.iter().map(value_type).collect();
        let ty = FunctionType::new(params, []);
        let function = Function::new(store, ty, |_| Ok(vec![]));
        imports.define(SPECTEST, import.name, function);
    }
    imports
}

fn value_type(ty: &ValueType) -> Type {
    match ty {
        ValueType::I32 => Type::I32,
        ValueType::I64 => Type::I64,
        ValueType::F32 => Type::F32,
        ValueType::F64 => Type::F64,
    }
}

fn to_value(value: &Value) -> WasmerValue {
    match *value {
        Value::I32(bits) => WasmerValue::I32(bits.cast_signed()),
        Value::I64(bits) => WasmerValue::I64(bits.cast_signed()),
        Value::F32(bits) => WasmerValue::F32(f32::from_bits(bits)),
        Value::F64(bits) => WasmerValue::F64(f64::from_bits(bits)),
        Value::FuncRef { is_null } => {
            assert!(is_null, "the suite passes no functions");
            WasmerValue::FuncRef(None)
        }
    }
}

fn from_value(value: &WasmerValue) -> Value {
    match value {
        WasmerValue::I32(value) => Value::I32(value.cast_unsigned()),
        WasmerValue::I64(value) => Value::I64(value.cast_unsigned()),
        WasmerValue::F32(value) => Value::F32(value.to_bits()),
        WasmerValue::F64(value) => Value::F64(value.to_bits()),
        WasmerValue::FuncRef(function) => Value::FuncRef {
            is_null: function.is_none(),
        },
        other => panic!("preparation refuses values like {other:?}"),
    }
}

fn trap(error: RuntimeError) -> Stop {
    let Some(trap) = error.to_trap() else {
        return Stop::Trap(TrapKind::Other);
    };
    Stop::Trap(match trap {
        TrapCode::StackOverflow => return Stop::NativeStack,
        TrapCode::UnreachableCodeReached => TrapKind::Unreachable,
        TrapCode::HeapAccessOutOfBounds => TrapKind::MemoryOutOfBounds,
        TrapCode::TableAccessOutOfBounds => TrapKind::TableOutOfBounds,
        TrapCode::IndirectCallToNull => TrapKind::IndirectCallToNull,
        TrapCode::BadSignature => TrapKind::BadSignature,
        TrapCode::IntegerOverflow => TrapKind::IntegerOverflow,
        TrapCode::IntegerDivisionByZero => TrapKind::IntegerDivisionByZero,
        TrapCode::BadConversionToInteger => TrapKind::BadConversionToInteger,
        _ => TrapKind::Other,
    })
}
