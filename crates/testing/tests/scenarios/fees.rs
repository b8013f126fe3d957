//! What is charged, to whom, and what happens when nobody can pay.

use counter::CounterAbi;
use resident_base::{Account, AccountOwner, Amount, ApplicationId};
use resident_chain::{BlockError, DropReason, StagingPolicy, Transaction};
use resident_execution::{
    FailureReason, Operation, Prices, ResourceLimits, ResourcePolicy, SystemOperation,
};
use resident_testing::{PAIRS, StagedEverywhere, TestChain, TestChains};

use crate::{
    bundles::{self, stranger},
    courier::{self, Letter},
    gadget,
};

/// The same chains with other prices from now on.
fn with_prices(chains: &TestChains, prices: Prices) -> TestChains {
    let policy = ResourcePolicy {
        prices,
        ..ResourcePolicy::default()
    };
    TestChains::with_store(PAIRS[0], chains.store().clone()).with_policy(policy)
}

fn attos(attos: u128) -> Amount {
    Amount::from_attos(attos)
}

fn fees(staged: &StagedEverywhere) -> Amount {
    staged.staged.execution.executed.outcome.fees
}

fn transfer(account: Account, amount: u128) -> Operation {
    Operation::System(SystemOperation::Transfer {
        owner: AccountOwner::CHAIN,
        recipient: account,
        amount: attos(amount),
    })
}

#[test]
fn loading_and_storing_are_paid_for_once_per_block() {
    let free = TestChains::new(PAIRS[0]);
    let chain = free.open_root(1);
    let counter: ApplicationId<CounterAbi> = free.create_counter(&chain, 0).with_abi();
    let prices = Prices {
        read_operation: attos(1_000_000),
        write_operation: attos(1_000),
        ..Prices::default()
    };
    let chains = with_prices(&free, prices);
    let increment = |value| {
        let operation = counter::Operation::Increment { value };
        bundles::operation(TestChains::operation(counter, &operation))
    };
    let block = |operations| {
        let operations: Vec<_> = (1..=operations).map(increment).collect();
        chains
            .stage_everywhere(&chain, &operations, &StagingPolicy::Abort)
            .unwrap()
    };
    let (one, ten) = (block(1), block(10));
    assert_eq!(fees(&one), fees(&ten));
    let used = ten.staged.execution.executed.outcome.resources;
    let (reads, writes) = (used.read_operations, used.write_operations);
    assert!(reads > 0 && writes > 0);
    let expected = u128::from(reads) * 1_000_000 + u128::from(writes) * 1_000;
    assert_eq!(fees(&ten), attos(expected));
    for trace in ten.staging.iter().chain(&ten.committed) {
        assert_eq!((trace.loads, trace.stores), (1, 1));
    }
    // The first transaction pays for loading, and the block's end for storing.
    let report = &ten.staged.execution.report;
    let reading: Vec<_> = report
        .all()
        .map(|part| part.resources.read_operations)
        .collect();
    let writing: Vec<_> = report
        .all()
        .map(|part| part.resources.write_operations)
        .collect();
    assert_eq!(reading, [[reads].as_slice(), &[0; 10]].concat());
    assert_eq!(writing, [[0; 10].as_slice(), &[writes]].concat());
}

/// A chain where a message costs a hundred, and bundles that each send one.
struct Poor {
    chains: TestChains,
    host: TestChain,
    poor: TestChain,
    courier: ApplicationId,
}

impl Poor {
    fn new(money: u128) -> Self {
        let free = TestChains::new(PAIRS[0]);
        let host = free.open_root(1);
        let courier = courier::create(&free, &host);
        let poor = free.open_child(&host, 2);
        let prices = Prices {
            message: attos(100),
            ..Prices::default()
        };
        let chains = with_prices(&free, prices);
        free.run(&host, vec![transfer(Account::chain(poor.id), money)]);
        free.deliver(&host);
        free.process_inbox(&poor, &StagingPolicy::Abort);
        Self {
            chains,
            host,
            poor,
            courier,
        }
    }

