//! Answers from outside: recorded when a block is built, replayed when it is run again, and nobody is asked twice.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use resident_base::{
    Amount, ApplicationId, ApplicationPermissions, Blob, ChainId, ChainOwnership, DataBlobHash,
    http::Response,
};
use resident_chain::{
    BlockError, BlockOutcome, DropReason, ExecutedBlock, StagedBlock, StagingPolicy, Transaction,
    TransactionOutcome,
};
use resident_execution::{
    EngineKind, Failure, FailureReason, LimitKind, NoOracle, Operation, Oracle, OracleError,
    OracleResponse, ResourcePolicy, SessionKind, SystemOperation,
};
use resident_testing::{FakeOracle, PAIRS, PanickingOracle, TestChain, TestChains};

use crate::{
    bundles::{self, assert_leaves_no_trace, stranger},
    maker::{self, Commands},
};

const PRICE: &str = "https://example.org/price";
const NEWS: &str = "https://example.org/news";

struct Scene {
    chains: TestChains,
    chain: TestChain,
    maker: ApplicationId,
}

fn policy() -> ResourcePolicy {
    ResourcePolicy {
        http_request_allow_list: BTreeSet::from(["example.org".to_owned()]),
        ..ResourcePolicy::default()
    }
}

/// Knows a price and some news.
fn honest() -> FakeOracle {
    let price = Response::ok("17").with_header("Date", "today");
    FakeOracle::new()
        .with_answer(PRICE, price)
        .with_answer(NEWS, Response::new(404))
}

impl Scene {
    fn new(oracle: impl Oracle + 'static) -> Self {
        let chains = TestChains::new(PAIRS[0]).with_policy(policy());
        let chain = chains.open_root(1);
        let maker = maker::create(&chains, &chain);
        let chains = chains.with_oracle(Arc::new(oracle));
        Self {
            chains,
            chain,
            maker,
        }
    }

    /// The same chains with another world outside.
    fn with_oracle(&self, oracle: Arc<dyn Oracle>) -> TestChains {
        self.with(policy(), oracle)
    }

    fn with(&self, policy: ResourcePolicy, oracle: Arc<dyn Oracle>) -> TestChains {
        let store = self.chains.store().clone();
        TestChains::with_store(PAIRS[0], store)
            .with_policy(policy)
            .with_oracle(oracle)
    }

    fn operation(&self, commands: &Commands) -> Transaction {
        let bytes = commands.bytes().to_vec();
        bundles::operation(TestChains::raw_operation(self.maker, bytes))
    }

    fn message(&self, sender: u8, height: u64, commands: &Commands) -> Transaction {
        let messages = vec![(self.maker, commands.bytes().to_vec())];
        bundles::bundle(stranger(sender), height, None, messages)
    }

    fn stage(&self, transactions: &[Transaction]) -> Result<StagedBlock, BlockError> {
        let policy = StagingPolicy::Abort;
        let staged = self
            .chains
            .stage_everywhere(&self.chain, transactions, &policy)?;
        Ok(staged.staged)
    }

    fn refuse(&self, commands: &Commands) -> FailureReason {
        let error = self.stage(&[self.operation(commands)]);
        match error.err().expect("it is refused") {
            BlockError::TransactionFailed {
                failure: Failure { reason, .. },
                ..
            } => reason,
            error => panic!("it failed for another reason: {error}"),
        }
    }
}

fn recorded(outcome: &BlockOutcome, transaction: usize) -> &[OracleResponse] {
    &outcome.transactions[transaction].effects.oracle_responses
}

fn get(url: &str) -> Commands {
    Commands::new().get(url)
}

