//! `resident-fuzz`: runs cases of the differential fuzzer for as long as wanted.

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use resident_fuzz::{Finding, Fuzzer, Level, Tally, figures, with_stack};

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_secs(30);
/// Of how many cases one is of the level `sessions`, if both are run.
const SESSIONS_EVERY: u64 = 4;

/// Runs random contracts on every engine and session, and says where they disagree.
#[derive(Parser)]
struct Options {
    /// The first case; the next ones follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many cases to run; without this and without minutes, 1000.
    #[arg(long)]
    cases: Option<u64>,
    /// How long to run, in minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// What to run.
    #[arg(long, value_enum, default_value_t = Levels::Both)]
    level: Levels,
    /// A folder for the modules of cases that fail.
    #[arg(long)]
    dump: Option<PathBuf>,
    /// Go on after a disagreement.
    #[arg(long)]
    keep_going: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Levels {
    Instances,
    Sessions,
    Both,
    Towns,
}

impl Options {
    fn level(&self, seed: u64) -> Level {
        match self.level {
            Levels::Instances => Level::Instances,
            Levels::Sessions => Level::Sessions,
            Levels::Towns => Level::Towns,
            Levels::Both if seed.is_multiple_of(SESSIONS_EVERY) => Level::Sessions,
            Levels::Both => Level::Instances,
        }
    }

    /// The number of cases, if it is not time that counts.
    fn bound(&self) -> u64 {
        let default = if self.minutes.is_some() {
            u64::MAX
        } else {
            1_000
        };
        self.cases.unwrap_or(default)
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match with_stack(|| run(&options)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the cases. Answers with the number of findings.
fn run(options: &Options) -> Result<u64, String> {
    let mut fuzzer = Fuzzer::new()?;
    let mut tally = Tally::default();
    let (begin, mut shown) = (Instant::now(), Instant::now());
    let limit = options
        .minutes
        .map(|minutes| Duration::from_secs(60 * minutes));
    let (mut cases, mut findings) = (0, 0);
    while cases < options.bound() && limit.is_none_or(|limit| begin.elapsed() < limit) {
        let seed = options.seed.wrapping_add(cases);
        cases += 1;
        if let Err(finding) = fuzzer.run(seed, options.level(seed), &mut tally) {
            findings += 1;
            println!("\nDISAGREEMENT, {finding}");
            dump(options, &finding)?;
            if !options.keep_going {
                break;
            }
        }
        if shown.elapsed() > PROGRESS {
            shown = Instant::now();
            let seconds = begin.elapsed().as_secs();
            println!("{seconds} s, {cases} cases, {findings} findings{tally}");
        }
    }
    let (first, seconds) = (options.seed, begin.elapsed().as_secs());
    let last = first.wrapping_add(cases.saturating_sub(1));
    println!(
        "\nfinished: {cases} cases in {seconds} s, seeds {first} to {last}, {findings} findings{tally}"
    );
    if options.level == Levels::Towns {
        println!("\nmedian / largest:\n{}", figures(&tally));
    }
    Ok(findings)
}

fn dump(options: &Options, finding: &Finding) -> Result<(), String> {
    let (Some(folder), Some(module)) = (&options.dump, &finding.module) else {
        return Ok(());
    };
    let file = folder.join(format!("{}.wasm", finding.seed));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, module))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    println!("  its module is {}", file.display());
    Ok(())
}
