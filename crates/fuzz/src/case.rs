//! One case: from a seed to what is wrong, if anything is.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use resident_execution::ModuleCacheConfig;
use resident_wasm::{
    prepare::{PrepareError, PreparedModule, RefusalReason},
    prepare_contract,
};

use crate::{
    compare::{Difference, cut, kind, same},
    generate::{Edge, corrupt, generate},
    host::FuzzHost,
    instance::Engines,
    instances,
    random::Random,
    sessions::{self, Code},
    tally::Tally,
    towns,
    wrap::wrap,
};

/// Cases after which the engines are made anew: they keep the code of modules that are gone.
const CASES_PER_ENGINES: u32 = 250;
/// Native stack that a case may use: what guests may, and more than hosts do.
const STACK_BYTES: usize = 64 << 20;

/// What is kept of a panic's message, in characters: it may show two whole blocks.
const MAX_MESSAGE: usize = 4_000;
/// What makes the seed of a second module from that of a case.
const OTHER_SEEDS: u64 = 1 << 63;

/// What a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A contract by itself, on instances of both engines.
    Instances,
    /// Contracts as applications of a chain, on every engine and session.
    Sessions,
    /// Honest and hostile citizens of a town of chains, on one node that everybody else checks.
    Towns,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Instances => "instances",
            Level::Sessions => "sessions",
            Level::Towns => "towns",
        })
    }
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The case.
    pub seed: u64,
    /// The level that it ran on.
    pub level: Level,
    /// What differs, or what a panic said.
    pub what: String,
    /// The contract, if it came to that.
    pub module: Option<Vec<u8>>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            seed, level, what, ..
        } = self;
        write!(
            f,
            "seed {seed}: {what}\n  repeat it with: resident-fuzz --seed {seed} --cases 1 --level {level}"
        )
    }
}

/// Runs cases, one after another.
pub struct Fuzzer {
    engines: Engines,
    modules: ModuleCacheConfig,
    cases: u32,
}

impl Fuzzer {
    /// Sets the engines up.
    ///
    /// # Errors
    /// If one of them cannot be used here.
    pub fn new() -> Result<Self, String> {
        let engines = Engines::new()?;
        Ok(Fuzzer {
            engines,
            modules: ModuleCacheConfig::default(),
            cases: 0,
        })
    }

    /// Runs one case, and counts what it did. A panic is a finding too.
    ///
    /// # Errors
    /// What was found.
    pub fn run(&mut self, seed: u64, level: Level, tally: &mut Tally) -> Result<(), Box<Finding>> {
        let mut module = None;
        let run = AssertUnwindSafe(|| self.run_level(seed, level, &mut module, tally));
        let what = match catch_unwind(run) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(difference)) => difference,
            Err(panic) => cut(format!("panic: {}", message(&*panic)), MAX_MESSAGE),
        };
        Err(Box::new(Finding {
            seed,
            level,
            what,
            module,
        }))
    }

    fn run_level(
        &mut self,
        seed: u64,
        level: Level,
        module: &mut Option<Vec<u8>>,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        tally.count("cases", level);
        self.cases += 1;
        if self.cases.is_multiple_of(CASES_PER_ENGINES) {
            self.engines = Engines::new()?;
        }
        match level {
            Level::Towns => towns::run(seed, &self.modules, tally),
            Level::Instances => self.run_contracts(seed, false, module, tally),
            Level::Sessions => self.run_contracts(seed, true, module, tally),
        }
    }

    /// Runs a random contract by itself, or with perhaps another one in sessions.
    fn run_contracts(
        &self,
        seed: u64,
        in_sessions: bool,
        module: &mut Option<Vec<u8>>,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        let Some(contract) = contract(seed, module, tally)? else {
            return Ok(());
        };
        let mut random = Random::new(seed, 3);
        if !in_sessions {
            let Contract {
                prepared,
                functions,
            } = &contract;
            return instances::run(&self.engines, prepared, *functions, &mut random, tally);
        }
        let mut codes = vec![code(module, &contract)];
        if random.percent(50) {
            let mut second = None;
            let contract = self::contract(seed ^ OTHER_SEEDS, &mut second, tally)?;
            codes.extend(contract.map(|contract| code(&second, &contract)));
        }
        sessions::run(&codes, &mut random, tally)
    }
}

