//! First pass over a function: validate it, drop what can never run, and cut the rest into
//! straight runs that are paid for at their start.
//!
//! A run ends where control can arrive from elsewhere (a loop's head, an arm of an `if`, the end
//! of a block that is branched to) or can leave for elsewhere (`br_if` and the unconditional
//! branches). A call does not end a run: what follows it is paid for already, whatever the callee
//! does, and is only checked again. Code behind an unconditional branch is dropped, so nothing after this pass has to deal
//! with its untyped operands.

use wasmparser::{
    FuncValidator, FunctionBody, Operator, OperatorsReader, ValType, ValidatorResources,
    WasmModuleResources,
};

use super::{Costs, Limits, PrepareError, RefusalReason, check, error::within, frame::FrameValues};

/// What the second pass needs to know about a function.
pub(super) struct Plan<'a> {
    /// Declared locals, as runs of one type.
    pub(super) locals: Vec<(u32, ValType)>,
    /// Number of parameters and declared locals.
    pub(super) local_count: u32,
    /// Cost of the entry and the first run.
    pub(super) entry_cost: u64,
    /// The instructions that can run, without the `end` of the function.
    pub(super) steps: Vec<Step<'a>>,
    /// The highest operand stack.
    pub(super) operand_height: u32,
    /// Whether the function calls anything.
    pub(super) has_calls: bool,
    /// Whether control can reach the `end` of the function.
    pub(super) falls_through: bool,
    /// What a compiler may keep in its frame.
    pub(super) frame: FrameValues,
}

/// One instruction, and the cost of the run that begins behind it.
pub(super) struct Step<'a> {
    pub(super) operator: Operator<'a>,
    pub(super) run_cost: u64,
}

/// Validates a function and plans its instrumentation.
pub(super) fn analyse<'a>(
    validator: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'a>,
    limits: &Limits,
) -> Result<Plan<'a>, PrepareError> {
    let start = body.range().start;
    let parameters = u64::from(validator.len_locals());
    let mut declared = parameters;
    let mut locals = Vec::new();
    for run in body.get_locals_reader()? {
        let (count, ty) = run?;
        declared += u64::from(count);
        within(start, "number of locals", declared, limits.locals)?;
        locals.push((count, ty));
    }
    validator.read_locals(&mut body.get_binary_reader())?;
    let mut analysis = Analysis::new(locals, validator.len_locals());
    let reader = OperatorsReader::new(body.get_binary_reader_for_operators()?);
    analysis.read(validator, reader, limits)?;
    Ok(analysis.plan)
}

enum FrameKind {
    /// Also the function itself.
    Block,
    Loop,
    If,
}

struct Frame {
    kind: FrameKind,
    is_target: bool,
}

struct Analysis<'a> {
    plan: Plan<'a>,
    /// Blocks around the current instruction, those in dropped code excepted.
    frames: Vec<Frame>,
    is_live: bool,
    /// Blocks opened inside dropped code.
    dropped_frames: u64,
    /// The step behind which the current run begins; `None` is the entry.
    run: Option<usize>,
}

impl<'a> Analysis<'a> {
    fn new(locals: Vec<(u32, ValType)>, local_count: u32) -> Self {
        let plan = Plan {
            locals,
            local_count,
            entry_cost: Costs::of_entry(local_count.into()),
            steps: Vec::new(),
            operand_height: 0,
            has_calls: false,
            falls_through: false,
            frame: FrameValues::default(),
        };
        let function = Frame {
            kind: FrameKind::Block,
            is_target: false,
        };
        Self {
            plan,
            frames: vec![function],
            is_live: true,
            dropped_frames: 0,
            run: None,
        }
    }

    fn read(
        &mut self,
        validator: &mut FuncValidator<ValidatorResources>,
        mut reader: OperatorsReader<'a>,
        limits: &Limits,
    ) -> Result<(), PrepareError> {
        while !reader.eof() {
            let (operator, offset) = reader.read_with_offset()?;
            check_operator(offset, &operator, limits)?;
            validator.op(offset, &operator)?;
            check::block_type(offset, &operator, validator.resources())?;
            if self.step(&operator) {
                self.count_call(&operator, validator.resources());
            }
            let nesting = self.frames.len() as u64 + self.dropped_frames;
            within(
                offset,
                "depth of nested blocks",
                nesting,
                limits.nesting + 1,
            )?;
            if self.is_live {
                let height = validator.operand_stack_height();
                within(
                    offset,
                    "height of the operands",
                    height.into(),
                    limits.operand_height,
                )?;
                self.plan.operand_height = self.plan.operand_height.max(height);
            }
        }
        Ok(reader.finish()?)
    }

    /// Returns whether the instruction can run.
    fn step(&mut self, operator: &Operator<'a>) -> bool {
        let kept = self.is_live || self.resumes(operator);
        if kept {
            self.keep(operator);
        }
        kept
    }

