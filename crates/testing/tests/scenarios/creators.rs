//! What a contract creates acts in nobody's name: its module can be anybody's.

use resident_base::{Account, AccountOwner, Amount, ApplicationId, ModuleId};
use resident_chain::{BlockError, StagingPolicy, Transaction};
use resident_execution::{Failure, FailureReason, Operation, SystemOperation};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles,
    maker::{self, Commands},
};

struct Scene {
    chains: TestChains,
    chain: TestChain,
    module: ModuleId,
    maker: ApplicationId,
}

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let module = maker::publish(&chains, &chain);
        let maker = chains.create(&chain, module, &(), &(), Vec::new());
        Self {
            chains,
            chain,
            module,
            maker,
        }
    }

    fn give(&self, owner: AccountOwner) {
        let transfer = SystemOperation::Transfer {
            owner: AccountOwner::CHAIN,
            recipient: Account::new(self.chain.id, owner),
            amount: Amount::from_attos(10),
        };
        self.chains
            .run(&self.chain, vec![Operation::System(transfer)]);
    }

    /// The maker creates another one, which opens a chain at once with tokens of an account.
    fn creates_a_spender(&self, payer: AccountOwner) -> Transaction {
        let spend = Commands::new().open(TestChains::owner(7), payer, 1);
        let create = Commands::new().module(self.module).create(&spend);
        let bytes = create.bytes().to_vec();
        bundles::operation(TestChains::raw_operation(self.maker, bytes))
    }
}

/// The new application was once entered with the authority of the signer and of the application that created
/// it, and its module could be a stranger's.
#[test]
fn what_is_created_may_not_spend_its_creators_or_the_signers_tokens() {
    let scene = Scene::new();
    let creator = AccountOwner::from(scene.maker);
    scene.give(creator);
    scene.give(scene.chain.owner);
    for payer in [creator, scene.chain.owner, AccountOwner::CHAIN] {
        let block = [scene.creates_a_spender(payer)];
        let staged = scene
            .chains
            .stage_everywhere(&scene.chain, &block, &StagingPolicy::Abort);
        let Err(BlockError::TransactionFailed { failure, .. }) = staged else {
            panic!("tokens of {payer} were spent")
        };
        let Failure { reason, .. } = failure;
        let source_owner = payer;
        assert_eq!(reason, FailureReason::NotAuthorized { source_owner });
    }
}

/// Whom an operation names is what the owner has signed.
#[test]
fn what_the_owner_creates_acts_in_the_owners_name() {
    let scene = Scene::new();
    let spend = Commands::new().open(TestChains::owner(7), AccountOwner::CHAIN, 1);
    let create = SystemOperation::CreateApplication {
        module_id: scene.module,
        parameters: b"null".to_vec(),
        instantiation_argument: [b"!", spend.bytes()].concat(),
        required_application_ids: Vec::new(),
    };
    scene
        .chains
        .run(&scene.chain, vec![Operation::System(create)]);
}
