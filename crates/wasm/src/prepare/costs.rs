//! What each instruction costs in fuel: the only place that knows.

use wasmparser::Operator;

/// The table of fuel costs. One unit is about one simple machine instruction.
///
/// An instruction is paid for with the straight run that contains it, before the run starts. Three
/// instructions also pay by size, just before they execute.
#[derive(Clone, Copy, Debug)]
pub struct Costs;

impl Costs {
    /// `block`, `loop`, `else`, `end`, `nop`: no machine instruction of their own.
    pub const STRUCTURE: u64 = 0;
    /// Every instruction that has no row of its own.
    pub const BASIC: u64 = 1;
    /// A load or a store.
    pub const MEMORY_ACCESS: u64 = 2;
    /// An integer division or remainder, a float division, a square root.
    pub const DIVISION: u64 = 4;
    /// Entering a function that the module defines, whoever calls it. Also pays for clearing its
    /// locals together with [`Costs::LOCALS_PER_UNIT`].
    pub const FUNCTION_ENTRY: u64 = 4;
    /// A function pays one more unit per this many locals.
    pub const LOCALS_PER_UNIT: u64 = 8;
    /// `call`, beside the entry of what it calls. What the host does is for the host to charge.
    pub const CALL: u64 = 4;
    /// `call_indirect`: also a bounds check and a comparison of types.
    pub const CALL_INDIRECT: u64 = 8;
    /// `br_table`: an indirect jump.
    pub const BRANCH_TABLE: u64 = 4;
    /// `memory.copy` and `memory.fill`, beside their length.
    pub const BULK: u64 = 16;
    /// `memory.copy` and `memory.fill` pay one more unit per two to this many bytes, rounded down.
    pub const BULK_BYTES_PER_UNIT_LOG2: u32 = 3;
    /// `memory.grow`, beside its pages.
    pub const MEMORY_GROW: u64 = 1_000;
    /// `memory.grow` pays this for every page it asks for. Requests for more pages than any memory
    /// may have fail without this cost: they do nothing.
    pub const MEMORY_GROW_PER_PAGE: u64 = 8_192;

    /// The part of an instruction's cost that does not depend on its operands.
    pub fn of(operator: &Operator<'_>) -> u64 {
        use Operator as O;
        match operator {
            O::Nop | O::Block { .. } | O::Loop { .. } | O::Else | O::End => Self::STRUCTURE,
            O::Call { .. } => Self::CALL,
            O::CallIndirect { .. } => Self::CALL_INDIRECT,
            O::BrTable { .. } => Self::BRANCH_TABLE,
            O::MemoryCopy { .. } | O::MemoryFill { .. } => Self::BULK,
            O::MemoryGrow { .. } => Self::MEMORY_GROW,
            other if is_division(other) => Self::DIVISION,
            other if is_memory_access(other) => Self::MEMORY_ACCESS,
            _ => Self::BASIC,
        }
    }

    /// The cost of entering a function with so many parameters and locals.
    pub fn of_entry(locals: u64) -> u64 {
        Self::FUNCTION_ENTRY + locals / Self::LOCALS_PER_UNIT
    }
}

fn is_division(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::I32DivS
            | O::I32DivU
            | O::I32RemS
            | O::I32RemU
            | O::I64DivS
            | O::I64DivU
            | O::I64RemS
            | O::I64RemU
            | O::F32Div
            | O::F64Div
            | O::F32Sqrt
            | O::F64Sqrt
    )
}

fn is_memory_access(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::I32Load { .. }
            | O::I64Load { .. }
            | O::F32Load { .. }
            | O::F64Load { .. }
            | O::I32Load8S { .. }
            | O::I32Load8U { .. }
            | O::I32Load16S { .. }
            | O::I32Load16U { .. }
            | O::I64Load8S { .. }
            | O::I64Load8U { .. }
            | O::I64Load16S { .. }
            | O::I64Load16U { .. }
            | O::I64Load32S { .. }
            | O::I64Load32U { .. }
            | O::I32Store { .. }
            | O::I64Store { .. }
            | O::F32Store { .. }
            | O::F64Store { .. }
            | O::I32Store8 { .. }
            | O::I32Store16 { .. }
            | O::I64Store8 { .. }
            | O::I64Store16 { .. }
            | O::I64Store32 { .. }
    )
}