#[test]
fn an_answer_is_recorded_and_nobody_is_asked_again() {
    let scene = Scene::new(PanickingOracle);
    let block = [
        scene.operation(&get(PRICE).get(NEWS).get(PRICE)),
        scene.operation(&Commands::new().later(&get(NEWS))),
    ];
    let oracle = Arc::new(honest());
    let asking = scene.with_oracle(oracle.clone());
    for (number, pair) in (1..).zip(PAIRS) {
        let staged = asking
            .stage_on(pair, &scene.chain, block.to_vec(), &StagingPolicy::Abort)
            .unwrap();
        assert_eq!(oracle.calls(), 4 * number, "each question once");
        let outcome = &staged.execution.executed.outcome;
        assert_eq!(outcome.resources.http_requests, 4);
        let response = [&b"\xc8\0\0\x0017"[..], b"\x94\x01\0\0", b"\xc8\0\0\x0017"].concat();
        assert_eq!(outcome.transactions[0].response, response);
        let OracleResponse::Http { response, .. } = &recorded(outcome, 0)[0] else {
            panic!("an HTTP request was made");
        };
        let expected = Response::ok("17").with_header("date", "today");
        assert_eq!(*response, expected, "in canonical form");
        assert_eq!(recorded(outcome, 0).len(), 3);
        assert_eq!(recorded(outcome, 1), []);
        assert_eq!(outcome.finalization.effects.oracle_responses.len(), 1);
        // The outside would answer otherwise now, or must not be asked at all.
        scene.chains.check_everywhere(&staged.execution);
        let lying = FakeOracle::new().with_counter(PRICE).with_counter(NEWS);
        let lying = Arc::new(lying);
        scene
            .with_oracle(lying.clone())
            .check_everywhere(&staged.execution);
        assert_eq!(lying.calls(), 0);
    }
}

#[test]
fn records_that_were_altered_are_refused() {
    type Alter = fn(&mut Vec<OracleResponse>);
    let blob = |byte: u8| DataBlobHash(Blob::new_data([byte]).id().hash);
    let scene = Scene::new(honest());
    let publish = Commands::new().create_blob(&[1]).create_blob(&[2]);
    let published = scene.stage(&[scene.operation(&publish)]).unwrap();
    scene.chains.commit(published.execution);
    let ask = get(PRICE).get(NEWS).assert_blob(blob(1)).read_blob(blob(2));
    let block = [scene.operation(&ask), scene.operation(&get(NEWS))];
    let good = scene.stage(&block).unwrap().execution.executed;
    assert_eq!(recorded(&good.outcome, 0).len(), 4);
    let alterations: [(Alter, &str); 9] = [
        (
            |answers| change_answer(&mut answers[0]),
            "transaction 0: response",
        ),
        (
            |answers| change_question(&mut answers[0]),
            "no answer at this place",
        ),
        (|answers| drop(answers.remove(0)), "no answer at this place"),
        (|answers| drop(answers.pop()), "no answer at this place"),
        (Vec::clear, "no answer at this place"),
        (
            |answers| answers.push(answers[0].clone()),
            "oracle response",
        ),
        (
            |answers| answers.insert(0, answers[0].clone()),
            "no answer at this place",
        ),
        (|answers| answers.swap(0, 1), "no answer at this place"),
        (|answers| answers.swap(2, 3), "no answer at this place"),
    ];
    let silent = scene.with_oracle(Arc::new(PanickingOracle));
    for pair in PAIRS {
        for (number, (alter, what)) in alterations.into_iter().enumerate() {
            let mut altered = good.clone();
            alter(&mut altered.outcome.transactions[0].effects.oracle_responses);
            let error = refusal(&silent, pair, &altered);
            assert!(error.to_string().contains(what), "{number}: {error}");
        }
        silent
            .execute(pair, &good)
            .expect("the block itself is right");
    }
}

fn refusal(
    chains: &TestChains,
    pair: (EngineKind, SessionKind),
    altered: &ExecutedBlock,
) -> BlockError {
    let error = chains
        .execute(pair, altered)
        .err()
        .expect("the record is wrong");
    let is_typed = match &error {
        BlockError::OutcomeMismatch { .. } => true,
        BlockError::TransactionFailed { failure, .. } => {
            matches!(failure.reason, FailureReason::OracleMismatch { .. })
        }
        _ => false,
    };
    assert!(is_typed, "{error}");
    error
}

fn change_answer(answer: &mut OracleResponse) {
    if let OracleResponse::Http { response, .. } = answer {
        response.body = b"18".to_vec();
    }
}

fn change_question(answer: &mut OracleResponse) {
    if let OracleResponse::Http { request, .. } = answer {
        *request = Blob::new_data(*b"another question").id().hash;
    }
}

