//! What a compiler meets in a prepared function: counts that its time and memory follow.
//!
//! Counted on the *prepared* body, so that what metering adds is in it, whatever that is.

use std::collections::BTreeSet;

use wasmparser::{
    BinaryReader, BinaryReaderError, BlockType, FuncType, FunctionBody, Operator, OperatorsReader,
};

use super::weights::{self, Kind, kind_of};

/// What one function makes a compiler do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Time of its operators one by one, in nanoseconds.
    pub(super) operators: u64,
    /// Basic blocks.
    pub(super) blocks: u64,
    /// What has a name of its own in a compiler: parameters, locals, results of blocks, and places for operands.
    pub(super) variables: u64,
    /// Values that branches hand over to places where others arrive, too.
    pub(super) joins: u64,
    /// Results that are the same wherever they are computed, and may be kept from one place to another.
    pub(super) kept: u64,
    /// Loads times basic blocks behind which the same can be loaded again.
    pub(super) loaded: u64,
    /// Loops around each basic block, added up.
    pub(super) loop_depths: u64,
}

/// What is known of a function from before it was instrumented.
#[derive(Clone, Copy)]
pub(super) struct Source {
    /// Its parameters and locals; the local behind them holds the fuel.
    pub(super) locals: u64,
    /// Its highest operand stack.
    pub(super) operand_height: u64,
}

/// The types that a body refers to.
#[derive(Clone, Copy)]
pub(super) struct BodyTypes<'t> {
    pub(super) types: &'t [FuncType],
    /// Type index of every function.
    pub(super) functions: &'t [u32],
    /// Types behind the module's own that have the results of these types, and no parameters.
    pub(super) result_types: &'t [u32],
}

impl BodyTypes<'_> {
    fn of(&self, index: u32) -> (u64, u64) {
        let ty = |index: u32| &self.types[index as usize];
        match (index as usize).checked_sub(self.types.len()) {
            None => counts(ty(index)),
            Some(extra) => (0, counts(ty(self.result_types[extra])).1),
        }
    }

    fn of_block(&self, ty: BlockType) -> (u64, u64) {
        match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => self.of(index),
        }
    }
}

fn counts(ty: &FuncType) -> (u64, u64) {
    (ty.params().len() as u64, ty.results().len() as u64)
}

/// Counts a function's body as it is prepared; `type_index` is its type.
pub(super) fn shape_of(
    body: &[u8],
    type_index: u32,
    source: Source,
    types: BodyTypes<'_>,
) -> Result<Shape, BinaryReaderError> {
    let body = FunctionBody::new(BinaryReader::new(body, 0));
    let mut locals = types.of(type_index).0;
    for run in body.get_locals_reader()? {
        locals += u64::from(run?.0);
    }
    let mut counter = Counter::new(locals, source.locals, types);
    let mut reader = OperatorsReader::new(body.get_binary_reader_for_operators()?);
    while !reader.eof() {
        counter.operator(&reader.read()?);
    }
    counter.forget_loads();
    counter.shape.variables += source.operand_height;
    Ok(counter.shape)
}

/// Basic blocks of an `if`; no other construct begins with so many.
const IF_BLOCKS: u64 = 3;

/// A block that is open.
struct Frame {
    is_loop: bool,
    /// Values that its target takes.
    arity: u64,
    /// Branches to its target.
    branches: u64,
    /// Assignments before it.
    assigned: u64,
    /// What is known where it begins.
    before: Region,
    is_if: bool,
    has_else: bool,
    /// What is known where branches leave it for its end.
    leaving: Option<Region>,
}

/// What control went through since memory was written, on the way with the most of it.
#[derive(Clone, Copy, Default)]
struct Region {
    loads: u64,
    blocks: u64,
    /// Loads times blocks, as far as they are counted.
    counted: u64,
}

impl Region {
    fn most(self, other: Self) -> Self {
        Region {
            loads: self.loads.max(other.loads),
            blocks: self.blocks.max(other.blocks),
            counted: self.counted.max(other.counted),
        }
    }
}

impl Frame {
    fn leave(&mut self, known: Region) {
        self.leaving = Some(self.leaving.map_or(known, |other| other.most(known)));
    }
}

struct Counter<'t> {
    shape: Shape,
    types: BodyTypes<'t>,
    locals: u64,
    /// The local that holds the fuel, which only instrumentation uses.
    fuel: u64,
    /// Operators since the last that put it on the operand stack.
    since_fuel: u64,
    /// Assignments to locals so far.
    assigned: u64,
    depth: u64,
    frames: Vec<Frame>,
    /// What comes after the last write to memory, as far as control gets there.
    since_write: Region,
    is_live: bool,
    /// Whether the last operator was a constant.
    is_constant: bool,
    /// Offsets that were stored to since the last call.
    stored: BTreeSet<u64>,
    /// How many of them were loaded again.
    forwarded: u64,
}

impl<'t> Counter<'t> {
    fn new(locals: u64, fuel: u64, types: BodyTypes<'t>) -> Self {
        let shape = Shape {
            variables: locals,
            blocks: 2,
            ..Shape::default()
        };
        let mut counter = Counter {
            shape,
            types,
            locals,
            fuel,
            since_fuel: u64::MAX,
            assigned: 0,
            depth: 0,
            frames: Vec::new(),
            since_write: Region::default(),
            is_live: true,
            is_constant: false,
            stored: BTreeSet::new(),
            forwarded: 0,
        };
        counter.open(false, BlockType::Empty, 0);
        counter
    }

