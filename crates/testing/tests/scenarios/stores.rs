//! Stores that are closed, or killed with their process, between blocks.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use counter::CounterAbi;
use futures::executor::block_on;
use matching_engine::OrderNature::{Ask, Bid};
use resident_base::{ApplicationId, BlockHeight};
use resident_chain::{ChainTip, StagingPolicy};
use resident_storage::{DiskStore, KeyValueStore};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles,
    market::{Market, bundle},
    random::Random,
};

#[test]
fn chains_go_on_after_the_store_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut memory = Market::open(0);
    let mut disk = Market::open_on(TestChains::with_store(PAIRS[0], open(folder.path())), 0);
    assert_eq!(tips(&disk), tips(&memory));
    let mut random = Random::new(11);
    for step in 0..5 {
        disk = reopen(disk, folder.path());
        let seed = random.below(1 << 40) + 1;
        for market in [&mut memory, &mut disk] {
            trade(market, step, Random::new(seed));
        }
        assert_eq!(tips(&disk), tips(&memory), "after step {step}");
    }
    assert!(memory.chains.tip(memory.host().id).next_height.0 > 6);
}

/// One block, or one delivery between chains.
fn trade(market: &Market, step: u64, mut random: Random) {
    let trader = 1 + (step % 2) as usize;
    match step % 4 {
        0 | 1 => {
            let nature = [Ask, Bid][trader - 1];
            let orders = [(); 4].map(|()| market.insert(trader, nature, 5, 3 + random.below(4)));
            market.place(trader, &orders);
        }
        2 => {
            let mut transactions = market.inbox();
            let unfunded = market.unfunded(&market.insert(0, Bid, 500, 9));
            transactions.insert(3, bundle(market, 7, step, 0, vec![unfunded]));
            let policy = TestChains::auto_retry(3);
            let added = market
                .chains
                .add_everywhere(market.host(), &transactions, &policy);
            assert_eq!(added.unwrap().staged.rejected.len(), 1);
        }
        _ => market.settle(),
    }
}

fn reopen(market: Market, folder: &Path) -> Market {
    let Market {
        chains,
        traders,
        tokens,
        engine,
    } = market;
    // Only one store can be open on a folder, so this one has to be gone.
    drop(chains);
    let chains = TestChains::with_store(PAIRS[0], open(folder));
    Market {
        chains,
        traders,
        tokens,
        engine,
    }
}

fn open(folder: &Path) -> Arc<dyn KeyValueStore> {
    Arc::new(DiskStore::open(folder).expect("the folder can be opened"))
}

fn tips(market: &Market) -> Vec<ChainTip> {
    market
        .traders
        .iter()
        .map(|trader| market.chains.tip(trader.id))
        .collect()
}

/// Tells this test's own executable to be the process that gets killed.
const FOLDER_VARIABLE: &str = "RESIDENT_SCENARIO_CRASH_FOLDER";
const COMMITTED: &str = "committed ";
const COUNTER_FILE: &str = "counter.json";

/// The child; on its own it does nothing.
#[test]
fn count_until_killed() {
    let Some(folder) = env::var_os(FOLDER_VARIABLE) else {
        return;
    };
    let folder = Path::new(&folder);
    let counter = serde_json::from_slice(&fs::read(folder.join(COUNTER_FILE)).unwrap()).unwrap();
    let chains = TestChains::with_store(PAIRS[0], open(&folder.join("store")));
    let chain = chains.open_root(1);
    for _ in 0..1_000_000 {
        increment(&chains, &chain, counter);
        println!("{COMMITTED}{}", chains.tip(chain.id).next_height);
    }
}

#[test]
fn a_killed_process_leaves_whole_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let memory = TestChains::new(PAIRS[0]);
    let chain = memory.open_root(1);
    let counter = memory.create_counter(&chain, 0);
    fs::write(
        folder.path().join(COUNTER_FILE),
        serde_json::to_vec(&counter).unwrap(),
    )
    .unwrap();
    {
        let disk = TestChains::with_store(PAIRS[0], open(&store));
        assert_eq!(
            (disk.open_root(1), disk.create_counter(&chain, 0)),
            (chain, counter)
        );
    }
    let created = memory.tip(chain.id).next_height.0;
    for round in 0..4 {
        let acknowledged = run_and_kill(folder.path(), Duration::from_millis(10 + 23 * round));
        let disk = TestChains::with_store(PAIRS[0], open(&store));
        let tip = disk.tip(chain.id);
        assert!(
            tip.next_height.0 >= acknowledged,
            "a block was acknowledged and is gone"
        );
        check_last_block(&disk, &chain, tip);
        // What was never closed gets as many blocks, and both go on together.
        while memory.tip(chain.id).next_height < tip.next_height {
            increment(&memory, &chain, counter);
        }
        assert_eq!(memory.tip(chain.id), tip);
        for chains in [&memory, &disk] {
            let operation = counter::Operation::Increment { value: 1 };
            let value = chains.call(&chain, counter.with_abi::<CounterAbi>(), &operation);
            assert_eq!(value, tip.next_height.0 + 1 - created);
        }
        assert_eq!(memory.tip(chain.id), disk.tip(chain.id));
    }
}

fn check_last_block(chains: &TestChains, chain: &TestChain, tip: ChainTip) {
    let reader = chains.reader(chain.id);
    let last = BlockHeight(tip.next_height.0 - 1);
    let block = block_on(reader.executed_block(last))
        .unwrap()
        .expect("the last block is there");
    assert_eq!(Some(block.hash()), tip.block_hash);
    assert_eq!(
        block_on(reader.executed_block(tip.next_height)).unwrap(),
        None
    );
}

/// A block that is not compared with other engines, so that many of them take little time.
fn increment(chains: &TestChains, chain: &TestChain, counter: ApplicationId) {
    let operation = counter::Operation::Increment { value: 1 };
    let operation = TestChains::operation(counter.with_abi::<CounterAbi>(), &operation);
    let transactions = vec![bundles::operation(operation)];
    let staged = chains
        .stage(chain, transactions, &StagingPolicy::Abort)
        .unwrap();
    chains.commit(staged.execution);
}

/// Answers with the height of the last block that the child said was stored.
fn run_and_kill(folder: &Path, delay: Duration) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "stores::count_until_killed", "--nocapture"])
        .env(FOLDER_VARIABLE, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (started, wait) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut acknowledged = 0;
            for line in output.lines() {
                let line = line.unwrap();
                if let Some((_, height)) = line.split_once(COMMITTED) {
                    acknowledged = height.parse().unwrap_or(acknowledged);
                    // Nobody listens any more once the first block was announced.
                    started.send(()).ok();
                }
            }
            acknowledged
        });
        wait.recv_timeout(Duration::from_secs(60))
            .expect("the child makes blocks");
        thread::sleep(delay);
        // On Unix this is SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        reading.join().unwrap()
    })
}