    fn letter(&self) -> Vec<u8> {
        Letter::new(self.host.id, b"").command()
    }

    fn bundle(&self, height: u64, commands: &[u8]) -> Transaction {
        let messages = vec![(self.courier, commands.to_vec())];
        bundles::bundle(stranger(1), height, None, messages)
    }
}

fn is_insufficient(reason: &FailureReason, has: u128, needs: u128) -> bool {
    let (has, needs) = (attos(has), attos(needs));
    matches!(
        reason,
        FailureReason::InsufficientBalance { balance, amount, .. }
            if *balance == has && *amount == needs
    )
}

#[test]
fn when_funds_run_out_the_remaining_bundles_are_rejected() {
    let poor = Poor::new(250);
    let (chains, chain) = (&poor.chains, &poor.poor);
    let letter = poor.letter();
    let mut bundles: Vec<_> = (1..=4).map(|height| poor.bundle(height, &letter)).collect();
    bundles.push(poor.bundle(5, b""));
    let policy = TestChains::auto_retry(0);
    let staged = chains.add_everywhere(chain, &bundles, &policy).unwrap();
    assert_eq!(fees(&staged), attos(200));
    let rejected = &staged.staged.rejected;
    assert_eq!(rejected.len(), 2);
    for (_, failure) in rejected {
        // The chain gives what it has; the signer has nothing.
        assert!(is_insufficient(&failure.reason, 0, 50), "{failure}");
    }
    assert_eq!(chains.balance(chain.id, AccountOwner::CHAIN), attos(50));
}

#[test]
fn when_funds_run_out_an_operation_fails_unless_its_signer_pays() {
    let poor = Poor::new(250);
    let (chains, chain) = (&poor.chains, &poor.poor);
    let operations = || vec![courier::operation(poor.courier, &[&poor.letter()]); 3];
    for policy in [StagingPolicy::Abort, TestChains::auto_retry(3)] {
        let tip = chains.tip(chain.id);
        let error = chains.stage_everywhere(chain, &operations(), &policy).err();
        let Some(BlockError::TransactionFailed { index: 2, failure }) = error else {
            panic!("the third cannot be paid: {error:?}")
        };
        assert!(is_insufficient(&failure.reason, 0, 50), "{failure}");
        assert_eq!(chains.tip(chain.id), tip);
    }
    // One that is fixed is refused, too, where a message costs more.
    let good = chains.stage_everywhere(chain, &operations()[..2], &StagingPolicy::Abort);
    let executed = good.unwrap().staged.execution.executed;
    let dear = with_prices(
        chains,
        Prices {
            message: attos(126),
            ..Prices::default()
        },
    );
    for pair in PAIRS {
        let error = dear.execute(pair, &executed).err();
        let Some(BlockError::TransactionFailed { index: 1, failure }) = error else {
            panic!("the second cannot be paid: {error:?}")
        };
        assert!(is_insufficient(&failure.reason, 0, 2), "{failure}");
    }

    let to_signer = transfer(Account::new(chain.id, chain.owner), 70);
    let host = TestChains::with_store(PAIRS[0], chains.store().clone());
    host.run(&poor.host, vec![to_signer]);
    host.deliver(&poor.host);
    host.process_inbox(chain, &StagingPolicy::Abort);
    chains
        .add_everywhere(chain, &operations(), &StagingPolicy::Abort)
        .unwrap();
    assert_eq!(chains.balance(chain.id, AccountOwner::CHAIN), Amount::ZERO);
    assert_eq!(chains.balance(chain.id, chain.owner), attos(20));
}

#[test]
fn a_finalization_that_cannot_be_paid_refuses_the_block() {
    let free = TestChains::new(PAIRS[0]);
    let host = free.open_root(1);
    let [gadget] = gadget::create(&free, &host);
    let poor = free.open_child(&host, 2);
    let prices = Prices {
        byte_written: attos(1),
        ..Prices::default()
    };
    let chains = with_prices(&free, prices);
    let bundle = [gadget::message(gadget, stranger(1), 1, &[b"b"])];
    let staged = chains.stage_everywhere(&poor, &bundle, &TestChains::auto_retry(0));
    let dropped = staged.unwrap().staged.dropped;
    let [(_, DropReason::Refused(failure))] = &dropped[..] else {
        panic!("the bundle is to blame: {dropped:?}")
    };
    assert!(is_insufficient(&failure.reason, 0, 21), "{failure}");
    let error = chains
        .stage_everywhere(&poor, &bundle, &StagingPolicy::Abort)
        .err();
    assert!(
        matches!(error, Some(BlockError::Refused { .. })),
        "{error:?}"
    );
}

