//! Applications, modules and chains that contracts bring into being, and applications that nothing named before
//! they were called.

use resident_base::{
    AccountOwner, Amount, ApplicationId, Blob, BlobContent, Bytecode, ChainId, CryptoHash,
    ModuleId, VmRuntime,
};
use resident_chain::{BlockError, BlockOutcome, StagingPolicy, Transaction};
use resident_execution::{Failure, FailureReason, LimitKind, ResourcePolicy};
use resident_testing::{PAIRS, StagedEverywhere, TestChain, TestChains};

use crate::{
    bundles::{self, assert_leaves_no_trace, stranger},
    maker::{self, Answers, Commands},
};

struct Scene {
    chains: TestChains,
    chain: TestChain,
    module: ModuleId,
    maker: ApplicationId,
}

impl Scene {
    fn new() -> Self {
        Self::with_policy(ResourcePolicy::default())
    }

    fn with_policy(policy: ResourcePolicy) -> Self {
        let chains = TestChains::new(PAIRS[0]).with_policy(policy);
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

    fn operation(&self, commands: &Commands) -> Transaction {
        let bytes = commands.bytes().to_vec();
        bundles::operation(TestChains::raw_operation(self.maker, bytes))
    }

    fn message(&self, sender: u8, height: u64, commands: &Commands) -> Transaction {
        let messages = vec![(self.maker, commands.bytes().to_vec())];
        bundles::bundle(stranger(sender), height, None, messages)
    }

    fn add(&self, transactions: &[Transaction]) -> Result<BlockOutcome, BlockError> {
        let added = self.add_traced(transactions)?;
        Ok(added.staged.execution.executed.outcome)
    }

    fn add_traced(&self, transactions: &[Transaction]) -> Result<StagedEverywhere, BlockError> {
        let policy = StagingPolicy::Abort;
        self.chains
            .add_everywhere(&self.chain, transactions, &policy)
    }

    /// Why an operation of these commands fails.
    fn refuse(&self, commands: &Commands) -> FailureReason {
        let operation = [self.operation(commands)];
        let error = self
            .chains
            .stage_everywhere(&self.chain, &operation, &StagingPolicy::Abort);
        match error.err().expect("it is refused") {
            BlockError::TransactionFailed {
                failure: Failure { reason, .. },
                ..
            } => reason,
            error => panic!("it failed for another reason: {error}"),
        }
    }

    /// Commands that create an application of the maker's own module.
    fn create(&self, then: &Commands) -> Commands {
        Commands::new().module(self.module).create(then)
    }
}

fn module_of(contract: Bytecode) -> ModuleId {
    let service = Blob::new(BlobContent::new_service_bytecode(Bytecode::new(vec![])));
    let contract = Blob::new(BlobContent::new_contract_bytecode(contract));
    ModuleId::new(contract.id().hash, service.id().hash, VmRuntime::Wasm)
}

#[test]
fn an_application_is_called_in_the_transaction_that_creates_it_and_ever_after() {
    let scene = Scene::new();
    let blob = |byte| Commands::new().create_blob(&[byte]);
    let block = [
        scene.operation(&scene.create(&blob(1)).call(&blob(2)).save()),
        scene.operation(&Commands::new().load().call(&blob(3))),
    ];
    let added = scene.add_traced(&block).unwrap();
    for trace in added.staging.iter().chain(&added.committed) {
        assert_eq!((trace.loads, trace.stores), (2, 2), "each of the two once");
    }
    let outcome = &added.staged.execution.executed.outcome;
    let mut answers = Answers(&outcome.transactions[0].response);
    let created = answers.application();
    assert_ne!(created, scene.maker);
    assert_eq!(answers.hash(), Blob::new_data([2]).id().hash);
    answers.end();
    let mut blobs = outcome.transactions[0].effects.blobs.iter();
    assert_eq!(
        blobs.next().unwrap().hash,
        created.application_description_hash
    );
    assert_eq!(
        blobs.next(),
        Some(&Blob::new_data([1]).id()),
        "instantiated at once"
    );
    assert_eq!(
        outcome.transactions[1].effects.blobs,
        [Blob::new_data([3]).id()]
    );

    // Nothing in this block names the application but the state of the maker.
    let outcome = scene
        .add(&[scene.operation(&Commands::new().load().call(&blob(4)))])
        .unwrap();
    assert_eq!(
        outcome.transactions[0].effects.blobs,
        [Blob::new_data([4]).id()]
    );
    let operation = TestChains::raw_operation(created, blob(5).bytes().to_vec());
    scene.add(&[bundles::operation(operation)]).unwrap();
}

#[test]
fn created_applications_create_and_may_not_call_back() {
    let scene = Scene::new();
    let inner = scene.create(&Commands::new());
    let middle = scene.create(&inner);
    let outcome = scene
        .add(&[scene.operation(&scene.create(&middle))])
        .unwrap();
    assert_eq!(outcome.transactions[0].effects.blobs.len(), 3);

    let call_back = Commands::new()
        .application(scene.maker)
        .call(&Commands::new());
    for commands in [
        scene.create(&call_back),
        scene.create(&Commands::new()).call(&call_back),
        scene.create(&scene.create(&call_back)),
    ] {
        let callee = scene.maker;
        assert_eq!(
            scene.refuse(&commands),
            FailureReason::Reentrance { callee }
        );
    }
}

#[test]
fn a_contract_publishes_a_module_that_runs_in_the_same_block() {
    let scene = Scene::new();
    let code = maker::other_code(1);
    let publish = Commands::new().publish(&code);
    let block = [
        scene.operation(&publish.clone().create(&Commands::new()).save()),
        scene.operation(&Commands::new().load().call(&scene.create(&Commands::new()))),
        scene.operation(
            &Commands::new()
                .module(module_of(code.clone()))
                .create(&publish),
        ),
    ];
    let outcome = scene.add(&block).unwrap();
    let mut answers = Answers(&outcome.transactions[0].response);
    assert_eq!(answers.hash(), module_of(code.clone()).contract_blob_hash);
    answers.application();
    answers.end();
    // Two blobs of the module and one of the application; the last publishes nothing that is new.
    let blobs: Vec<_> = outcome
        .transactions
        .iter()
        .map(|t| t.effects.blobs.len())
        .collect();
    assert_eq!(blobs, [3, 1, 1]);

    // Publishing pays for the work that a module makes.
    let fuel = |commands: &Commands| {
        let staged = scene.chains.stage_everywhere(
            &scene.chain,
            &[scene.operation(commands)],
            &StagingPolicy::Abort,
        );
        let staged = staged.unwrap().staged;
        staged.execution.executed.outcome.resources.wasm_fuel
    };
    let (once, twice) = (fuel(&publish), fuel(&publish.clone().publish(&code)));
    assert!(
        twice - once > 1_000 * code.bytes.len() as u64,
        "{once}, {twice}"
    );
    // The same again for the same code; `once` is also for loading the application that publishes.
    assert!(twice - once < once, "{once}, {twice}");
}

#[test]
fn modules_that_are_none_and_too_many_modules_are_refused() {
    let mut policy = ResourcePolicy::default();
    policy.limits.modules = 2;
    let scene = Scene::with_policy(policy);
    let refused = scene.refuse(&Commands::new().publish(&Bytecode::new(b"\0asm".to_vec())));
    assert!(matches!(refused, FailureReason::Module(_)), "{refused}");
    let two = Commands::new()
        .publish(&maker::other_code(1))
        .publish(&maker::other_code(2));
    let three = two.clone().publish(&maker::other_code(3));
    assert_eq!(
        scene.refuse(&three),
        FailureReason::Limit(LimitKind::Modules)
    );
    // A bundle that is undone publishes nothing.
    let block = [
        scene.message(1, 1, &Commands::new()),
        scene.message(2, 1, &two.clone().fail()),
        scene.message(1, 2, &two),
        scene.message(2, 2, &Commands::new()),
    ];
    let policy = TestChains::auto_retry(1);
    assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[1], &policy);
}

