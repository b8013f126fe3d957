//! Loans that come back: in one transaction, in another, through somebody else, from other chains.

use flash_loan::Operation;

use super::*;

/// All goods are bought for 200 and sold for 300.
fn trade_on_credit() -> Vec<Step> {
    [vec![borrow(200)], trade().to_vec(), vec![repay(210)]].concat()
}

#[test]
fn a_loan_is_used_and_repaid_in_one_transaction() {
    let scene = &*SCENE;
    let balances = scene.balances(&[
        scene.run(&trade_on_credit()),
        scene.ask_balance(scene.bank),
        scene.ask_balance(scene.trader),
        scene.ask_balance(seller()),
        scene.ask_balance(buyer()),
    ]);
    assert_eq!(balances, [RESERVES + 10, OWN + 90, 200, 0]);
}

#[test]
fn a_loan_of_the_first_transaction_is_repaid_in_the_seventh() {
    let scene = &*SCENE;
    let [buy, sell] = trade();
    let credit = fungible::Message::Credit {
        target: seller(),
        amount: tokens(1),
        source: seller(),
    };
    let unrelated = scene.message(scene.money, &credit);
    let block = [
        scene.send(1, 1, &[&[borrow(200)]]),
        scene.bundle(2, 1, vec![unrelated]),
        scene.send(3, 1, &[&[buy]]),
        scene.run(&[]),
        scene.send(4, 1, &[&[], &[sell]]),
        scene.call(scene.bank, &Operation::Earned),
        scene.send(5, 1, &[&[repay(200)], &[repay(10)]]),
        scene.ask_balance(scene.bank),
        scene.ask_balance(scene.trader),
    ];
    assert_eq!(scene.balances(&block), [RESERVES + 10, OWN + 90]);
    let staged = scene
        .chains
        .stage_everywhere(&scene.chain, &block, &TestChains::auto_retry(0))
        .unwrap()
        .staged;
    assert!(staged.rejected.is_empty() && staged.dropped.is_empty());
    assert_eq!(staged.executions, 9);
    // The six transactions before are no reason to refuse, the missing seventh is.
    assert_eq!(scene.refuse(&block[..6]).0, scene.bank.forget_abi());
}

#[test]
fn another_application_repays() {
    let scene = &*SCENE;
    let sponsor = |at_most| flash_repayer::Operation::Repay {
        borrower: scene.trader.into(),
        at_most: tokens(at_most),
    };
    let borrowed = scene.send(1, 1, &[&[borrow(100), withdraw(100)]]);
    let balances = scene.balances(&[
        borrowed.clone(),
        scene.call(scene.sponsor, &sponsor(105)),
        scene.ask_balance(scene.bank),
        scene.ask_balance(scene.sponsor),
        scene.ask_balance(scene.trader),
    ]);
    assert_eq!(balances, [RESERVES + 5, OWN - 105, OWN]);

    // As a message it does the same; when asked for too much, nothing.
    let message = |at_most| flash_repayer::Message::Repay {
        borrower: scene.trader.into(),
        at_most: tokens(at_most),
    };
    let paid = scene.bundle(2, 1, vec![scene.message(scene.sponsor, &message(105))]);
    scene.pass(&[borrowed.clone(), paid]);
    let too_much = scene.call(scene.sponsor, &sponsor(104));
    let (index, failure) = scene.fail(&[borrowed, too_much]);
    assert_eq!(
        (index, failure.application_id),
        (1, Some(scene.sponsor.forget_abi()))
    );
    assert!(words(&failure).contains("owes 105., more than 104."));
}

#[test]
fn the_bank_calls_the_borrower() {
    let scene = &*SCENE;
    let loan = Operation::LendAndCall {
        borrower: scene.trader.forget_abi(),
        amount: tokens(200),
        instructions: bcs::to_bytes(&trade().to_vec()).unwrap(),
    };
    let balances = scene.balances(&[
        scene.call(scene.bank, &loan),
        scene.ask_balance(scene.bank),
        scene.ask_balance(scene.trader),
    ]);
    assert_eq!(balances, [RESERVES + 10, OWN + 90]);
}

#[test]
fn a_signer_borrows_from_two_banks() {
    let scene = &*SCENE;
    let (borrower, amount) = (scene.chain.owner, tokens(100));
    let owed = |owed| Operation::Repay {
        borrower,
        amount: tokens(owed),
    };
    let both = [
        scene.call(scene.bank, &Operation::Borrow { amount }),
        scene.call(scene.other_bank, &Operation::Borrow { amount }),
    ];
    let repaid = [
        scene.call(scene.bank, &owed(105)),
        scene.call(scene.other_bank, &owed(101)),
    ];
    let asked = [
        scene.ask_balance(scene.bank),
        scene.ask_balance(scene.other_bank),
    ];
    let all = [&both[..], &repaid, &asked].concat();
    assert_eq!(scene.balances(&all), [RESERVES + 5, RESERVES + 1]);
    // Each bank has its own books, whatever the other one says.
    for (missing, bank, what) in [
        (0, scene.bank, "\n105. tokens are missing"),
        (1, scene.other_bank, "\n101. tokens are missing"),
    ] {
        let block = [&both[..], &repaid[1 - missing..][..1]].concat();
        let (refused_by, reason) = scene.refuse(&block);
        assert_eq!(refused_by, bank.forget_abi());
        assert!(reason.contains(what), "{reason}");
    }
    // If neither is paid, the one that was loaded last speaks first.
    assert_eq!(scene.refuse(&both).0, scene.other_bank.forget_abi());
    let [first, second] = both;
    assert_eq!(scene.refuse(&[second, first]).0, scene.bank.forget_abi());
}

/// Really sent from other chains, and stored: what the bank earned is there in the next block.
#[test]
fn interest_arrives_in_the_reserves() {
    let scene = Scene::new();
    let chains = &scene.chains;
    // They belong to the trader's owner too, as only the owner's word counts.
    let away = [(); 2].map(|()| chains.open_child(&scene.chain, 1));
    let [buy, sell] = trade();
    for (chain, steps) in away
        .iter()
        .zip([vec![borrow(200), buy], vec![sell, repay(210)]])
    {
        chains.run(chain, operations(vec![scene.run(&steps)]));
        assert_eq!(chains.deliver(chain), 1);
    }
    let mut inbox = chains.inbox_transactions(&scene.chain);
    assert_eq!(inbox.len(), 2);
    // By sender: whichever comes first by its id must be the one that borrows.
    inbox.sort_by_key(|transaction| {
        transaction.bundle().map(|incoming| incoming.origin) != Some(away[0].id)
    });
    let staged = chains
        .add_everywhere(&scene.chain, &inbox, &TestChains::auto_retry(0))
        .unwrap()
        .staged;
    assert!(staged.rejected.is_empty() && staged.dropped.is_empty());

    let earned = chains.ask(&scene.chain, scene.bank, &Operation::Earned);
    assert_eq!(earned, tokens(10));
    let reserves = chains.token_balance(&scene.chain, scene.money, scene.bank.into());
    assert_eq!(reserves, tokens(RESERVES + 10));
    let amount = tokens(RESERVES + 10);
    chains.call(&scene.chain, scene.bank, &Operation::Withdraw { amount });
    let reserves = chains.token_balance(&scene.chain, scene.money, scene.bank.into());
    assert_eq!(reserves, Amount::ZERO);
}
