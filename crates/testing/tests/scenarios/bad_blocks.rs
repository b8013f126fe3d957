//! Bundles and blocks that do not fit the chain, and outcomes that are not what the block comes to.

use resident_base::{Amount, CryptoHash, Timestamp};
use resident_chain::{BlockError, BlockOutcome, ExecutedBlock, StagingPolicy};
use resident_testing::{PAIRS, TestChains};

use crate::{
    bundles::{bundle, stranger},
    scene::Scene,
};

#[test]
fn bundles_out_of_order_or_taken_before() {
    let scene = Scene::new();
    let credit = fungible::Message::Credit {
        target: scene.chain.owner,
        amount: Amount::ONE,
        source: scene.chain.owner,
    };
    let bytes = bcs::to_bytes(&credit).unwrap();
    let at = |height| {
        bundle(
            stranger(1),
            height,
            None,
            vec![(scene.token, bytes.clone())],
        )
    };
    for policy in [StagingPolicy::Abort, TestChains::auto_retry(3)] {
        for transactions in [[at(2), at(1)], [at(2), at(2)]] {
            let error = scene.refuse(&transactions, &policy);
            assert!(
                matches!(error, BlockError::BundleOutOfOrder { .. }),
                "{error}"
            );
            assert!(error.to_string().contains("leave it out"), "{error}");
        }
    }
    scene
        .chains
        .add_everywhere(&scene.chain, &[at(5)], &StagingPolicy::Abort)
        .unwrap();
    for height in [4, 5] {
        let error = scene.refuse(&[at(height)], &StagingPolicy::Abort);
        assert!(
            matches!(error, BlockError::BundleOutOfOrder { .. }),
            "{error}"
        );
    }
    scene
        .chains
        .add_everywhere(&scene.chain, &[at(6)], &StagingPolicy::Abort)
        .unwrap();
}

#[test]
fn blocks_that_do_not_continue_the_chain() {
    let scene = Scene::new();
    let increment = [scene.increment()];
    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, &increment, &StagingPolicy::Abort);
    let good = staged.unwrap().staged.execution.executed;
    type Change = fn(&mut ExecutedBlock);
    let cases: [(Change, &str); 5] = [
        (
            |executed| executed.block.height.0 += 1,
            "the chain goes on with block",
        ),
        (
            |executed| executed.block.height.0 -= 1,
            "the chain goes on with block",
        ),
        (
            |executed| executed.block.previous_block_hash = None,
            "but the chain ends with",
        ),
        (
            |executed| executed.block.previous_block_hash = Some(CryptoHash::of_bytes(b"fork")),
            "but the chain ends with",
        ),
        (
            |executed| executed.block.timestamp = Timestamp::from(1),
            "propose it with a later time",
        ),
    ];
    for pair in PAIRS {
        for (change, what) in cases {
            let mut executed = good.clone();
            change(&mut executed);
            let error = scene
                .chains
                .execute(pair, &executed)
                .err()
                .expect("it does not fit");
            assert!(error.to_string().contains(what), "{error}");
        }
        scene
            .chains
            .execute(pair, &good)
            .expect("the block itself fits");
    }
    scene.go_on();
    for pair in PAIRS {
        let error = scene
            .chains
            .execute(pair, &good)
            .err()
            .expect("the chain has gone on");
        assert!(
            matches!(error, BlockError::UnexpectedHeight { .. }),
            "{error}"
        );
    }
}

#[test]
fn outcomes_that_lie_are_named() {
    let scene = Scene::new();
    let transactions = [scene.increment(), scene.increment()];
    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, &transactions, &StagingPolicy::Abort)
        .unwrap();
    let good = staged.staged.execution.executed;
    type Lie = fn(&mut BlockOutcome);
    let lies: [(Lie, &str); 6] = [
        (
            |outcome| outcome.transactions[1].response[0] ^= 1,
            "transaction 1",
        ),
        (|outcome| outcome.transactions.truncate(1), "transactions"),
        (
            |outcome| outcome.finalization.response = vec![1],
            "finalization",
        ),
        (|outcome| outcome.resources.wasm_fuel += 1, "fuel"),
        (|outcome| outcome.fees = Amount::ONE, "fees"),
        (
            |outcome| outcome.state_hash = CryptoHash::of_bytes(b"other"),
            "state hash",
        ),
    ];
    for pair in PAIRS {
        for (lie, what) in lies {
            let mut executed = good.clone();
            lie(&mut executed.outcome);
            let error = scene
                .chains
                .execute(pair, &executed)
                .err()
                .expect("it is a lie");
            assert!(
                matches!(error, BlockError::OutcomeMismatch { .. }),
                "{error}"
            );
            assert!(error.to_string().contains(what), "{error}");
        }
    }
    scene.go_on();
}
