//! What compilers emit without being asked.

use resident_wasm::prepare::prepare;
use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, ExportKind, ExportSection, Function,
    FunctionSection, Instruction, MemorySection, MemoryType, Module, RefType, TableSection,
    TableType, TypeSection, ValType,
};
use wasmtime::Val;

use crate::harness::{PLENTY, Prepared, SURFACE, run};

/// The proposals that rustc and clang turn on by themselves, in one function.
#[test]
fn features_that_are_on_by_default_work() {
    let text = r#"(global $stack (mut i32) (i32.const 1024)) (export "stack" (global $stack))
        (func $both (param i32) (result i32 i64)
            (i32.extend8_s (local.get 0)) (i64.extend32_s (i64.extend_i32_u (local.get 0))))
        (func (export "run") (param i32) (result i32 i64 i32 i64 i32)
            (global.set $stack (i32.sub (global.get $stack) (i32.const 16)))
            (call $both (local.get 0))
            (i32.trunc_sat_f64_u (f64.const -3))
            (i64.trunc_sat_f32_s (f32.const inf))
            (memory.fill (i32.const 64) (local.get 0) (i32.const 8))
            (memory.copy (i32.const 66) (i32.const 62) (i32.const 4))
            (i32.load (i32.const 66)))"#;
    let outcome = run(text, &[Val::I32(0x80f0)]);
    let expected = [0xffff_fff0, 0x80f0, 0, i64::MAX as u64, 0xf0f0_0000];
    assert_eq!(outcome.results, Ok(expected.to_vec()));
}

/// Where the index of the table used to be a reserved zero, LLVM leaves room for any number: five
/// bytes, of which most say nothing.
#[test]
fn the_index_of_a_table_may_be_longer_than_needed() {
    let overlong = [0x11, 0x00, 0x80, 0x80, 0x80, 0x80, 0x00];
    let prepared = prepare(&calls_indirectly(&overlong), &SURFACE).expect("accepted");
    let outcome = Prepared::new(&prepared).call("run", &[], PLENTY);
    assert_eq!(outcome.results, Ok(vec![42]));
    let short = prepare(&calls_indirectly(&[0x11, 0x00, 0x00]), &SURFACE).expect("accepted");
    assert_eq!(short.bytes, prepared.bytes, "prepared, both are the same");
}

/// A module whose function `run` calls the first function of the table, with these bytes.
fn calls_indirectly(call: &[u8]) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0).function(0);
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: 1,
        maximum: Some(1),
        shared: false,
    });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("run", ExportKind::Func, 1);
    let mut elements = ElementSection::new();
    let offset = ConstExpr::i32_const(0);
    elements.active(None, &offset, Elements::Functions((&[0][..]).into()));
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&tables);
    module
        .section(&memories)
        .section(&exports)
        .section(&elements);
    module.section(&bodies(call));
    module.finish()
}

fn bodies(call: &[u8]) -> CodeSection {
    let mut callee = Function::new([]);
    callee.instruction(&Instruction::I32Const(42));
    callee.instruction(&Instruction::End);
    let mut caller = Function::new([]);
    caller.instruction(&Instruction::I32Const(0));
    caller.raw(call.iter().copied());
    caller.instruction(&Instruction::End);
    let mut code = CodeSection::new();
    code.function(&callee).function(&caller);
    code
}
