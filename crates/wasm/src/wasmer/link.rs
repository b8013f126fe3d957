//! The host functions, linked from the list.
//!
//! Wasmer's functions belong to a store, and every instance has one of its own, so the imports of
//! a module are made per instance, and only those that the module asks for.

use resident_abi::{HostFunction, HostFunctionVisitor, visit_contract_host};
use resident_witty::{CoreType, Signature, WitLift, WitLower};
use wasmer::{
    AsStoreMut, Function, FunctionEnv, FunctionEnvMut, FunctionType, Imports, RuntimeError, Store,
    Type, Value,
};

use super::{
    engine::WasmerModule,
    guest::{State, WasmerGuest, leave},
};
use crate::{
    Host,
    boundary::{call_host, split_return_pointer},
};

/// The host functions of the boundary, for one store.
pub(super) fn imports<H: Host>(
    module: &WasmerModule<H>,
    store: &mut Store,
    state: &FunctionEnv<State<H>>,
) -> Imports {
    let mut visitor = Visitor {
        module,
        store,
        state,
        imports: Imports::new(),
    };
    visit_contract_host::<H>(&mut visitor);
    visitor.imports
}

struct Visitor<'a, H: Host> {
    module: &'a WasmerModule<H>,
    store: &'a mut Store,
    state: &'a FunctionEnv<State<H>>,
    imports: Imports,
}

impl<H: Host> HostFunctionVisitor<H> for Visitor<'_, H> {
    fn visit<P, R>(
        &mut self,
        interface: &'static str,
        name: &'static str,
        function: HostFunction<H, P, R>,
    ) where
        P: WitLift + 'static,
        R: WitLower + 'static,
    {
        if !self.module.asks_for(interface, name) {
            return;
        }
        let signature = Signature::import::<P, R>();
        let ty = function_type(&signature);
        let function = Function::new_with_env(self.store, self.state, ty, move |env, params| {
            run_host(env, function, &signature, params)
        });
        self.imports.define(interface, name, function);
    }
}

/// The most flat parameters of a host function, with the pointer for an indirect result.
const MOST_FLATS: usize = resident_witty::MAX_FLAT_PARAMS + 1;

fn run_host<H: Host, P: WitLift, R: WitLower>(
    mut env: FunctionEnvMut<'_, State<H>>,
    function: HostFunction<H, P, R>,
    signature: &Signature,
    params: &[Value],
) -> Result<Vec<Value>, RuntimeError> {
    let mut flats = [0; MOST_FLATS];
    for (flat, value) in flats.iter_mut().zip(params) {
        *flat = from_value(value);
    }
    let (flats, return_pointer) = split_return_pointer(signature, &flats[..params.len()]);
    let state = env.as_ref();
    let mut guest = WasmerGuest::new(env.as_store_mut(), state.clone());
    let lowered = match call_host(&mut guest, function, flats, return_pointer) {
        Ok(lowered) => lowered,
        Err(exit) => return Err(leave(&mut env, &state, exit)),
    };
    Ok(lowered
        .iter()
        .zip(&signature.results)
        .map(|(flat, ty)| to_value(*ty, *flat))
        .collect())
}

/// A flat slot as a value of this type.
pub(super) fn to_value(ty: CoreType, flat: u64) -> Value {
    match ty {
        CoreType::I32 => Value::I32(flat as i32),
        CoreType::I64 => Value::I64(flat as i64),
        CoreType::F32 => Value::F32(f32::from_bits(flat as u32)),
        CoreType::F64 => Value::F64(f64::from_bits(flat)),
    }
}

/// A value as a flat slot.
pub(super) fn from_value(value: &Value) -> u64 {
    match value {
        Value::I32(value) => u64::from(*value as u32),
        Value::I64(value) => *value as u64,
        Value::F32(value) => u64::from(value.to_bits()),
        Value::F64(value) => value.to_bits(),
        _ => unreachable!("preparation refuses other types"),
    }
}

fn function_type(signature: &Signature) -> FunctionType {
    let val_type = |ty: &CoreType| match ty {
        CoreType::I32 => Type::I32,
        CoreType::I64 => Type::I64,
        CoreType::F32 => Type::F32,
        CoreType::F64 => Type::F64,
    };
    let params: Vec<Type> = signature.params.iter().map(val_type).collect();
    let results: Vec<Type> = signature.results.iter().map(val_type).collect();
    FunctionType::new(params, results)
}
