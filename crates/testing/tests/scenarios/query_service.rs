//! Contracts that ask services: answered from the state before the block, recorded, replayed.

use resident_base::{
    ApplicationDescription, ApplicationId, BlockHeight, CryptoHash, ModuleId, VmRuntime,
};
use resident_chain::{StagingPolicy, Transaction};
use resident_execution::{
    Failure, FailureReason, LimitKind, Operation, OracleResponse, ResourceLimits, ResourcePolicy,
    ServiceQuestion, SystemOperation,
};
use resident_testing::{PAIRS, StagedEverywhere, TestChain, TestChains};

use crate::{
    bundles::{self, stranger},
    probe,
};

struct Stage {
    chains: TestChains,
    chain: TestChain,
    ids: [ApplicationId; 2],
}

impl Stage {
    /// Two applications, of which the second has a stored value.
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let ids = probe::create(&chains, &chain);
        let stage = Stage { chains, chain, ids };
        let set = [probe::set(stage.ids[1], b"old")];
        let added = stage
            .chains
            .add_everywhere(&stage.chain, &set, &StagingPolicy::Abort);
        added.expect("the block passes");
        stage
    }

    fn with_policy(self, change: impl FnOnce(&mut ResourcePolicy)) -> Self {
        let mut policy = ResourcePolicy::default();
        change(&mut policy);
        let chains = self.chains.with_policy(policy);
        Stage { chains, ..self }
    }

    fn stage(&self, transactions: &[Transaction]) -> StagedEverywhere {
        let policy = TestChains::auto_retry(1);
        let staged = self
            .chains
            .stage_everywhere(&self.chain, transactions, &policy);
        staged.unwrap_or_else(|error| panic!("the block failed: {error}"))
    }

    fn refusal(&self, transactions: &[Transaction]) -> String {
        let policy = StagingPolicy::Abort;
        let staged = self
            .chains
            .stage_everywhere(&self.chain, transactions, &policy);
        staged.err().expect("the block is refused").to_string()
    }

    fn message(&self, height: u64, bytes: Vec<u8>) -> Transaction {
        bundles::bundle(stranger(1), height, None, vec![(self.ids[0], bytes)])
    }
}

/// The record of one query and its answer.
fn answer(application_id: ApplicationId, query: &[u8], response: &[u8]) -> Vec<OracleResponse> {
    let query = query.to_vec();
    let question = ServiceQuestion {
        application_id,
        query,
    };
    vec![OracleResponse::Service {
        question: CryptoHash::new(&question),
        response: response.to_vec(),
    }]
}

#[test]
fn a_contract_sees_what_was_stored_before_the_block() {
    let stage = Stage::new();
    let [first, second] = stage.ids;
    let itself = [b"A", &probe::question(first, b"v")[1..]].concat();
    let transactions = [
        probe::set(second, b"new"),
        probe::ask(first, second, b"v"),
        probe::ask(second, second, b"v"),
        stage.message(1, itself),
        probe::ask(first, second, b"n"),
        probe::ask(first, second, b"n"),
    ];
    let staged = stage.stage(&transactions);
    let outcome = &staged.staged.execution.executed.outcome;
    let none: (ApplicationId, &[u8], &[u8]) = (second, b"", b"");
    let value: (ApplicationId, &[u8], &[u8]) = (second, b"v", b"old");
    let count: (ApplicationId, &[u8], &[u8]) = (second, b"n", &[1, 0, 0, 0]);
    let expected = [none, value, value, (first, b"v", b""), count, count];
    for (index, (asked, query, expected)) in expected.into_iter().enumerate() {
        let transaction = &outcome.transactions[index];
        let is_message = index == 3;
        assert_eq!(
            transaction.response,
            if is_message { b"" } else { expected },
            "{index}"
        );
        let recorded = &transaction.effects.oracle_responses;
        let wanted = if index == 0 {
            Vec::new()
        } else {
            answer(asked, query, expected)
        };
        assert_eq!(*recorded, wanted, "{index}");
    }
    assert_eq!(outcome.resources.service_as_oracle_queries, 5);
    let each = ResourceLimits::default().service_query_fuel;
    assert!(
        outcome.resources.wasm_fuel > 5 * each,
        "a query costs all that it may spend"
    );
}

