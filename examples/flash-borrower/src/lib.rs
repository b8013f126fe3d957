//! A trader that works with borrowed tokens.
//!
//! Its owner knows somebody who sells goods and somebody who buys them for more, and has no money.
//! So the trader borrows from the bank of `flash-loan`, buys, sells, repays, and keeps the
//! difference. The *goods* are another fungible token. Seller and buyer take part by approving the
//! trader as a spender; the prices are parameters, so they know what they agree to.
//!
//! What the trader does is a list of [`Step`]s. All steps can be in one transaction, or each in one
//! of its own: the bank only looks at the end of the block. On any chain but the trader's own, the
//! list is sent there as a message. The bank can also call the trader with a list, and takes its
//! money right after it.
//!
//! Nothing here keeps the owner honest. That the bank gets its money is the bank's affair.

#![forbid(unsafe_code)]

use flash_loan::{FlashLoanAbi, Loan};
use resident_sdk::{
    ContractAbi,
    abis::fungible::FungibleTokenAbi,
    base_types::{AccountOwner, Amount, ApplicationId},
};
use serde::{Deserialize, Serialize};

/// The most steps in one list.
pub const MAX_STEPS: usize = 16;

/// The types by which the trader is called.
#[derive(Clone, Copy, Debug)]
pub struct FlashBorrowerAbi;

impl ContractAbi for FlashBorrowerAbi {
    type Operation = Operation;
    type Response = ();
}

/// What is fixed when the application is created. There is no instantiation argument.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Parameters {
    /// Who lends. Also to be listed as an application that this one requires, and so are the tokens.
    pub bank: ApplicationId<FlashLoanAbi>,
    /// The token that is borrowed and paid with.
    pub money: ApplicationId<FungibleTokenAbi>,
    /// The token that is traded.
    pub goods: ApplicationId<FungibleTokenAbi>,
    /// Who says what to do.
    pub owner: AccountOwner,
    /// What the trader pays for each of the goods.
    pub buying_price: u64,
    /// What it asks for each of them.
    pub selling_price: u64,
}

/// What can be asked of the trader. It begins like
/// [`BorrowerOperation`](flash_loan::BorrowerOperation), so that the bank can call it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// Run the steps that are encoded in the instructions, and let the bank take what is owed for
    /// the loan. Only the bank may call this, in a transaction that the owner has signed.
    UseLoan(Loan),
    /// Run steps, or send them to the trader's own chain. The owner signs.
    Run {
        /// At most [`MAX_STEPS`].
        steps: Vec<Step>,
    },
}

/// One thing that the trader does.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Step {
    /// Borrow money from the bank.
    Borrow {
        /// How much.
        amount: Amount,
    },
    /// Buy goods from a seller, who has approved the trader to take them.
    Buy {
        /// Whose goods.
        seller: AccountOwner,
        /// How many.
        quantity: Amount,
    },
    /// Sell goods to a buyer, who has approved the trader to take the money for them.
    Sell {
        /// Who pays.
        buyer: AccountOwner,
        /// How many.
        quantity: Amount,
    },
    /// Repay money to the bank.
    Repay {
        /// How much.
        amount: Amount,
    },
    /// Pay money to the owner.
    Withdraw {
        /// How much.
        amount: Amount,
    },
}

/// What the trader sends to itself on its own chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Message {
    /// Run steps. Carries the signer, who must be the owner.
    Run {
        /// At most [`MAX_STEPS`].
        steps: Vec<Step>,
    },
}
