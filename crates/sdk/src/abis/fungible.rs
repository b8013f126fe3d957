//! The ABI of fungible tokens: who implements it can be traded by whoever calls it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    abi::ContractAbi,
    base_types::{Account, AccountOwner, Amount},
};

/// The ABI of a fungible token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FungibleTokenAbi;

impl ContractAbi for FungibleTokenAbi {
    type Operation = FungibleOperation;
    type Response = FungibleResponse;
}

/// Queries are GraphQL.
#[cfg(feature = "graphql")]
impl crate::abi::ServiceAbi for FungibleTokenAbi {
    type Query = async_graphql::Request;
    type QueryResponse = async_graphql::Response;
}

/// What a token can be asked to do.
#[cfg_attr(feature = "graphql", derive(crate::graphql::GraphQLMutationRoot))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FungibleOperation {
    /// How much an owner has on this chain.
    Balance {
        /// Whose balance.
        owner: AccountOwner,
    },
    /// The token's ticker symbol.
    TickerSymbol,
    /// Lets a spender transfer up to an allowance from an owner's account.
    Approve {
        /// Whose tokens may be spent.
        owner: AccountOwner,
        /// Who may spend them.
        spender: AccountOwner,
        /// How much may be spent.
        allowance: Amount,
    },
    /// Moves tokens from an owner's account on this chain.
    Transfer {
        /// Whose tokens move.
        owner: AccountOwner,
        /// How many tokens move.
        amount: Amount,
        /// Where they go, possibly on another chain.
        target_account: Account,
    },
    /// Moves tokens out of an allowance.
    TransferFrom {
        /// Whose tokens move.
        owner: AccountOwner,
        /// Who spends the allowance.
        spender: AccountOwner,
        /// How many tokens move.
        amount: Amount,
        /// Where they go, possibly on another chain.
        target_account: Account,
    },
    /// Moves tokens from the owner's account on another chain.
    Claim {
        /// Where the tokens are.
        source_account: Account,
        /// How many tokens move.
        amount: Amount,
        /// Where they go.
        target_account: Account,
    },
}

/// What a token answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FungibleResponse {
    /// Done.
    #[default]
    Ok,
    /// The balance asked for.
    Balance(Amount),
    /// The ticker symbol asked for.
    TickerSymbol(String),
}

/// The parameters of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// The token's short name.
    pub ticker_symbol: String,
}

impl Parameters {
    /// Parameters with this ticker symbol.
    pub fn new(ticker_symbol: &str) -> Self {
        Parameters {
            ticker_symbol: ticker_symbol.to_owned(),
        }
    }
}

/// Who has how much when the token is created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitialState {
    /// The balances on the creating chain.
    pub accounts: BTreeMap<AccountOwner, Amount>,
}

/// Builds an [`InitialState`].
#[derive(Clone, Debug, Default)]
pub struct InitialStateBuilder {
    accounts: BTreeMap<AccountOwner, Amount>,
}

impl InitialStateBuilder {
    /// Adds an account, or replaces its balance.
    #[must_use]
    pub fn with_account(mut self, owner: AccountOwner, balance: impl Into<Amount>) -> Self {
        self.accounts.insert(owner, balance.into());
        self
    }

    /// The finished initial state.
    pub fn build(&self) -> InitialState {
        InitialState {
            accounts: self.accounts.clone(),
        }
    }
}
