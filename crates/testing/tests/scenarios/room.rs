//! What a block has no room left for: who used the most gives way, on every engine and session.

use resident_base::ApplicationId;
use resident_chain::{BlockError, DropReason, StagedBlock, Transaction};
use resident_execution::{FailureReason, LimitKind, ResourcePolicy};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{self, stranger},
    evil::{self, Do},
    net::run,
};

struct Scene {
    chains: TestChains,
    chain: TestChain,
    apps: Vec<ApplicationId>,
}

impl Scene {
    fn new(change: impl FnOnce(&mut ResourcePolicy)) -> Self {
        let mut policy = ResourcePolicy::default();
        change(&mut policy);
        let chains = TestChains::new(PAIRS[0]).with_policy(policy);
        let chain = chains.open_root(1);
        let module = chains.publish_code(&chain, evil::code());
        let create = |number: usize| chains.create(&chain, module, &number, &(), Vec::new());
        let apps = (0..3).map(create).collect();
        Self {
            chains,
            chain,
            apps,
        }
    }

    fn bundle(&self, origin: u8, app: usize, commands: &Do) -> Transaction {
        let messages = vec![(self.apps[app], commands.0.clone())];
        bundles::bundle(stranger(origin), 1, None, messages)
    }

    fn stage(&self, block: &[Transaction]) -> Result<StagedBlock, BlockError> {
        let policy = TestChains::auto_retry(3);
        let staged = self.chains.stage_everywhere(&self.chain, block, &policy);
        staged.map(|everywhere| everywhere.staged)
    }
}

fn flood(count: u32) -> Do {
    Do::new().flood(stranger(99), 1, count)
}

fn positions(block: &[Transaction], staged: &StagedBlock) -> (Vec<usize>, Vec<usize>) {
    let place = |origin| {
        let is_it = |transaction: &Transaction| {
            transaction
                .bundle()
                .is_some_and(|incoming| incoming.origin == origin)
        };
        block.iter().position(is_it).expect("it was proposed")
    };
    let rejected = staged
        .rejected
        .iter()
        .map(|(incoming, _)| place(incoming.origin));
    let dropped = staged
        .dropped
        .iter()
        .map(|(incoming, _)| place(incoming.origin));
    (rejected.collect(), dropped.collect())
}

/// A refusal for want of room used to lower the number of transactions for good, so that an operation behind
/// the bundles failed although it fitted.
#[test]
fn an_operation_that_fits_passes_whoever_had_to_go() {
    let scene = Scene::new(|policy| policy.limits.messages = 10);
    let greedy = flood(8).finally(&flood(4));
    let block = [
        scene.bundle(1, 0, &greedy),
        scene.bundle(2, 1, &flood(3)),
        bundles::operation(run(scene.apps[1], &Do::new().spin(1))),
    ];
    let staged = scene.stage(&block).expect("there is a block");
    assert_eq!(positions(&block, &staged), (vec![0], vec![]));
    assert_eq!(staged.execution.executed.block.transactions.len(), 3);
}

/// The honest application wants to send when the block ends, and would be the one to refuse.
#[test]
fn the_greedy_one_gives_way_wherever_it_stands() {
    let scene = Scene::new(|policy| policy.limits.messages = 10);
    let honest = [
        scene.bundle(1, 0, &Do::new().finally(&flood(3))),
        scene.bundle(2, 0, &Do::new().put(1)),
        scene.bundle(3, 1, &flood(1)),
    ];
    for greedy in [flood(8), Do::new().finally(&flood(8))] {
        for place in 0..=honest.len() {
            let mut block = honest.to_vec();
            block.insert(place, scene.bundle(9, 2, &greedy));
            let staged = scene.stage(&block).expect("there is a block");
            assert_eq!(
                positions(&block, &staged),
                (vec![], vec![place]),
                "at {place}"
            );
            let (_, DropReason::Refused(failure)) = &staged.dropped[0] else {
                panic!("dropped for another reason: {:?}", staged.dropped[0].1)
            };
            assert_eq!(failure.reason, FailureReason::Crowded(LimitKind::Messages));
        }
    }
}

