//! Second pass over a function: write it again with fuel, call depth and canonical NaNs.
//!
//! ```text
//! take stack units                         (only in functions that call, and in large ones)
//! fuel := global
//! block $out (results)
//!   block $exhausted
//!     check stack units                    (as above)
//!     ...body, where every run begins with
//!         fuel := fuel - cost
//!     and, at the function's entry, at the heads of loops and behind calls, goes on with
//!         br_if $exhausted (fuel < 0)
//!     and `return` is a branch to $out
//!     br $out
//!   end
//!   global := fuel; unreachable
//! end
//! global := fuel
//! if (fuel < 0) unreachable                (only in functions that the host can call)
//! give stack units back
//! ```
//!
//! One cold block per function handles both exhaustions. A short run that only continues forward is not checked: it takes
//! the counter below zero at worst, and the next entry, loop, bulk operation, call or return finds that. So nothing
//! that was not paid for is ever seen from outside. A way forward that costs more than `UNCHECKED_FUEL` is checked on the
//! way (see `unpaid.rs`), and a call is checked when it returns, whatever it cost: so what runs without
//! having been paid for is never more than that.

use wasm_encoder::{
    BlockType, Function, Ieee32, Ieee64, Instruction as I, ValType,
    reencode::{Reencode, RoundtripReencoder},
};
use wasmparser::Operator;

use super::{
    Costs, OUT_OF_SYSTEM_MEMORY, PrepareError,
    analyse::{Plan, Step, pays_by_size},
    error::RefusalReason,
    nan::{CANONICAL_F32, CANONICAL_F64, Float, needs_canonical},
    stack::units_taken,
    unpaid::Unpaid,
};

/// What a function body needs to know of its module.
pub(super) struct Layout {
    pub(super) fuel_global: u32,
    pub(super) stack_global: u32,
    /// A block type without parameters and with the function's results.
    pub(super) result_type: BlockType,
    pub(super) memory_maximum_pages: u32,
    /// Whether the host can call the function.
    pub(super) is_exported: bool,
}

/// Writes the instrumented function.
pub(super) fn emit(plan: &Plan<'_>, layout: &Layout) -> Result<Function, PrepareError> {
    let scratch = Scratch::new(plan);
    let function = Function::new(scratch.locals(plan));
    let mut emitter = Emitter {
        function,
        plan,
        layout,
        scratch,
        nesting: 0,
        stack_units: stack_units(plan),
        unpaid: Unpaid::default(),
    };
    emitter.prologue();
    for index in 0..plan.steps.len() {
        emitter.step(index)?;
    }
    emitter.epilogue();
    Ok(emitter.function)
}

/// What a function takes of the call stack, if anything.
fn stack_units(plan: &Plan<'_>) -> Option<i32> {
    let frame = plan
        .frame
        .units(plan.local_count.into(), plan.operand_height.into());
    units_taken(frame, plan.has_calls)
}

/// The encoder's name of a type of the module.
pub(super) fn value_type(ty: wasmparser::ValType) -> ValType {
    RoundtripReencoder
        .val_type(ty)
        .expect("validated types need no type index")
}

/// Locals that instrumentation adds behind the function's own.
struct Scratch {
    fuel: u32,
    size: u32,
    grown: u32,
    f32: u32,
    f64: u32,
    /// Types of the locals behind `fuel` that are really used.
    extra: Vec<ValType>,
}

impl Scratch {
    fn new(plan: &Plan<'_>) -> Self {
        let fuel = plan.local_count;
        let mut extra = Vec::new();
        let mut take = |wanted: bool, ty: ValType| {
            if wanted {
                extra.push(ty);
            }
            fuel + u32::try_from(extra.len()).expect("at most four")
        };
        let canonical = |width: Float| {
            (0..plan.steps.len()).any(|index| needs_canonical(&plan.steps, index) == Some(width))
        };
        let size = take(
            plan.steps.iter().any(|step| pays_by_size(&step.operator)),
            ValType::I32,
        );
        let grows = |step: &Step<'_>| matches!(step.operator, Operator::MemoryGrow { .. });
        let grown = take(plan.steps.iter().any(grows), ValType::I32);
        let f32 = take(canonical(Float::F32), ValType::F32);
        let f64 = take(canonical(Float::F64), ValType::F64);
        Self {
            fuel,
            size,
            grown,
            f32,
            f64,
            extra,
        }
    }

    fn locals(&self, plan: &Plan<'_>) -> Vec<(u32, ValType)> {
        let declared = plan
            .locals
            .iter()
            .map(|(count, ty)| (*count, value_type(*ty)));
        let added = self.extra.iter().map(|ty| (1, *ty));
        declared.chain([(1, ValType::I64)]).chain(added).collect()
    }
}