#[test]
fn an_unknown_module_is_missing() {
    let scene = Scene::new();
    let unknown = module_of(maker::other_code(9));
    let create = Commands::new().module(unknown).create(&Commands::new());
    let result = scene.chains.stage_everywhere(
        &scene.chain,
        &[scene.operation(&create)],
        &StagingPolicy::Abort,
    );
    let error = result.err().expect("nobody published it");
    assert!(matches!(error, BlockError::MissingData(_)), "{error}");
}

#[test]
fn identifiers_do_not_depend_on_what_failed() {
    let scene = Scene::new();
    let owner = TestChains::owner(9);
    let make = scene
        .create(&Commands::new())
        .publish(&maker::other_code(1))
        .create(&Commands::new().create_blob(b"x"))
        .open(owner, AccountOwner::CHAIN, 0);
    let nested = scene.create(&make.clone().fail());
    let block = [
        scene.message(1, 1, &make),
        scene.message(2, 1, &make.clone().fail()),
        scene.message(3, 1, &nested),
        scene.message(1, 2, &make),
        scene.message(2, 2, &make),
        scene.message(3, 2, &make.clone().open(owner, AccountOwner::CHAIN, 0)),
    ];
    let policy = TestChains::auto_retry(8);
    let with = assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[1, 2], &policy);
    assert_eq!(with.staged.rejected.len(), 2);
    // The same when the failing ones come first, and for the next block.
    let block = [&block[1..3], &block[3..]].concat();
    assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[0, 1], &policy);
}

