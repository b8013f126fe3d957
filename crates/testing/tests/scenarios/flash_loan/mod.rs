//! A bank that refuses a block in which it did not get back what it lent, and those who try to cheat it.

mod answers;
mod cheating;
mod giving_way;
mod honest;
mod overflow;
mod steps;

use std::sync::LazyLock;

use flash_borrower::{FlashBorrowerAbi, Step};
use flash_loan::FlashLoanAbi;
use flash_repayer::FlashRepayerAbi;
use resident_base::{Account, AccountOwner, Amount, ApplicationId};
use resident_chain::{BlockError, StagingPolicy, Transaction};
use resident_execution::Failure;
use resident_sdk::{
    ContractAbi,
    abis::fungible::{FungibleOperation, FungibleTokenAbi},
};
use resident_testing::{PAIRS, StagedEverywhere, TestChain, TestChains};
use serde::Serialize;

use crate::{
    bundles::{self, bundle, stranger},
    finalization::{refusal, refuse},
    gadget,
};

use self::{answers::*, steps::*};

/// What the banks have to lend.
const RESERVES: u128 = 1_000;

/// What the trader and the sponsor have of their own.
const OWN: u128 = 500;

/// How many goods the seller has, each of which the trader buys for two and sells for three.
const GOODS: u128 = 100;

/// The chain of the banks, and everybody on it. Its owner is also the trader's and the sponsor's.
struct Scene {
    chains: TestChains,
    chain: TestChain,
    money: ApplicationId<FungibleTokenAbi>,
    goods: ApplicationId<FungibleTokenAbi>,
    /// Takes five percent.
    bank: ApplicationId<FlashLoanAbi>,
    /// Takes one percent.
    other_bank: ApplicationId<FlashLoanAbi>,
    trader: ApplicationId<FlashBorrowerAbi>,
    sponsor: ApplicationId<FlashRepayerAbi>,
    /// Does as anybody says.
    gadget: ApplicationId,
}

