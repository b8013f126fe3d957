//! Balances whose transfers leave as one message per destination.
//!
//! A transfer to another chain is paid at once, but no message is sent for it. The application
//! keeps in memory who gets how much where, and when the block is finalized it sends each chain one
//! message with the sums. A hundred transfers between a few accounts cost as much in messages as
//! one, and the receiving chain executes one message in place of a hundred.
//!
//! This shows what the end of a block is good for besides refusing it: there one knows all that
//! happened. What a bundle that failed had added to the sums is gone with it, since the sums are
//! part of the instance that is rolled back.
//!
//! The instantiation argument lists the balances on the creator's chain; there are no parameters.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use resident_sdk::{
    ContractAbi,
    base_types::{Account, AccountOwner, Amount},
};
use serde::{Deserialize, Serialize};

/// The most entries, payers and receivers together, that one block can send to all chains.
pub const MAX_ENTRIES: usize = 1_000;

/// The types by which the application is called.
#[derive(Clone, Copy, Debug)]
pub struct NettingAbi;

impl ContractAbi for NettingAbi {
    type Operation = Operation;
    type Response = Amount;
}

/// Who has how much on the creator's chain at first.
pub type InitialBalances = BTreeMap<AccountOwner, Amount>;

/// What can be asked of the application.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// Answers with what an owner has on this chain.
    Balance {
        /// Who.
        owner: AccountOwner,
    },
    /// Pay from an account of any chain to one of any chain. The source's owner signs. Answers with
    /// what that owner has left on this chain.
    Transfer {
        /// Who pays.
        source: Account,
        /// How much, not zero.
        amount: Amount,
        /// Who is paid.
        target: Account,
    },
}

/// What the application sends to itself on another chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Message {
    /// The transfers of one block. Sent with tracking: if the receiving chain rejects it, the
    /// payers get back what they paid.
    Settle(Settlement),
    /// Pay from an account of the receiving chain. Carries the signer, who must be its owner.
    Pay {
        /// Who pays.
        owner: AccountOwner,
        /// How much.
        amount: Amount,
        /// Who is paid.
        target: Account,
    },
}

/// All transfers of one block to one chain. Both sides have the same sum.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Settlement {
    /// Who paid how much, on the sending chain.
    pub debits: BTreeMap<AccountOwner, Amount>,
    /// Who gets how much, on the receiving chain.
    pub credits: BTreeMap<AccountOwner, Amount>,
}
