//! A chain on which cases are run, and what they take.

use std::{cell::RefCell, collections::BTreeMap};

use resident_base::{
    AccountSecretKey, Amount, ApplicationId, ApplicationPermissions, Bytecode, ChainId,
    ChainOwnership, ModuleId,
};
use resident_benches::process_time;
use resident_chain::{StagingPolicy, Transaction};
use resident_execution::{Operation, SystemOperation};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::cases::Case;

/// How often each length is run; the fastest counts.
const ROUNDS: usize = 5;

pub(crate) struct Scene {
    pub(crate) chains: TestChains,
    pub(crate) chain: TestChain,
    /// A chain that messages come from.
    pub(crate) sender: ChainId,
    modules: RefCell<BTreeMap<ApplicationId, ModuleId>>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mut policy = resident_execution::ResourcePolicy::default();
        policy.limits.transaction_fuel = 20_000_000_000;
        let chains = TestChains::new(PAIRS[0]).with_policy(policy);
        let (chain, sender) = (chains.open_root(1), chains.open_root(2).id);
        Self {
            chains,
            chain,
            sender,
            modules: RefCell::default(),
        }
    }

    /// The module of an application that was created here.
    pub(crate) fn module_of(&self, id: ApplicationId) -> ModuleId {
        self.modules.borrow()[&id]
    }

    /// A chain like the first one, with so many owners.
    fn chain_of(&self, owners: u64) -> TestChain {
        if owners == 1 {
            return self.chain;
        }
        let owner = self.chain.owner;
        let others = (1..owners).map(|number| {
            let mut seed = [9; 32];
            seed[..8].copy_from_slice(&number.to_le_bytes());
            (AccountSecretKey::from_seed(seed).public().owner(), 1)
        });
        let mut ownership = ChainOwnership::single(owner);
        ownership.owners.extend(others);
        let open = SystemOperation::OpenChain {
            ownership,
            balance: Amount::from_tokens(100),
            application_permissions: ApplicationPermissions::default(),
        };
        let block = self.chains.run(&self.chain, vec![Operation::System(open)]);
        let id = bcs::from_bytes(&block.outcome.transactions[0].response);
        let id = id.expect("opening a chain answers with its id");
        TestChain { id, owner }
    }

    /// An application with this code; its parameters have so many bytes.
    pub(crate) fn create(&self, text: &str, parameters: usize) -> ApplicationId {
        let code = wat::parse_str(text).expect("the text is a module");
        let module_id = self.chains.publish_code(&self.chain, Bytecode::new(code));
        let create = SystemOperation::CreateApplication {
            module_id,
            parameters: vec![b'1'; parameters],
            instantiation_argument: b"null".to_vec(),
            required_application_ids: Vec::new(),
        };
        let block = self
            .chains
            .run(&self.chain, vec![Operation::System(create)]);
        let response = &block.outcome.transactions[0].response;
        let id = bcs::from_bytes(response).expect("creating answers with the id");
        self.modules.borrow_mut().insert(id, module_id);
        id
    }
}

/// What one turn of a case's loop takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) fuel: f64,
    pub(crate) nanoseconds: f64,
    pub(crate) bytes: f64,
}

impl Spent {
    pub(crate) fn of(scene: &mut Scene, case: &Case) -> Self {
        let chain = scene.chain_of(case.owners);
        let before = std::mem::replace(&mut scene.chain, chain);
        let spent = Self::here(scene, case);
        scene.chain = before;
        spent
    }

    fn here(scene: &Scene, case: &Case) -> Self {
        let application = scene.create(&case.text(), case.parameters);
        let other = match case.calls {
            true => scene.create(&case.text(), case.parameters + 1),
            false => application,
        };
        if let Some(turns) = case.stored {
            let operation = case.transactions(scene, application, other, turns);
            let block = scene
                .chains
                .stage(&scene.chain, operation, &StagingPolicy::Abort);
            scene
                .chains
                .commit(block.expect("the state is prepared").execution);
        }
        let run = |turns: u32| {
            let rounds = (0..ROUNDS).map(|_| {
                let transactions = case.transactions(scene, application, other, turns);
                Self::once(scene, transactions, case.fails)
            });
            rounds.min_by(|left, right| left.nanoseconds.total_cmp(&right.nanoseconds))
        };
        let (short, long) = (run(case.turns / 4), run(case.turns));
        let (short, long) = short.zip(long).expect("there are rounds");
        let turns = f64::from(case.turns - case.turns / 4);
        Self {
            fuel: (long.fuel - short.fuel) / turns,
            nanoseconds: (long.nanoseconds - short.nanoseconds).max(0.0) / turns,
            bytes: (long.bytes - short.bytes).max(0.0) / turns,
        }
    }

    fn once(scene: &Scene, transactions: Vec<Transaction>, fails: bool) -> Self {
        let before = memory::reset_peak();
        let started = process_time();
        let policy = TestChains::auto_retry(u32::MAX);
        let staged = scene.chains.stage(&scene.chain, transactions, &policy);
        let time = process_time() - started;
        let bytes = memory::peak().saturating_sub(before);
        let fuel = match staged {
            Ok(staged) => {
                let rejected = !staged.rejected.is_empty() || !staged.dropped.is_empty();
                assert_eq!(rejected, fails, "whether the turns fail");
                staged.execution.executed.outcome.resources.wasm_fuel
            }
            Err(error) => panic!("{error}"),
        };
        Self {
            fuel: fuel as f64,
            nanoseconds: time.as_nanos() as f64,
            bytes: bytes as f64,
        }
    }

    pub(crate) fn nanoseconds_per_fuel(&self) -> f64 {
        self.nanoseconds / self.fuel.max(1.0)
    }
}

/// The memory of this process, as Linux tells it; zero elsewhere.
mod memory {
    /// Begins to look for a new peak, and tells the bytes that are resident now.
    pub(super) fn reset_peak() -> u64 {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        field("VmRSS:")
    }

    /// The most bytes that were resident since.
    pub(super) fn peak() -> u64 {
        field("VmHWM:")
    }

    fn field(name: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number
            .and_then(|number| number.parse::<u64>().ok())
            .unwrap_or_default()
            << 10
    }
}
