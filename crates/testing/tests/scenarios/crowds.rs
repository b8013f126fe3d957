//! Many senders, deep failures, and fuel that ends at an awkward moment.

use resident_base::ChainId;
use resident_chain::{StagingPolicy, Transaction};
use resident_execution::ResourcePolicy;
use resident_testing::{PAIRS, TestChains};

use crate::{
    bundles::{assert_leaves_no_trace, stranger},
    gadget::{self, Observed},
};

const CROWD: u16 = 1_000;

fn one_of_many(number: u16) -> ChainId {
    ChainId(resident_base::CryptoHash::of_bytes(&number.to_le_bytes()))
}

#[test]
fn a_thousand_chains_send_to_one() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let [gadget] = gadget::create(&chains, &chain);
    // Every hundredth fails.
    let commands = |number| if number % 100 == 99 { &b"bx"[..] } else { b"b" };
    let bundles: Vec<Transaction> = (0..CROWD)
        .map(|number| gadget::message(gadget, one_of_many(number), 1, &[commands(number)]))
        .collect();
    let policy = TestChains::auto_retry(0);
    let staged = chains.add_everywhere(&chain, &bundles, &policy).unwrap();
    let failed = usize::from(CROWD) / 100;
    assert_eq!(
        (staged.staged.rejected.len(), staged.staged.dropped.len()),
        (failed, 0)
    );
    for trace in staged.staging.iter().chain(&staged.committed) {
        assert_eq!((trace.loads, trace.stores), (1, 1));
    }
    // Every sender's cursor has moved: nobody can send the same again.
    let again = chains.stage_everywhere(&chain, &bundles[999..], &StagingPolicy::Abort);
    assert!(
        again
            .err()
            .expect("it was taken")
            .to_string()
            .contains("comes after")
    );
}

/// Three applications call each other; the innermost fails when all of them have changed, and grown.
#[test]
fn a_failure_three_applications_deep_undoes_all_three() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let gadgets: [_; 3] = gadget::create(&chains, &chain);
    let [outer, middle, inner] = gadgets;
    let through = |commands: &[u8]| {
        let to_inner = [b"bgw".to_vec(), gadget::call(inner, commands)].concat();
        [b"bgw".to_vec(), gadget::call(middle, &to_inner)].concat()
    };
    for warm in [true, false] {
        for end in [&b"bgwx"[..], b"bgwp", b"ggbr", b"bi"] {
            let mut transactions = vec![
                gadget::message(outer, stranger(2), 1, &[&through(b"bw"), &through(end)]),
                gadget::message(outer, stranger(2), 2, &[&through(b"bw")]),
            ];
            transactions.extend(gadgets.map(|gadget| gadget::operation(gadget, b"bw")));
            if warm {
                let all = gadgets.map(|gadget| gadget::operation(gadget, b"bg"));
                transactions.splice(0..0, all);
            }
            let failing = [if warm { 3 } else { 0 }];
            let policy = TestChains::auto_retry(0);
            let with = assert_leaves_no_trace(&chains, &chain, &transactions, &failing, &policy);
            assert_eq!(with.staged.rejected[0].1.application_id, Some(inner));
            let outcome = &with.staged.execution.executed.outcome;
            let observed = Observed::from_bytes(&outcome.transactions.last().unwrap().response);
            assert_eq!(observed.in_memory, 2 + u32::from(warm));
        }
    }
}

/// A write is the last thing that a bundle does. Wherever in it the fuel ends, nothing was written.
#[test]
fn out_of_fuel_inside_a_host_call_leaves_no_trace() {
    let free = TestChains::new(PAIRS[0]);
    let chain = free.open_root(1);
    let [gadget] = gadget::create(&free, &chain);
    let with_fuel = |fuel| {
        let mut policy = ResourcePolicy::default();
        policy.limits.transaction_fuel = fuel;
        TestChains::with_store(PAIRS[0], free.store().clone()).with_policy(policy)
    };
    let bundle =
        |height, commands: &[u8]| gadget::message(gadget, stranger(1), height, &[commands]);
    // It takes more than the write of the finalization, which has to pass in any case.
    let commands = [[b'b'; 2_000].as_slice(), b"w"].concat();
    let write = bundle(1, &commands);
    let policy = TestChains::auto_retry(0);
    let passes = |fuel| {
        let block = std::slice::from_ref(&write);
        let staged = with_fuel(fuel).stage_everywhere(&chain, block, &policy);
        staged.unwrap().staged.rejected.is_empty()
    };
    // The least fuel that is enough, by halving.
    let (mut low, mut high) = (0, 1_000_000);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if passes(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    // The write itself takes 14,200 and some for each byte of key and value, after 700 for the call.
    for missing in [1, 20, 150, 290, 2_000, 12_000] {
        let chains = with_fuel(high - missing);
        let block = [write.clone(), bundle(2, b"b")];
        let with = assert_leaves_no_trace(&chains, &chain, &block, &[0], &policy);
        assert_eq!(with.staged.rejected[0].1.reason.to_string(), "out of fuel");
    }
}
