//! `resident demo`: the order book's block, on every engine and session.

mod report;
mod run;

use std::path::PathBuf;

use clap::Args;
use futures::executor::block_on;

use crate::{CommandResult, EngineChoice, SessionChoice, contracts::Contracts, orders, pairs};
use report::Report;
use run::RunOptions;

/// Runs an order book's block on every engine and session and compares what comes out.
///
/// One user's chain places bids at prices 1 to 50, another's places asks at the same prices, each for
/// one token. Every order is one operation that moves the funds and sends the order, so one bundle of
/// two messages for each waits in the inbox of the order book's chain. The demo builds one block of
/// them, executes that again as committed, stores it durably, and shows what it took. Half of a
/// hundred orders trade. Everything is repeated from an empty store; times are medians.
///
/// The exit code is 0 if all outcome hashes agree.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoOptions {
    /// How many orders are placed, half of them bids.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    orders: u32,
    /// Let every Nth order break a rule of the order book, so that its bundle must be rejected
    /// without a trace. Such an order cancels one that does not exist: only the order book's chain
    /// can know, so its bundle has one message and no tokens.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    fail_every: Option<u32>,
    /// Which engine runs the contracts.
    #[arg(long, value_enum, default_value_t = EngineChoice::All)]
    engine: EngineChoice,
    /// How instances are kept within a block.
    #[arg(long, value_enum, default_value_t = SessionChoice::All)]
    session: SessionChoice,
    /// How often everything is done.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,
    /// Keep the stores in this folder, one for each run; by default they are in the system's folder
    /// for temporary files and removed afterwards.
    #[arg(long, value_name = "FOLDER")]
    store: Option<PathBuf>,
    /// Where scripts/build-contracts.sh put the contracts.
    #[arg(long, value_name = "FOLDER", default_value = "target/contracts")]
    contracts: PathBuf,
}

/// Runs the demo and prints its report. Answers whether all outcomes agree.
pub(crate) fn run(options: &DemoOptions) -> CommandResult<bool> {
    let contracts = Contracts::read(&options.contracts)?;
    let plan = orders::plan(options.orders, options.fail_every);
    let mut runs = Vec::new();
    for (engine, session) in pairs(options.engine, options.session) {
        let options = RunOptions {
            engine,
            session,
            repetitions: options.repetitions,
            store: options.store.clone(),
            contracts: &contracts,
            plan: &plan,
        };
        runs.push(block_on(run::repeat(&options))?);
    }
    let report = Report::new(options, orders::expected(&plan).trades, runs);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(report.agree())
}
