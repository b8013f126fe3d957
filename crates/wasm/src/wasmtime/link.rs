//! The host functions, linked once from the list.

use std::marker::PhantomData;

use resident_abi::{HostFunction, HostFunctionVisitor, visit_contract_host};
use resident_witty::{CoreType, Signature, WitLift, WitLower};
use wasmtime::{AsContextMut, Caller, Engine, FuncType, Linker, Val, ValType};

use super::guest::{State, WasmtimeGuest, leave};
use crate::{
    Host,
    boundary::{call_host, split_return_pointer},
};

/// A linker with every host function of the boundary.
pub(super) fn linker<H: Host>(engine: &Engine) -> wasmtime::Result<Linker<State<H>>> {
    let mut visitor = Visitor {
        linker: Linker::new(engine),
        result: Ok(()),
        host: PhantomData,
    };
    visit_contract_host::<H>(&mut visitor);
    visitor.result.map(|()| visitor.linker)
}

struct Visitor<H: Host> {
    linker: Linker<State<H>>,
    result: wasmtime::Result<()>,
    host: PhantomData<fn(H)>,
}

impl<H: Host> HostFunctionVisitor<H> for Visitor<H> {
    fn visit<P, R>(
        &mut self,
        interface: &'static str,
        name: &'static str,
        function: HostFunction<H, P, R>,
    ) where
        P: WitLift + 'static,
        R: WitLower + 'static,
    {
        let signature = Signature::import::<P, R>();
        let ty = func_type(self.linker.engine(), &signature);
        let linked = self
            .linker
            .func_new(interface, name, ty, move |caller, params, results| {
                run_host(caller, function, &signature, params, results)
            });
        if let Err(error) = linked {
            self.result = Err(error);
        }
    }
}

/// The most flat parameters of a host function, with the pointer for an indirect result.
const MOST_FLATS: usize = resident_witty::MAX_FLAT_PARAMS + 1;

fn run_host<H: Host, P: WitLift, R: WitLower>(
    mut caller: Caller<'_, State<H>>,
    function: HostFunction<H, P, R>,
    signature: &Signature,
    params: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let mut flats = [0; MOST_FLATS];
    for (flat, value) in flats.iter_mut().zip(params) {
        *flat = from_val(value);
    }
    let (flats, return_pointer) = split_return_pointer(signature, &flats[..params.len()]);
    let mut guest = WasmtimeGuest::new(caller.as_context_mut());
    let lowered = match call_host(&mut guest, function, flats, return_pointer) {
        Ok(lowered) => lowered,
        Err(exit) => return Err(leave(caller, exit)),
    };
    for ((value, flat), ty) in results
        .iter_mut()
        .zip(lowered.iter())
        .zip(&signature.results)
    {
        *value = to_val(*ty, *flat);
    }
    Ok(())
}

/// A flat slot as a value of this type.
pub(super) fn to_val(ty: CoreType, flat: u64) -> Val {
    match ty {
        CoreType::I32 => Val::I32(flat as i32),
        CoreType::I64 => Val::I64(flat as i64),
        CoreType::F32 => Val::F32(flat as u32),
        CoreType::F64 => Val::F64(flat),
    }
}

/// A value as a flat slot.
pub(super) fn from_val(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(*value as u32),
        Val::I64(value) => *value as u64,
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        _ => unreachable!("preparation refuses other types"),
    }
}

fn func_type(engine: &Engine, signature: &Signature) -> FuncType {
    let val_type = |ty: &CoreType| match ty {
        CoreType::I32 => ValType::I32,
        CoreType::I64 => ValType::I64,
        CoreType::F32 => ValType::F32,
        CoreType::F64 => ValType::F64,
    };
    FuncType::new(
        engine,
        signature.params.iter().map(val_type),
        signature.results.iter().map(val_type),
    )
}
