//! Queries of clients on the committed state, on both engines.

use std::time::{Duration, Instant};

use counter::{CounterAbi, Query};
use resident_base::{Account, AccountOwner, Amount, ApplicationId, CryptoHash};
use resident_chain::StagingPolicy;
use resident_execution::{
    EngineKind, FailureReason, LimitKind, Operation, QueryContext, QueryError, SystemOperation,
};
use resident_testing::{PAIRS, TestChain, TestChains, TestServices, contract};

use crate::{bundles, probe};

#[test]
fn a_service_answers_from_what_the_last_block_left() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let service = contract("counter-service");
    let module = chains.publish_with_service(&chain, contract("counter"), service);
    let id = chains.create(&chain, module, &(), &40u64, Vec::new());
    let id = id.with_abi::<CounterAbi>();
    let services = EngineKind::ALL.map(|engine| chains.services(engine));
    for (block, expected) in [(0, 40), (1, 42), (2, 44)] {
        if block > 0 {
            chains.call(&chain, id, &counter::Operation::Increment { value: 2 });
        }
        for services in &services {
            let tip = chains.tip(chain.id);
            assert_eq!(services.query(&chain, id, &Query::Value), expected);
            let increment = Query::Increment { value: 5 };
            assert_eq!(services.query(&chain, id, &increment), expected + 5);
            assert_eq!(services.query(&chain, id, &Query::Value), expected);
            assert_eq!(chains.tip(chain.id), tip);
            let (counts, kept) = services.counts(&chain);
            assert_eq!((counts.instantiations, kept), (block + 1, 1));
            assert_eq!(counts.queries, 3 * (block + 1));
        }
    }
    for services in &services {
        let query = br#"{"Increment":{"value":3}}"#.to_vec();
        let outcome = services.try_query(&chain, id.forget_abi(), query).unwrap();
        let increment = counter::Operation::Increment { value: 3 };
        assert_eq!(outcome.operations, [TestChains::operation(id, &increment)]);
        chains.run(&chain, outcome.operations);
    }
    assert_eq!(services[0].query(&chain, id, &Query::Value), 50);
    let error = services[0].try_query(&chain, id.forget_abi(), b"{".to_vec());
    let error = error.expect_err("that is not JSON").to_string();
    assert!(
        error.contains("cannot decode the JSON of: the query"),
        "{error}"
    );
}

struct Probe {
    chains: TestChains,
    chain: TestChain,
    id: ApplicationId,
}

impl Probe {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let [id] = probe::create(&chains, &chain);
        Probe { chains, chain, id }
    }

    fn on_every_engine(&self, test: impl Fn(&TestServices<'_>)) {
        for engine in EngineKind::ALL {
            test(&self.chains.services(engine));
        }
    }

    fn error(&self, services: &TestServices<'_>, query: &[u8]) -> QueryError {
        let outcome = services.try_query(&self.chain, self.id, query.to_vec());
        outcome.expect_err("the query fails")
    }

    /// How many queries of this kind the instance has answered.
    fn count(&self, services: &TestServices<'_>) -> u32 {
        let outcome = services.try_query(&self.chain, self.id, b"n".to_vec());
        u32::from_le_bytes(outcome.unwrap().response.try_into().unwrap())
    }
}

#[test]
fn an_instance_is_used_again_until_it_fails_or_the_chain_changes() {
    let probe = Probe::new();
    probe.on_every_engine(|services| {
        assert_eq!([(); 3].map(|()| probe.count(services)), [1, 2, 3]);
        probe.chains.run(&probe.chain, Vec::new());
        assert_eq!(
            [(); 2].map(|()| probe.count(services)),
            [1, 2],
            "a block came"
        );
        for (query, reason) in [
            (b"x", "trap: unreachable code was reached"),
            (b"p", "panicked: as it was told"),
            (b"r", "call stack exhausted"),
            (
                b"w",
                "a service cannot write: schedule an operation instead",
            ),
        ] {
            let QueryError::Failed(failure) = probe.error(services, query) else {
                panic!("{reason} is a failure");
            };
            assert_eq!(failure.application_id, Some(probe.id));
            assert_eq!(failure.reason.to_string(), reason);
            assert_eq!(services.counts(&probe.chain).1, 0);
            assert_eq!([(); 2].map(|()| probe.count(services)), [1, 2], "{reason}");
        }
        assert_eq!(services.counts(&probe.chain).0.instantiations, 6);
    });
}

