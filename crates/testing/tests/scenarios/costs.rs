//! Work that once nobody paid for, by the fuel that it takes now.

use resident_base::{
    AccountOwner, Amount, ApplicationId, ApplicationPermissions, ChainOwnership, CryptoHash,
    TimeoutConfig,
};
use resident_chain::StagingPolicy;
use resident_execution::{Operation, SystemOperation};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles,
    evil::{self, Do},
};

struct Scene {
    chains: TestChains,
    chain: TestChain,
    application: ApplicationId,
}

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let module = chains.publish_code(&chain, evil::code());
        let application = chains.create(&chain, module, &(), &(), Vec::new());
        Self {
            chains,
            chain,
            application,
        }
    }

    /// The fuel of an operation alone in a block.
    fn fuel(&self, chain: &TestChain, commands: &Do) -> u64 {
        let operation = TestChains::raw_operation(self.application, commands.0.clone());
        let block = [bundles::operation(operation)];
        let staged = self
            .chains
            .stage_everywhere(chain, &block, &StagingPolicy::Abort)
            .unwrap_or_else(|error| panic!("the block failed: {error}"));
        staged.staged.execution.executed.outcome.resources.wasm_fuel
    }

    /// The fuel of one more of what `commands` does so many times.
    fn each(&self, chain: &TestChain, commands: impl Fn(u32) -> Do) -> u64 {
        let one = self.fuel(chain, &commands(1));
        (self.fuel(chain, &commands(11)) - one) / 10
    }

    /// A chain with so many owners, which the application may manage.
    fn crowd(&self, owners: u32) -> TestChain {
        let owner =
            |number: u32| AccountOwner::Address32(CryptoHash::of_bytes(&number.to_le_bytes()));
        let owners = (0..owners).map(|number| (owner(number), 1));
        let owners = owners.chain([(self.chain.owner, 1)]);
        let operation = SystemOperation::OpenChain {
            ownership: ChainOwnership::multiple(owners, 1, TimeoutConfig::default()),
            balance: Amount::ZERO,
            application_permissions: ApplicationPermissions {
                manage_chain: vec![self.application],
                ..ApplicationPermissions::default()
            },
        };
        let block = self
            .chains
            .run(&self.chain, vec![Operation::System(operation)]);
        let id = bcs::from_bytes(&block.outcome.transactions[0].response);
        TestChain {
            id: id.expect("opening a chain answers with its id"),
            owner: self.chain.owner,
        }
    }
}

/// A scan once walked over every key that the block had deleted or found absent, for the price of one.
#[test]
fn finding_keys_costs_by_what_is_walked_over() {
    let scene = Scene::new();
    let nothing = scene.each(&scene.chain, |times| Do::new().find(times));
    for prepare in [Do::new().absent_small(500), Do::new().put_delete(500)] {
        let find = |times| prepare.clone().find(times);
        let each = scene.each(&scene.chain, find);
        assert_eq!(each, nothing, "there is nothing to walk over");
    }
    let stored = TestChains::raw_operation(scene.application, Do::new().put(500).0);
    scene.chains.run(&scene.chain, vec![stored]);
    let find = |times| Do::new().put_delete(500).find(times);
    let each = scene.each(&scene.chain, find);
    assert!(
        each > nothing + 500 * 1_000,
        "{each}: stored keys are walked over"
    );
}

/// The first write of a key has a part in the hash of the state and in the batch, which later ones have not.
#[test]
fn a_new_key_costs_more_than_another_value() {
    let scene = Scene::new();
    let each = scene.each(&scene.chain, |keys| Do::new().put(keys));
    assert!(each > 2_000, "{each}");
}

/// Closing a chain once wrote its whole configuration each time, for 550 fuel.
#[test]
fn a_chain_with_many_owners_is_closed_once_and_that_is_paid_for() {
    let scene = Scene::new();
    let (few, many) = (scene.crowd(1), scene.crowd(2_000));
    let close = |chain| scene.fuel(chain, &Do::new().close(1));
    let (few, of_many) = (close(&few), close(&many));
    let configuration_bytes = 2_000 * (33 + 8);
    assert!(
        of_many > few + 10 * configuration_bytes,
        "{of_many} against {few}"
    );
    let again = scene.each(&many, |times| Do::new().close(times));
    assert!(again < 5_000, "it is closed already: {again}");
}

/// What an application's description has in it is read and hashed in each block that loads it.
#[test]
fn a_long_description_costs_whoever_loads_it() {
    let scene = Scene::new();
    let module = scene.chains.publish_code(&scene.chain, evil::code());
    let create = |parameters: &str| {
        scene
            .chains
            .create(&scene.chain, module, &parameters, &(), Vec::new())
    };
    let (short, long) = (create(""), create(&"x".repeat(100_000)));
    let fuel = |id| {
        let call = Do::new().call(id, &Do::new());
        scene.fuel(&scene.chain, &call)
    };
    let difference = fuel(long) - fuel(short);
    assert!(difference >= 100_000, "{difference}");
}
