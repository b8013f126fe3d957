//! The contract.

#![cfg_attr(target_arch = "wasm32", no_main)]

mod pending;
mod state;
#[cfg(test)]
mod tests;

use netting::{InitialBalances, Message, NettingAbi, Operation, Settlement};
use resident_sdk::{
    Contract, ContractRuntime, WithContractAbi,
    base_types::{Account, AccountOwner, Amount},
    views::{RootView, View},
};

use self::{pending::Pending, state::NettingState};

resident_sdk::contract!(NettingContract);

struct NettingContract {
    state: NettingState,
    runtime: ContractRuntime<Self>,
    /// Of this block only.
    pending: Pending,
}

impl WithContractAbi for NettingContract {
    type Abi = NettingAbi;
}

impl Contract for NettingContract {
    type Message = Message;
    type EventValue = ();
    type Parameters = ();
    type InstantiationArgument = InitialBalances;

    async fn load(runtime: ContractRuntime<Self>) -> Self {
        let state = NettingState::load(runtime.root_view_storage_context())
            .await
            .expect("the balances can be read");
        NettingContract {
            state,
            runtime,
            pending: Pending::default(),
        }
    }

    /// A supply that fits in an `Amount` keeps every later sum from overflowing.
    async fn instantiate(&mut self, balances: InitialBalances) {
        let mut supply = Amount::ZERO;
        for (owner, amount) in balances {
            supply = supply
                .try_add(amount)
                .expect("the initial supply is too large");
            self.state.credit(&owner, amount).await;
        }
    }

    async fn execute_operation(&mut self, operation: Operation) -> Amount {
        let owner = match operation {
            Operation::Balance { owner } => owner,
            Operation::Transfer {
                source,
                amount,
                target,
            } => {
                self.transfer(source, amount, target).await;
                source.owner
            }
        };
        self.state.balance(&owner).await
    }

    async fn execute_message(&mut self, message: Message) {
        match message {
            Message::Settle(settlement) => self.settle(settlement).await,
            Message::Pay {
                owner,
                amount,
                target,
            } => {
                self.check_permission(owner);
                self.pay(owner, amount, target).await;
            }
        }
    }

    async fn store(mut self) {
        self.send_settlements();
        self.state
            .save()
            .await
            .expect("the balances can be written");
    }
}

impl NettingContract {
    fn check_permission(&mut self, owner: AccountOwner) {
        if self.runtime.check_account_permission(owner).is_err() {
            panic!("{owner} did not authorise this transfer");
        }
    }

    async fn transfer(&mut self, source: Account, amount: Amount, target: Account) {
        self.check_permission(source.owner);
        if source.chain_id == self.runtime.chain_id() {
            return self.pay(source.owner, amount, target).await;
        }
        let message = Message::Pay {
            owner: source.owner,
            amount,
            target,
        };
        self.runtime
            .prepare_message(message)
            .with_authentication()
            .send_to(source.chain_id);
    }

    /// Pays from an account of this chain: at once on the chain itself, when the block ends to others.
    async fn pay(&mut self, source: AccountOwner, amount: Amount, target: Account) {
        assert!(amount != Amount::ZERO, "a transfer cannot be zero");
        self.state.debit(&source, amount).await;
        if target.chain_id == self.runtime.chain_id() {
            self.state.credit(&target.owner, amount).await;
        } else {
            self.pending.add(source, amount, target);
        }
    }

    fn send_settlements(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for (destination, settlement) in pending.into_settlements() {
            self.runtime
                .prepare_message(Message::Settle(settlement))
                .with_tracking()
                .send_to(destination);
        }
    }

    /// Pays the receivers, or the payers if the receiving chain did not want it.
    async fn settle(&mut self, settlement: Settlement) {
        let bouncing = self.runtime.message_is_bouncing();
        let entries = match bouncing.expect("a message is being executed") {
            true => settlement.debits,
            false => settlement.credits,
        };
        for (owner, amount) in entries {
            self.state.credit(&owner, amount).await;
        }
    }
}
