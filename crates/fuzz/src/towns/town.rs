//! A node with chains, whose owners are honest or not, and applications on them.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::executor::block_on;
use resident_base::{
    AccountOwner, AccountSecretKey, Amount, ApplicationId, Bytecode, ChainId, CryptoHash, ModuleId,
    Timestamp, VmRuntime,
};
use resident_chain::StagingPolicy;
use resident_execution::{
    EngineKind, ModuleCacheConfig, Operation, ResourcePolicy, SessionKind, SystemOperation,
};
use resident_node::{Clock, CommittedBlock, LocalNode, NodeConfig, NodeError};
use resident_storage::MemoryStore;
use resident_testing::PAIRS;

use super::{
    attacks::Attack,
    commands::{self, Commands},
    follower::Follower,
    ledger::Ledger,
    world::{SERVER, World},
};
use crate::{compare::Difference, random::Random};

/// What every chain begins with.
pub(super) const FUNDS: Amount = Amount::from_tokens(1_000);
/// When a town is founded, in microseconds since 1970.
const FOUNDED: u64 = 1_000_000_000;

/// Somebody with a chain.
pub(super) struct Citizen {
    pub(super) chain: ChainId,
    pub(super) key: AccountSecretKey,
    pub(super) is_honest: bool,
    /// What others have paid it, and it them.
    pub(super) received: Amount,
    pub(super) paid: Amount,
}

/// A node, its chains, and all that is known of them from their blocks.
pub(super) struct Town {
    pub(super) node: LocalNode,
    pub(super) store: Arc<MemoryStore>,
    pub(super) config: NodeConfig,
    pub(super) world: Arc<World>,
    pub(super) citizens: Vec<Citizen>,
    /// Only honest messages reach it.
    pub(super) honest: ApplicationId,
    /// It does what anybody says, and honest messages reach it too.
    pub(super) shared: ApplicationId,
    /// The hostile use them among themselves.
    pub(super) hostile: Vec<ApplicationId>,
    /// It has a loud service.
    pub(super) loud: ApplicationId,
    pub(super) ledger: Ledger,
    pub(super) follower: Follower,
    now: Arc<AtomicU64>,
}

impl Town {
    /// Founds a town: the first citizen is honest, and the last is not.
    pub(super) fn found(
        attack: Attack,
        modules: &ModuleCacheConfig,
        random: &mut Random,
    ) -> Result<Self, Difference> {
        let now = Arc::new(AtomicU64::new(FOUNDED));
        let world = Arc::new(World::default());
        let config = config(attack, modules, &now, &world, random);
        let store = Arc::new(MemoryStore::new());
        let node = LocalNode::new(store.clone(), config.clone()).map_err(|it| it.to_string())?;
        let mut citizens = Vec::new();
        let count = 3 + random.below(6) as usize;
        let hostile = 1 + random.below(count as u64 / 2) as usize;
        for number in 0..count {
            let key = AccountSecretKey::from_seed([number as u8 + 1; 32]);
            // Indices that decide the order of the ids.
            let index = random.next() as u32;
            let chain = block_on(node.create_root_chain(index, key.public().owner(), FUNDS));
            citizens.push(Citizen {
                chain: chain.map_err(|it| it.to_string())?,
                key,
                is_honest: number < count - hostile,
                received: Amount::ZERO,
                paid: Amount::ZERO,
            });
        }
        let follower = Follower::new(&store, config.policy.clone(), modules)?;
        let nobody = ApplicationId::new(CryptoHash::of_bytes(b"nobody"));
        let mut town = Self {
            node,
            store,
            config,
            world,
            citizens,
            honest: nobody,
            shared: nobody,
            hostile: Vec::new(),
            loud: nobody,
            ledger: Ledger::default(),
            follower,
            now,
        };
        town.settle(1 + random.below(10) as usize)?;
        Ok(town)
    }

