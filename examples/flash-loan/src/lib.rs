//! A bank that lends within a block.
//!
//! Whoever asks gets tokens of the bank's reserves without any security, and has until the end of
//! the block to bring them back with interest: in the same transaction or in another one, from its
//! own account or through somebody else. The bank keeps what it lent in this block in memory. When
//! the block is finalized and something is missing, it panics with how much that is, and so refuses
//! the whole block: then nothing was ever lent.
//!
//! This shows three things. One instance serves a whole block, so that what a transaction leaves in
//! memory is there for the next. If a bundle is rolled back, so is that memory, and a repayment
//! that did not happen is not in the books either. And [`store`](resident_sdk::Contract::store) may
//! refuse. Applications cannot be called any more by then, so the bank does not ask the token for
//! its balance: every token that it lends or takes back goes through its own hands, and it only
//! believes transfers that it made itself.
//!
//! The reserves are what the bank's own account has of the token, on the chain that the bank is
//! used on; anybody can add to them by a transfer.

#![forbid(unsafe_code)]

use resident_sdk::{
    ContractAbi,
    abis::fungible::FungibleTokenAbi,
    base_types::{AccountOwner, Amount, ApplicationId},
};
use serde::{Deserialize, Serialize};

/// The types by which the bank is called.
#[derive(Clone, Copy, Debug)]
pub struct FlashLoanAbi;

impl ContractAbi for FlashLoanAbi {
    type Operation = Operation;
    type Response = Amount;
}

/// What is fixed when the application is created. There is no instantiation argument.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Parameters {
    /// The token that is lent. Also to be listed as an application that this one requires.
    pub token: ApplicationId<FungibleTokenAbi>,
    /// The interest on a loan in hundredths of a percent. It is rounded up.
    pub interest_basis_points: u32,
    /// Who may take reserves out of the bank.
    pub owner: AccountOwner,
}

/// What can be asked of the bank.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// Lend tokens to whoever asks: the application that calls, otherwise the signer. Answers with
    /// what is owed for them.
    Borrow {
        /// How much, not zero.
        amount: Amount,
    },
    /// Take tokens from whoever asks, to pay what a borrower owes. An application has to approve
    /// the bank as a spender of its tokens before. Answers with what is still owed.
    Repay {
        /// Whose debt.
        borrower: AccountOwner,
        /// How much, not zero and not more than is owed.
        amount: Amount,
    },
    /// Lend tokens to an application, call it, and then take what it owes for them, which it has to
    /// approve. Answers with what that was.
    LendAndCall {
        /// Which application. It understands [`BorrowerOperation`].
        borrower: ApplicationId,
        /// How much, not zero.
        amount: Amount,
        /// What it is told to do with the tokens.
        instructions: Vec<u8>,
    },
    /// Answers with what a borrower owes.
    Owed {
        /// Who.
        borrower: AccountOwner,
    },
    /// Answers with the interest that the bank earned on this chain in the blocks before.
    Earned,
    /// Pay reserves to the bank's owner, who signs or calls. Answers with how much.
    Withdraw {
        /// How much.
        amount: Amount,
    },
}

/// What the bank calls borrowers with. Their own operations may begin with this one and go on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum BorrowerOperation {
    /// Use tokens that the bank has just lent.
    UseLoan(Loan),
}

/// Tokens that an application has just got.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Loan {
    /// What the bank will take for them when the call returns.
    pub owed: Amount,
    /// What to do with them.
    pub instructions: Vec<u8>,
}

/// The types by which the bank calls borrowers.
#[derive(Clone, Copy, Debug)]
pub struct BorrowerAbi;

impl ContractAbi for BorrowerAbi {
    type Operation = BorrowerOperation;
    type Response = ();
}
