//! How many values a compiler may keep in the frame of a function.

use wasmparser::Operator;

use super::stack::FRAME_UNITS;

/// Counts every value that a compiler can make out of a function's instructions, in units of the call stack.
///
/// Each instruction that computes something makes one value, or a few where it becomes several machine instructions
/// whose results may outlive it: addresses, pointers to what is called, what preparation adds. Moving locals about makes
/// none. Where control joins, each local that was assigned on the way makes another one. Nothing is taken off for
/// values that are never alive at the same time, because compilers share slots between values only if they find it easy.
#[derive(Default)]
pub(super) struct FrameValues {
    values: u64,
    /// Operands and results of the largest call, which travel on the stack.
    largest_call: u64,
    /// The locals that are assigned in each open block; the first is the function.
    assigned: Vec<LocalSet>,
}

impl FrameValues {
    /// An instruction that is kept.
    pub(super) fn add(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.innermost().insert(*local_index);
            }
            other => self.values += made_by(other),
        }
    }

    /// A call of a function with so many parameters and results. Results that do not fit registers are handed over
    /// in memory of the frame, at some engines in another part of it for each call.
    pub(super) fn add_call(&mut self, parameters: u64, results: u64) {
        let in_memory = if results > 1 { 2 * results } else { 0 };
        self.values += results + in_memory;
        self.largest_call = self.largest_call.max(parameters + results);
    }

    /// A straight run begins: the fuel that is left is a value, and so is the comparison.
    pub(super) fn add_run(&mut self) {
        self.values += 1;
    }

    /// A block begins.
    pub(super) fn open(&mut self) {
        self.assigned.push(LocalSet::default());
    }

    /// A block ends; `joins` tells whether control joins at its end or, for a loop, at its head. The result of the block,
    /// the fuel and each local that was assigned in it are other values from there on.
    pub(super) fn close(&mut self, joins: bool) {
        let closed = self.assigned.pop().unwrap_or_default();
        if joins {
            self.values += closed.len() + 2;
        }
        self.innermost().extend(&closed);
    }

    /// The units of a frame with so many parameters and locals, and operands at most.
    pub(super) fn units(&self, locals: u64, operand_height: u64) -> u64 {
        FRAME_UNITS + locals + operand_height + self.largest_call + self.values
    }

    fn innermost(&mut self) -> &mut LocalSet {
        if self.assigned.is_empty() {
            self.open();
        }
        self.assigned.last_mut().expect("one is open")
    }
}

/// How many values an instruction makes, its own and those that preparation and compilers make of it.
fn made_by(operator: &Operator<'_>) -> u64 {
    use Operator as O;
    match operator {
        O::LocalGet { .. } | O::Drop | O::Nop | O::Return | O::Unreachable => 0,
        O::Block { .. } | O::Loop { .. } | O::Else | O::End | O::Br { .. } => 0,
        // The pointers to code and instance of an imported function are loaded once and kept for later calls.
        O::Call { .. } => 4,
        // The place in the table, what stands there, its type, and the type that it should have.
        O::CallIndirect { .. } => 12,
        O::MemoryGrow { .. } => 10,
        O::MemoryCopy { .. } | O::MemoryFill { .. } => 8,
        O::TableGet { .. } | O::RefFunc { .. } => 8,
        // Some tests of the operands, on the way to the result.
        O::I32TruncF32S | O::I32TruncF32U | O::I32TruncF64S | O::I32TruncF64U => 4,
        O::I64TruncF32S | O::I64TruncF32U | O::I64TruncF64S | O::I64TruncF64U => 4,
        // It may be a float.
        O::Select | O::TypedSelect { .. } => 2,
        // The value and where it is.
        other if is_access(other) => 3,
        // The plain result, the comparison and the canonical result.
        other if is_float(other) => 3,
        _ => 1,
    }
}

/// Loads, stores and globals: they have an address.
#[rustfmt::skip]
fn is_access(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::I32Load { .. } | O::I64Load { .. } | O::F32Load { .. } | O::F64Load { .. }
        | O::I32Load8S { .. } | O::I32Load8U { .. } | O::I32Load16S { .. } | O::I32Load16U { .. }
        | O::I64Load8S { .. } | O::I64Load8U { .. } | O::I64Load16S { .. } | O::I64Load16U { .. }
        | O::I64Load32S { .. } | O::I64Load32U { .. }
        | O::I32Store { .. } | O::I64Store { .. } | O::F32Store { .. } | O::F64Store { .. }
        | O::I32Store8 { .. } | O::I32Store16 { .. } | O::I64Store8 { .. } | O::I64Store16 { .. }
        | O::I64Store32 { .. } | O::GlobalGet { .. } | O::GlobalSet { .. }
    )
}

/// Arithmetic on floats.
#[rustfmt::skip]
fn is_float(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::F32Abs | O::F32Neg | O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest | O::F32Sqrt
        | O::F32Add | O::F32Sub | O::F32Mul | O::F32Div | O::F32Min | O::F32Max | O::F32Copysign
        | O::F64Abs | O::F64Neg | O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest | O::F64Sqrt
        | O::F64Add | O::F64Sub | O::F64Mul | O::F64Div | O::F64Min | O::F64Max | O::F64Copysign
        | O::F32ConvertI32S | O::F32ConvertI32U | O::F32ConvertI64S | O::F32ConvertI64U
        | O::F64ConvertI32S | O::F64ConvertI32U | O::F64ConvertI64S | O::F64ConvertI64U
        | O::F32DemoteF64 | O::F64PromoteF32
    )
}

/// A set of locals, as bits.
#[derive(Default)]
struct LocalSet {
    words: Vec<u64>,
}

impl LocalSet {
    fn insert(&mut self, local: u32) {
        let (word, bit) = ((local / 64) as usize, local % 64);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << bit;
    }

    fn extend(&mut self, other: &LocalSet) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    fn len(&self) -> u64 {
        self.words
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &mut FrameValues, local_index: u32) {
        values.add(&Operator::LocalSet { local_index });
    }

    #[test]
    fn locals_are_other_values_where_control_joins() {
        let mut values = FrameValues::default();
        values.open();
        set(&mut values, 1);
        set(&mut values, 1);
        values.open();
        set(&mut values, 70);
        values.close(false);
        assert_eq!(values.units(0, 0), FRAME_UNITS);
        values.close(true);
        assert_eq!(
            values.units(0, 0),
            FRAME_UNITS + 4,
            "two locals, a result and the fuel"
        );
    }

    #[test]
    fn each_call_has_room_for_its_results() {
        let mut values = FrameValues::default();
        for _ in 0..10 {
            values.add_call(3, 16);
        }
        assert_eq!(values.units(0, 0), FRAME_UNITS + 10 * 48 + 19);
        values.add_call(3, 1);
        assert_eq!(values.units(0, 0), FRAME_UNITS + 10 * 48 + 19 + 1);
    }
}