#[test]
fn an_answer_larger_than_allowed_is_refused_also_when_it_is_recorded() {
    let scene = Scene::new(honest());
    let mut narrow = policy();
    narrow.limits.http_response_bytes = "17datetoday".len() as u64 - 1;
    let block = [scene.operation(&get(PRICE))];
    let staged = scene.stage(&block).unwrap();
    let narrow = scene.with(narrow, Arc::new(honest()));
    for pair in PAIRS {
        let error = narrow.execute(pair, &staged.execution.executed).err();
        let error = error.expect("the answer is too large").to_string();
        assert!(error.contains("size of the answer"), "{error}");
    }
    let error = narrow
        .stage_everywhere(&scene.chain, &block, &StagingPolicy::Abort)
        .err();
    let error = error.expect("the answer is too large").to_string();
    assert!(error.contains("more than the 10 bytes"), "{error}");
}

#[test]
fn what_is_executed_again_after_a_rollback_keeps_its_answers() {
    let scene = Scene::new(PanickingOracle);
    let ask = get(PRICE);
    let block = [
        scene.message(1, 1, &ask),
        scene.message(2, 1, &ask),
        scene.message(3, 1, &ask.clone().fail()),
        scene.message(1, 2, &ask),
        scene.message(2, 2, &ask.clone().get(PRICE)),
        scene.message(4, 1, &ask.clone().fail()),
        scene.message(3, 2, &ask),
        scene.message(4, 2, &ask),
    ];
    let mut outcomes = Vec::new();
    for pair in PAIRS {
        let oracle = Arc::new(FakeOracle::new().with_counter(PRICE));
        let asking = scene.with_oracle(oracle.clone());
        let policy = TestChains::auto_retry(8);
        let staged = asking
            .stage_on(pair, &scene.chain, block.to_vec(), &policy)
            .unwrap();
        assert_eq!(staged.rejected.len(), 2);
        assert!(staged.executions > 8 + 2, "something was executed again");
        assert_eq!(oracle.calls(), 9, "and nobody was asked again");
        scene.chains.check_everywhere(&staged.execution);
        outcomes.push(staged.execution.executed);
    }
    assert!(outcomes.iter().all(|executed| *executed == outcomes[0]));
    let answers: Vec<_> = outcomes[0]
        .outcome
        .transactions
        .iter()
        .map(bodies)
        .collect();
    let expected: [&[&str]; 8] = [
        &["1"],
        &["2"],
        &[],
        &["4"],
        &["5", "6"],
        &[],
        &["8"],
        &["9"],
    ];
    assert_eq!(answers, expected);
}

fn bodies(outcome: &TransactionOutcome) -> Vec<&str> {
    let answers = outcome.effects.oracle_responses.iter();
    answers.filter_map(body).collect()
}

fn body(answer: &OracleResponse) -> Option<&str> {
    match answer {
        OracleResponse::Http { response, .. } => {
            Some(std::str::from_utf8(&response.body).expect("a number"))
        }
        _ => None,
    }
}

#[test]
fn who_may_ask_whom_is_the_policys_and_the_chains_affair() {
    let scene = Scene::new(honest());
    let refused = scene.refuse(&get("https://example.org:8443/price"));
    let server = "example.org:8443".to_owned();
    assert_eq!(refused, FailureReason::HttpServerNotAllowed { server });
    let refused = scene.refuse(&get("https://example.org.evil.org/price"));
    assert!(
        matches!(refused, FailureReason::HttpServerNotAllowed { .. }),
        "{refused}"
    );
    for url in [
        "example.org/price",
        "https://example.org@evil.org/price",
        "https://example.org/\r\n",
        "",
    ] {
        let refused = scene.refuse(&get(url));
        assert!(
            matches!(refused, FailureReason::BadHttpRequest(_)),
            "{url}: {refused}"
        );
    }
    let refused = scene.refuse(&get("https://example.org/unknown"));
    let unreachable = |reason: &FailureReason| {
        matches!(
            reason,
            FailureReason::Oracle(OracleError::Unreachable { .. })
        )
    };
    assert!(unreachable(&refused), "{refused}");
    let nobody = scene.with_oracle(Arc::new(NoOracle));
    let block = [scene.operation(&get(PRICE))];
    let error = nobody
        .stage_everywhere(&scene.chain, &block, &StagingPolicy::Abort)
        .err();
    let error = error.expect("nobody is asked").to_string();
    assert!(error.contains("makes no HTTP requests"), "{error}");
}

