//! Generated functions as the contract's own ones see them, and those that are replaced by calls of host
//! functions.

use wasmparser::{FuncType, ValType};

use super::{Adapter, core_name, is_number, text::GENERATED};

pub(super) fn host_import(place: usize, adapter: &Adapter) -> String {
    let host = &adapter.host;
    let list = |word: &str, types: &[resident_witty::CoreType]| -> String {
        let names = types.iter().map(|ty| core_name(*ty));
        names.map(|name| format!("({word} {name})")).collect()
    };
    let params = list("param", &host.signature.params);
    let results = list("result", &host.signature.results);
    format!(
        "(import {:?} {:?} (func $host{place} {params} {results}))\n",
        host.interface, host.name
    )
}

pub(super) fn generated_import(index: usize, ty: &FuncType) -> String {
    let known = ty.params().iter().chain(ty.results());
    let signature = if known.clone().all(is_number) {
        signature(ty)
    } else {
        // Never called.
        String::new()
    };
    format!("(import \"{GENERATED}\" \"{index}\" (func $generated{index} {signature}))\n")
}

fn signature(ty: &FuncType) -> String {
    let params = ty.params().iter().map(|ty| format!("(param {ty})"));
    let results = ty.results().iter().map(|ty| format!("(result {ty})"));
    params.chain(results).collect()
}

/// A function of a generated type that calls a host function with what it is given.
pub(super) fn adapter(place: usize, adapter: &Adapter, ty: &FuncType) -> String {
    let wanted = adapter.host.signature.params.iter().zip(&adapter.masks);
    let given = ty.params();
    let arguments: String = wanted
        .enumerate()
        .map(|(index, (want, mask))| {
            let bits = match given.len() {
                0 => format!("i64.const {}", 0x1111 * index),
                count => {
                    let index = index % count;
                    format!("local.get {index} {}", to_bits(given[index]))
                }
            };
            format!("{bits} {}\n", from_bits(core_name(*want), *mask))
        })
        .collect();
    let mixed: String = adapter
        .host
        .signature
        .results
        .iter()
        .map(|ty| match core_name(*ty) {
            "i32" => "i64.extend_i32_u call $mix\n",
            "i64" => "call $mix\n",
            _ => "drop\n",
        })
        .collect();
    let results: String = (0..)
        .zip(ty.results())
        .map(|(index, ty)| format!("i32.const {} {ty}.load\n", 16 * index))
        .collect();
    format!(
        "(func {} {arguments} call $host{place} {mixed} {results})\n",
        signature(ty)
    )
}

/// From a number to its bits as 64.
pub(super) fn to_bits(ty: ValType) -> &'static str {
    match ty {
        ValType::I32 => "i64.extend_i32_u",
        ValType::F32 => "i32.reinterpret_f32 i64.extend_i32_u",
        ValType::F64 => "i64.reinterpret_f64",
        _ => "",
    }
}

/// From 64 bits to a number.
fn from_bits(name: &str, mask: u32) -> String {
    match name {
        "i32" => format!("i32.wrap_i64 i32.const {} i32.and", mask.cast_signed()),
        "f32" => "i32.wrap_i64 f32.reinterpret_i32".to_owned(),
        "f64" => "f64.reinterpret_i64".to_owned(),
        _ => String::new(),
    }
}
