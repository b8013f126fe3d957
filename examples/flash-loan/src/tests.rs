use std::sync::{Arc, Mutex};

use resident_sdk::{
    abis::fungible::FungibleResponse,
    base_types::{ChainId, CryptoHash},
    bcs,
    util::BlockingWait,
};

use super::*;

/// The calls that the bank made: the callee and the encoded operation.
type Calls = Vec<(ApplicationId, Vec<u8>)>;

/// A bank that takes five percent, and notes its calls. They all succeed.
struct Bank {
    contract: FlashLoanContract,
    calls: Arc<Mutex<Calls>>,
}

impl Bank {
    fn new() -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&calls);
        let runtime = ContractRuntime::new()
            .with_application_parameters(parameters())
            .with_application_id(application(9))
            .with_chain_id(chain())
            .with_authenticated_owner(Some(owner(1)))
            .with_authenticated_caller_id(None::<ApplicationId>)
            .with_call_application_handler(move |authenticated, callee, operation| {
                assert!(authenticated);
                let response = if callee == token() {
                    bcs::to_bytes(&FungibleResponse::Ok)
                } else {
                    bcs::to_bytes(&())
                };
                log.lock().expect("not poisoned").push((callee, operation));
                response.expect("a response")
            });
        let mut contract = FlashLoanContract::load(runtime).blocking_wait();
        contract.instantiate(()).blocking_wait();
        Bank { contract, calls }
    }

    fn call_as(&mut self, application: ApplicationId) {
        self.contract
            .runtime
            .set_authenticated_caller_id(Some(application));
    }

    fn execute(&mut self, operation: Operation) -> Amount {
        self.contract.execute_operation(operation).blocking_wait()
    }

    /// The operations of the token since the last time.
    fn transfers(&mut self) -> Vec<FungibleOperation> {
        let calls = std::mem::take(&mut *self.calls.lock().expect("not poisoned"));
        let transfer = |(callee, operation): (ApplicationId, Vec<u8>)| {
            assert_eq!(callee, token());
            bcs::from_bytes(&operation).expect("an operation of the token")
        };
        calls.into_iter().map(transfer).collect()
    }
}

fn parameters() -> Parameters {
    Parameters {
        token: token().with_abi(),
        interest_basis_points: 500,
        owner: owner(7),
    }
}

fn owner(byte: u8) -> AccountOwner {
    AccountOwner::Address20([byte; 20])
}

fn chain() -> ChainId {
    ChainId(CryptoHash::from([0; 32]))
}

fn application<A>(byte: u8) -> ApplicationId<A> {
    ApplicationId::<()>::new(CryptoHash::from([byte; 32])).with_abi()
}

fn token() -> ApplicationId {
    application(1)
}

fn vault() -> Account {
    Account::new(chain(), application::<()>(9).into())
}

fn borrow(tokens: u128) -> Operation {
    Operation::Borrow {
        amount: Amount::from_tokens(tokens),
    }
}

fn repay(borrower: AccountOwner, tokens: u128) -> Operation {
    Operation::Repay {
        borrower,
        amount: Amount::from_tokens(tokens),
    }
}

fn paid(receiver: AccountOwner, tokens: u128) -> FungibleOperation {
    FungibleOperation::Transfer {
        owner: vault().owner,
        amount: Amount::from_tokens(tokens),
        target_account: Account::new(chain(), receiver),
    }
}

fn taken(payer: ApplicationId, tokens: u128) -> FungibleOperation {
    FungibleOperation::TransferFrom {
        owner: payer.into(),
        spender: vault().owner,
        amount: Amount::from_tokens(tokens),
        target_account: vault(),
    }
}

