//! Bundles for which others left no room in a block.

use resident_base::{Amount, ChainId, CryptoHash};
use resident_execution::ResourcePolicy;

use crate::{
    evil::Do,
    net::{Net, pay, run},
};

const RECEIVER: u8 = 1;

/// Five senders use four fifths of what a block may send, each time anew. Somebody behind them, who needs two
/// fifths, used to wait as long as they went on.
#[test]
fn who_finds_no_room_is_first_in_turn() {
    let net = Net::with(|config| {
        let mut policy = ResourcePolicy::default();
        policy.limits.messages = 10;
        config.policy = policy.into();
    });
    let receiver = net.chain(RECEIVER);
    let mut senders: Vec<(ChainId, u8)> = (10..16).map(|seed| (net.chain(seed), seed)).collect();
    senders.sort();
    let (honest, honest_seed) = senders.pop().expect("there are six");
    let app = net.evil(honest, honest_seed, 1)[0];
    let nowhere = ChainId(CryptoHash::of_bytes(b"nowhere"));
    let greedy = Do::new().send(receiver, false, &Do::new().flood(nowhere, 1, 8));
    let modest = Do::new().send(receiver, false, &Do::new().flood(nowhere, 1, 4));
    // What follows it is the sign that it has passed.
    net.propose(
        honest,
        honest_seed,
        vec![run(app, &modest), pay(receiver, 5)],
    );
    let mut blocks = 0;
    while net.balance(receiver) < Amount::from_tokens(1_005) {
        for (chain, seed) in &senders {
            net.propose(*chain, *seed, vec![run(app, &greedy)]);
        }
        net.deliver();
        let block = net
            .inbox(receiver, RECEIVER)
            .unwrap()
            .expect("something fits");
        assert!(block.rejected.is_empty(), "{:?}", block.rejected);
        blocks += 1;
        assert!(
            blocks <= senders.len() + 2,
            "it waits for more than one block of each, and what follows it for one more"
        );
    }
}
