//! What a unit of fuel stands for: nanoseconds and bytes per fuel of every host function and of every way to
//! enter, load, create, publish and fail, beside those of plain instructions.
//!
//! Each case is a contract that does one thing in a loop. It runs in whole blocks, so that what a call leaves
//! for the end of the block is in its time, and two lengths of the loop are subtracted from each other, so
//! that the block itself is not. `cargo bench --workspace --bench calibration [NAME]`, after
//! `scripts/build-contracts.sh`; any build of the workspace's own crates that is optimised will do.

mod cases;
mod contract;
mod scene;

use cases::cases;
use scene::{Scene, Spent};

/// A case may take this many times as long as the dearest plain instructions that stay in the cache, for the same fuel.
const MOST: f64 = 2.0;

fn main() {
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let is_wanted = |name: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| name.contains(wanted.as_str()))
    };
    let mut scene = Scene::new();
    let plain: Vec<_> = cases::plain()
        .iter()
        .map(|case| Spent::of(&mut scene, case).nanoseconds_per_fuel())
        .collect();
    let plain = plain.into_iter().fold(0.0, f64::max);
    println!("the dearest plain instructions take {plain:.3} ns a unit of fuel");
    println!(
        "{:<44} {:>10} {:>12} {:>9} {:>7} {:>10} {:>9}",
        "case", "fuel", "time", "ns/fuel", "x plain", "bytes", "B/fuel"
    );
    let mut worst = Vec::new();
    for case in cases() {
        if !is_wanted(&case.name) {
            continue;
        }
        let spent = Spent::of(&mut scene, &case);
        let ratio = spent.nanoseconds_per_fuel() / plain;
        println!(
            "{:<44} {:>10.0} {:>9.0} ns {:>9.3} {:>7.2} {:>10.0} {:>9.3}",
            case.name,
            spent.fuel,
            spent.nanoseconds,
            spent.nanoseconds_per_fuel(),
            ratio,
            spent.bytes,
            spent.bytes / spent.fuel.max(1.0),
        );
        if ratio > MOST && !case.fails && !case.name.starts_with("plain/") {
            worst.push((case.name, ratio));
        }
    }
    for (name, ratio) in worst {
        println!("more than {MOST} times plain: {name} ({ratio:.2})");
    }
}