#[test]
fn nobody_is_asked_when_the_block_is_run_again() {
    let stage = Stage::new();
    let [first, second] = stage.ids;
    let staged = stage.stage(&[probe::ask(first, second, b"v")]);
    // What is recorded counts, so that a record that lies consistently cannot be told from the truth here.
    let mut changed = staged.staged.execution.executed.clone();
    changed.outcome.transactions[0].response = b"lie".to_vec();
    changed.outcome.transactions[0].effects.oracle_responses = answer(second, b"v", b"lie");
    for pair in PAIRS {
        let executed = stage.chains.execute(pair, &changed);
        let executed = executed.unwrap_or_else(|error| panic!("somebody was asked: {error}"));
        assert_eq!(executed.executed, changed);
    }
    changed.outcome.transactions[0].response = b"old".to_vec();
    for pair in PAIRS {
        let error = stage.chains.execute(pair, &changed).err();
        error.expect("the contract does not respond with what was recorded");
    }
    let effects = &mut changed.outcome.transactions[0].effects;
    effects.oracle_responses = Vec::new();
    for pair in PAIRS {
        let error = stage.chains.execute(pair, &changed).err();
        let error = error.expect("the answer is missing").to_string();
        let asked = format!("a query of application {second}");
        assert!(error.contains(&asked), "{error}");
    }
}

/// An answer is tied to its question: it is worth nothing for another one, not even for one of the same
/// application.
#[test]
fn an_answer_to_another_question_is_no_answer() {
    let stage = Stage::new();
    let [first, second] = stage.ids;
    let staged = stage.stage(&[probe::ask(first, second, b"v")]);
    for (asked, query) in [(second, b"n"), (first, b"v")] {
        let mut changed = staged.staged.execution.executed.clone();
        let effects = &mut changed.outcome.transactions[0].effects;
        effects.oracle_responses = answer(asked, query, b"old");
        for pair in PAIRS {
            let error = stage.chains.execute(pair, &changed).err();
            let error = error.expect("it is about something else").to_string();
            let expected = format!("a query of application {second}");
            assert!(error.contains(&expected), "{error}");
        }
    }
}

#[test]
fn an_application_of_this_block_shows_its_default_state() {
    let stage = Stage::new();
    let [first, _] = stage.ids;
    let chains = &stage.chains;
    let module_id: ModuleId =
        chains.publish_with_service(&stage.chain, probe::contract(), probe::service());
    assert_eq!(module_id.vm_runtime, VmRuntime::Wasm);
    let description = ApplicationDescription {
        module_id,
        creator_chain_id: stage.chain.id,
        block_height: chains.tip(stage.chain.id).next_height,
        application_index: 0,
        parameters: b"null".to_vec(),
        required_application_ids: Vec::new(),
    };
    assert_ne!(description.block_height, BlockHeight(0));
    let created = ApplicationId::from(&description);
    let create = Operation::System(SystemOperation::CreateApplication {
        module_id,
        parameters: b"null".to_vec(),
        instantiation_argument: b"null".to_vec(),
        required_application_ids: Vec::new(),
    });
    let staged = stage.stage(&[
        bundles::operation(create),
        probe::set(created, b"new"),
        probe::ask(first, created, b"v"),
        probe::ask(first, created, b"t"),
    ]);
    let executed = &staged.staged.execution.executed;
    let responses = executed
        .outcome
        .transactions
        .iter()
        .map(|transaction| &transaction.response);
    let responses: Vec<_> = responses.collect();
    assert_eq!(bcs::from_bytes(responses[0]), Ok(created));
    assert_eq!(*responses[2], b"");
    let block = &executed.block;
    let facts = [block.height.0, block.timestamp.micros()].map(u64::to_le_bytes);
    assert_eq!(*responses[3], facts.concat());
}

