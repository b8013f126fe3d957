use std::sync::{Arc, Mutex};

use resident_sdk::{
    abis::fungible::FungibleResponse,
    base_types::{ApplicationId, ChainId, CryptoHash},
    bcs,
    util::BlockingWait,
};

use super::*;

/// A sponsor on a chain, where borrower 2 owes twenty tokens, and all that it asks for.
struct Sponsor {
    contract: FlashRepayerContract,
    approvals: Arc<Mutex<Vec<FungibleOperation>>>,
    asked: Arc<Mutex<Vec<BankOperation>>>,
}

impl Sponsor {
    fn on_chain(chain_id: ChainId) -> Self {
        let approvals = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (noted_approvals, noted) = (Arc::clone(&approvals), Arc::clone(&asked));
        let runtime = ContractRuntime::new()
            .with_application_parameters(Parameters {
                bank: application(1),
                token: application(2),
                owner: owner(1),
            })
            .with_application_id(application(9))
            .with_application_creator_chain_id(chain(0))
            .with_chain_id(chain_id)
            .with_authenticated_owner(Some(owner(1)))
            .with_call_application_handler(move |authenticated, callee, operation| {
                assert!(authenticated);
                if callee == application(1) {
                    let operation = bcs::from_bytes(&operation).expect("of the bank");
                    noted.lock().expect("not poisoned").push(operation);
                    return bcs::to_bytes(&Amount::from_tokens(20)).expect("a response");
                }
                let operation = bcs::from_bytes(&operation).expect("of the token");
                noted_approvals
                    .lock()
                    .expect("not poisoned")
                    .push(operation);
                bcs::to_bytes(&FungibleResponse::Ok).expect("a response")
            });
        let mut contract = FlashRepayerContract::load(runtime).blocking_wait();
        contract.instantiate(()).blocking_wait();
        Sponsor {
            contract,
            approvals,
            asked,
        }
    }

    fn repay(&mut self, at_most: u128) {
        let borrower = owner(2);
        let at_most = Amount::from_tokens(at_most);
        self.contract
            .execute_operation(Operation::Repay { borrower, at_most })
            .blocking_wait();
    }

    fn check_paid(&self) {
        let (borrower, amount) = (owner(2), Amount::from_tokens(20));
        let approve = FungibleOperation::Approve {
            owner: application::<()>(9).into(),
            spender: application::<()>(1).into(),
            allowance: amount,
        };
        assert_eq!(*self.approvals.lock().expect("not poisoned"), [approve]);
        assert_eq!(
            *self.asked.lock().expect("not poisoned"),
            [
                BankOperation::Owed { borrower },
                BankOperation::Repay { borrower, amount }
            ]
        );
    }
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

#[test]
fn what_is_owed_is_paid() {
    let mut sponsor = Sponsor::on_chain(chain(0));
    sponsor.repay(20);
    sponsor.check_paid();
}

#[test]
fn on_another_chain_the_wish_is_sent_home() {
    let mut sponsor = Sponsor::on_chain(chain(3));
    sponsor.repay(20);
    let sent = sponsor.contract.runtime.created_send_message_requests();
    assert_eq!(
        (sent[0].destination, sent[0].authenticated),
        (chain(0), true)
    );
    assert!(sponsor.asked.lock().expect("not poisoned").is_empty());

    let mut home = Sponsor::on_chain(chain(0));
    home.contract
        .execute_message(sent[0].message.clone())
        .blocking_wait();
    home.check_paid();
}

#[test]
#[should_panic(expected = "owes 20., more than 19.")]
fn there_is_a_limit() {
    Sponsor::on_chain(chain(0)).repay(19);
}

#[test]
#[should_panic(expected = "says for whom the sponsor pays")]
fn strangers_are_not_obeyed() {
    let mut sponsor = Sponsor::on_chain(chain(0));
    sponsor
        .contract
        .runtime
        .set_authenticated_owner(Some(owner(2)));
    sponsor.repay(20);
}
