//! Level B: contracts as applications of a chain, in random blocks.
//!
//! Every block is staged on every engine and session and executed as committed on all of them; whoever
//! differs makes `resident-testing` panic, which the fuzzer counts as a finding. Then a block of only
//! the transactions that survived is staged, and has to come out the same.

mod block;

use resident_base::{Amount, ApplicationId, Bytecode, ModuleId};
use resident_chain::{BlockError, MessageAction, StagedBlock, StagingPolicy, Transaction};
use resident_execution::{Operation, ResourcePolicy, SystemOperation};
use resident_testing::{PAIRS, StagedEverywhere, TestChain, TestChains};

use crate::{
    compare::{Difference, ensure, kind, same},
    random::Random,
    script::{Style, script},
    tally::Tally,
};
use block::{Blocks, Member, survivors};

/// Blocks of one case.
const MAX_BLOCKS: u64 = 4;

/// A contract's code, and how many generated functions scripts can call.
pub(crate) struct Code {
    pub(crate) bytes: Vec<u8>,
    pub(crate) functions: u64,
}

/// Runs blocks with applications of these contracts.
pub(crate) fn run(
    codes: &[Code],
    random: &mut Random,
    tally: &mut Tally,
) -> Result<(), Difference> {
    let chains = TestChains::new(PAIRS[0]).with_policy(policy(random));
    let chain = chains.open_root(1);
    let scene = Scene {
        chains: &chains,
        chain: &chain,
    };
    let applications = scene.create_all(codes, random, tally)?;
    if applications.is_empty() {
        tally.count("blocks", "none, since no application can be created");
        return Ok(());
    }
    let mut blocks = Blocks::new(applications, random);
    for number in 0..1 + random.below(MAX_BLOCKS) {
        let transactions = blocks.next(random);
        scene
            .block(&transactions, random, tally)
            .map_err(|difference| format!("block {number}: {difference}"))?;
    }
    Ok(())
}

fn policy(random: &mut Random) -> ResourcePolicy {
    let mut policy = ResourcePolicy::default();
    policy.limits.transaction_fuel = random.choose(&[300_000, 1_000_000, 4_000_000]);
    policy.prices.fuel = Amount::from_attos(3);
    policy.prices.write_operation = Amount::from_attos(1_000);
    policy.prices.byte_read = Amount::from_attos(7);
    policy
}

/// Where it happens.
struct Scene<'a> {
    chains: &'a TestChains,
    chain: &'a TestChain,
}

impl Scene<'_> {
    /// One or two applications of every contract.
    fn create_all(
        &self,
        codes: &[Code],
        random: &mut Random,
        tally: &mut Tally,
    ) -> Result<Vec<Member>, Difference> {
        let mut applications = Vec::new();
        for Code { bytes, functions } in codes {
            let bytecode = Bytecode::new(bytes.clone());
            let module = self.chains.publish_code(self.chain, bytecode);
            for _ in 0..1 + random.below(2) {
                let style = Style {
                    functions: *functions,
                    failing_percent: 5,
                    refusing_percent: 0,
                };
                let argument = script(random, style);
                // What its first script cannot do, an empty one may.
                let created = match self.create(module, argument, tally)? {
                    Some(id) => Some(id),
                    None => self.create(module, Vec::new(), tally)?,
                };
                applications.extend(created.map(|id| Member { id, style }));
            }
        }
        Ok(applications)
    }

    fn create(
        &self,
        module_id: ModuleId,
        argument: Vec<u8>,
        tally: &mut Tally,
    ) -> Result<Option<ApplicationId>, Difference> {
        let operation = SystemOperation::CreateApplication {
            module_id,
            parameters: Vec::new(),
            instantiation_argument: argument,
            required_application_ids: Vec::new(),
        };
        let operation = Transaction::ExecuteOperation(Operation::System(operation));
        let added = self
            .chains
            .add_everywhere(self.chain, &[operation], &StagingPolicy::Abort);
        let Ok(added) = added else {
            tally.count("applications", "not created");
            return Ok(None);
        };
        tally.count("applications", "created");
        let outcome = &added.staged.execution.executed.outcome;
        let id = bcs::from_bytes(&outcome.transactions[0].response);
        id.map(Some)
            .map_err(|error| format!("the answer to a creation cannot be read: {error}"))
    }

    /// Stages and stores a block, or the same without operations if one of those fails.
    fn block(
        &self,
        transactions: &[Transaction],
        random: &mut Random,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        let policy = TestChains::auto_retry(random.choose(&[0, 1, 3, 100]));
        let staged = match self.stage(transactions, &policy, tally) {
            Ok(staged) => staged,
            Err(_) => {
                let bundles = transactions.iter().filter(|it| it.bundle().is_some());
                let bundles: Vec<_> = bundles.cloned().collect();
                match self.stage(&bundles, &policy, tally) {
                    Ok(staged) => staged,
                    Err(_) => return Ok(()),
                }
            }
        };
        self.compare_with_survivors(&staged, &policy, tally)?;
        self.chains.commit(staged.staged.execution);
        Ok(())
    }

    fn stage(
        &self,
        transactions: &[Transaction],
        policy: &StagingPolicy,
        tally: &mut Tally,
    ) -> Result<StagedEverywhere, BlockError> {
        let staged = self
            .chains
            .stage_everywhere(self.chain, transactions, policy);
        match &staged {
            Ok(staged) => {
                let staged = &staged.staged;
                let block = &staged.execution.executed.block;
                tally.count("blocks", "staged");
                tally.add("transactions", "in blocks", block.transactions.len() as u64);
                note_bundles(staged, tally);
            }
            Err(error) => tally.count("blocks", format!("failed everywhere ({})", kind(error))),
        }
        staged
    }

    /// Rolled back is as if it never ran.
    fn compare_with_survivors(
        &self,
        with: &StagedEverywhere,
        policy: &StagingPolicy,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        if with.staged.rejected.is_empty() && with.staged.dropped.is_empty() {
            return Ok(());
        }
        let survivors = survivors(&with.staged.execution.executed);
        let without = self
            .stage(&survivors.transactions, policy, tally)
            .map_err(|error| format!("what survived cannot be staged: {error}"))?;
        tally.count("clean", "blocks compared");
        let staged = &without.staged;
        ensure(
            staged.rejected.is_empty() && staged.dropped.is_empty(),
            || "what survived once fails without what did not".to_owned(),
        )?;
        let mut outcome = staged.execution.executed.outcome.clone();
        if !survivors.same_cursors {
            outcome.state_hash = survivors.outcome.state_hash;
        }
        same("the block of what survived", &survivors.outcome, &outcome)
    }
}

/// Counts what became of the bundles.
fn note_bundles(staged: &StagedBlock, tally: &mut Tally) {
    let block = &staged.execution.executed.block;
    let bundles = block.transactions.iter().filter_map(Transaction::bundle);
    let accepted = bundles.filter(|incoming| incoming.action == MessageAction::Accept);
    tally.add("bundles", "accepted", accepted.count() as u64);
    for (_, failure) in &staged.rejected {
        tally.count("bundles", format!("rejected ({})", kind(&failure.reason)));
    }
    for (_, reason) in &staged.dropped {
        tally.count("bundles", format!("dropped ({})", kind(reason)));
    }
}