/// Those who burn what a block has of fuel leave nothing for the end of the block, which somebody else needs.
#[test]
fn burners_do_not_keep_others_from_their_finalization() {
    let scene = Scene::new(|policy| {
        policy.limits.transaction_fuel = 1_000_000;
        policy.limits.block_fuel = 3_000_000;
    });
    let honest = scene.bundle(1, 0, &Do::new().finally(&Do::new().put(20)));
    let burners = (2..9).map(|origin| scene.bundle(origin, 1, &Do::new().spin(80_000)));
    let mut block: Vec<_> = burners.collect();
    block.insert(0, honest);
    let staged = scene.stage(&block).expect("there is a block");
    let (rejected, dropped) = positions(&block, &staged);
    assert!(rejected.is_empty(), "{rejected:?}");
    let reasons: Vec<_> = staged.dropped.iter().map(|(_, reason)| reason).collect();
    assert!(!dropped.contains(&0), "{reasons:?}");
    assert!((1..7).contains(&dropped.len()), "{reasons:?}");
}

/// One for which others left too little waits, and is in the next block. One that needs more than any block has waits
/// too, as it was stopped before that was known, and is rejected when it comes first.
#[test]
fn only_what_is_too_large_for_any_block_is_rejected() {
    let scene = Scene::new(|policy| policy.limits.messages = 10);
    let block = [
        scene.bundle(1, 0, &flood(6)),
        scene.bundle(2, 1, &flood(11)),
        scene.bundle(3, 2, &flood(6)),
        scene.bundle(4, 0, &flood(4)),
    ];
    let staged = scene.stage(&block).expect("there is a block");
    assert_eq!(positions(&block, &staged), (vec![], vec![1, 2]));
    let staged = scene.stage(&block[1..]).expect("there is a block");
    assert_eq!(positions(&block[1..], &staged), (vec![0], vec![]));
    let limit = FailureReason::Limit(LimitKind::Messages);
    assert_eq!(staged.rejected[0].1.reason, limit);
}

#[test]
fn after_too_many_without_room_all_others_wait() {
    let scene = Scene::new(|policy| policy.limits.messages = 10);
    let mut block = vec![scene.bundle(1, 0, &flood(9))];
    block.extend((2..5).map(|origin| scene.bundle(origin, 1, &flood(2))));
    block.push(scene.bundle(9, 2, &flood(1)));
    let staged = scene.stage(&block).expect("there is a block");
    assert_eq!(positions(&block, &staged), (vec![], vec![1, 2, 3]));
    block.insert(1, scene.bundle(8, 1, &flood(2)));
    let staged = scene.stage(&block).expect("there is a block");
    assert_eq!(positions(&block, &staged), (vec![], vec![1, 2, 3, 4, 5]));
    assert_eq!(staged.dropped[4].1, DropReason::TooManyFailures);
}

/// What services answered used to count for nothing: one message that lets its application ask a loud service when the
/// block ends made the record larger than a record may be, nobody was named, and no block was ever built
/// again.
#[test]
fn whoever_makes_the_record_too_large_is_named() {
    let mut scene = Scene::new(|_| ());
    let module =
        scene
            .chains
            .publish_with_service(&scene.chain, evil::code(), evil::loud_service());
    let loud = scene
        .chains
        .create(&scene.chain, module, &"loud", &(), Vec::new());
    scene.apps.push(loud);
    // Sixteen megabytes is what a record can have, and two are there for the end of the block beyond what its
    // transactions may have.
    for asked in [20, 48] {
        let ask = Do::new().ask(loud, asked);
        let honest = scene.bundle(1, 0, &Do::new().put(1));
        let mut block = vec![honest];
        // Transactions nearly fill the block.
        block.extend((2..6).map(|origin| scene.bundle(origin, 1, &Do::new().ask(loud, 45))));
        block.push(scene.bundle(9, 2, &Do::new().finally(&ask)));
        let staged = scene.stage(&block).expect("there is a block");
        let (rejected, dropped) = positions(&block, &staged);
        assert!(rejected.is_empty(), "{rejected:?}");
        assert_eq!(dropped.is_empty(), asked == 20, "{dropped:?}");
        assert!(!dropped.contains(&0));
    }
    let block = [
        scene.bundle(1, 0, &Do::new().put(1)),
        scene.bundle(2, 1, &Do::new().finally(&Do::new().ask(loud, 49))),
        scene.bundle(3, 2, &Do::new().finally(&Do::new().ask(loud, 300))),
    ];
    let staged = scene.stage(&block).expect("there is a block");
    assert_eq!(positions(&block, &staged), (vec![2], vec![]));
}
