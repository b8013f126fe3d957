//! The token's contract.

#![cfg_attr(target_arch = "wasm32", no_main)]

mod state;
#[cfg(test)]
mod tests;

use fungible::{
    FungibleOperation, FungibleResponse, FungibleTokenAbi, InitialState, Message, Parameters,
};
use resident_sdk::{
    Contract, ContractRuntime, WithContractAbi,
    base_types::{Account, AccountOwner, Amount, OwnerSpender},
    views::{RootView, View},
};

use self::state::FungibleTokenState;

resident_sdk::contract!(FungibleTokenContract);

struct FungibleTokenContract {
    state: FungibleTokenState,
    runtime: ContractRuntime<Self>,
}

impl WithContractAbi for FungibleTokenContract {
    type Abi = FungibleTokenAbi;
}

impl Contract for FungibleTokenContract {
    type Message = Message;
    type EventValue = ();
    type Parameters = Parameters;
    type InstantiationArgument = InitialState;

    async fn load(runtime: ContractRuntime<Self>) -> Self {
        let state = FungibleTokenState::load(runtime.root_view_storage_context())
            .await
            .expect("the token's state can be read");
        FungibleTokenContract { state, runtime }
    }

    async fn instantiate(&mut self, initial: InitialState) {
        // Parameters that cannot be read should fail here and not when the first caller asks.
        let _ = self.runtime.application_parameters();
        self.state.initialize(initial.accounts).await;
    }

    async fn execute_operation(&mut self, operation: FungibleOperation) -> FungibleResponse {
        match operation {
            FungibleOperation::Balance { owner } => {
                return FungibleResponse::Balance(self.state.balance(&owner).await);
            }
            FungibleOperation::TickerSymbol => return self.ticker_symbol(),
            FungibleOperation::Approve {
                owner,
                spender,
                allowance,
            } => {
                self.check_permission(owner);
                self.state
                    .approve(&OwnerSpender::new(owner, spender), allowance)
                    .await;
            }
            FungibleOperation::Transfer {
                owner,
                amount,
                target_account,
            } => {
                self.check_permission(owner);
                self.pay(owner, amount, target_account).await;
            }
            FungibleOperation::TransferFrom {
                owner,
                spender,
                amount,
                target_account,
            } => {
                self.check_permission(spender);
                self.state
                    .spend_approval(&OwnerSpender::new(owner, spender), amount)
                    .await;
                self.pay(owner, amount, target_account).await;
            }
            FungibleOperation::Claim {
                source_account,
                amount,
                target_account,
            } => {
                self.claim(source_account, amount, target_account).await;
            }
        }
        FungibleResponse::Ok
    }

    async fn execute_message(&mut self, message: Message) {
        match message {
            Message::Credit {
                target,
                amount,
                source,
            } => {
                let bouncing = self.runtime.message_is_bouncing();
                let bouncing = bouncing.expect("a message is being executed");
                let receiver = if bouncing { source } else { target };
                self.state.credit(&receiver, amount).await;
            }
            Message::Withdraw {
                owner,
                amount,
                target_account,
            } => {
                self.check_permission(owner);
                self.pay(owner, amount, target_account).await;
            }
        }
    }

    async fn store(mut self) {
        self.state
            .save()
            .await
            .expect("the token's state can be written");
    }
}

impl FungibleTokenContract {
    fn ticker_symbol(&mut self) -> FungibleResponse {
        FungibleResponse::TickerSymbol(self.runtime.application_parameters().ticker_symbol)
    }

    fn check_permission(&mut self, owner: AccountOwner) {
        if self.runtime.check_account_permission(owner).is_err() {
            panic!("{owner} did not authorise this use of its tokens");
        }
    }

    /// Moves tokens from an account of this chain to one of any chain.
    async fn pay(&mut self, source: AccountOwner, amount: Amount, target: Account) {
        self.state.debit(&source, amount).await;
        if target.chain_id == self.runtime.chain_id() {
            self.state.credit(&target.owner, amount).await;
            return;
        }
        let message = Message::Credit {
            target: target.owner,
            amount,
            source,
        };
        self.runtime
            .prepare_message(message)
            .with_authentication()
            .with_tracking()
            .send_to(target.chain_id);
    }

    /// Moves tokens from an account of any chain, which pays when the message arrives there.
    async fn claim(&mut self, source: Account, amount: Amount, target_account: Account) {
        self.check_permission(source.owner);
        if source.chain_id == self.runtime.chain_id() {
            return self.pay(source.owner, amount, target_account).await;
        }
        let message = Message::Withdraw {
            owner: source.owner,
            amount,
            target_account,
        };
        self.runtime
            .prepare_message(message)
            .with_authentication()
            .send_to(source.chain_id);
    }
}
