//! The sponsor's contract. It stores nothing: what it has are tokens.

#![cfg_attr(target_arch = "wasm32", no_main)]

#[cfg(test)]
mod tests;

use flash_loan::Operation as BankOperation;
use flash_repayer::{FlashRepayerAbi, Message, Operation, Parameters};
use resident_sdk::{
    Contract, ContractRuntime, WithContractAbi,
    abis::fungible::FungibleOperation,
    base_types::{AccountOwner, Amount},
};

resident_sdk::contract!(FlashRepayerContract);

struct FlashRepayerContract {
    runtime: ContractRuntime<Self>,
    parameters: Parameters,
}

impl WithContractAbi for FlashRepayerContract {
    type Abi = FlashRepayerAbi;
}

impl Contract for FlashRepayerContract {
    type Message = Message;
    type EventValue = ();
    type Parameters = Parameters;
    type InstantiationArgument = ();

    async fn load(mut runtime: ContractRuntime<Self>) -> Self {
        let parameters = runtime.application_parameters();
        FlashRepayerContract {
            runtime,
            parameters,
        }
    }

    async fn instantiate(&mut self, (): ()) {}

    async fn execute_operation(&mut self, operation: Operation) {
        let Operation::Repay { borrower, at_most } = operation;
        let home = self.runtime.application_creator_chain_id();
        if self.runtime.chain_id() == home {
            return self.repay(borrower, at_most);
        }
        self.runtime
            .prepare_message(Message::Repay { borrower, at_most })
            .with_authentication()
            .send_to(home);
    }

    async fn execute_message(&mut self, message: Message) {
        let Message::Repay { borrower, at_most } = message;
        self.repay(borrower, at_most);
    }

    async fn store(self) {}
}

impl FlashRepayerContract {
    fn repay(&mut self, borrower: AccountOwner, at_most: Amount) {
        let owner = self.parameters.owner;
        let signer = self.runtime.authenticated_owner();
        assert!(
            signer == Some(owner),
            "only {owner} says for whom the sponsor pays"
        );
        let amount = self.ask_bank(&BankOperation::Owed { borrower });
        assert!(
            amount <= at_most,
            "{borrower} owes {amount}, more than {at_most}"
        );
        self.let_bank_take(amount);
        self.ask_bank(&BankOperation::Repay { borrower, amount });
    }

    fn let_bank_take(&mut self, allowance: Amount) {
        let approve = FungibleOperation::Approve {
            owner: self.runtime.application_id().into(),
            spender: self.parameters.bank.into(),
            allowance,
        };
        self.runtime
            .call_application(true, self.parameters.token, &approve);
    }

    fn ask_bank(&mut self, operation: &BankOperation) -> Amount {
        self.runtime
            .call_application(true, self.parameters.bank, operation)
    }
}
