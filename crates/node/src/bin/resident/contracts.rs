//! The compiled example contracts.

use std::{fs, path::Path};

use resident_base::Bytecode;
use resident_base::VmRuntime;
use resident_execution::{Operation, SystemOperation};

use crate::CommandResult;

/// The Wasm code of the examples.
pub(crate) struct Contracts {
    pub(crate) counter: Bytecode,
    pub(crate) fungible: Bytecode,
    pub(crate) matching_engine: Bytecode,
}

impl Contracts {
    /// Reads `<example>.wasm` for every example.
    pub(crate) fn read(folder: &Path) -> CommandResult<Self> {
        Ok(Self {
            counter: read(folder, "counter")?,
            fungible: read(folder, "fungible")?,
            matching_engine: read(folder, "matching-engine")?,
        })
    }
}

/// The operation that publishes a contract without a service.
pub(crate) fn publish(contract: &Bytecode) -> Operation {
    Operation::System(SystemOperation::PublishModule {
        contract: contract.clone(),
        service: Bytecode::new(Vec::new()),
        vm_runtime: VmRuntime::Wasm,
    })
}

fn read(folder: &Path, name: &str) -> CommandResult<Bytecode> {
    let file = folder.join(format!("{name}.wasm"));
    let bytes = fs::read(&file).map_err(|error| {
        format!(
            "cannot read {} ({error}); build it with scripts/build-contracts.sh",
            file.display()
        )
    })?;
    Ok(Bytecode::new(bytes))
}