#[test]
fn a_chain_can_forbid_an_application_to_ask() {
    let scene = Scene::new(honest());
    let only = ApplicationPermissions {
        make_http_requests: Some(vec![]),
        ..Default::default()
    };
    let open = SystemOperation::OpenChain {
        ownership: ChainOwnership::single(scene.chain.owner),
        balance: Amount::ZERO,
        application_permissions: only,
    };
    let block = scene
        .chains
        .run(&scene.chain, vec![Operation::System(open)]);
    let id: ChainId = bcs::from_bytes(&block.outcome.transactions[0].response).unwrap();
    let owner = scene.chain.owner;
    let strict = TestChain { id, owner };
    let block = [scene.operation(&get(PRICE))];
    let error = scene
        .chains
        .stage_everywhere(&strict, &block, &StagingPolicy::Abort)
        .err();
    let error = error.expect("the chain forbids it").to_string();
    assert!(error.contains("does not permit HTTP requests"), "{error}");
}

#[test]
fn a_bundle_without_an_answer_waits_and_is_rejected_only_when_it_comes_first() {
    let scene = Scene::new(honest().with_silence("https://example.org/slow"));
    let slow = get("https://example.org/slow");
    let block = [
        scene.message(1, 1, &get(PRICE)),
        scene.message(2, 1, &slow),
        scene.message(1, 2, &get(NEWS)),
    ];
    let policy = TestChains::auto_retry(1);
    let with = assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[1], &policy);
    let [(_, DropReason::Failed(failure))] = &with.staged.dropped[..] else {
        panic!("it waits");
    };
    let timed_out = FailureReason::Oracle(OracleError::TimedOut {
        server: "https://example.org/slow".to_owned(),
        timeout: Duration::from_secs(10),
    });
    assert_eq!(failure.reason, timed_out);
    let first = [scene.message(2, 1, &slow), scene.message(2, 2, &get(PRICE))];
    let with = assert_leaves_no_trace(&scene.chains, &scene.chain, &first, &[0], &policy);
    assert_eq!(with.staged.rejected[0].1.reason, timed_out);
}

#[test]
fn requests_are_limited_by_block_and_for_bundles_that_fail() {
    let scene = Scene::new(honest());
    let mut few = policy();
    few.limits.http_requests = 2;
    few.limits.http_request_bytes = PRICE.len() as u64;
    let abort = StagingPolicy::Abort;
    let limit = |transactions: &[Transaction]| {
        let chains = scene.with(few.clone(), Arc::new(honest()));
        match chains.stage_everywhere(&scene.chain, transactions, &abort) {
            Err(BlockError::TransactionFailed { failure, .. }) => Some(failure.reason),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    };
    let operation = |commands: &Commands| scene.operation(commands);
    assert_eq!(
        limit(&[operation(&get(PRICE)), operation(&get(NEWS))]),
        None
    );
    let too_many = Some(FailureReason::Crowded(LimitKind::HttpRequests));
    assert_eq!(
        limit(&[operation(&get(PRICE).get(NEWS)), operation(&get(NEWS))]),
        too_many
    );
    let too_large = Some(FailureReason::Limit(LimitKind::HttpRequestBytes));
    assert_eq!(limit(&[operation(&get(&format!("{PRICE}s")))]), too_large);

    // Eight times the limit of a block; then those that ask have to wait.
    let fail = get(PRICE).get(PRICE).fail();
    let mut block: Vec<_> = (1..=12)
        .map(|sender| scene.message(sender, 1, &fail))
        .collect();
    block.push(scene.message(13, 1, &Commands::new()));
    let oracle = Arc::new(honest());
    let chains = scene.with(few, oracle.clone());
    let staged = chains
        .stage_on(PAIRS[0], &scene.chain, block, &TestChains::auto_retry(8))
        .unwrap();
    assert_eq!(oracle.calls(), 16);
    assert_eq!((staged.rejected.len(), staged.dropped.len()), (8, 4));
    assert_eq!(staged.execution.executed.block.transactions.len(), 9);
}
