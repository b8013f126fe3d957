//! An order book over two fungible tokens.
//!
//! Token 0 is the *base*, what is traded; token 1 is the *quote*, what is paid. A bid buys base
//! and an ask sells it, at its price or a better one. The book lives on the chain that created
//! the application. Orders placed on another chain move the funds there first and follow as a
//! message; what an order earns, and what is left of it, returns to the owner's account on the
//! chain it came from.
//!
//! Orders match by price, then by age. A trade happens at the price of the order that was in the
//! book first, so an incoming bid can pay less than it offered and gets the difference back. See
//! [`pricing`] for the amounts.

#![forbid(unsafe_code)]

pub mod pricing;

use resident_sdk::{
    ContractAbi,
    abis::fungible::FungibleTokenAbi,
    base_types::{AccountOwner, Amount, ApplicationId},
};
use serde::{Deserialize, Serialize};

/// The types by which the engine is called.
#[derive(Clone, Copy, Debug)]
pub struct MatchingEngineAbi;

impl ContractAbi for MatchingEngineAbi {
    type Operation = Operation;
    type Response = ();
}

/// What is fixed when the application is created. There is no instantiation argument.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Parameters {
    /// The base token, which is traded, and the quote token, which is paid. Also to be listed as
    /// applications that this one requires.
    pub tokens: [ApplicationId<FungibleTokenAbi>; 2],
    /// How many digits of a [`Price`] come after the decimal point, at most 38.
    pub price_decimals: u16,
}

/// What one whole base token costs in quote tokens, times `10^price_decimals`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Price {
    /// The number, never zero in an order.
    pub price: u64,
}

/// Which side of the book an order is on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum OrderNature {
    /// Buys base at the price or below, paying with quote.
    Bid,
    /// Sells base at the price or above, paid in quote.
    Ask,
}

/// Names an order. Counted up from zero by insertions, including those that were filled at once.
pub type OrderId = u64;

/// What an owner wants of the book.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Order {
    /// Trade as far as the book allows, and let the rest wait in it.
    Insert {
        /// Whose order, who pays and is paid.
        owner: AccountOwner,
        /// Whether it buys or sells.
        nature: OrderNature,
        /// How much base is bought or sold.
        quantity: Amount,
        /// The worst acceptable price.
        price: Price,
    },
    /// Take the order out of the book; what it had not spent returns to its owner.
    Cancel {
        /// Whose order.
        owner: AccountOwner,
        /// Which one.
        order_id: OrderId,
    },
    /// Make the order smaller; it keeps its place in the queue.
    Modify {
        /// Whose order.
        owner: AccountOwner,
        /// Which one.
        order_id: OrderId,
        /// How much base remains to be traded: not zero, and not more than now.
        new_quantity: Amount,
    },
}

impl Order {
    /// Whose order it is, who has to authorise it.
    pub fn owner(&self) -> AccountOwner {
        match self {
            Order::Insert { owner, .. }
            | Order::Cancel { owner, .. }
            | Order::Modify { owner, .. } => *owner,
        }
    }
}

/// What can be asked of the engine, on any chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// Execute the order, or send it to the chain of the book.
    ExecuteOrder {
        /// The order. Its owner signs the operation.
        order: Order,
    },
}

/// What the engine sends to itself on the chain of the book.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Message {
    /// Execute the order, whose funds were sent ahead. Carries the signer.
    ExecuteOrder {
        /// The order.
        order: Order,
    },
}