    fn operator(&mut self, operator: &Operator<'_>) {
        use Operator as O;
        self.shape.operators += weights::of(operator);
        let kind = match self.is_check(operator) {
            true => Kind::Other,
            false => kind_of(operator),
        };
        self.value(kind);
        self.is_constant = matches!(operator, O::I32Const { .. } | O::I64Const { .. });
        match operator {
            O::Block { blockty } => self.open(false, *blockty, 1),
            O::Loop { blockty } => self.open(true, *blockty, 2),
            O::If { blockty } => self.open(false, *blockty, IF_BLOCKS),
            O::Else => self.otherwise(),
            O::End => self.close(),
            O::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.is_live = false;
            }
            O::Return | O::Unreachable => self.is_live = false,
            O::BrIf { relative_depth } => {
                self.add_blocks(1);
                self.branch(*relative_depth);
            }
            O::BrTable { targets } => {
                targets
                    .targets()
                    .flatten()
                    .for_each(|depth| self.branch(depth));
                self.branch(targets.default());
                self.shape.operators += u64::from(targets.len()) * weights::BRANCH_TARGET;
                self.add_blocks(u64::from(targets.len()));
                self.is_live = false;
            }
            O::LocalSet { .. } | O::LocalTee { .. } => self.assigned += 1,
            O::Call { function_index } => {
                let ty = self.types.functions[*function_index as usize];
                self.call(ty);
            }
            O::CallIndirect { type_index, .. } => {
                self.add_blocks(weights::INDIRECT_BLOCKS);
                self.call(*type_index);
            }
            O::MemoryCopy { .. } | O::MemoryFill { .. } | O::MemoryGrow { .. } => self.forget_all(),
            _ => (),
        }
    }

    /// Whether this compares the fuel with a constant, which is used where it is made and nowhere else.
    fn is_check(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as O;
        let is_check = self.since_fuel == 1 && self.is_constant && matches!(operator, O::I64LtS);
        self.since_fuel = match operator {
            O::LocalGet { local_index } | O::LocalTee { local_index }
                if u64::from(*local_index) == self.fuel =>
            {
                0
            }
            _ => self.since_fuel.saturating_add(1),
        };
        is_check
    }

    /// Follows what an optimiser may know of a value.
    fn value(&mut self, kind: Kind) {
        match kind {
            Kind::Pure => self.shape.kept += 1,
            Kind::Sum => {
                // With a constant it is made anew in each block instead.
                self.shape.kept += u64::from(!self.is_constant);
                if self.forwarded > weights::FREE_FORWARDED {
                    self.shape.operators += weights::FORWARDED;
                }
            }
            Kind::Load(offset) => {
                self.since_write.loads += 1;
                self.forwarded += u64::from(self.stored.contains(&offset));
            }
            Kind::Store(offset) => {
                self.forget_loads();
                self.stored.insert(offset);
            }
            Kind::Other => (),
        }
    }

    /// Memory is written: what was loaded before has to be loaded again.
    fn forget_loads(&mut self) {
        self.count_loads();
        self.since_write = Region::default();
    }

    /// Counts loads that can be kept up to here.
    fn count_loads(&mut self) {
        let Region {
            loads,
            blocks,
            counted,
        } = self.since_write;
        let all = loads.saturating_mul(blocks);
        self.shape.loaded = self
            .shape
            .loaded
            .saturating_add(all.saturating_sub(counted));
        self.since_write.counted = all.max(counted);
    }

    /// Memory may be anything now.
    fn forget_all(&mut self) {
        self.forget_loads();
        self.stored.clear();
        self.forwarded = 0;
    }

    /// The arm behind `else` begins with what was known before the first.
    fn otherwise(&mut self) {
        self.count_loads();
        if let Some(frame) = self.frames.last_mut() {
            if self.is_live {
                frame.leave(self.since_write);
            }
            self.since_write = frame.before;
            frame.has_else = true;
        }
        self.is_live = true;
        self.add_blocks(1);
    }

    fn add_blocks(&mut self, blocks: u64) {
        self.shape.blocks += blocks;
        self.since_write.blocks += blocks;
        self.shape.loop_depths += blocks * self.depth;
    }

    fn open(&mut self, is_loop: bool, ty: BlockType, blocks: u64) {
        let (parameters, results) = self.types.of_block(ty);
        self.shape.variables += parameters + results;
        self.depth += u64::from(is_loop);
        self.count_loads();
        let before = self.since_write;
        self.add_blocks(blocks);
        self.frames.push(Frame {
            before,
            leaving: None,
            has_else: false,
            is_if: blocks == IF_BLOCKS,
            is_loop,
            arity: if is_loop { parameters } else { results },
            branches: 0,
            assigned: self.assigned,
        });
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        self.depth -= u64::from(frame.is_loop);
        self.count_loads();
        let mut arriving = frame.leaving.filter(|_| !frame.is_loop);
        if frame.is_if && !frame.has_else {
            arriving = Some(arriving.map_or(frame.before, |other| other.most(frame.before)));
        }
        if self.is_live {
            arriving =
                Some(arriving.map_or(self.since_write, |other| other.most(self.since_write)));
        }
        self.since_write = arriving.unwrap_or(frame.before);
        self.is_live = true;
        // Where control arrives in one way only, nothing is handed over.
        let differing = (self.assigned - frame.assigned).min(self.locals) + frame.arity;
        self.shape.joins += (frame.branches + u64::from(frame.branches > 0)) * differing;
    }

    fn branch(&mut self, depth: u32) {
        self.count_loads();
        let index = self.frames.len().checked_sub(1 + depth as usize);
        if let Some(frame) = index.and_then(|index| self.frames.get_mut(index)) {
            frame.branches += 1;
            frame.leave(self.since_write);
        }
    }

    fn call(&mut self, type_index: u32) {
        self.forget_all();
        let (parameters, results) = self.types.of(type_index);
        self.shape.operators += parameters * weights::PARAMETER + results * weights::RESULT;
    }
}
