//! One scenario for each way to keep what was lent.

use flash_loan::Operation;
use resident_execution::FailureReason;

use super::*;
use crate::{bundles::assert_leaves_no_trace, gadget};

/// The whole block is refused by the bank, which misses so much.
fn assert_missing(scene: &Scene, transactions: &[Transaction], missing: &str) {
    let (refused_by, reason) = scene.refuse(transactions);
    assert_eq!(refused_by, scene.bank.forget_abi());
    let borrower = AccountOwner::from(scene.trader);
    let expected = format!(
        "{missing} tokens are missing at the end of the block, from 1 borrower(s); the first is {borrower}"
    );
    assert!(reason.ends_with(&expected), "{reason}");
}

#[test]
fn not_repaying() {
    let scene = &*SCENE;
    assert_missing(scene, &[scene.run(&[borrow(100)])], "105.");
    assert_missing(scene, &[scene.send(1, 1, &[&[borrow(100)]])], "105.");
    // Tokens that reach the bank by themselves are a gift, not a repayment.
    let gift = FungibleOperation::Transfer {
        owner: scene.chain.owner,
        amount: tokens(105),
        target_account: Account::new(scene.chain.id, scene.bank.into()),
    };
    let gift = scene.call(scene.money, &gift);
    assert_missing(
        scene,
        &[gift.clone(), scene.run(&[borrow(100)]), gift],
        "105.",
    );
}

#[test]
fn repaying_too_little() {
    let scene = &*SCENE;
    let all_but = |attos| Step::Repay {
        amount: tokens(105).try_sub(Amount::from_attos(attos)).unwrap(),
    };
    let one_atto = "0.000000000000000001";
    assert_missing(scene, &[scene.run(&[borrow(100), repay(100)])], "5.");
    assert_missing(scene, &[scene.run(&[borrow(100), all_but(1)])], one_atto);
    let block = [
        scene.send(1, 1, &[&[borrow(100)]]),
        scene.send(2, 1, &[&[all_but(1)]]),
    ];
    assert_missing(scene, &block, one_atto);
    // Many loans of the smallest amount are not free of interest.
    let amount = Amount::from_attos(1);
    let small = [(); 5].map(|()| Step::Borrow { amount });
    let amount = Amount::from_attos(9);
    let block = [scene.run(&small), scene.run(&[Step::Repay { amount }])];
    assert_missing(scene, &block, one_atto);
}

#[test]
fn repaying_more_for_one_than_for_another() {
    let scene = &*SCENE;
    // The signer owes as much as the trader repays, but it is the trader's debt that is paid.
    let amount = tokens(100);
    let block = [
        scene.run(&[borrow(100)]),
        scene.call(scene.bank, &Operation::Borrow { amount }),
        scene.run(&[repay(105)]),
    ];
    let (refused_by, reason) = scene.refuse(&block);
    assert_eq!(refused_by, scene.bank.forget_abi());
    let expected = format!("from 1 borrower(s); the first is {}", scene.chain.owner);
    assert!(reason.ends_with(&expected), "{reason}");
    // Nor can it be paid in advance.
    let (index, failure) = scene.fail(&[scene.run(&[borrow(1)]), scene.run(&[repay(105)])]);
    assert_eq!(index, 1);
    assert!(words(&failure).contains("owes 1.05, which is less than 105."));
}

#[test]
fn a_repayment_that_is_rolled_back() {
    let scene = &*SCENE;
    let lent = scene.send(1, 1, &[&[borrow(100)]]);
    let repaid = scene.send(2, 1, &[&[repay(105)], &failing()]);
    // In the block as rejected: the bank must not remember what never happened.
    assert_missing(scene, &[lent.clone(), rejected(&repaid)], "105.");
    // Staging rejects the one, and then the other is refused.
    let policy = TestChains::auto_retry(4);
    let block = [lent, repaid, scene.ask_balance(scene.bank)];
    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, &block, &policy)
        .unwrap()
        .staged;
    assert_eq!((staged.rejected.len(), staged.dropped.len()), (2, 0));
    let outcomes = &staged.execution.executed.outcome.transactions;
    assert_eq!(decode_balance(&outcomes[2].response), RESERVES);
}

#[test]
fn a_second_loan_in_a_bundle_that_is_rejected() {
    let scene = &*SCENE;
    let block = [
        scene.send(1, 1, &[&[borrow(100)]]),
        scene.send(2, 1, &[&[borrow(200)], &[withdraw(300)], &failing()]),
        scene.send(2, 2, &[&[repay(105)]]),
        scene.ask_balance(scene.bank),
        scene.ask_balance(scene.trader),
    ];
    let policy = TestChains::auto_retry(4);
    let with = assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[1], &policy);
    let outcomes = &with.staged.execution.executed.outcome.transactions;
    assert_eq!(decode_balance(&outcomes[3].response), RESERVES + 5);
    assert_eq!(decode_balance(&outcomes[4].response), OWN - 5);
}