    /// The operands and results of a call, in the frame. The fuel is looked at behind it.
    fn count_call(&mut self, operator: &Operator<'_>, resources: &ValidatorResources) {
        let type_index = match operator {
            Operator::Call { function_index } => resources.type_index_of_function(*function_index),
            Operator::CallIndirect { type_index, .. } => Some(*type_index),
            _ => return,
        };
        let ty = type_index.and_then(|index| resources.sub_type_at(index));
        let ty = ty.expect("validation found the type").unwrap_func();
        let (parameters, results) = (ty.params().len() as u64, ty.results().len() as u64);
        self.plan.frame.add_call(parameters, results);
        self.plan.frame.add_run();
    }

    /// In dropped code: whether the instruction ends it. Counts the blocks inside.
    fn resumes(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.dropped_frames += 1;
                false
            }
            Operator::End if self.dropped_frames > 0 => {
                self.dropped_frames -= 1;
                false
            }
            Operator::Else | Operator::End => self.dropped_frames == 0,
            _ => false,
        }
    }

    fn keep(&mut self, operator: &Operator<'a>) {
        if matches!(operator, Operator::End) && self.frames.len() == 1 {
            self.plan.falls_through = self.is_live;
            self.frames.clear();
            return;
        }
        let cost = Costs::of(operator);
        self.pay(cost);
        self.plan.frame.add(operator);
        self.plan.steps.push(Step {
            operator: operator.clone(),
            run_cost: 0,
        });
        self.follow(operator);
    }

    /// Adds to the cost of the current run.
    fn pay(&mut self, cost: u64) {
        match self.run {
            None => self.plan.entry_cost += cost,
            Some(step) => self.plan.steps[step].run_cost += cost,
        }
    }

    /// Where control goes from the instruction that was just kept.
    fn follow(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { .. } => self.open(FrameKind::Block),
            Operator::Loop { .. } => self.open(FrameKind::Loop),
            Operator::If { .. } => self.open(FrameKind::If),
            Operator::Else => self.begin_run(),
            Operator::End => self.close(),
            Operator::BrIf { relative_depth } => {
                self.target(*relative_depth);
                self.begin_run();
            }
            Operator::Br { relative_depth } => {
                self.target(*relative_depth);
                self.is_live = false;
            }
            Operator::BrTable { targets } => {
                targets
                    .targets()
                    .flatten()
                    .for_each(|depth| self.target(depth));
                self.target(targets.default());
                self.is_live = false;
            }
            Operator::Return | Operator::Unreachable => self.is_live = false,
            Operator::Call { .. } | Operator::CallIndirect { .. } => self.plan.has_calls = true,
            _ => (),
        }
    }

    fn open(&mut self, kind: FrameKind) {
        if !matches!(kind, FrameKind::Block) {
            self.begin_run();
        }
        self.plan.frame.open();
        self.frames.push(Frame {
            kind,
            is_target: false,
        });
    }

    fn close(&mut self) {
        let frame = self.frames.pop().expect("validation pairs blocks and ends");
        let (joins, joins_at_head) = match frame.kind {
            FrameKind::Block => (frame.is_target, false),
            FrameKind::Loop => (false, true),
            FrameKind::If => (true, false),
        };
        self.plan.frame.close(joins || joins_at_head);
        if joins || !self.is_live {
            self.begin_run();
        }
    }

    fn begin_run(&mut self) {
        self.plan.frame.add_run();
        self.is_live = true;
        self.run = self.plan.steps.len().checked_sub(1);
    }

    fn target(&mut self, depth: u32) {
        let index = self.frames.len() - 1 - depth as usize;
        self.frames[index].is_target = true;
    }
}

/// Instructions that also pay by size, just before they execute.
pub(super) fn pays_by_size(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } | Operator::MemoryGrow { .. }
    )
}

/// Refuses instructions that change what a snapshot cannot capture, and oversized branch tables.
fn check_operator(
    offset: u64,
    operator: &Operator<'_>,
    limits: &Limits,
) -> Result<(), PrepareError> {
    if let Operator::BrTable { targets } = operator {
        let count = u64::from(targets.len());
        within(
            offset,
            "number of branch targets",
            count,
            limits.branch_targets,
        )?;
    }
    match refused(operator) {
        Some(instruction) => Err(PrepareError::new(
            offset,
            RefusalReason::Instruction { instruction },
        )),
        None => Ok(()),
    }
}

fn refused(operator: &Operator<'_>) -> Option<&'static str> {
    Some(match operator {
        Operator::TableSet { .. } => "table.set",
        Operator::TableGrow { .. } => "table.grow",
        Operator::TableFill { .. } => "table.fill",
        Operator::TableCopy { .. } => "table.copy",
        Operator::TableInit { .. } => "table.init",
        Operator::ElemDrop { .. } => "elem.drop",
        Operator::DataDrop { .. } => "data.drop",
        Operator::MemoryInit { .. } => "memory.init",
        _ => return None,
    })
}