    /// Publishes contracts and creates applications.
    fn settle(&mut self, hostile: usize) -> Result<(), Difference> {
        let silent = Bytecode::new(Vec::new());
        let module = self.publish(commands::honest_contract(), silent.clone())?;
        self.honest = self.create(module, 0)?;
        let module = self.publish(commands::hostile_contract(), silent)?;
        self.shared = self.create(module, 1)?;
        for number in 0..hostile {
            let id = self.create(module, 2 + number)?;
            self.hostile.push(id);
        }
        let module = self.publish(commands::hostile_contract(), commands::loud_service())?;
        self.loud = self.create(module, 0)?;
        Ok(())
    }

    fn publish(&mut self, contract: Bytecode, service: Bytecode) -> Result<ModuleId, Difference> {
        let publish = SystemOperation::PublishModule {
            contract,
            service,
            vm_runtime: VmRuntime::Wasm,
        };
        let response = self.respond(Operation::System(publish))?;
        bcs::from_bytes(&response).map_err(|error| error.to_string())
    }

    fn create(&mut self, module_id: ModuleId, number: usize) -> Result<ApplicationId, Difference> {
        let create = SystemOperation::CreateApplication {
            module_id,
            parameters: number.to_string().into_bytes(),
            instantiation_argument: b"null".to_vec(),
            required_application_ids: Vec::new(),
        };
        let response = self.respond(Operation::System(create))?;
        bcs::from_bytes(&response).map_err(|error| error.to_string())
    }

    fn respond(&mut self, operation: Operation) -> Result<Vec<u8>, Difference> {
        let block = self.propose(0, vec![operation])?;
        let block = block.map_err(|error| format!("a town cannot be founded: {error}"))?;
        Ok(block.executed.outcome.transactions[0].response.clone())
    }

    /// Proposes a block in the name of a citizen; what the node says is one thing, what is wrong with the block
    /// another.
    pub(super) fn propose(
        &mut self,
        citizen: usize,
        operations: Vec<Operation>,
    ) -> Result<Result<CommittedBlock, NodeError>, Difference> {
        self.tick();
        let Citizen { chain, key, .. } = &self.citizens[citizen];
        let block = block_on(self.node.propose(*chain, operations, key));
        self.check_world()?;
        if let Ok(block) = &block {
            self.follower.follow(&block.executed, &block.report)?;
            self.ledger.book(&block.executed)?;
        }
        Ok(block)
    }

    /// What an application has counted on a chain, as it says itself.
    pub(super) fn counted(&self, citizen: usize, id: ApplicationId) -> Result<u64, Difference> {
        let Citizen { chain, key, .. } = &self.citizens[citizen];
        let operations = vec![run(id, &Commands::new())];
        let owner = Some(key.public().owner());
        let outcome = block_on(self.node.dry_run(*chain, operations, owner));
        let outcome =
            outcome.map_err(|error| format!("an application cannot be asked: {error}"))?;
        let response = &outcome.transactions[0].response;
        let count = response.as_slice().try_into().map(u64::from_le_bytes);
        count.map_err(|_| format!("an application answers {response:?}"))
    }

    /// What all accounts of a chain have.
    pub(super) fn wealth(&self, chain: ChainId) -> Result<Amount, Difference> {
        let keys = self
            .citizens
            .iter()
            .map(|citizen| citizen.key.public().owner());
        let applications = self.hostile.iter().copied();
        let applications = applications.chain([self.honest, self.shared, self.loud]);
        let owners = keys.chain(applications.map(AccountOwner::from));
        let mut wealth = Amount::ZERO;
        for owner in owners.chain([AccountOwner::CHAIN]) {
            let balance = block_on(self.node.balance(chain, owner));
            let balance = balance.map_err(|error| format!("a balance cannot be read: {error}"))?;
            wealth = wealth.saturating_add(balance);
        }
        // Before its first block a chain has its balance in its description.
        let tip = block_on(self.node.tip(chain)).map_err(|error| error.to_string())?;
        Ok(if tip.block_hash.is_some() {
            wealth
        } else {
            FUNDS
        })
    }