#[test]
fn making_the_bank_fail_does_not_make_it_forget() {
    let scene = &*SCENE;
    let [lent, fails, stolen] = [
        scene.send(1, 1, &[&[borrow(100)]]),
        // The bank takes the tokens, and then sees that it was too much.
        scene.send(2, 1, &[&[repay(106)]]),
        scene.send(3, 1, &[&[withdraw(100)]]),
    ];
    assert_missing(
        scene,
        &[lent.clone(), rejected(&fails), stolen.clone()],
        "105.",
    );
    let (index, failure) = scene.fail(&[lent.clone(), fails.clone()]);
    assert_eq!(
        (index, failure.application_id),
        (1, Some(scene.bank.forget_abi()))
    );

    let policy = TestChains::auto_retry(4);
    let block = [lent, fails, stolen, scene.ask_balance(scene.bank)];
    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, &block, &policy)
        .unwrap()
        .staged;
    let rejected: Vec<_> = staged
        .rejected
        .iter()
        .map(|(bundle, _)| bundle.origin)
        .collect();
    assert_eq!(rejected, [1, 2].map(stranger));
    assert!(staged.dropped.is_empty(), "{:?}", staged.dropped);
    let outcomes = &staged.execution.executed.outcome.transactions;
    let reserves = outcomes.last().expect("there are transactions");
    assert_eq!(decode_balance(&reserves.response), RESERVES);
}

/// Memory cannot shrink, so the bank goes on in another instance, which has to have the same books.
#[test]
fn growing_the_banks_memory_does_not_make_it_forget() {
    let scene = &*SCENE;
    let asking = |bytes| {
        let loan = Operation::LendAndCall {
            borrower: scene.gadget,
            amount: tokens(1),
            instructions: vec![0; bytes],
        };
        let loan = gadget::call(scene.bank.forget_abi(), &bcs::to_bytes(&loan).unwrap());
        // It needs memory of its own to ask for so much, and may not be called back.
        let messages = [vec![b'g'; 20], loan].map(|commands| (scene.gadget, commands));
        scene.bundle(2, 1, messages.into())
    };
    let policy = TestChains::auto_retry(4);
    let instantiations = [8, 300_000].map(|bytes| {
        let block = [
            scene.send(1, 1, &[&[borrow(100)]]),
            asking(bytes),
            scene.send(2, 2, &[&[repay(5)]]),
            scene.send(3, 1, &[&[repay(100)]]),
            scene.ask_balance(scene.bank),
        ];
        let with = assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[1], &policy);
        let callee = scene.gadget;
        let (_, failure) = &with.staged.rejected[0];
        assert_eq!(failure.reason, FailureReason::Reentrance { callee });
        let without_last = [&block[..1], &[rejected(&block[1])], &block[2..3]].concat();
        assert_missing(scene, &without_last, "100.");
        with.staging[0].instantiations
    });
    assert_eq!(
        instantiations[1],
        instantiations[0] + 1,
        "the bank's memory grew"
    );
}

/// What happens in one transaction happens as a whole or not at all, the loan included.
#[test]
fn failing_after_borrowing() {
    let scene = &*SCENE;
    let block = [
        scene.send(1, 1, &[&[borrow(100), withdraw(600)], &failing()]),
        scene.send(1, 2, &[&[borrow(100), repay(105)]]),
        scene.ask_balance(scene.bank),
    ];
    let policy = TestChains::auto_retry(4);
    let with = assert_leaves_no_trace(&scene.chains, &scene.chain, &block, &[0], &policy);
    let outcomes = &with.staged.execution.executed.outcome.transactions;
    assert_eq!(decode_balance(&outcomes[2].response), RESERVES + 5);
}

#[test]
fn asking_the_bank_while_it_runs() {
    let scene = &*SCENE;
    for steps in [vec![repay(210)], vec![borrow(1)]] {
        let loan = Operation::LendAndCall {
            borrower: scene.trader.forget_abi(),
            amount: tokens(200),
            instructions: bcs::to_bytes(&steps).unwrap(),
        };
        let (_, failure) = scene.fail(&[scene.call(scene.bank, &loan)]);
        let callee = scene.bank.forget_abi();
        assert_eq!(failure.reason, FailureReason::Reentrance { callee });
        assert_eq!(failure.application_id, Some(scene.trader.forget_abi()));
    }
}

#[test]
fn keeping_what_the_bank_lent_with_a_call() {
    let scene = &*SCENE;
    let loan = |borrower, steps: &[Step]| Operation::LendAndCall {
        borrower,
        amount: tokens(200),
        instructions: bcs::to_bytes(&steps).unwrap(),
    };
    let spent = loan(scene.trader.forget_abi(), &[withdraw(600)]);
    let (_, failure) = scene.fail(&[scene.call(scene.bank, &spent)]);
    assert_eq!(failure.application_id, Some(scene.money.forget_abi()));
    assert!(words(&failure).contains("insufficient balance: 100., but 210. is needed"));
    // The reserves are in the token, which moves them on the bank's word.
    let deputy = loan(scene.money.forget_abi(), &[]);
    let (_, failure) = scene.fail(&[scene.call(scene.bank, &deputy)]);
    assert!(words(&failure).contains("the token itself cannot borrow"));
    // What does not understand the bank's call does not get anything.
    let other = loan(scene.goods.forget_abi(), &[]);
    let (_, failure) = scene.fail(&[scene.call(scene.bank, &other)]);
    assert_eq!(failure.application_id, Some(scene.goods.forget_abi()));
}

#[test]
fn a_loan_of_one_bank_does_not_pay_another() {
    let scene = &*SCENE;
    let borrower = scene.chain.owner;
    let amount = tokens(105);
    let block = [
        scene.call(
            scene.bank,
            &Operation::Borrow {
                amount: tokens(100),
            },
        ),
        scene.call(scene.other_bank, &Operation::Borrow { amount }),
        scene.call(scene.bank, &Operation::Repay { borrower, amount }),
    ];
    let (refused_by, reason) = scene.refuse(&block);
    assert_eq!(refused_by, scene.other_bank.forget_abi());
    assert!(reason.contains("106.05 tokens are missing"), "{reason}");
}
