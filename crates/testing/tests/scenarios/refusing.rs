//! Bundles that make their application refuse the block, on a node as it is by default: they are found and
//! rejected, and nobody waits for them.

use resident_base::{Amount, ChainId};

use crate::{
    evil::Do,
    net::{Net, pay, run},
};

/// An application that refuses whatever block it is in.
fn veto() -> Do {
    Do::new().finally(&Do::new().trap())
}

/// The chains of so many owners, in the order in which an inbox has them.
fn senders(net: &Net, count: u8) -> Vec<(ChainId, u8)> {
    let mut senders: Vec<_> = (10..10 + count)
        .map(|seed| (net.chain(seed), seed))
        .collect();
    senders.sort();
    senders
}

/// A chain's inbox stopped for good with eighteen of these in it, and all that anybody else had sent.
#[test]
fn however_many_refuse_the_inbox_goes_on() {
    for count in [1, 18, 300] {
        let net = Net::new();
        let [attacker, victim, honest] = [1, 2, 3].map(|seed| net.chain(seed));
        let apps = net.evil(attacker, 1, count.min(90));
        let sends = (0..count).map(|number| {
            let app = apps[number % apps.len()];
            run(app, &Do::new().send(victim, false, &veto()))
        });
        net.propose(attacker, 1, sends.collect());
        net.propose(honest, 3, vec![pay(victim, 5)]);
        net.deliver();
        let block = net.inbox(victim, 2).unwrap().expect("there is a block");
        assert_eq!((block.rejected.len(), block.dropped.len()), (count, 0));
        assert_eq!(net.waiting(victim), 0);
        assert_eq!(net.balance(victim), Amount::from_tokens(1_005));
    }
}

/// One refusing bundle of the first sender, and nineteen honest ones of the same application behind it. They used to be
/// taken out before it was, block after block.
#[test]
fn nobody_waits_for_one_that_refuses() {
    for place in [0, 7, 19] {
        let net = Net::new();
        let victim = net.chain(2);
        let senders = senders(&net, 20);
        let (first, seed) = senders[0];
        let [app] = net.evil(first, seed, 1)[..] else {
            unreachable!("one was asked for")
        };
        for (number, (chain, seed)) in senders.iter().enumerate() {
            let commands = match number == place {
                true => veto(),
                false => Do::new().put(1),
            };
            net.propose(
                *chain,
                *seed,
                vec![run(app, &Do::new().send(victim, true, &commands))],
            );
        }
        net.deliver();
        let block = net.inbox(victim, 2).unwrap().expect("there is a block");
        let rejected: Vec<_> = block
            .rejected
            .iter()
            .map(|(incoming, _)| incoming.origin)
            .collect();
        assert_eq!(rejected, [senders[place].0]);
        assert_eq!((block.dropped.len(), net.waiting(victim)), (0, 0));
        assert_eq!(block.executed.block.transactions.len(), 20);
    }
}

/// Seventeen bundles that never end, and a sender who has something in every block before them. They used to
/// be tried again in every block, and whoever stood behind them was never served.
#[test]
fn nobody_waits_for_those_that_never_end() {
    // A smaller limit, only so that the test is quick.
    let net = Net::with(|config| {
        let mut policy = resident_execution::ResourcePolicy::default();
        policy.limits.transaction_fuel = 4_000_000;
        config.policy = policy.into();
    });
    let victim = net.chain(2);
    let senders = senders(&net, 19);
    let (front, honest) = (senders[0], senders[18]);
    let [app] = net.evil(front.0, front.1, 1)[..] else {
        unreachable!("one was asked for")
    };
    for (chain, seed) in &senders[1..18] {
        let endless = Do::new().spin(100_000_000);
        net.propose(
            *chain,
            *seed,
            vec![run(app, &Do::new().send(victim, false, &endless))],
        );
    }
    net.propose(honest.0, honest.1, vec![pay(victim, 5)]);
    let small = Do::new().spin(1);
    net.propose(
        front.0,
        front.1,
        vec![run(app, &Do::new().send(victim, false, &small))],
    );
    net.deliver();
    let block = net.inbox(victim, 2).unwrap().expect("there is a block");
    assert_eq!(
        (block.rejected.len(), block.dropped.len()),
        (17, 0),
        "{:?}",
        block.dropped
    );
    assert_eq!(net.balance(victim), Amount::from_tokens(1_005));
}

/// One bundle uses up what a block may send, and its application refuses for want of more. It used to be taken out
/// together with the room of all that had waited for it, so that every block was empty.
#[test]
fn nobody_waits_for_one_that_wants_more_than_there_is() {
    for place in [0, 4, 9] {
        let net = Net::new();
        let victim = net.chain(2);
        let senders = senders(&net, 10);
        let (first, seed) = senders[0];
        let apps = net.evil(first, seed, 2);
        let nowhere = ChainId(resident_base::CryptoHash::of_bytes(b"nowhere"));
        let greedy = Do::new()
            .flood(nowhere, 4 << 16, 15)
            .finally(&Do::new().flood(nowhere, 4 << 16, 2));
        for (number, (chain, seed)) in senders.iter().enumerate() {
            let answer = Do::new().send(*chain, false, &Do::new().spin(1));
            let (app, commands) = match number == place {
                true => (apps[0], &greedy),
                false => (apps[1], &answer),
            };
            net.propose(
                *chain,
                *seed,
                vec![run(app, &Do::new().send(victim, false, commands))],
            );
        }
        net.deliver();
        let block = net.inbox(victim, 2).unwrap().expect("there is a block");
        let rejected: Vec<_> = block
            .rejected
            .iter()
            .map(|(incoming, _)| incoming.origin)
            .collect();
        assert_eq!(rejected, [senders[place].0]);
        assert_eq!(net.waiting(victim), 0);
    }
}