    /// Nobody outside was asked the same twice since the last time.
    pub(super) fn check_world(&self) -> Result<(), Difference> {
        let asked = self.world.take();
        match asked.iter().find(|(_, times)| **times > 1) {
            Some((url, times)) => Err(format!(
                "the world outside was asked {times} times for {url}"
            )),
            None => Ok(()),
        }
    }

    /// From now on bundles for this application are not rejected.
    pub(super) fn never_reject(&mut self, id: ApplicationId) -> Result<(), Difference> {
        self.ledger.listed = Some(id);
        if let StagingPolicy::AutoRetry {
            never_reject_application_ids: ids,
            ..
        } = &mut self.config.staging
        {
            ids.insert(id);
        }
        self.restart()
    }

    /// Stops the node and starts it again.
    pub(super) fn restart(&mut self) -> Result<(), Difference> {
        let node = LocalNode::new(self.store.clone(), self.config.clone());
        self.node = node.map_err(|error| format!("the node does not start again: {error}"))?;
        Ok(())
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from(self.now.load(Ordering::Relaxed))
    }

    /// A second passes.
    pub(super) fn tick(&self) {
        self.now.fetch_add(1_000_000, Ordering::Relaxed);
    }
}

/// An operation of an application.
pub(super) fn run(application_id: ApplicationId, commands: &Commands) -> Operation {
    Operation::User {
        application_id,
        bytes: commands.0.clone(),
    }
}

/// Any node, with limits that are small, so that attacks are quick.
fn config(
    attack: Attack,
    modules: &ModuleCacheConfig,
    now: &Arc<AtomicU64>,
    world: &Arc<World>,
    random: &mut Random,
) -> NodeConfig {
    let (engine, session): (EngineKind, SessionKind) = random.choose(&PAIRS);
    let now = now.clone();
    NodeConfig {
        engine,
        session,
        policy: Arc::new(policy(attack, random)),
        staging: StagingPolicy::AutoRetry {
            max_failures: random.choose(&[1, 4, 16]),
            never_reject_application_ids: BTreeSet::new(),
            time_budget: None,
        },
        threads: 2,
        verify: random.choose(&[None, None, None, Some(session)]),
        max_bundles: random.choose(&[2, 10, 10_000]),
        max_new_events: random.choose(&[1, 5, 1_000]),
        modules: modules.clone(),
        oracle: world.clone(),
        clock: Clock::new(move || Timestamp::from(now.load(Ordering::Relaxed))),
        ..NodeConfig::default()
    }
}

fn policy(attack: Attack, random: &mut Random) -> ResourcePolicy {
    let mut policy = ResourcePolicy::default();
    policy.http_request_allow_list.insert(SERVER.to_owned());
    let limits = &mut policy.limits;
    limits.transaction_fuel = random.choose(&[16_000_000, 32_000_000]);
    limits.block_fuel = limits.transaction_fuel * random.choose(&[30, 100]);
    limits.messages = match attack.needs_messages() {
        true => 1_500,
        false => random.choose(&[30, 200]),
    };
    limits.applications = random.choose(&[8, 12, 100]);
    limits.subscriptions = random.choose(&[10, 60]);
    if attack == Attack::Loud || attack == Attack::LoudLater {
        limits.transaction_fuel = 1_000_000_000;
        limits.block_fuel = 100_000_000_000;
        limits.service_query_fuel = 10_000;
    }
    if random.percent(50) || matches!(attack, Attack::Grants | Attack::Closed) {
        policy.prices.fuel = Amount::from_attos(1);
        policy.prices.message = Amount::from_attos(100);
        policy.prices.write_operation = Amount::from_attos(10);
    }
    policy
}
