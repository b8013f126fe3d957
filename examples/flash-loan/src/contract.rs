//! The bank's contract.

#![cfg_attr(target_arch = "wasm32", no_main)]

mod books;
mod state;
#[cfg(test)]
mod tests;

use flash_loan::{BorrowerAbi, BorrowerOperation, FlashLoanAbi, Loan, Operation, Parameters};
use resident_sdk::{
    Contract, ContractRuntime, WithContractAbi,
    abis::fungible::FungibleOperation,
    base_types::{Account, AccountOwner, Amount, ApplicationId},
    views::{RootView, View},
};

use self::{books::Books, state::FlashLoanState};

resident_sdk::contract!(FlashLoanContract);

struct FlashLoanContract {
    state: FlashLoanState,
    runtime: ContractRuntime<Self>,
    parameters: Parameters,
    /// The account with the reserves.
    vault: Account,
    /// Of this block only.
    books: Books,
}

impl WithContractAbi for FlashLoanContract {
    type Abi = FlashLoanAbi;
}

impl Contract for FlashLoanContract {
    type Message = ();
    type EventValue = ();
    type Parameters = Parameters;
    type InstantiationArgument = ();

    async fn load(mut runtime: ContractRuntime<Self>) -> Self {
        let state = FlashLoanState::load(runtime.root_view_storage_context())
            .await
            .expect("the bank's state can be read");
        let parameters = runtime.application_parameters();
        let owner = AccountOwner::from(runtime.application_id());
        let vault = Account::new(runtime.chain_id(), owner);
        FlashLoanContract {
            state,
            runtime,
            parameters,
            vault,
            books: Books::default(),
        }
    }

    async fn instantiate(&mut self, (): ()) {}

    async fn execute_operation(&mut self, operation: Operation) -> Amount {
        match operation {
            Operation::Borrow { amount } => {
                let borrower = self.requester();
                self.lend(borrower, amount)
            }
            Operation::Repay { borrower, amount } => self.repay(borrower, amount),
            Operation::LendAndCall {
                borrower,
                amount,
                instructions,
            } => self.lend_and_call(borrower, amount, instructions),
            Operation::Owed { borrower } => self.books.owed(borrower),
            Operation::Earned => *self.state.earned.get(),
            Operation::Withdraw { amount } => self.withdraw(amount),
        }
    }

    async fn execute_message(&mut self, (): ()) {
        panic!("the bank takes no messages");
    }

    async fn store(mut self) {
        let interest = self.books.close();
        self.state.earned.get_mut().saturating_add_assign(interest);
        self.state
            .save()
            .await
            .expect("the bank's state can be written");
    }
}

impl FlashLoanContract {
    /// Who asks: the application that calls, or else the signer.
    fn requester(&mut self) -> AccountOwner {
        let caller = self.runtime.authenticated_caller_id();
        let signer = self.runtime.authenticated_owner();
        caller
            .map(AccountOwner::from)
            .or(signer)
            .expect("the bank has to know who asks: sign, or call it with authentication")
    }

    /// Notes a loan and pays it out, in this order, so that nothing leaves that is not in the books.
    fn lend(&mut self, borrower: AccountOwner, amount: Amount) -> Amount {
        let rate = self.parameters.interest_basis_points;
        let owed = self.books.lend(borrower, amount, rate);
        let owed = owed.unwrap_or_else(|error| panic!("a loan of {amount} is too large: {error}"));
        self.pay(borrower, amount);
        owed
    }

    fn repay(&mut self, borrower: AccountOwner, amount: Amount) -> Amount {
        let caller = self.runtime.authenticated_caller_id();
        match caller {
            Some(application) => self.take_approved(application, amount),
            None => {
                let signer = self.requester();
                self.take_signed(signer, amount);
            }
        }
        self.books.repay(borrower, amount)
    }

    fn lend_and_call(
        &mut self,
        borrower: ApplicationId,
        amount: Amount,
        instructions: Vec<u8>,
    ) -> Amount {
        // The call is made in the bank's name, and the token would move the reserves in that name.
        assert!(
            borrower != self.parameters.token.forget_abi(),
            "the token itself cannot borrow"
        );
        let debtor = AccountOwner::from(borrower);
        let owed = self.lend(debtor, amount);
        let loan = BorrowerOperation::UseLoan(Loan { owed, instructions });
        let borrower_abi = borrower.with_abi::<BorrowerAbi>();
        self.runtime.call_application(true, borrower_abi, &loan);
        self.take_approved(borrower, owed);
        self.books.repay(debtor, owed);
        owed
    }

    fn withdraw(&mut self, amount: Amount) -> Amount {
        let owner = self.parameters.owner;
        if self.runtime.check_account_permission(owner).is_err() {
            panic!("only {owner} may take reserves out of the bank");
        }
        self.pay(owner, amount);
        amount
    }

    /// Pays out of the reserves.
    fn pay(&mut self, receiver: AccountOwner, amount: Amount) {
        let target_account = Account::new(self.vault.chain_id, receiver);
        self.call_token(&FungibleOperation::Transfer {
            owner: self.vault.owner,
            amount,
            target_account,
        });
    }

    /// Takes tokens of an application, for which the bank needs its approval.
    fn take_approved(&mut self, payer: ApplicationId, amount: Amount) {
        self.call_token(&FungibleOperation::TransferFrom {
            owner: payer.into(),
            spender: self.vault.owner,
            amount,
            target_account: self.vault,
        });
    }

    /// Takes tokens of the signer, whose signature reaches the token.
    fn take_signed(&mut self, owner: AccountOwner, amount: Amount) {
        self.call_token(&FungibleOperation::Transfer {
            owner,
            amount,
            target_account: self.vault,
        });
    }

    fn call_token(&mut self, operation: &FungibleOperation) {
        let token = self.parameters.token;
        self.runtime.call_application(true, token, operation);
    }
}