#[test]
fn an_application_may_ask_when_the_block_is_finalized() {
    let stage = Stage::new();
    let [first, second] = stage.ids;
    let question = [b"f", &probe::question(second, b"v")[1..]].concat();
    let question = bundles::operation(TestChains::raw_operation(first, question));
    let transactions = [question, probe::set(second, b"new")];
    let policy = StagingPolicy::Abort;
    let added = stage
        .chains
        .add_everywhere(&stage.chain, &transactions, &policy);
    let outcome = added
        .expect("the block passes")
        .staged
        .execution
        .executed
        .outcome;
    assert_eq!(
        outcome.finalization.effects.oracle_responses,
        answer(second, b"v", b"old")
    );
    let services = stage.chains.services(PAIRS[0].0);
    let stored = |id| {
        let outcome = services.try_query(&stage.chain, id, b"v".to_vec());
        outcome.expect("the service answers").response
    };
    assert_eq!(
        [stored(first), stored(second)],
        [b"old".to_vec(), b"new".to_vec()]
    );
}

#[test]
fn a_query_that_fails_fails_the_transaction_that_asked() {
    let stage = Stage::new().with_policy(|policy| policy.limits.service_query_fuel = 1_000_000);
    let [first, second] = stage.ids;
    for (query, why) in [
        (b"p".as_slice(), "panicked: as it was told"),
        (b"x", "trap: unreachable code was reached"),
        (b"l", "out of fuel"),
        (b"w", "a service cannot write"),
        (b"h", "out of fuel"),
        (b"r", "call stack exhausted"),
    ] {
        let error = stage.refusal(&[probe::ask(first, second, query)]);
        let start = format!("application {first}: the query of application {second} failed: {why}");
        assert!(error.contains(&start), "{error}");

        let bad = stage.message(1, probe::question(second, query));
        let good = stage.message(2, probe::question(second, b"v"));
        let staged = stage.stage(&[bad, good]).staged;
        let [
            (
                _,
                Failure {
                    application_id,
                    reason,
                },
            ),
        ] = staged.rejected.as_slice()
        else {
            panic!("one bundle is rejected");
        };
        assert_eq!(*application_id, Some(first));
        assert!(
            matches!(reason, FailureReason::Query { application_id, .. } if *application_id == second)
        );
    }
}

#[test]
fn answers_are_replayed_when_a_bundle_behind_them_fails() {
    let stage = Stage::new();
    let [_, second] = stage.ids;
    let question = probe::question(second, b"v");
    let bad = [b"x", &question[1..]].concat();
    let messages = [&question, &question, &question, &bad, &question];
    let messages: Vec<_> = (1..)
        .zip(messages)
        .map(|(height, bytes)| stage.message(height, bytes.clone()))
        .collect();
    let staged = stage.stage(&messages).staged;
    assert_eq!(staged.rejected.len(), 1);
    let outcome = &staged.execution.executed.outcome;
    let recorded = outcome
        .transactions
        .iter()
        .map(|transaction| &transaction.effects.oracle_responses);
    let recorded: Vec<_> = recorded.collect();
    let (old, none) = (answer(second, b"v", b"old"), Vec::new());
    assert_eq!(recorded, [&old, &old, &old, &none, &old]);
}

#[test]
fn queries_have_a_limit_a_size_and_a_price() {
    let stage = Stage::new();
    let [first, second] = stage.ids;
    let ask = || probe::ask(first, second, b"v");
    let set = [probe::set(second, &[7; 100])];
    stage
        .chains
        .add_everywhere(&stage.chain, &set, &StagingPolicy::Abort)
        .expect("it passes");

    let stage = stage.with_policy(|policy| {
        policy.limits.service_as_oracle_queries = 2;
        policy.limits.service_response_bytes = 100;
        policy.prices.service_as_oracle_query = resident_base::Amount::from_attos(5);
    });
    let staged = stage.stage(&[ask(), ask()]).staged;
    assert_eq!(
        staged.execution.executed.outcome.fees,
        resident_base::Amount::from_attos(10)
    );
    let error = stage.refusal(&[ask(), ask(), ask()]);
    let limit = FailureReason::Crowded(LimitKind::ServiceQueries).to_string();
    assert!(error.contains(&limit), "{error}");

    let stage = stage.with_policy(|policy| policy.limits.service_response_bytes = 99);
    let error = stage.refusal(&[ask()]);
    let limit = FailureReason::Limit(LimitKind::ServiceResponseBytes).to_string();
    assert!(error.contains(&limit), "{error}");
}