#[test]
fn a_query_ends_when_its_fuel_or_its_time_does() {
    let probe = Probe::new();
    probe.on_every_engine(|services| {
        for query in [b"l", b"h"] {
            let query = query.to_vec();
            let fuel = |context: &mut QueryContext| context.fuel = 1_000_000;
            let outcome = services.query_with(&probe.chain, probe.id, query, fuel);
            let spent = matches!(outcome, Err(QueryError::OutOfFuel { fuel: 1_000_000 }));
            assert!(spent, "{outcome:?}");
        }
        assert_eq!([(); 2].map(|()| probe.count(services)), [1, 2]);
        let begun = Instant::now();
        let outcome = services.query_with(&probe.chain, probe.id, b"h".to_vec(), |context| {
            context.fuel = u64::MAX;
            context.deadline = Some(begun + Duration::from_millis(20));
        });
        assert!(matches!(outcome, Err(QueryError::Deadline)), "{outcome:?}");
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert_eq!(probe.count(services), 1, "the instance was dropped");
    });
}

/// Without the deadline it would compute for centuries.
#[test]
fn a_query_that_only_computes_ends_with_its_time() {
    let probe = Probe::new();
    let [other] = probe::create(&probe.chains, &probe.chain);
    probe.on_every_engine(|services| {
        for query in [b"l".to_vec(), probe::through(other, b"l")] {
            let begun = Instant::now();
            let outcome = services.query_with(&probe.chain, probe.id, query, |context| {
                context.fuel = u64::MAX;
                context.deadline = Some(begun + Duration::from_millis(100));
            });
            assert!(matches!(outcome, Err(QueryError::Deadline)), "{outcome:?}");
        }
        // One that has little fuel ends because of that.
        let outcome = services.query_with(&probe.chain, probe.id, b"l".to_vec(), |context| {
            context.fuel = 1_000;
            context.deadline = Some(Instant::now() + Duration::from_secs(60));
        });
        let spent = matches!(outcome, Err(QueryError::OutOfFuel { fuel: 1_000 }));
        assert!(spent, "{outcome:?}");
    });
}

#[test]
fn a_query_whose_time_is_over_is_not_run() {
    let probe = Probe::new();
    probe.on_every_engine(|services| {
        assert_eq!(probe.count(services), 1);
        let outcome = services.query_with(&probe.chain, probe.id, b"n".to_vec(), |context| {
            context.deadline = Some(Instant::now());
        });
        assert!(matches!(outcome, Err(QueryError::Deadline)), "{outcome:?}");
        assert_eq!(probe.count(services), 2);
        assert_eq!(services.counts(&probe.chain).0.queries, 2);
    });
}

/// The same queries take the same fuel on both engines.
#[test]
fn the_fuel_of_a_query_is_the_same_everywhere() {
    let probe = Probe::new();
    let passes = |services: &TestServices<'_>, fuel| {
        let query = b"t".to_vec();
        let outcome = services.query_with(&probe.chain, probe.id, query, |context| {
            context.fuel = fuel;
        });
        match outcome {
            Ok(_) => true,
            Err(QueryError::OutOfFuel { fuel: given }) => {
                assert_eq!(given, fuel);
                false
            }
            Err(error) => panic!("{error}"),
        }
    };
    let [first, second] = EngineKind::ALL.map(|engine| {
        let services = probe.chains.services(engine);
        let enough = (0..5_000)
            .collect::<Vec<_>>()
            .partition_point(|fuel| !passes(&services, *fuel));
        assert!((1..5_000).contains(&enough));
        enough
    });
    assert_eq!(first, second);
}

#[test]
fn a_service_knows_the_next_height_the_time_and_the_balances() {
    let probe = Probe::new();
    let pay = |seed| {
        Operation::System(SystemOperation::Transfer {
            owner: AccountOwner::CHAIN,
            recipient: Account::new(probe.chain.id, TestChains::owner(seed)),
            amount: Amount::ONE,
        })
    };
    probe.chains.run(&probe.chain, vec![pay(7), pay(8)]);
    probe.on_every_engine(|services| {
        let query = |query: &[u8]| {
            let outcome = services.try_query(&probe.chain, probe.id, query.to_vec());
            outcome.unwrap().response
        };
        let tip = probe.chains.tip(probe.chain.id);
        let facts = [tip.next_height.0, tip.timestamp.micros()].map(u64::to_le_bytes);
        assert_eq!(query(b"t"), facts.concat());
        assert_eq!(query(b"o"), [2u32, 2].map(u32::to_le_bytes).concat());
    });
}

#[test]
fn a_service_schedules_operations_of_its_application() {
    let probe = Probe::new();
    probe.on_every_engine(|services| {
        let outcome = services.try_query(&probe.chain, probe.id, b"swhat is set".to_vec());
        let operations = outcome.unwrap().operations;
        let expected = TestChains::raw_operation(probe.id, b"what is set".to_vec());
        assert_eq!(operations, [expected]);
        probe.chains.run(&probe.chain, operations);
        let stored = services.try_query(&probe.chain, probe.id, b"v".to_vec());
        assert_eq!(stored.unwrap().response, b"hat is set");
    });
}

