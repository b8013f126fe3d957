//! The trader's contract. It stores nothing: what it has are tokens.

#![cfg_attr(target_arch = "wasm32", no_main)]

#[cfg(test)]
mod tests;

use flash_borrower::{FlashBorrowerAbi, MAX_STEPS, Message, Operation, Parameters, Step};
use flash_loan::{Loan, Operation as BankOperation};
use resident_sdk::{
    Contract, ContractRuntime, WithContractAbi,
    abis::fungible::{FungibleOperation, FungibleTokenAbi},
    base_types::{Account, AccountOwner, Amount, ApplicationId},
    bcs,
};

resident_sdk::contract!(FlashBorrowerContract);

struct FlashBorrowerContract {
    runtime: ContractRuntime<Self>,
    parameters: Parameters,
    /// The trader's own account, on its own chain.
    purse: Account,
}

impl WithContractAbi for FlashBorrowerContract {
    type Abi = FlashBorrowerAbi;
}

impl Contract for FlashBorrowerContract {
    type Message = Message;
    type EventValue = ();
    type Parameters = Parameters;
    type InstantiationArgument = ();

    async fn load(mut runtime: ContractRuntime<Self>) -> Self {
        let parameters = runtime.application_parameters();
        let owner = AccountOwner::from(runtime.application_id());
        let purse = Account::new(runtime.application_creator_chain_id(), owner);
        FlashBorrowerContract {
            runtime,
            parameters,
            purse,
        }
    }

    async fn instantiate(&mut self, (): ()) {
        let Parameters { money, goods, .. } = self.parameters;
        assert!(money != goods, "a token cannot be traded for itself");
    }

    async fn execute_operation(&mut self, operation: Operation) {
        match operation {
            Operation::UseLoan(loan) => self.use_loan(&loan),
            Operation::Run { steps } if self.is_at_home() => self.run(&steps),
            Operation::Run { steps } => self
                .runtime
                .prepare_message(Message::Run { steps })
                .with_authentication()
                .send_to(self.purse.chain_id),
        }
    }

    async fn execute_message(&mut self, message: Message) {
        let Message::Run { steps } = message;
        self.run(&steps);
    }

    async fn store(self) {}
}

impl FlashBorrowerContract {
    fn is_at_home(&mut self) -> bool {
        self.runtime.chain_id() == self.purse.chain_id
    }

    fn use_loan(&mut self, loan: &Loan) {
        let caller = self.runtime.authenticated_caller_id();
        let bank = self.parameters.bank.forget_abi();
        assert!(caller == Some(bank), "only the bank says what it has lent");
        let steps: Vec<Step> =
            bcs::from_bytes(&loan.instructions).expect("the instructions are a list of steps");
        self.run(&steps);
        self.let_bank_take(loan.owed);
    }

    fn run(&mut self, steps: &[Step]) {
        let owner = self.parameters.owner;
        let signer = self.runtime.authenticated_owner();
        assert!(
            signer == Some(owner),
            "only {owner} says what the trader does"
        );
        assert!(
            steps.len() <= MAX_STEPS,
            "there are {} steps, more than {MAX_STEPS}",
            steps.len()
        );
        for step in steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        let Parameters {
            owner,
            money,
            buying_price,
            selling_price,
            ..
        } = self.parameters;
        match *step {
            Step::Borrow { amount } => self.ask_bank(&BankOperation::Borrow { amount }),
            Step::Buy { seller, quantity } => {
                self.pay(money, seller, worth(quantity, buying_price));
                self.take(self.parameters.goods, seller, quantity);
            }
            Step::Sell { buyer, quantity } => {
                self.take(money, buyer, worth(quantity, selling_price));
                self.pay(self.parameters.goods, buyer, quantity);
            }
            Step::Repay { amount } => self.repay(amount),
            Step::Withdraw { amount } => self.pay(money, owner, amount),
        }
    }

    fn repay(&mut self, amount: Amount) {
        self.let_bank_take(amount);
        let borrower = self.purse.owner;
        self.ask_bank(&BankOperation::Repay { borrower, amount });
    }

    fn let_bank_take(&mut self, allowance: Amount) {
        let approve = FungibleOperation::Approve {
            owner: self.purse.owner,
            spender: self.parameters.bank.into(),
            allowance,
        };
        self.runtime
            .call_application(true, self.parameters.money, &approve);
    }

    fn ask_bank(&mut self, operation: &BankOperation) {
        self.runtime
            .call_application(true, self.parameters.bank, operation);
    }

    /// Pays to another account of this chain.
    fn pay(
        &mut self,
        token: ApplicationId<FungibleTokenAbi>,
        receiver: AccountOwner,
        amount: Amount,
    ) {
        let transfer = FungibleOperation::Transfer {
            owner: self.purse.owner,
            amount,
            target_account: Account::new(self.purse.chain_id, receiver),
        };
        self.runtime.call_application(true, token, &transfer);
    }

    /// Takes what the trader was approved to take.
    fn take(
        &mut self,
        token: ApplicationId<FungibleTokenAbi>,
        owner: AccountOwner,
        amount: Amount,
    ) {
        let transfer = FungibleOperation::TransferFrom {
            owner,
            spender: self.purse.owner,
            amount,
            target_account: self.purse,
        };
        self.runtime.call_application(true, token, &transfer);
    }
}

fn worth(quantity: Amount, price: u64) -> Amount {
    let worth = quantity.try_mul(u128::from(price));
    worth.unwrap_or_else(|error| panic!("{quantity} goods at {price} are worth too much: {error}"))
}
