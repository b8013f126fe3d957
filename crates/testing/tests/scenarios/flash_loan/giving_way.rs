//! What staging makes of a bank that refuses: it finds the bundles because of which the bank does, and everybody
//! else stays.

use super::*;

/// What staging made of a block: how many transactions it has that are not rejected, and who is rejected for the bank's
/// sake.
fn stage(scene: &Scene, block: &[Transaction]) -> (usize, Vec<u8>) {
    let policy = TestChains::auto_retry(0);
    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, block, &policy)
        .unwrap()
        .staged;
    assert!(staged.dropped.is_empty(), "{:?}", staged.dropped);
    let rejected = |(incoming, failure): &(resident_chain::IncomingBundle, _)| {
        let failure: &resident_execution::Failure = failure;
        assert_eq!(failure.application_id, Some(scene.bank.forget_abi()));
        assert!(words(failure).contains("tokens are missing at the end of the block"));
        (0..=u8::MAX).find(|number| stranger(*number) == incoming.origin)
    };
    let rejected: Vec<u8> = staged.rejected.iter().filter_map(rejected).collect();
    let transactions = staged.execution.executed.block.transactions.len();
    (transactions - rejected.len(), rejected)
}

#[test]
fn the_honest_stay_and_the_cheat_is_rejected() {
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
    assert_eq!(stage(scene, &block), (4, vec![9]));
    let block = [honest(1), honest(2), cheat, unrelated];
    assert_eq!(stage(scene, &block), (3, vec![9]));
}

/// Those behind a cheat used to wait with it, for as long as it stood before them.
#[test]
fn nobody_waits_for_a_cheat() {
    let scene = &*SCENE;
    let honest = |origin| scene.send(origin, 1, &[&[borrow(100), repay(105)]]);
    let cheat = scene.send(2, 1, &[&[borrow(100)]]);
    let block = [honest(1), cheat, honest(3), honest(4)];
    assert_eq!(stage(scene, &block), (3, vec![2]));
    assert_eq!(stage(scene, &block[1..]), (2, vec![2]));
}

/// What one borrows and another repays is the bank's affair.
#[test]
fn somebody_else_may_repay() {
    let scene = &*SCENE;
    let borrower = scene.send(1, 1, &[&[borrow(100)]]);
    let friend = scene.send(2, 1, &[&[repay(105)]]);
    assert_eq!(
        stage(scene, &[borrower.clone(), friend.clone()]),
        (2, vec![])
    );
    let cheat = scene.send(3, 1, &[&[borrow(100)]]);
    assert_eq!(stage(scene, &[cheat, borrower, friend]), (2, vec![3]));
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
    assert_eq!(stage(scene, &block), (100, vec![100]));
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
