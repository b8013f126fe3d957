use std::sync::{Arc, Mutex};

use flash_loan::BorrowerOperation;
use resident_sdk::{
    abis::fungible::FungibleResponse,
    base_types::{ChainId, CryptoHash},
    util::BlockingWait,
};

use super::*;

/// What was called: the bank, or a token with its number.
#[derive(Debug, PartialEq)]
enum Call {
    Bank(BankOperation),
    Token(u8, FungibleOperation),
}

const BANK: u8 = 1;
const MONEY: u8 = 2;
const GOODS: u8 = 3;
const TRADER: u8 = 9;

/// A trader who buys for 2 and sells for 3, and notes all calls. They succeed.
struct Trader {
    contract: FlashBorrowerContract,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Trader {
    fn new() -> Self {
        Self::on_chain(chain(0))
    }

    fn on_chain(chain_id: ChainId) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&calls);
        let parameters = Parameters {
            bank: application(BANK),
            money: application(MONEY),
            goods: application(GOODS),
            owner: owner(1),
            buying_price: 2,
            selling_price: 3,
        };
        let runtime = ContractRuntime::new()
            .with_application_parameters(parameters)
            .with_application_id(application(TRADER))
            .with_application_creator_chain_id(chain(0))
            .with_chain_id(chain_id)
            .with_authenticated_owner(Some(owner(1)))
            .with_authenticated_caller_id(None::<ApplicationId>)
            .with_call_application_handler(move |authenticated, callee, operation| {
                assert!(authenticated);
                let (call, response) = answer(callee, &operation);
                log.lock().expect("not poisoned").push(call);
                response
            });
        let mut contract = FlashBorrowerContract::load(runtime).blocking_wait();
        contract.instantiate(()).blocking_wait();
        Trader { contract, calls }
    }

    fn run(&mut self, steps: Vec<Step>) -> Vec<Call> {
        self.execute(Operation::Run { steps })
    }

    fn execute(&mut self, operation: Operation) -> Vec<Call> {
        self.contract.execute_operation(operation).blocking_wait();
        std::mem::take(&mut *self.calls.lock().expect("not poisoned"))
    }
}

fn answer(callee: ApplicationId, operation: &[u8]) -> (Call, Vec<u8>) {
    let decodes = "an operation of the callee";
    if callee == application(BANK) {
        let response = bcs::to_bytes(&Amount::ZERO).expect("a response");
        return (
            Call::Bank(bcs::from_bytes(operation).expect(decodes)),
            response,
        );
    }
    let token = [MONEY, GOODS]
        .into_iter()
        .find(|token| callee == application(*token))
        .expect("a token");
    let response = bcs::to_bytes(&FungibleResponse::Ok).expect("a response");
    let operation = bcs::from_bytes(operation).expect(decodes);
    (Call::Token(token, operation), response)
}

fn owner(byte: u8) -> AccountOwner {
    AccountOwner::Address20([byte; 20])
}

fn chain(byte: u8) -> ChainId {
    ChainId(CryptoHash::from([byte; 32]))
}

fn application<A>(byte: u8) -> ApplicationId<A> {
    ApplicationId::<()>::new(CryptoHash::from([byte; 32])).with_abi()
}

fn purse() -> Account {
    Account::new(chain(0), application::<()>(TRADER).into())
}

fn paid(token: u8, receiver: AccountOwner, tokens: u128) -> Call {
    Call::Token(
        token,
        FungibleOperation::Transfer {
            owner: purse().owner,
            amount: Amount::from_tokens(tokens),
            target_account: Account::new(chain(0), receiver),
        },
    )
}

fn taken(token: u8, from: AccountOwner, tokens: u128) -> Call {
    Call::Token(
        token,
        FungibleOperation::TransferFrom {
            owner: from,
            spender: purse().owner,
            amount: Amount::from_tokens(tokens),
            target_account: purse(),
        },
    )
}

fn approved(tokens: u128) -> Call {
    Call::Token(
        MONEY,
        FungibleOperation::Approve {
            owner: purse().owner,
            spender: application::<()>(BANK).into(),
            allowance: Amount::from_tokens(tokens),
        },
    )
}

