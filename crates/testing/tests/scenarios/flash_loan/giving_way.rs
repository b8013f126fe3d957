//! What staging makes of a bank that refuses: it takes out the latest bundles that reached the bank, one by
//! one at first, and begins again.

use resident_chain::DropReason;

use super::*;

/// What staging made of a block: how many transactions it has, who has to wait for the bank's sake, and
/// how many transactions were run for it.
fn stage(scene: &Scene, block: &[Transaction], max_failures: u32) -> (usize, Vec<u8>, u64) {
    let policy = TestChains::auto_retry(max_failures);
    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, block, &policy)
        .unwrap()
        .staged;
    assert!(staged.rejected.is_empty(), "{:?}", staged.rejected);
    let waits = |(incoming, reason): &(resident_chain::IncomingBundle, DropReason)| {
        let DropReason::Refused(failure) = reason else {
            panic!("dropped for another reason: {reason:?}")
        };
        assert_eq!(failure.application_id, Some(scene.bank.forget_abi()));
        assert!(words(failure).contains("tokens are missing at the end of the block"));
        (0..=u8::MAX).find(|number| stranger(*number) == incoming.origin)
    };
    let waiting = staged.dropped.iter().filter_map(waits).collect();
    let transactions = staged.execution.executed.block.transactions.len();
    (transactions, waiting, staged.executions)
}

#[test]
fn the_honest_stay_and_the_last_one_has_to_go() {
    let scene = &*SCENE;
    let honest = |origin| scene.send(origin, 1, &[&[borrow(100), repay(105)]]);
    let unrelated = scene.send(7, 1, &[&[withdraw(1)]]);
    let cheat = scene.send(9, 1, &[&[borrow(100)], &[withdraw(100)]]);
    let block = [
        honest(1),
        honest(2),
        honest(3),
        unrelated.clone(),
        cheat.clone(),
    ];
    assert_eq!(stage(scene, &block, 0), (4, vec![9], 5 + 4));
    // What does not touch the bank stays wherever it stands.
    let block = [honest(1), honest(2), cheat, unrelated];
    assert_eq!(stage(scene, &block, 0), (3, vec![9], 4 + 3));
}

/// Nobody can know which bundle is to blame, so those after it wait with it.
#[test]
fn those_behind_a_cheat_wait() {
    let scene = &*SCENE;
    let honest = |origin| scene.send(origin, 1, &[&[borrow(100), repay(105)]]);
    let cheat = scene.send(2, 1, &[&[borrow(100)]]);
    let block = [honest(1), cheat, honest(3), honest(4)];
    assert_eq!(stage(scene, &block, 2), (1, vec![2, 3, 4], 4 + 3 + 2 + 1));
    // That goes on for as long as the cheat stands before them in the inbox.
    assert_eq!(stage(scene, &block[1..], 2), (0, vec![2, 3, 4], 3 + 2 + 1));
    // Two more attempts are not enough, and then the whole block is refused.
    let policy = TestChains::auto_retry(1);
    let staged = scene.chains.stage_everywhere(&scene.chain, &block, &policy);
    let (refused_by, _) = refusal(staged.err().expect("the block is refused"));
    assert_eq!(refused_by, scene.bank.forget_abi());
}

#[test]
fn a_hundred_honest_loans_stay() {
    let scene = &*SCENE;
    let honest = |origin| scene.send(origin, 1, &[&[borrow(100)], &[repay(105)]]);
    // The trader repays with what it has.
    let mut block = vec![scene.run(&trade())];
    block.extend((1..=100).map(|origin| match origin {
        100 => scene.send(100, 1, &[&[borrow(100)], &[repay(104)]]),
        origin => honest(origin),
    }));
    assert_eq!(stage(scene, &block, 0), (100, vec![100], 101 + 100));
}

/// If the owner's own operation is to blame, no bundle is taken out in vain.
#[test]
fn an_operation_does_not_give_way() {
    let scene = &*SCENE;
    let honest = scene.send(1, 1, &[&[borrow(100), repay(105)]]);
    let block = [scene.run(&[borrow(1)]), honest];
    let policy = TestChains::auto_retry(8);
    let staged = scene.chains.stage_everywhere(&scene.chain, &block, &policy);
    let (refused_by, failure) = refusal(staged.err().expect("the block is refused"));
    assert_eq!(refused_by, scene.bank.forget_abi());
    let reason = words(&failure);
    assert!(reason.contains("\n1.05 tokens are missing"), "{reason}");
}
