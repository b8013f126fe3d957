//! The engine's contract.

#![cfg_attr(target_arch = "wasm32", no_main)]

mod book;
#[cfg(test)]
mod conservation;
mod state;
#[cfg(test)]
mod tests;

use matching_engine::{MatchingEngineAbi, Message, Operation, Order, Parameters, pricing::Pricing};
use resident_sdk::{
    Contract, ContractRuntime, WithContractAbi,
    abis::fungible::{FungibleOperation, FungibleTokenAbi},
    base_types::{Account, AccountOwner, Amount, ApplicationId, ChainId},
    views::{RootView, View},
};

use self::{
    book::{Payment, locked_token},
    state::{MatchingEngineState, OpenOrder},
};

resident_sdk::contract!(MatchingEngineContract);

struct MatchingEngineContract {
    state: MatchingEngineState,
    runtime: ContractRuntime<Self>,
    tokens: [ApplicationId<FungibleTokenAbi>; 2],
    pricing: Pricing,
    /// The engine's own account, on the chain of the book.
    vault: Account,
}

impl WithContractAbi for MatchingEngineContract {
    type Abi = MatchingEngineAbi;
}

impl Contract for MatchingEngineContract {
    type Message = Message;
    type EventValue = ();
    type Parameters = Parameters;
    type InstantiationArgument = ();

    async fn load(mut runtime: ContractRuntime<Self>) -> Self {
        let state = MatchingEngineState::load(runtime.root_view_storage_context())
            .await
            .expect("the engine's state can be read");
        let Parameters {
            tokens,
            price_decimals,
        } = runtime.application_parameters();
        let pricing = Pricing::new(price_decimals).expect("price_decimals is at most 38");
        let owner = AccountOwner::from(runtime.application_id());
        let vault = Account::new(runtime.application_creator_chain_id(), owner);
        MatchingEngineContract {
            state,
            runtime,
            tokens,
            pricing,
            vault,
        }
    }

    async fn instantiate(&mut self, (): ()) {
        let [base, quote] = self.tokens;
        assert!(base != quote, "a token cannot be traded for itself");
    }

    async fn execute_operation(&mut self, operation: Operation) {
        let Operation::ExecuteOrder { order } = operation;
        self.check_permission(&order);
        self.lock_funds(&order);
        let here = self.runtime.chain_id();
        if here == self.vault.chain_id {
            self.execute(order, here).await;
        } else {
            self.runtime
                .prepare_message(Message::ExecuteOrder { order })
                .with_authentication()
                .send_to(self.vault.chain_id);
        }
    }

    async fn execute_message(&mut self, message: Message) {
        let Message::ExecuteOrder { order } = message;
        self.check_permission(&order);
        let origin = self.runtime.message_origin_chain_id();
        self.execute(order, origin.expect("a message is being executed"))
            .await;
    }

    async fn store(mut self) {
        self.state
            .save()
            .await
            .expect("the engine's state can be written");
    }
}

impl MatchingEngineContract {
    fn check_permission(&mut self, order: &Order) {
        let owner = order.owner();
        if self.runtime.check_account_permission(owner).is_err() {
            panic!("{owner} did not authorise its order");
        }
    }

    /// Moves what a new order may spend from its owner, on this chain, to the engine. A token's
    /// message to the chain of the book leaves before the order's, and so arrives before it.
    fn lock_funds(&mut self, order: &Order) {
        let Order::Insert {
            owner,
            nature,
            quantity,
            price,
        } = *order
        else {
            return;
        };
        let amount = self.pricing.check(nature, quantity, price);
        let amount = amount.unwrap_or_else(|error| panic!("{error}"));
        self.transfer(locked_token(nature), owner, amount, self.vault);
    }

    /// Executes an order that has its funds, and pays what follows. `origin` is the chain that
    /// the order came from.
    async fn execute(&mut self, order: Order, origin: ChainId) {
        let pricing = self.pricing;
        let payments = match order {
            Order::Insert {
                owner,
                nature,
                quantity,
                price,
            } => {
                let account = Account::new(origin, owner);
                let order = OpenOrder {
                    nature,
                    price,
                    quantity,
                    account,
                };
                self.state.insert(order, pricing).await
            }
            Order::Cancel { owner, order_id } => {
                Vec::from_iter(self.state.cancel(owner, order_id, pricing).await)
            }
            Order::Modify {
                owner,
                order_id,
                new_quantity,
            } => Vec::from_iter(
                self.state
                    .modify(owner, order_id, new_quantity, pricing)
                    .await,
            ),
        };
        for Payment {
            token,
            amount,
            account,
        } in payments
        {
            self.transfer(token, self.vault.owner, amount, account);
        }
    }

    fn transfer(
        &mut self,
        token: usize,
        owner: AccountOwner,
        amount: Amount,
        target_account: Account,
    ) {
        let transfer = FungibleOperation::Transfer {
            owner,
            amount,
            target_account,
        };
        self.runtime
            .call_application(true, self.tokens[token], &transfer);
    }
}