fn trade(quantity: u128) -> Vec<Step> {
    let quantity = Amount::from_tokens(quantity);
    vec![
        Step::Buy {
            seller: owner(5),
            quantity,
        },
        Step::Sell {
            buyer: owner(6),
            quantity,
        },
    ]
}

fn traded(quantity: u128) -> [Call; 4] {
    [
        paid(MONEY, owner(5), 2 * quantity),
        taken(GOODS, owner(5), quantity),
        taken(MONEY, owner(6), 3 * quantity),
        paid(GOODS, owner(6), quantity),
    ]
}

#[test]
fn a_trade_moves_money_and_goods() {
    assert_eq!(Trader::new().run(trade(10)), traded(10));
}

#[test]
fn the_bank_is_asked_and_may_take_what_is_repaid() {
    let amount = Amount::from_tokens(20);
    let steps = vec![
        Step::Borrow { amount },
        Step::Repay { amount },
        Step::Withdraw { amount },
    ];
    let borrower = purse().owner;
    let expected = [
        Call::Bank(BankOperation::Borrow { amount }),
        approved(20),
        Call::Bank(BankOperation::Repay { borrower, amount }),
        paid(MONEY, owner(1), 20),
    ];
    assert_eq!(Trader::new().run(steps), expected);
}

#[test]
fn the_bank_can_call_with_a_loan() {
    let mut trader = Trader::new();
    let bank = application::<()>(BANK);
    trader
        .contract
        .runtime
        .set_authenticated_caller_id(Some(bank));
    let instructions = bcs::to_bytes(&trade(10)).expect("a list of steps");
    let owed = Amount::from_tokens(21);
    let calls = trader.execute(Operation::UseLoan(Loan { owed, instructions }));
    assert_eq!(calls[..4], traded(10));
    assert_eq!(calls[4..], [approved(21)]);
}

#[test]
fn the_banks_operation_is_the_traders_first() {
    let loan = Loan {
        owed: Amount::ONE,
        instructions: vec![7],
    };
    let banks = bcs::to_bytes(&BorrowerOperation::UseLoan(loan.clone()));
    let traders = bcs::to_bytes(&Operation::UseLoan(loan));
    assert_eq!(banks.expect("encodes"), traders.expect("encodes"));
}

#[test]
fn on_another_chain_the_steps_are_sent_home() {
    let mut trader = Trader::on_chain(chain(4));
    assert!(trader.run(trade(1)).is_empty());
    let sent = trader.contract.runtime.created_send_message_requests();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].destination, sent[0].authenticated),
        (chain(0), true)
    );
    assert_eq!(sent[0].message, Message::Run { steps: trade(1) });
}

#[test]
fn a_message_runs_its_steps() {
    let mut trader = Trader::new();
    let steps = trade(2);
    trader
        .contract
        .execute_message(Message::Run { steps })
        .blocking_wait();
    assert_eq!(*trader.calls.lock().expect("not poisoned"), traded(2));
}

#[test]
#[should_panic(expected = "says what the trader does")]
fn strangers_say_nothing() {
    let mut trader = Trader::new();
    trader
        .contract
        .runtime
        .set_authenticated_owner(Some(owner(2)));
    trader.run(trade(1));
}

#[test]
#[should_panic(expected = "only the bank says what it has lent")]
fn loans_come_from_the_bank() {
    let instructions = bcs::to_bytes(&trade(1)).expect("a list of steps");
    let owed = Amount::ONE;
    Trader::new().execute(Operation::UseLoan(Loan { owed, instructions }));
}

#[test]
#[should_panic(expected = "there are 18 steps, more than 16")]
fn lists_are_short() {
    Trader::new().run([(); 9].into_iter().flat_map(|()| trade(1)).collect());
}

#[test]
#[should_panic(expected = "are worth too much")]
fn what_is_worth_too_much_is_not_bought() {
    let quantity = Amount::MAX;
    let seller = owner(5);
    Trader::new().run(vec![Step::Buy { seller, quantity }]);
}