#[test]
fn services_ask_each_other_but_not_themselves_and_not_too_deep() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let ids: [ApplicationId; 65] = probe::create(&chains, &chain);
    for engine in EngineKind::ALL {
        let services = chains.services(engine);
        let failure = |query: Vec<u8>| match services.try_query(&chain, ids[0], query) {
            Err(QueryError::Failed(failure)) => failure,
            other => panic!("{other:?}"),
        };
        let count = services.try_query(&chain, ids[0], probe::through(ids[1], b"n"));
        assert_eq!(count.unwrap().response, 1u32.to_le_bytes());
        let scheduled = services.try_query(&chain, ids[0], probe::through(ids[1], b"swA"));
        let scheduled = scheduled.unwrap().operations;
        assert_eq!(
            scheduled,
            [TestChains::raw_operation(ids[1], b"wA".to_vec())]
        );

        let itself = failure(probe::through(ids[1], &probe::through(ids[0], b"n")));
        assert_eq!(itself.reason, FailureReason::Reentrance { callee: ids[0] });
        assert_eq!(itself.application_id, Some(ids[1]));
        let inner = failure(probe::through(ids[1], b"x"));
        assert_eq!(inner.application_id, Some(ids[1]));

        let nested = |count: usize| {
            let inner = ids[1..count].iter().rev();
            inner.fold(b"n".to_vec(), |query, id| probe::through(*id, &query))
        };
        let deepest = services.try_query(&chain, ids[0], nested(64)).unwrap();
        assert_eq!(deepest.response, 1u32.to_le_bytes());
        assert_eq!(services.counts(&chain).1, 8, "others made room");
        let too_deep = failure(nested(65)).reason;
        assert_eq!(too_deep, FailureReason::Limit(LimitKind::CallDepth));
    }
}

#[test]
fn the_instances_used_last_are_kept() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let ids: [ApplicationId; 9] = probe::create(&chains, &chain);
    let services = chains.services(PAIRS[0].0);
    let count = |id: usize| {
        let outcome = services.try_query(&chain, ids[id], b"n".to_vec());
        u32::from_le_bytes(outcome.unwrap().response.try_into().unwrap())
    };
    for id in 0..8 {
        assert_eq!(count(id), 1);
    }
    assert_eq!(count(0), 2);
    assert_eq!(count(8), 1);
    assert_eq!(services.counts(&chain).1, 8);
    assert_eq!(count(0), 3, "used later than the second");
    assert_eq!(count(1), 1, "it had to make room");
}

#[test]
fn what_is_not_there_is_named() {
    let probe = Probe::new();
    let module = probe.chains.publish_code(&probe.chain, probe::contract());
    let without = probe
        .chains
        .create(&probe.chain, module, &(), &(), Vec::new());
    let unknown = ApplicationId::new(CryptoHash::of_bytes(b"nobody"));
    probe.on_every_engine(|services| {
        let outcome = services.try_query(&probe.chain, without, b"n".to_vec());
        assert!(matches!(outcome, Err(QueryError::NoService(id)) if id == without));
        let outcome = services.try_query(&probe.chain, unknown, b"n".to_vec());
        assert!(matches!(outcome, Err(QueryError::UnknownApplication(id)) if id == unknown));
    });
    // On a chain that has no state yet, an application has its default state.
    let other = probe.chains.open_root(2);
    probe.on_every_engine(|services| {
        let outcome = services.try_query(&other, probe.id, b"v".to_vec());
        assert_eq!(outcome.unwrap().response, b"");
    });
}

#[test]
fn a_module_with_a_bad_service_is_refused_when_it_is_published() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let import = |function| {
        let interface = "resident:app/runtime";
        probe::service_with(&format!(
            r#"(import "{interface}" "{function}" (func (param i64)))"#
        ))
    };
    for (service, expected) in [
        (import("assert-before"), "assert-before"),
        (probe::contract(), "query-service"),
        (contract("counter"), "service refused"),
        (
            resident_base::Bytecode::new(b"code".to_vec()),
            "service refused",
        ),
    ] {
        let publish = SystemOperation::PublishModule {
            contract: probe::contract(),
            service,
            vm_runtime: resident_base::VmRuntime::Wasm,
        };
        let publish = [bundles::operation(Operation::System(publish))];
        let error = chains.stage_everywhere(&chain, &publish, &StagingPolicy::Abort);
        let error = error.err().expect("it is refused").to_string();
        assert!(
            error.contains("service refused") && error.contains(expected),
            "{error}"
        );
    }
}
