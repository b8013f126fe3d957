//! A register that operations add to.
//!
//! The smallest application that keeps state: one number, set when the application is created.
//! The instantiation argument is that first value, a `u64`; there are no parameters and no
//! messages.

#![forbid(unsafe_code)]

use resident_sdk::{ContractAbi, ServiceAbi};
use serde::{Deserialize, Serialize};

/// The types by which the counter is called.
#[derive(Clone, Copy, Debug)]
pub struct CounterAbi;

impl ContractAbi for CounterAbi {
    type Operation = Operation;
    type Response = u64;
}

impl ServiceAbi for CounterAbi {
    type Query = Query;
    type QueryResponse = u64;
}

/// What can be asked of the counter's service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Query {
    /// The current value.
    Value,
    /// What the value would be after adding to it. Schedules the operation that does.
    Increment {
        /// How much to add.
        value: u64,
    },
}

/// What can be asked of the counter's contract.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// Add to the counter; the response is its new value. Fails if the sum exceeds 64 bits.
    Increment {
        /// How much to add.
        value: u64,
    },
}
