//! Who takes part, and what the trader is told to do.

use flash_borrower::Step;
use resident_base::{AccountOwner, Amount};
use resident_testing::TestChains;

use super::GOODS;

pub(super) fn tokens(amount: u128) -> Amount {
    Amount::from_tokens(amount)
}

pub(super) fn seller() -> AccountOwner {
    TestChains::owner(2)
}

pub(super) fn buyer() -> AccountOwner {
    TestChains::owner(3)
}

pub(super) fn borrow(amount: u128) -> Step {
    Step::Borrow {
        amount: tokens(amount),
    }
}

pub(super) fn repay(amount: u128) -> Step {
    Step::Repay {
        amount: tokens(amount),
    }
}

pub(super) fn withdraw(amount: u128) -> Step {
    Step::Withdraw {
        amount: tokens(amount),
    }
}

/// Buys all goods, and sells them.
pub(super) fn trade() -> [Step; 2] {
    let quantity = tokens(GOODS);
    let (seller, buyer) = (seller(), buyer());
    [
        Step::Buy { seller, quantity },
        Step::Sell { buyer, quantity },
    ]
}

/// More than the trader will ever have.
pub(super) fn failing() -> [Step; 1] {
    [withdraw(1_000_000)]
}
