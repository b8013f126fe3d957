//! Where the compiled contracts are.

use std::{env, fs, path::PathBuf};

use resident_base::Bytecode;

/// The environment variable that names the folder with the compiled contracts. Without it they are
/// looked for in the workspace's `target/contracts`.
pub const CONTRACTS_VARIABLE: &str = "RESIDENT_CONTRACTS";

/// The compiled contract of an example, by the name of its folder, such as `matching-engine`.
///
/// # Panics
/// If it was not built; the message says how.
pub fn contract(name: &str) -> Bytecode {
    let file = folder().join(format!("{name}.wasm"));
    let bytes = fs::read(&file).unwrap_or_else(|error| {
        panic!(
            "cannot read the contract {} ({error}): run scripts/build-contracts.sh, or name the folder with it in \
             {CONTRACTS_VARIABLE}",
            file.display()
        )
    });
    Bytecode::new(bytes)
}

fn folder() -> PathBuf {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    env::var_os(CONTRACTS_VARIABLE).map_or_else(
        || PathBuf::from(workspace).join("target/contracts"),
        PathBuf::from,
    )
}