#[test]
fn an_application_that_nothing_named_is_loaded_again_after_a_failure() {
    let scene = Scene::new();
    let create = scene.create(&Commands::new()).save();
    scene.add(&[scene.operation(&create)]).unwrap();
    let call = Commands::new()
        .load()
        .call(&Commands::new().create_blob(b"called"));
    let fail_inside = Commands::new()
        .load()
        .call(&Commands::new().create_blob(b"no").fail());
    let block = [
        scene.message(1, 1, &call.clone().fail()),
        scene.message(2, 1, &fail_inside),
        scene.message(1, 2, &call),
        scene.message(3, 1, &fail_inside),
        scene.message(2, 2, &call),
        scene.message(3, 2, &call),
    ];
    let policy = TestChains::auto_retry(8);
    assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[0, 1, 3], &policy);

    // Also one that the failing bundle created itself, and that is created again under the same id.
    let block = [
        scene.message(
            1,
            1,
            &create
                .clone()
                .call(&Commands::new().create_blob(b"a"))
                .fail(),
        ),
        scene.message(
            2,
            1,
            &create.clone().call(&Commands::new().create_blob(b"b")),
        ),
        scene.message(1, 2, &call),
    ];
    let with = assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[0], &policy);
    for trace in &with.committed {
        assert_eq!((trace.loads, trace.stores), (2, 2));
    }
}

#[test]
fn an_application_that_nothing_named_is_loaded_when_its_bundle_is_tried_in_another_block() {
    let mut policy = ResourcePolicy::default();
    policy.limits.modules = 1;
    let scene = Scene::with_policy(policy);
    let create = scene.create(&Commands::new()).save();
    scene.add(&[scene.operation(&create)]).unwrap();
    let publish = |number| Commands::new().publish(&maker::other_code(number));
    let call = Commands::new()
        .load()
        .call(&publish(2).create(&Commands::new()));
    let policy = TestChains::auto_retry(1);
    let block = [
        scene.message(1, 1, &publish(1)),
        scene.message(2, 1, &call),
        scene.message(1, 2, &Commands::new()),
    ];
    let with = assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[1], &policy);
    assert_eq!(
        with.staged.dropped.len(),
        1,
        "it waits for a block with room"
    );
    let added = scene
        .chains
        .add_everywhere(&scene.chain, &block, &policy)
        .unwrap();
    let waiting: Vec<_> = added
        .staged
        .dropped
        .into_iter()
        .map(|(bundle, _)| bundle)
        .collect();
    let waiting: Vec<_> = waiting
        .into_iter()
        .map(Transaction::ReceiveMessages)
        .collect();
    let added = scene
        .chains
        .add_everywhere(&scene.chain, &waiting, &policy)
        .unwrap();
    assert!(added.staged.dropped.is_empty() && added.staged.rejected.is_empty());
    assert_eq!(
        added
            .staged
            .execution
            .executed
            .outcome
            .resources
            .blobs_to_publish,
        3
    );
}

