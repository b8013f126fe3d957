//! Prepares the modules of scripts.

use resident_wasm::prepare::{
    Limits, PrepareError, PreparedModule, RefusalReason, prepare_with_limits,
};

use crate::{adapt::adapt, machine::SURFACE, tally::kind};

/// The protocol's limits, except where the suite tests sizes that no contract gets.
const LIMITS: Limits = Limits {
    memory_maximum_pages: 65_536,
    branch_targets: 65_536,
    ..Limits::PROTOCOL
};

/// Prepares a module that is valid, with a memory if it has none.
pub(crate) fn prepare_valid(code: &[u8]) -> Result<PreparedModule, Refusal> {
    let code = adapt(code).ok_or(Refusal::NameTaken)?;
    prepare_with_limits(&code, &SURFACE, &LIMITS).map_err(Refusal::Refused)
}

/// The reason for refusing a module that is not valid; `None` if validation lets it pass.
///
/// It is prepared as it is, since a memory could make it valid. Preparation asks for the memory last.
pub(crate) fn refusal_of_invalid(code: &[u8]) -> Option<String> {
    let refusal = prepare_with_limits(code, &SURFACE, &LIMITS).err()?;
    let passed = matches!(refusal.reason, RefusalReason::MissingExport { .. });
    (!passed).then(|| format!("refused: {}", kind(&refusal.reason)))
}

/// Why a valid module is left out.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It exports something else as `memory`, so it cannot be given one.
    NameTaken,
    Refused(PrepareError),
}

impl Refusal {
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::NameTaken => "skipped: the name `memory` is taken".into(),
            Self::Refused(error) => format!("refused: {}", kind(&error.reason)),
        }
    }

    /// Whether preparation takes it for a module that is not valid.
    pub(crate) fn is_invalid(&self) -> bool {
        match self {
            Self::NameTaken => false,
            Self::Refused(error) => matches!(error.reason, RefusalReason::Invalid { .. }),
        }
    }
}