#[test]
fn a_signer_borrows_and_repays() {
    let mut bank = Bank::new();
    assert_eq!(bank.execute(borrow(100)), Amount::from_tokens(105));
    assert_eq!(bank.transfers(), [paid(owner(1), 100)]);
    assert_eq!(bank.execute(repay(owner(1), 100)), Amount::from_tokens(5));
    assert_eq!(bank.execute(repay(owner(1), 5)), Amount::ZERO);
    let signed = |tokens| FungibleOperation::Transfer {
        owner: owner(1),
        amount: Amount::from_tokens(tokens),
        target_account: vault(),
    };
    assert_eq!(bank.transfers(), [signed(100), signed(5)]);
    bank.contract.store().blocking_wait();
}

#[test]
fn an_application_borrows_and_another_repays() {
    let mut bank = Bank::new();
    let [borrower, payer] = [application(2), application(3)];
    bank.call_as(borrower);
    bank.execute(borrow(20));
    bank.call_as(payer);
    let debtor = AccountOwner::from(borrower);
    let owed = Operation::Owed { borrower: debtor };
    assert_eq!(bank.execute(owed), Amount::from_tokens(21));
    bank.execute(repay(debtor, 21));
    assert_eq!(
        bank.transfers(),
        [paid(debtor, 20), taken(payer, 21)],
        "the payer's tokens, not the borrower's"
    );
    bank.contract.store().blocking_wait();
}

#[test]
fn an_application_that_is_called_pays_when_it_returns() {
    let mut bank = Bank::new();
    let borrower = application(2);
    let instructions = vec![1, 2, 3];
    let operation = Operation::LendAndCall {
        borrower,
        amount: Amount::from_tokens(20),
        instructions: instructions.clone(),
    };
    let owed = Amount::from_tokens(21);
    assert_eq!(bank.execute(operation), owed);
    let use_loan = BorrowerOperation::UseLoan(Loan { owed, instructions });
    let use_loan = bcs::to_bytes(&use_loan).expect("an operation");
    let called = bank.calls.lock().expect("not poisoned").remove(1);
    assert_eq!(called, (borrower, use_loan));
    assert_eq!(
        bank.transfers(),
        [paid(borrower.into(), 20), taken(borrower, 21)]
    );
    bank.contract.store().blocking_wait();
}

#[test]
fn the_interest_of_a_block_is_stored() {
    let mut bank = Bank::new();
    let context = bank.contract.runtime.root_view_storage_context();
    bank.execute(borrow(100));
    bank.execute(repay(owner(1), 105));
    assert_eq!(bank.execute(Operation::Earned), Amount::ZERO);
    bank.contract.store().blocking_wait();
    let state = FlashLoanState::load(context)
        .blocking_wait()
        .expect("it was stored");
    assert_eq!(*state.earned.get(), Amount::from_tokens(5));
}

#[test]
fn the_owner_takes_reserves() {
    let mut bank = Bank::new();
    let amount = Amount::from_tokens(3);
    bank.contract
        .runtime
        .set_authenticated_owner(Some(owner(7)));
    assert_eq!(bank.execute(Operation::Withdraw { amount }), amount);
    assert_eq!(bank.transfers(), [paid(owner(7), 3)]);
}

#[test]
#[should_panic(expected = "may take reserves out of the bank")]
fn nobody_else_takes_reserves() {
    let amount = Amount::ONE;
    Bank::new().execute(Operation::Withdraw { amount });
}

#[test]
#[should_panic(expected = "1. tokens are missing at the end of the block")]
fn the_bank_refuses_a_block_that_owes_it_something() {
    let mut bank = Bank::new();
    bank.execute(borrow(100));
    bank.execute(repay(owner(1), 104));
    bank.contract.store().blocking_wait();
}

#[test]
#[should_panic(expected = "the token itself cannot borrow")]
fn the_token_is_not_called_with_instructions() {
    Bank::new().execute(Operation::LendAndCall {
        borrower: token(),
        amount: Amount::ONE,
        instructions: Vec::new(),
    });
}

#[test]
#[should_panic(expected = "has to know who asks")]
fn nobody_in_particular_cannot_borrow() {
    let mut bank = Bank::new();
    bank.contract
        .runtime
        .set_authenticated_owner(None::<AccountOwner>);
    bank.execute(borrow(1));
}
