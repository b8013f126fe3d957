//! A sponsor that repays what another application borrowed.
//!
//! It has money of its own. On its owner's word it asks the bank of `flash-loan` what a borrower
//! still owes, and pays that. To the bank it makes no difference who repays, nor when, as long as
//! it is in the same block.
//!
//! Asking first matters: the bank takes no more than is owed, and the amount is only known once the
//! transactions before have run.

#![forbid(unsafe_code)]

use flash_loan::FlashLoanAbi;
use resident_sdk::{
    ContractAbi,
    abis::fungible::FungibleTokenAbi,
    base_types::{AccountOwner, Amount, ApplicationId},
};
use serde::{Deserialize, Serialize};

/// The types by which the sponsor is called.
#[derive(Clone, Copy, Debug)]
pub struct FlashRepayerAbi;

impl ContractAbi for FlashRepayerAbi {
    type Operation = Operation;
    type Response = ();
}

/// What is fixed when the application is created. There is no instantiation argument.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Parameters {
    /// Who lends. Also to be listed as an application that this one requires, and so is the token.
    pub bank: ApplicationId<FlashLoanAbi>,
    /// The token that the bank lends.
    pub token: ApplicationId<FungibleTokenAbi>,
    /// On whose word the sponsor pays.
    pub owner: AccountOwner,
}

/// What can be asked of the sponsor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// Pay everything that a borrower owes, or send that wish to the sponsor's own chain. The owner
    /// signs.
    Repay {
        /// Whose debt.
        borrower: AccountOwner,
        /// If it is more than this, nothing is paid and the transaction fails.
        at_most: Amount,
    },
}

/// What the sponsor sends to itself on its own chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Message {
    /// Pay everything that a borrower owes. Carries the signer, who must be the owner.
    Repay {
        /// Whose debt.
        borrower: AccountOwner,
        /// If it is more than this, nothing is paid and the message fails.
        at_most: Amount,
    },
}
