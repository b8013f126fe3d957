//! The choices a node makes once: which engine, which session, and what a block is run for.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// Which engine runs Wasm contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineKind {
    /// Wasmtime with Cranelift.
    Wasmtime,
    /// Wasmer with Cranelift.
    Wasmer,
}

impl EngineKind {
    /// Every engine there is.
    pub const ALL: [Self; 2] = [Self::Wasmtime, Self::Wasmer];
}

/// What keeps instances during a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionKind {
    /// Instances live from their first use to the end of the block.
    Persistent,
    /// Every transaction gets fresh instances, restored from snapshots of the transaction before.
    PerTransaction,
}

impl SessionKind {
    /// Every kind of session there is.
    pub const ALL: [Self; 2] = [Self::Persistent, Self::PerTransaction];
}

/// What a block is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Building a block: transactions may fail and be undone.
    Staging,
    /// Re-executing a fixed block: any failure refuses it, so no checkpoints are taken.
    Committed,
}

/// A name that stands for none of the choices.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown {what} `{name}`: choose {choices}")]
pub struct UnknownChoice {
    what: &'static str,
    name: String,
    choices: &'static str,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            EngineKind::Wasmtime => "wasmtime",
            EngineKind::Wasmer => "wasmer",
        })
    }
}

impl FromStr for EngineKind {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, UnknownChoice> {
        match name {
            "wasmtime" => Ok(EngineKind::Wasmtime),
            "wasmer" => Ok(EngineKind::Wasmer),
            _ => Err(UnknownChoice {
                what: "engine",
                name: name.to_owned(),
                choices: "wasmtime or wasmer",
            }),
        }
    }
}

impl fmt::Display for SessionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            SessionKind::Persistent => "persistent",
            SessionKind::PerTransaction => "per-transaction",
        })
    }
}

impl FromStr for SessionKind {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, UnknownChoice> {
        match name {
            "persistent" => Ok(SessionKind::Persistent),
            "per-transaction" => Ok(SessionKind::PerTransaction),
            _ => Err(UnknownChoice {
                what: "session",
                name: name.to_owned(),
                choices: "persistent or per-transaction",
            }),
        }
    }
}
