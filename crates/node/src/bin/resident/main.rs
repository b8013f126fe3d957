//! The `resident` command.
#![forbid(unsafe_code)]

mod bench;
mod contracts;
mod demo;
mod market;
mod measure;
mod orders;

use std::{error::Error, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use resident_execution::{EngineKind, SessionKind};

/// What a command answers: whether it found everything as it should be, or why it gave up.
pub(crate) type CommandResult<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Executes blocks of smart-contract transactions with instances that stay alive for a whole block.
#[derive(Parser)]
#[command(name = "resident", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs an order book's block on every engine and session and compares what comes out.
    Demo(demo::DemoOptions),
    /// Measures single operations and how blocks scale.
    Bench(bench::BenchOptions),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Bench(options) => bench::run(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("resident: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Which engines to use.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum EngineChoice {
    Wasmtime,
    Wasmer,
    All,
}

impl EngineChoice {
    fn engines(self) -> Vec<EngineKind> {
        match self {
            Self::Wasmtime => vec![EngineKind::Wasmtime],
            Self::Wasmer => vec![EngineKind::Wasmer],
            Self::All => EngineKind::ALL.to_vec(),
        }
    }
}

/// Which sessions to use.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SessionChoice {
    Persistent,
    PerTransaction,
    All,
}

impl SessionChoice {
    fn sessions(self) -> Vec<SessionKind> {
        match self {
            Self::Persistent => vec![SessionKind::Persistent],
            Self::PerTransaction => vec![SessionKind::PerTransaction],
            Self::All => SessionKind::ALL.to_vec(),
        }
    }
}

/// Every engine with every session.
pub(crate) fn pairs(
    engine: EngineChoice,
    session: SessionChoice,
) -> Vec<(EngineKind, SessionKind)> {
    let engines = engine.engines().into_iter();
    engines
        .flat_map(|engine| {
            session
                .sessions()
                .into_iter()
                .map(move |session| (engine, session))
        })
        .collect()
}
