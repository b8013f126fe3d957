//! Modules made by a program from function bodies in binary form, for those too large to write down.

use std::ops::Range;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, Instruction as I, MemArg,
    MemArgTarget, MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection,
    ValType,
};

/// Locals of a function, and its code without the last `end`.
pub(crate) type Body = (Vec<(u32, ValType)>, Vec<u8>);

/// What a raw contract is made of. Its operation calls the last function if it is not empty.
#[derive(Default)]
pub(crate) struct Raw {
    /// Functions without parameters and results.
    pub(crate) bodies: Vec<Body>,
    /// Globals of the type `i64`, beside which there are none.
    pub(crate) globals: u32,
    /// Size of the table of functions.
    pub(crate) table: u64,
    /// Element segments: where, and which functions.
    pub(crate) elements: Vec<(i32, Range<u32>)>,
    /// Data segments: where, and what.
    pub(crate) data: Vec<(i32, Vec<u8>)>,
    /// Size of the memory in pages.
    pub(crate) pages: u64,
}

/// A load or a store at the address on the stack.
pub(crate) const AT_ADDRESS: MemArg = MemArg {
    offset: 0,
    align: 0,
    target: MemArgTarget::Memory(0),
    ordering: None,
};

/// Entry points with their types, and what they do.
const ENTRIES: [(&str, u32); 7] = [
    ("cabi_realloc", 3),
    ("resident:app/contract-entrypoints#instantiate", 1),
    ("resident:app/contract-entrypoints#execute-message", 1),
    ("resident:app/contract-entrypoints#process-streams", 1),
    ("resident:app/contract-entrypoints#summarize-events", 1),
    ("resident:app/contract-entrypoints#finalize", 0),
    ("resident:app/contract-entrypoints#execute-operation", 2),
];

/// Index of the first of the functions that were asked for.
pub(crate) const FIRST: u32 = ENTRIES.len() as u32;

impl Raw {
    /// A contract with these functions and nothing else.
    pub(crate) fn of(bodies: Vec<Body>) -> Self {
        let pages = 1;
        Self {
            bodies,
            pages,
            ..Self::default()
        }
    }

    /// A contract with one function.
    pub(crate) fn one(locals: &[(u32, ValType)], code: Vec<u8>) -> Self {
        Self::of(vec![(locals.to_vec(), code)])
    }

    /// The module's bytes.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut module = Module::new();
        module
            .section(&types())
            .section(&self.functions())
            .section(&self.tables())
            .section(&self.memory())
            .section(&self.global_section())
            .section(&exports())
            .section(&self.element_section())
            .section(&self.code())
            .section(&self.data_section());
        module.finish()
    }

    fn functions(&self) -> FunctionSection {
        let mut section = FunctionSection::new();
        for (_, ty) in ENTRIES {
            section.function(ty);
        }
        for _ in &self.bodies {
            section.function(0);
        }
        section
    }

    fn tables(&self) -> TableSection {
        let mut section = TableSection::new();
        section.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: self.table,
            maximum: None,
            shared: false,
        });
        section
    }

    fn memory(&self) -> MemorySection {
        let mut section = MemorySection::new();
        section.memory(MemoryType {
            minimum: self.pages,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        section
    }

    fn global_section(&self) -> GlobalSection {
        let mut section = GlobalSection::new();
        let ty = GlobalType {
            val_type: ValType::I64,
            mutable: true,
            shared: false,
        };
        for index in 0..self.globals {
            section.global(ty, &ConstExpr::i64_const(index.into()));
        }
        section
    }

    fn element_section(&self) -> ElementSection {
        let mut section = ElementSection::new();
        for (start, functions) in &self.elements {
            let functions: Vec<u32> = functions.clone().collect();
            section.active(
                None,
                &ConstExpr::i32_const(*start),
                Elements::Functions(functions.into()),
            );
        }
        section
    }

    fn code(&self) -> CodeSection {
        let mut section = CodeSection::new();
        for (_, ty) in ENTRIES {
            section.function(&self.entry(ty));
        }
        for (locals, code) in &self.bodies {
            let mut function = Function::new(locals.iter().copied());
            function.raw(code.iter().copied());
            function.instruction(&I::End);
            section.function(&function);
        }
        section
    }

    /// An empty function, an allocator that gives the same address each time, or the operation.
    fn entry(&self, ty: u32) -> Function {
        let mut function = Function::new([]);
        if ty == 2 {
            function
                .instruction(&I::LocalGet(1))
                .instruction(&I::If(BlockType::Empty));
            if let Some(last) = u32::try_from(self.bodies.len())
                .expect("few")
                .checked_sub(1)
            {
                function.instruction(&I::Call(FIRST + last));
            }
            function.instruction(&I::End);
        }
        match ty {
            // An empty response, and somewhere else what the host passes.
            2 => function.instruction(&I::I32Const(2048)),
            3 => function.instruction(&I::I32Const(1024)),
            _ => &mut function,
        };
        function.instruction(&I::End);
        function
    }

    fn data_section(&self) -> DataSection {
        let mut section = DataSection::new();
        for (start, bytes) in &self.data {
            section.active(0, &ConstExpr::i32_const(*start), bytes.iter().copied());
        }
        section
    }
}

/// The encoding of instructions, as often as asked for.
pub(crate) fn repeat(times: usize, instructions: &[I<'_>]) -> Vec<u8> {
    encode(instructions).repeat(times)
}

/// The encoding of instructions.
pub(crate) fn encode(instructions: &[I<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for instruction in instructions {
        wasm_encoder::Encode::encode(instruction, &mut bytes);
    }
    bytes
}

/// Adds one to each of so many locals, so that all are others on each way.
pub(crate) fn change(locals: u32) -> Vec<u8> {
    (0..locals)
        .flat_map(|local| {
            encode(&[
                I::LocalGet(local),
                I::I64Const(1),
                I::I64Add,
                I::LocalSet(local),
            ])
        })
        .collect()
}

fn types() -> TypeSection {
    let mut section = TypeSection::new();
    for (parameters, results) in [(0, 0), (2, 0), (2, 1), (4, 1)] {
        section
            .ty()
            .function(vec![ValType::I32; parameters], vec![ValType::I32; results]);
    }
    section
}

fn exports() -> ExportSection {
    let mut section = ExportSection::new();
    section.export("memory", ExportKind::Memory, 0);
    for ((name, _), index) in ENTRIES.iter().zip(0..) {
        section.export(name, ExportKind::Func, index);
    }
    section
}
