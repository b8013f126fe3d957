//! A token that can be kept on any chain and sent between chains.
//!
//! Callers use [`FungibleTokenAbi`] and its operations, which are the SDK's own, so that an
//! application can work with any token that follows them. The parameters name the ticker symbol;
//! the instantiation argument lists the accounts that hold the supply on the creator's chain.

#![forbid(unsafe_code)]

pub use resident_sdk::abis::fungible::{
    FungibleOperation, FungibleResponse, FungibleTokenAbi, InitialState, InitialStateBuilder,
    Parameters,
};
use resident_sdk::base_types::{Account, AccountOwner, Amount};
use serde::{Deserialize, Serialize};

/// What the token sends to itself on another chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Message {
    /// Tokens that arrive. Sent with tracking: if the receiving chain rejects them, they return.
    Credit {
        /// Who receives the tokens.
        target: AccountOwner,
        /// How many.
        amount: Amount,
        /// Who is credited on the sending chain if the message bounces.
        source: AccountOwner,
    },
    /// A claim: take tokens from an account on the receiving chain and send them on. Carries the
    /// signer, who must be the owner.
    Withdraw {
        /// Whose tokens are taken.
        owner: AccountOwner,
        /// How many.
        amount: Amount,
        /// Where they go.
        target_account: Account,
    },
}