#[test]
fn a_contract_opens_chains_with_what_it_may_spend() {
    let scene = Scene::new();
    let owner = TestChains::owner(7);
    let own = AccountOwner::from(scene.maker);
    let balance = || scene.chains.balance(scene.chain.id, AccountOwner::CHAIN);
    let before = balance();
    let open = Commands::new()
        .open(owner, AccountOwner::CHAIN, 5)
        .open(owner, AccountOwner::CHAIN, 0)
        .open(owner, own, 0);
    let outcome = scene.add(&[scene.operation(&open)]).unwrap();
    assert_eq!(balance(), before.try_sub(Amount::from_attos(5)).unwrap());
    let mut answers = Answers(&outcome.transactions[0].response);
    let ids = [(); 3].map(|()| ChainId(answers.hash()));
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    let chain = TestChain { id: ids[0], owner };
    scene.chains.run(&chain, vec![]);
    assert_eq!(
        scene.chains.balance(chain.id, AccountOwner::CHAIN),
        Amount::from_attos(5)
    );

    let refused = scene.refuse(&Commands::new().open(owner, own, 1));
    assert!(
        matches!(refused, FailureReason::InsufficientBalance { .. }),
        "{refused}"
    );
    let stranger = AccountOwner::Address32(CryptoHash::of_bytes(b"stranger"));
    let refused = scene.refuse(&Commands::new().open(owner, stranger, 1));
    let source_owner = stranger;
    assert_eq!(refused, FailureReason::NotAuthorized { source_owner });
    let refused = scene.refuse(&Commands::new().open_encoded(b"?", b"", own, 0));
    assert!(
        matches!(refused, FailureReason::Malformed { .. }),
        "{refused}"
    );
}

#[test]
fn a_bundle_that_nobody_signed_opens_no_chain_at_the_chains_expense() {
    let scene = Scene::new();
    let open = |attos| Commands::new().open(TestChains::owner(7), AccountOwner::CHAIN, attos);
    let block = [
        scene.message(1, 1, &open(1)),
        scene.message(2, 1, &open(0)),
        scene.message(1, 2, &open(0)),
    ];
    let policy = TestChains::auto_retry(1);
    let with = assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[0], &policy);
    let reason = &with.staged.rejected[0].1.reason;
    assert!(
        matches!(reason, FailureReason::NotAuthorized { .. }),
        "{reason}"
    );
}

#[test]
fn finalization_opens_chains_and_creates_no_applications() {
    let scene = Scene::new();
    let open = Commands::new().open(TestChains::owner(7), AccountOwner::CHAIN, 0);
    let outcome = scene
        .add(&[scene.operation(&Commands::new().later(&open))])
        .unwrap();
    assert_eq!(outcome.finalization.effects.blobs.len(), 1);
    let create = scene.create(&Commands::new());
    let result = scene.chains.stage_everywhere(
        &scene.chain,
        &[scene.operation(&Commands::new().later(&create))],
        &StagingPolicy::Abort,
    );
    match result.err().expect("no application is entered then") {
        BlockError::Refused { failure, .. } => assert!(
            matches!(failure.reason, FailureReason::CallInFinalization { .. }),
            "{failure}"
        ),
        error => panic!("{error}"),
    }
}