#[test]
fn free_applications_pay_nothing_and_have_limits_like_others() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let [free, other] = gadget::create(&chains, &chain);
    let policy = ResourcePolicy {
        prices: Prices {
            fuel: attos(1),
            operation: attos(1_000_000),
            write_operation: attos(10_000_000),
            ..Prices::default()
        },
        limits: ResourceLimits {
            transaction_fuel: 1_000_000,
            ..ResourceLimits::default()
        },
        free_applications: [free].into(),
        ..ResourcePolicy::default()
    };
    let chains = TestChains::with_store(PAIRS[0], chains.store().clone()).with_policy(policy);
    let block = |transactions: &[Transaction]| {
        let policy = TestChains::auto_retry(0);
        chains
            .stage_everywhere(&chain, transactions, &policy)
            .unwrap()
    };
    let both = |gadget| {
        block(&[
            gadget::operation(gadget, b"bw"),
            gadget::message(gadget, stranger(1), 1, &[b"bw"]),
        ])
    };
    let (of_free, of_other) = (both(free), both(other));
    assert_eq!(fees(&of_free), Amount::ZERO);
    // The writes of both, and of the finalization.
    let fee = fees(&of_other);
    assert!(fee > attos(31_000_000) && fee < attos(32_000_000), "{fee}");
    let used = |staged: &StagedEverywhere| staged.staged.execution.executed.outcome.resources;
    assert_eq!(used(&of_free), used(&of_other));

    // What a free application calls is free; but the other's own finalization is not.
    let calls = block(&[gadget::operation(free, &gadget::call(other, b"bw"))]);
    let report = &calls.staged.execution.report;
    assert_eq!(report.transactions[0].fee, Amount::ZERO);
    assert!(report.finalization.fee > attos(10_000_000));

    let endless = block(&[gadget::message(free, stranger(1), 1, &[b"l"])]);
    let [(_, failure)] = &endless.staged.rejected[..] else {
        panic!("the fuel ends")
    };
    assert_eq!(failure.reason.to_string(), "out of fuel");
}

/// Facts are counted by what they are, and operations by their argument.
#[test]
fn operations_and_facts_have_prices() {
    let free = TestChains::new(PAIRS[0]);
    let chain = free.open_root(1);
    let courier = courier::create(&free, &chain);
    let prices = Prices {
        operation: attos(1_000),
        operation_byte: attos(10),
        byte_runtime: attos(1),
        ..Prices::default()
    };
    let chains = with_prices(&free, prices);
    let policy = StagingPolicy::Abort;
    let operation = [courier::operation(courier, &[b"!!!"])];
    let staged = chains
        .stage_everywhere(&chain, &operation, &policy)
        .unwrap();
    assert_eq!(fees(&staged), attos(1_030));
    // A message asks whether it bounces, which is one byte, and is no operation.
    let message = bundles::bundle(stranger(1), 1, None, vec![(courier, b"!!!".to_vec())]);
    let staged = chains
        .stage_everywhere(&chain, &[message], &policy)
        .unwrap();
    assert_eq!(fees(&staged), attos(1));
    // Of the system's operations all bytes count.
    let operation = transfer(Account::new(chain.id, chain.owner), 5);
    let Operation::System(system) = &operation else {
        unreachable!("it is the system's")
    };
    let bytes = bcs::serialized_size(system).unwrap();
    let staged = chains.stage_everywhere(&chain, &[bundles::operation(operation)], &policy);
    assert_eq!(fees(&staged.unwrap()), attos(1_000 + 10 * bytes as u128));
}