struct Emitter<'p, 'a> {
    function: Function,
    plan: &'p Plan<'a>,
    layout: &'p Layout,
    scratch: Scratch,
    /// Number of open blocks of the function's own; also the label of `$exhausted`.
    nesting: u32,
    /// What the function takes of the call stack, if anything.
    stack_units: Option<i32>,
    unpaid: Unpaid,
}

impl<'a> Emitter<'_, 'a> {
    fn prologue(&mut self) {
        self.move_stack(&I::I32Sub);
        self.load_fuel();
        self.put(&I::Block(self.layout.result_type));
        self.put(&I::Block(BlockType::Empty));
        if self.stack_units.is_some() {
            self.put_all(&[
                I::GlobalGet(self.layout.stack_global),
                I::I32Const(0),
                I::I32LtS,
            ]);
            self.put(&I::BrIf(self.nesting));
        }
        self.charge_and_check(self.plan.entry_cost);
    }

    fn epilogue(&mut self) {
        if self.plan.falls_through {
            self.put(&I::Br(1));
        }
        self.put(&I::End);
        self.store_fuel();
        self.put_all(&[I::Unreachable, I::End]);
        self.store_fuel();
        if self.layout.is_exported {
            self.put_all(&[I::LocalGet(self.scratch.fuel), I::I64Const(0), I::I64LtS]);
            self.put_all(&[I::If(BlockType::Empty), I::Unreachable, I::End]);
        }
        self.move_stack(&I::I32Add);
        self.put(&I::End);
    }

    fn step(&mut self, index: usize) -> Result<(), PrepareError> {
        let Step { operator, run_cost } = &self.plan.steps[index];
        match operator {
            Operator::Call { .. } | Operator::CallIndirect { .. } => self.call(operator)?,
            Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } => self.bulk(operator)?,
            Operator::MemoryGrow { .. } => self.grow(operator)?,
            other => self.control_or_plain(other)?,
        }
        if let Some(width) = needs_canonical(&self.plan.steps, index) {
            self.canonical(width);
        }
        self.unpaid.follow(operator);
        match operator {
            // A run that costs nothing behind a loop's head meets another head before anything can repeat.
            Operator::Loop { .. } if *run_cost > 0 => self.charge_and_check(*run_cost),
            _ => self.charge(*run_cost),
        }
        Ok(())
    }

    fn control_or_plain(&mut self, operator: &Operator<'a>) -> Result<(), PrepareError> {
        match operator {
            Operator::Br { relative_depth } => self.put(&I::Br(self.label(*relative_depth))),
            Operator::BrIf { relative_depth } => self.put(&I::BrIf(self.label(*relative_depth))),
            Operator::BrTable { targets } => self.branch_table(targets)?,
            Operator::Return => self.put(&I::Br(self.label(self.nesting))),
            // Through the cold block, so that the fuel is exact.
            Operator::Unreachable => self.put(&I::Br(self.nesting)),
            other => return self.plain(other),
        }
        Ok(())
    }

    fn plain(&mut self, operator: &Operator<'a>) -> Result<(), PrepareError> {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.nesting += 1;
            }
            Operator::End => self.nesting -= 1,
            _ => (),
        }
        let instruction = RoundtripReencoder
            .instruction(operator.clone())
            .map_err(|error| {
                PrepareError::new(
                    0,
                    RefusalReason::Invalid {
                        message: error.to_string(),
                    },
                )
            })?;
        self.put(&instruction);
        Ok(())
    }

    /// A label of the module as it is now: the function's own is now `$out`.
    fn label(&self, depth: u32) -> u32 {
        if depth == self.nesting {
            depth + 1
        } else {
            depth
        }
    }

    fn branch_table(&mut self, table: &wasmparser::BrTable<'_>) -> Result<(), PrepareError> {
        let mut targets = Vec::new();
        for depth in table.targets() {
            targets.push(self.label(depth?));
        }
        let default = self.label(table.default());
        self.put(&I::BrTable(targets.into(), default));
        Ok(())
    }

    fn call(&mut self, operator: &Operator<'a>) -> Result<(), PrepareError> {
        self.store_fuel();
        self.plain(operator)?;
        self.load_fuel();
        self.put(&I::LocalGet(self.scratch.fuel));
        self.check();
        Ok(())
    }

    /// Pays for the length on top of the operands, then copies or fills.
    fn bulk(&mut self, operator: &Operator<'a>) -> Result<(), PrepareError> {
        self.put_all(&[
            I::LocalSet(self.scratch.size),
            I::LocalGet(self.scratch.fuel),
        ]);
        self.put_all(&[I::LocalGet(self.scratch.size), I::I64ExtendI32U]);
        self.put_all(&[
            I::I64Const(Costs::BULK_BYTES_PER_UNIT_LOG2.into()),
            I::I64ShrU,
        ]);
        self.subtract_and_check();
        self.put(&I::LocalGet(self.scratch.size));
        self.plain(operator)
    }

    /// Pays for the pages on top of the operands unless they are too many anyway, then grows.
    fn grow(&mut self, operator: &Operator<'a>) -> Result<(), PrepareError> {
        let maximum = self.layout.memory_maximum_pages.cast_signed();
        self.put_all(&[
            I::LocalSet(self.scratch.size),
            I::LocalGet(self.scratch.fuel),
        ]);
        self.put_all(&[I::LocalGet(self.scratch.size), I::I32Const(0)]);
        self.put_all(&[
            I::LocalGet(self.scratch.size),
            I::I32Const(maximum),
            I::I32LeU,
        ]);
        self.put_all(&[I::Select, I::I64ExtendI32U]);
        self.put_all(&[I::I64Const(signed(Costs::MEMORY_GROW_PER_PAGE)), I::I64Mul]);
        self.subtract_and_check();
        self.put(&I::LocalGet(self.scratch.size));
        self.plain(operator)?;
        self.tell_system_from_limit(maximum);
        Ok(())
    }

    /// Growing within the maximum fails only if the system has no memory. That is nothing a guest may see, since
    /// other nodes have some: it ends with a mark that the host knows.
    fn tell_system_from_limit(&mut self, maximum: i32) {
        let (size, grown) = (self.scratch.size, self.scratch.grown);
        self.put_all(&[I::LocalTee(grown), I::I32Const(-1), I::I32Eq]);
        self.put_all(&[I::If(BlockType::Empty), I::LocalGet(size)]);
        self.put_all(&[I::I32Const(maximum), I::MemorySize(0), I::I32Sub]);
        self.put_all(&[I::I32LeU, I::If(BlockType::Empty)]);
        self.put_all(&[
            I::I64Const(OUT_OF_SYSTEM_MEMORY),
            I::GlobalSet(self.layout.fuel_global),
        ]);
        self.put_all(&[I::Unreachable, I::End, I::End, I::LocalGet(grown)]);
    }

    /// `x >= x` is false for NaNs alone, as `x == x` is, and compilers for x86 make one jump of it rather than two.
    fn canonical(&mut self, width: Float) {
        let (local, constant, is_number) = match width {
            Float::F32 => (
                self.scratch.f32,
                I::F32Const(Ieee32::new(CANONICAL_F32)),
                I::F32Ge,
            ),
            Float::F64 => (
                self.scratch.f64,
                I::F64Const(Ieee64::new(CANONICAL_F64)),
                I::F64Ge,
            ),
        };
        self.put_all(&[I::LocalTee(local), constant]);
        self.put_all(&[I::LocalGet(local), I::LocalGet(local), is_number, I::Select]);
    }

    /// Pays for a run, and checks that it was paid unless little was spent since that was checked.
    fn charge(&mut self, cost: u64) {
        if self.unpaid.run(cost) {
            self.charge_and_check(cost);
        } else if cost > 0 {
            let fuel = self.scratch.fuel;
            self.put_all(&[I::LocalGet(fuel), I::I64Const(signed(cost))]);
            self.put_all(&[I::I64Sub, I::LocalSet(fuel)]);
        }
    }

    fn charge_and_check(&mut self, cost: u64) {
        self.put_all(&[I::LocalGet(self.scratch.fuel), I::I64Const(signed(cost))]);
        self.subtract_and_check();
    }

    /// Takes the amount on top of the operands from the fuel below it. No amount can make the
    /// counter wrap: it was hardly negative before, and amounts stay far below 2^62.
    fn subtract_and_check(&mut self) {
        self.put_all(&[I::I64Sub, I::LocalTee(self.scratch.fuel)]);
        self.check();
    }

    /// Ends if the fuel on top of the operands is below zero.
    fn check(&mut self) {
        self.put_all(&[I::I64Const(0), I::I64LtS]);
        self.put(&I::BrIf(self.nesting));
        self.unpaid.checked();
    }

    fn load_fuel(&mut self) {
        let (global, local) = (self.layout.fuel_global, self.scratch.fuel);
        self.put_all(&[I::GlobalGet(global), I::LocalSet(local)]);
    }

    fn store_fuel(&mut self) {
        let (global, local) = (self.layout.fuel_global, self.scratch.fuel);
        self.put_all(&[I::LocalGet(local), I::GlobalSet(global)]);
    }

    fn move_stack(&mut self, operation: &I<'_>) {
        let Some(units) = self.stack_units else {
            return;
        };
        self.put_all(&[I::GlobalGet(self.layout.stack_global), I::I32Const(units)]);
        self.put(operation);
        self.put(&I::GlobalSet(self.layout.stack_global));
    }

    fn put(&mut self, instruction: &I<'_>) {
        self.function.instruction(instruction);
    }

    fn put_all(&mut self, instructions: &[I<'_>]) {
        instructions
            .iter()
            .for_each(|instruction| self.put(instruction));
    }
}

fn signed(cost: u64) -> i64 {
    i64::try_from(cost).expect("limits keep costs small")
}
