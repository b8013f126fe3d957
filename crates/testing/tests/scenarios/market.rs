//! An order book on one chain, and traders who have funds on their own chains.

use matching_engine::{
    MatchingEngineAbi, Message, Operation, Order, OrderNature, Parameters, Price,
};
use resident_base::{AccountOwner, Amount, ApplicationId};
use resident_chain::{StagingPolicy, Transaction};
use resident_sdk::abis::fungible::FungibleTokenAbi;
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::bundles;

/// What every trader has of both tokens, in the smallest units.
pub(crate) const FUNDS: u128 = 1_000_000;

/// How many trade; the first one does so on the chain of the book.
pub(crate) const TRADERS: usize = 3;

pub(crate) struct Market {
    pub(crate) chains: TestChains,
    pub(crate) traders: [TestChain; TRADERS],
    pub(crate) tokens: [ApplicationId<FungibleTokenAbi>; 2],
    pub(crate) engine: ApplicationId<MatchingEngineAbi>,
}

impl Market {
    pub(crate) fn open(price_decimals: u16) -> Self {
        Self::open_on(TestChains::new(PAIRS[0]), price_decimals)
    }

    pub(crate) fn open_on(chains: TestChains, price_decimals: u16) -> Self {
        let host = chains.open_root(1);
        let traders = [
            host,
            chains.open_child(&host, 2),
            chains.open_child(&host, 3),
        ];
        let supply = [(host.owner, Amount::from_attos(FUNDS * TRADERS as u128))];
        let tokens = ["BASE", "QUOTE"].map(|symbol| chains.create_fungible(&host, symbol, supply));
        let module = chains.publish(&host, "matching-engine");
        let required = tokens.map(ApplicationId::forget_abi).to_vec();
        let parameters = Parameters {
            tokens,
            price_decimals,
        };
        let engine = chains
            .create(&host, module, &parameters, &(), required)
            .with_abi();
        let market = Self {
            chains,
            traders,
            tokens,
            engine,
        };
        market.fund();
        market
    }

    fn fund(&self) {
        let transfers = self.tokens.iter().flat_map(|token| {
            let funds = Amount::from_attos(FUNDS);
            let to = move |trader| TestChains::transfer(self.host(), *token, funds, trader);
            self.traders[1..].iter().map(to)
        });
        self.chains.run(self.host(), transfers.collect());
        self.settle();
    }

    /// The chain of the book.
    pub(crate) fn host(&self) -> &TestChain {
        &self.traders[0]
    }

    /// Brings what the book paid to the traders' chains.
    pub(crate) fn settle(&self) {
        self.chains.deliver(self.host());
        for trader in &self.traders[1..] {
            let bundles = self.chains.inbox_transactions(trader);
            let policy = StagingPolicy::Abort;
            self.chains
                .add_everywhere(trader, &bundles, &policy)
                .expect("credits do not fail");
        }
    }

    /// A trader's orders, each an operation on the trader's own chain, and their delivery.
    pub(crate) fn place(&self, trader: usize, orders: &[Order]) {
        let operations = orders.iter().map(|order| self.operation(order)).collect();
        self.chains.run(&self.traders[trader], operations);
        self.chains.deliver(&self.traders[trader]);
    }

    /// An order as an operation.
    pub(crate) fn operation(&self, order: &Order) -> resident_execution::Operation {
        TestChains::operation(self.engine, &Operation::ExecuteOrder { order: *order })
    }

    /// An order as a message, which arrives without any funds.
    pub(crate) fn unfunded(&self, order: &Order) -> (ApplicationId, Vec<u8>) {
        let message = Message::ExecuteOrder { order: *order };
        (
            self.engine.forget_abi(),
            bcs::to_bytes(&message).expect("a message can be encoded"),
        )
    }

    /// Tokens out of nowhere, as a message.
    pub(crate) fn credit(
        &self,
        token: usize,
        target: AccountOwner,
        attos: u128,
    ) -> (ApplicationId, Vec<u8>) {
        let amount = Amount::from_attos(attos);
        let message = fungible::Message::Credit {
            target,
            amount,
            source: target,
        };
        let bytes = bcs::to_bytes(&message).expect("a message can be encoded");
        (self.tokens[token].forget_abi(), bytes)
    }

    /// What waits in the inbox of the book's chain.
    pub(crate) fn inbox(&self) -> Vec<Transaction> {
        self.chains.inbox_transactions(self.host())
    }

    /// What a trader has on the own chain.
    pub(crate) fn balance(&self, token: usize, trader: usize) -> u128 {
        let chain = &self.traders[trader];
        self.chains
            .token_balance(chain, self.tokens[token], chain.owner)
            .to_attos()
    }

    /// What the book holds.
    pub(crate) fn held(&self, token: usize) -> u128 {
        let vault = AccountOwner::from(self.engine.forget_abi());
        self.chains
            .token_balance(self.host(), self.tokens[token], vault)
            .to_attos()
    }

    pub(crate) fn owner(&self, trader: usize) -> AccountOwner {
        self.traders[trader].owner
    }

    pub(crate) fn insert(
        &self,
        trader: usize,
        nature: OrderNature,
        quantity: u128,
        price: u64,
    ) -> Order {
        let (owner, quantity) = (self.owner(trader), Amount::from_attos(quantity));
        Order::Insert {
            owner,
            nature,
            quantity,
            price: Price { price },
        }
    }
}

/// A bundle from nowhere.
pub(crate) fn bundle(
    market: &Market,
    origin: u8,
    height: u64,
    trader: usize,
    messages: Vec<(ApplicationId, Vec<u8>)>,
) -> Transaction {
    bundles::bundle(
        bundles::stranger(origin),
        height,
        Some(market.owner(trader)),
        messages,
    )
}
