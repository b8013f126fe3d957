//! Makes a contract of a generated module.
//!
//! The contract's own functions are written as text, against the generated ones as imports, and then
//! put behind them ([`merge`]). Imported host functions come first in the index space, so generated
//! indices of functions move by their number and nothing else moves. A few generated functions are
//! replaced by calls of host functions, so that generated code does those too, directly and by table.

mod adapter;
mod merge;
mod text;

use resident_abi::{BoundaryFunction, ContractHost, ContractSurface};
use resident_witty::CoreType;
use wasmparser::{FuncType, Parser, Payload, ValType};

use crate::{generate::Edge, random::Random};

/// A contract around generated code.
pub(crate) struct Wrapped {
    pub(crate) code: Vec<u8>,
    /// How many generated functions scripts can call.
    pub(crate) functions: u64,
}

/// Why there is no contract.
pub(crate) type Unwrapped = String;

/// How a generated module is wrapped.
struct Plan {
    /// The types of the generated functions.
    functions: Vec<FuncType>,
    /// Generated functions that are replaced.
    adapters: Vec<Adapter>,
    /// Whether the allocator never gives memory back.
    leaky: bool,
    /// Whether the response of an operation is freed by a function of the contract's own.
    post_return: bool,
}

/// A generated function that is replaced by a call of a host function.
struct Adapter {
    /// Which one.
    function: usize,
    host: BoundaryFunction,
    /// What the 32-bit arguments are cut to. Most addresses are inside of memory then.
    masks: Vec<u32>,
}

impl Plan {
    /// The generated functions that scripts can call.
    fn callable(&self) -> Vec<usize> {
        let numbers = |ty: &FuncType| ty.params().iter().chain(ty.results()).all(is_number);
        let callable = self.functions.iter().enumerate();
        callable
            .filter(|(_, ty)| numbers(ty))
            .map(|(index, _)| index)
            .collect()
    }
}

/// Wraps a module. `H` only names a host's type.
pub(crate) fn wrap<H: ContractHost>(
    generated: &[u8],
    edge: Option<Edge>,
    random: &mut Random,
) -> Result<Wrapped, Unwrapped> {
    let functions = function_types(generated).map_err(|error| error.to_string())?;
    let adapters = Vec::new();
    let mut plan = Plan {
        functions,
        adapters,
        leaky: random.percent(25),
        post_return: random.percent(30),
    };
    add_adapters::<H>(&mut plan, random);
    let text = text::contract(&plan);
    let own = wat_bytes(&text)?;
    let mut code = merge::merge(generated, &own, &plan).map_err(|error| error.to_string())?;
    if edge == Some(Edge::Corrupt) {
        crate::generate::corrupt(&mut code, random);
    }
    let functions = plan.callable().len() as u64;
    Ok(Wrapped { code, functions })
}

fn wat_bytes(text: &str) -> Result<Vec<u8>, Unwrapped> {
    wat::parse_str(text).map_err(|error| format!("the wrapper is no module: {error}"))
}

fn add_adapters<H: ContractHost>(plan: &mut Plan, random: &mut Random) {
    // A function can be imported once, and the contract's own text has these.
    let mut surface = ContractSurface::collect::<H>().imports;
    surface.retain(|host| !text::IMPORTED.contains(&host.name.as_str()));
    let callable = plan.callable();
    // Two at least stay what they are.
    let most = callable.len().saturating_sub(2).min(3);
    let count = random.below(most as u64 + 1) as usize;
    for function in callable.into_iter().take(count) {
        let mut place = random.below(surface.len() as u64) as usize;
        if surface[place].name == "panic" && random.percent(80) {
            place = 0;
        }
        let host = surface.remove(place);
        let masks = (0..host.signature.params.len())
            .map(|_| random.choose(&[1, 7, 0x1c, 0xfc, 0xffc, 0x3ffc, u32::MAX]))
            .collect();
        plan.adapters.push(Adapter {
            function,
            host,
            masks,
        });
    }
}

/// The types of the functions of a module without imports.
fn function_types(code: &[u8]) -> wasmparser::Result<Vec<FuncType>> {
    let (mut types, mut functions) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(code) {
        match payload? {
            Payload::TypeSection(section) => {
                for group in section {
                    types.extend(group?.into_types().map(|ty| match ty.composite_type.inner {
                        wasmparser::CompositeInnerType::Func(ty) => ty,
                        _ => FuncType::new([], []),
                    }));
                }
            }
            Payload::FunctionSection(section) => {
                for index in section {
                    let ty = types.get(index? as usize).cloned();
                    functions.push(ty.unwrap_or_else(|| FuncType::new([], [])));
                }
            }
            _ => (),
        }
    }
    Ok(functions)
}

fn is_number(ty: &ValType) -> bool {
    matches!(
        ty,
        ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64
    )
}

fn core_name(ty: CoreType) -> &'static str {
    match ty {
        CoreType::I32 => "i32",
        CoreType::I64 => "i64",
        CoreType::F32 => "f32",
        CoreType::F64 => "f64",
    }
}
