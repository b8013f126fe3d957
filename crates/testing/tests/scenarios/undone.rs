//! What somebody did who is not in the block never happened, also for those who failed because of it.

use resident_base::ChainId;
use resident_execution::ResourcePolicy;

use crate::{
    evil::Do,
    net::{Net, run},
};

const VICTIM: u8 = 2;

/// A stranger fills an application with keys, so that somebody's message, which lists them, does not end. In the same
/// bundle another application of his refuses the block, so that he is rejected and pays for nothing. The message used to
/// be rejected, too.
#[test]
fn nobody_is_rejected_because_of_one_who_is() {
    let net = Net::with(|config| {
        let mut policy = ResourcePolicy::default();
        policy.limits.transaction_fuel = 2_000_000;
        config.policy = policy.into();
    });
    let victim = net.chain(VICTIM);
    let mut senders: Vec<(ChainId, u8)> = (10..12).map(|seed| (net.chain(seed), seed)).collect();
    senders.sort();
    let [(stranger, stranger_seed), (honest, honest_seed)] = senders[..] else {
        unreachable!("there are two")
    };
    let [shared, own] = net.evil(honest, honest_seed, 2)[..] else {
        unreachable!("two were asked for")
    };
    let list = Do::new().find(8);
    net.propose(
        honest,
        honest_seed,
        vec![run(shared, &Do::new().send(victim, true, &list))],
    );
    let veto = Do::new().finally(&Do::new().trap());
    let attack = Do::new()
        .send(victim, false, &Do::new().put(400))
        .call(own, &Do::new().send(victim, false, &veto));
    net.propose(stranger, stranger_seed, vec![run(shared, &attack)]);
    net.deliver();
    let block = net
        .inbox(victim, VICTIM)
        .unwrap()
        .expect("there is a block");
    let rejected: Vec<_> = block.rejected.iter().map(|(it, _)| it.origin).collect();
    assert_eq!(rejected, [stranger], "{:?}", block.rejected);
    assert_eq!((block.dropped.len(), net.waiting(victim)), (0, 0));
}