/// For scenarios that store no blocks. Compiling six contracts on two engines takes longer than they do.
static SCENE: LazyLock<Scene> = LazyLock::new(Scene::new);

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let supply = [(chain.owner, tokens(10_000)), (buyer(), tokens(3 * GOODS))];
        let money = chains.create_fungible(&chain, "MONEY", supply);
        let goods = chains.create_fungible(&chain, "GOODS", [(seller(), tokens(GOODS))]);
        let module = chains.publish(&chain, "flash-loan");
        let [bank, other_bank] = [500, 100].map(|interest_basis_points| {
            let parameters = flash_loan::Parameters {
                token: money,
                interest_basis_points,
                owner: chain.owner,
            };
            create(&chains, &chain, module, &parameters, &[money.forget_abi()])
        });
        let required = [bank.forget_abi(), money.forget_abi(), goods.forget_abi()];
        let parameters = flash_borrower::Parameters {
            bank,
            money,
            goods,
            owner: chain.owner,
            buying_price: 2,
            selling_price: 3,
        };
        let module = chains.publish(&chain, "flash-borrower");
        let trader = create(&chains, &chain, module, &parameters, &required);
        let parameters = flash_repayer::Parameters {
            bank,
            token: money,
            owner: chain.owner,
        };
        let module = chains.publish(&chain, "flash-repayer");
        let sponsor = create(&chains, &chain, module, &parameters, &required[..2]);
        let [gadget] = gadget::create(&chains, &chain);
        let scene = Self {
            chains,
            chain,
            money,
            goods,
            bank,
            other_bank,
            trader,
            sponsor,
            gadget,
        };
        scene.fund();
        scene.approve();
        scene
    }

    fn fund(&self) {
        let parties = [
            (self.bank.into(), RESERVES),
            (self.other_bank.into(), RESERVES),
            (self.trader.into(), OWN),
            (self.sponsor.into(), OWN),
        ];
        let transfer = |(party, amount): (AccountOwner, u128)| {
            let transfer = FungibleOperation::Transfer {
                owner: self.chain.owner,
                amount: tokens(amount),
                target_account: Account::new(self.chain.id, party),
            };
            TestChains::operation(self.money, &transfer)
        };
        self.chains
            .run(&self.chain, parties.into_iter().map(transfer).collect());
    }

    /// Seller and buyer let the trader take what it trades.
    fn approve(&self) {
        let approvals = [
            (seller(), self.goods, GOODS),
            (buyer(), self.money, 3 * GOODS),
        ];
        for (owner, token, allowance) in approvals {
            let approve = FungibleOperation::Approve {
                owner,
                spender: self.trader.into(),
                allowance: tokens(allowance),
            };
            let signed = TestChain {
                owner,
                ..self.chain
            };
            self.chains
                .run(&signed, vec![TestChains::operation(token, &approve)]);
        }
    }

    /// An operation as a step of a block.
    fn call<A: ContractAbi>(
        &self,
        application: ApplicationId<A>,
        operation: &A::Operation,
    ) -> Transaction {
        bundles::operation(TestChains::operation(application, operation))
    }

    /// The trader's steps as an operation.
    fn run(&self, steps: &[Step]) -> Transaction {
        let steps = steps.to_vec();
        self.call(self.trader, &flash_borrower::Operation::Run { steps })
    }

    /// The trader's steps as messages of one bundle, one list for each message.
    fn send(&self, origin: u8, height: u64, lists: &[&[Step]]) -> Transaction {
        let message = |steps: &&[Step]| {
            let steps = steps.to_vec();
            self.message(self.trader, &flash_borrower::Message::Run { steps })
        };
        self.bundle(origin, height, lists.iter().map(message).collect())
    }

    fn message<A>(
        &self,
        application: ApplicationId<A>,
        message: &impl Serialize,
    ) -> (ApplicationId, Vec<u8>) {
        let bytes = bcs::to_bytes(message).expect("a message can be encoded");
        (application.forget_abi(), bytes)
    }

    /// A bundle in the owner's name.
    fn bundle(
        &self,
        origin: u8,
        height: u64,
        messages: Vec<(ApplicationId, Vec<u8>)>,
    ) -> Transaction {
        bundle(stranger(origin), height, Some(self.chain.owner), messages)
    }

    /// Asks the token what somebody has, at this point of the block.
    fn ask_balance(&self, owner: impl Into<AccountOwner>) -> Transaction {
        let owner = owner.into();
        self.call(self.money, &FungibleOperation::Balance { owner })
    }

    /// Builds the block everywhere, of which nothing may fail.
    fn pass(&self, transactions: &[Transaction]) -> StagedEverywhere {
        self.chains
            .stage_everywhere(&self.chain, transactions, &StagingPolicy::Abort)
            .unwrap_or_else(|error| panic!("the block failed: {error}"))
    }

    /// As [`pass`](Self::pass), where the last transactions ask for balances: what they answer.
    fn balances<const N: usize>(&self, transactions: &[Transaction]) -> [u128; N] {
        let staged = self.pass(transactions);
        let outcomes = &staged.staged.execution.executed.outcome.transactions;
        let answers = outcomes.last_chunk::<N>().expect("so many transactions");
        answers
            .each_ref()
            .map(|outcome| decode_balance(&outcome.response))
    }

    /// Builds the block everywhere, which fails because of one transaction: its position and failure.
    fn fail(&self, transactions: &[Transaction]) -> (usize, Failure) {
        let policy = StagingPolicy::Abort;
        let staged = self
            .chains
            .stage_everywhere(&self.chain, transactions, &policy);
        match staged.err().expect("a transaction fails") {
            BlockError::TransactionFailed { index, failure } => (index, failure),
            error => panic!("another error than expected: {error}"),
        }
    }

    /// The block is refused everywhere, as [`refuse`] says: by whom, and what it said.
    fn refuse(&self, transactions: &[Transaction]) -> (ApplicationId, String) {
        let (refused_by, failure) = refuse(&self.chains, &self.chain, transactions);
        (refused_by, words(&failure))
    }
}

fn create<A>(
    chains: &TestChains,
    chain: &TestChain,
    module: resident_base::ModuleId,
    parameters: &impl Serialize,
    required: &[ApplicationId],
) -> ApplicationId<A> {
    chains
        .create(chain, module, parameters, &(), required.to_vec())
        .with_abi()
}
