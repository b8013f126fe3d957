//! What metering costs: compute kernels and the example contracts, as published and as prepared, on each engine.
//!
//! "Bare" is the published module with the exports that an instance needs and no instrumentation, on the same
//! configuration of the same engine. Wants `scripts/build-contracts.sh` and `scripts/build-contracts.sh kernels`.

#[path = "metering/contracts.rs"]
mod contracts;

use std::sync::Arc;

use resident_benches::{
    BenchHost, CompiledGuest, Engines, Subject, bare, contract, median, sample, show,
};
use resident_wasm::prepare_contract;

/// The kernels, in the order of their operations.
const KERNELS: [&str; 13] = [
    "sha-256 of 64 KiB",
    "crc-32 of 64 KiB",
    "own quicksort of 20,000 u32",
    "sort_unstable of 20,000 u64",
    "product of 128x128 f64",
    "orbits of 5 bodies, f64",
    "products modulo 2^255-19",
    "recursion, fib(25)",
    "100,000 calls of trait objects",
    "state machine over 64 KiB",
    "formatting 2,000 lines",
    "BTreeMap of 5,000",
    "HashMap of 5,000",
];

fn main() {
    let engines = Engines::default();
    println!(
        "{:<44} {:<9} {:>11} {:>11} {:>7}",
        "", "engine", "bare", "metered", "ratio"
    );
    for engine in Engines::NAMES {
        let kernels = kernels(&engines, engine);
        let contracts = contracts::all().map(|case| case.measure(&engines, engine));
        summary(engine, "kernels", &kernels);
        summary(engine, "contracts", &contracts);
    }
}

/// One module on one engine, without and with metering.
struct Pair {
    bare: CompiledGuest,
    metered: CompiledGuest,
}

impl Pair {
    fn new(engines: &Engines, engine: &str, name: &str) -> Self {
        let code = contract(name);
        let prepared = prepare_contract::<BenchHost>(&code).expect("the contract is accepted");
        Pair {
            bare: engines.compile(engine, &Arc::new(bare(&code, &prepared))),
            metered: engines.compile(engine, &Arc::new(prepared)),
        }
    }
}

fn kernels(engines: &Engines, engine: &str) -> Vec<f64> {
    let pair = Pair::new(engines, engine, "kernels");
    let mut bare = pair.bare.instance(BenchHost::default());
    let mut metered = pair.metered.instance(BenchHost::default());
    let ratio = |(index, name): (u8, &&str)| {
        let operation = || vec![index];
        assert_eq!(
            bare.operation(operation()),
            metered.operation(operation()),
            "{name}: the results differ"
        );
        let subjects = [
            Subject::new("bare", || bare.operation(operation())),
            Subject::new("metered", || metered.operation(operation())),
        ];
        row(name, engine, subjects)
    };
    (0..).zip(&KERNELS).map(ratio).collect()
}

/// Measures, prints a line, and gives the ratio: the median over rounds, in which both ran one after the other.
fn row(name: &str, engine: &str, mut subjects: [Subject<'_>; 2]) -> f64 {
    let samples = sample(&mut subjects);
    let ratios = samples[1].iter().zip(&samples[0]);
    let ratio = median(ratios.map(|(metered, bare)| metered / bare).collect());
    let [bare, metered] = [0, 1].map(|side: usize| show(median(samples[side].clone())));
    println!("{name:<44} {engine:<9} {bare:>11} {metered:>11} {ratio:>6.2}x");
    ratio
}

fn summary(engine: &str, what: &str, ratios: &[f64]) {
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    println!(
        "== {engine}, {what}: median {:.2}x, worst {worst:.2}x\n",
        median(ratios.to_vec())
    );
}