fn code(module: &Option<Vec<u8>>, contract: &Contract) -> Code {
    Code {
        bytes: module.clone().unwrap_or_default(),
        functions: contract.functions,
    }
}

/// A contract that was accepted.
struct Contract {
    prepared: PreparedModule,
    functions: u64,
}

/// Generates and prepares a contract; `None` if there is none, or it is refused as it may be.
fn contract(
    seed: u64,
    module: &mut Option<Vec<u8>>,
    tally: &mut Tally,
) -> Result<Option<Contract>, Difference> {
    let Some(generated) = generate(&mut Random::new(seed, 1)) else {
        tally.count("modules", "not generated");
        return Ok(None);
    };
    let edge = generated.edge;
    let wrapped = wrap::<FuzzHost>(&generated.code, edge, &mut Random::new(seed, 2));
    let (code, functions) = match wrapped {
        Ok(wrapped) => (wrapped.code, wrapped.functions),
        // Then it is not a contract, and only has to be refused.
        Err(reason) if edge.is_some() => {
            tally.count("modules", "not wrapped");
            let _ = reason;
            (generated.code, 0)
        }
        Err(reason) => return Err(format!("a module cannot be wrapped: {reason}")),
    };
    let code = &*module.insert(code);
    prepare_corrupt(code, &mut Random::new(seed, 4), tally)?;
    match prepare_twice(code)? {
        Ok(prepared) => {
            tally.count("modules", accepted(edge));
            Ok(Some(Contract {
                prepared,
                functions,
            }))
        }
        Err(error) => {
            tally.count("refused", reason(&error.reason));
            expected(edge, &error.reason)?;
            Ok(None)
        }
    }
}

/// Any bytes are accepted or refused, and nothing else happens.
fn prepare_corrupt(code: &[u8], random: &mut Random, tally: &mut Tally) -> Result<(), Difference> {
    let mut corrupted = code.to_vec();
    corrupt(&mut corrupted, random);
    let what = match prepare_twice(&corrupted)? {
        Ok(_) => "accepted",
        Err(_) => "refused",
    };
    tally.count("corrupted modules", what);
    Ok(())
}

/// Preparation is a function of the bytes.
fn prepare_twice(code: &[u8]) -> Result<Result<PreparedModule, PrepareError>, Difference> {
    let first = prepare_contract::<FuzzHost>(code);
    let second = prepare_contract::<FuzzHost>(code);
    same("preparations of the same bytes", &first, &second)?;
    Ok(first)
}

fn accepted(edge: Option<Edge>) -> String {
    match edge {
        Some(edge) => format!("accepted over the edge ({edge:?})"),
        None => "accepted".to_owned(),
    }
}

/// What is not over the edge can only be refused for what its segments hold, and now and then for a type
/// with more results than are accepted, or for a block of several values.
fn expected(edge: Option<Edge>, reason: &RefusalReason) -> Result<(), Difference> {
    let allowed = match reason {
        RefusalReason::SegmentBounds { .. } | RefusalReason::BlockType { .. } => true,
        RefusalReason::Limit { what, .. } => *what == "number of results",
        _ => false,
    };
    match edge {
        None if !allowed => Err(format!(
            "a module of the accepted kind is refused: {reason}"
        )),
        _ => Ok(()),
    }
}

/// The kind of a refusal, as words.
fn reason(reason: &RefusalReason) -> String {
    match reason {
        RefusalReason::Feature { feature, .. } => format!("feature {feature}"),
        RefusalReason::Instruction { instruction } => format!("instruction {instruction}"),
        RefusalReason::Limit { what, .. } => format!("limit on {what}"),
        other => kind(other),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of an unknown kind")
}

/// Runs something on a thread with as much stack as cases need.
///
/// # Panics
/// If there can be no such thread, or what runs on it panics.
pub fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work);
        let thread = thread.expect("a thread can be made");
        thread.join().expect("panics of cases are caught")
    })
}
