//! Drafts at the edge of every limit: what a block just has room for, and what it just has not, comes out the same on
//! every engine and session, built and as committed.

use resident_base::{ApplicationId, Resources};
use resident_chain::Transaction;
use resident_execution::{ResourceLimits, ResourcePolicy};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::{self, stranger},
    evil::{self, Do},
    random::Random,
};

const DRAFTS: u64 = 6;
const LIMITS_EACH: usize = 6;
const LIMIT_KINDS: u64 = 13;
const APPLICATIONS: u64 = 4;

struct Scene {
    chains: TestChains,
    chain: TestChain,
    applications: Vec<ApplicationId>,
}

impl Scene {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let module = chains.publish_with_service(&chain, evil::code(), evil::loud_service());
        let create = |number| chains.create(&chain, module, &number, &(), Vec::new());
        let applications = (0..APPLICATIONS).map(create).collect();
        Self {
            chains,
            chain,
            applications,
        }
    }

    fn any(&self, random: &mut Random) -> ApplicationId {
        self.applications[random.below(APPLICATIONS) as usize]
    }

    fn commands(&self, random: &mut Random, depth: u32) -> Do {
        let mut commands = Do::new();
        for _ in 0..=random.below(3) {
            let few = 1 + random.below(20) as u32;
            commands = match random.below(14) {
                0 => commands.spin(few * 500),
                1 => commands.absent_small(few),
                2 => commands.put(few),
                3 => commands.put_delete(few),
                4 => commands.find(1 + few % 3),
                5 => commands.flood(stranger(9), few * 50, 1 + few % 4),
                6 => commands.nowhere(few),
                7 => commands.emit(few),
                8 => commands.grow(16 + few),
                9 => commands.follow(self.chain.id, self.any(random), few),
                10 => commands.ask(self.any(random), 1 + few % 2),
                11 if depth < 2 => {
                    let callee = self.any(random);
                    let called = self.commands(random, depth + 1);
                    commands.call(callee, &called)
                }
                12 if depth < 2 => {
                    let later = self.commands(random, depth + 2);
                    commands.finally(&later)
                }
                13 if random.percent(30) => commands.trap(),
                _ => commands.absent_large(1 + few % 3),
            };
        }
        commands
    }

    fn draft(&self, random: &mut Random) -> Vec<Transaction> {
        // Behind those of all drafts before.
        let mut heights = [self.chains.tip(self.chain.id).next_height.0 * 1_000; 4];
        let mut bundle = |random: &mut Random| {
            let sender = random.below(4) as usize;
            heights[sender] += 1;
            let messages = (0..=random.below(2)).map(|_| {
                let id = self.any(random);
                (id, self.commands(random, 0).0)
            });
            let messages = messages.collect();
            bundles::bundle(stranger(sender as u8), heights[sender], None, messages)
        };
        (0..4 + random.below(6)).map(|_| bundle(random)).collect()
    }
}

/// Sets one limit at or just below what was used.
fn tighten(kind: u64, limits: &mut ResourceLimits, used: &Resources, random: &mut Random) {
    let near = |used: u64, random: &mut Random| match random.below(4) {
        0 => used,
        1 => used.saturating_sub(1),
        2 => used.saturating_sub(random.below(used.min(2_000) + 1)),
        _ => random.below(used + 1),
    };
    let mut set = |limit: &mut u64, used: u64| *limit = near(used, random);
    match kind {
        0 => set(&mut limits.block_fuel, used.wasm_fuel),
        1 => set(&mut limits.transaction_fuel, used.wasm_fuel / 3),
        2 => set(&mut limits.write_operations, used.write_operations),
        3 => set(&mut limits.read_operations, used.read_operations),
        4 => set(&mut limits.bytes_written, used.bytes_to_write),
        5 => set(&mut limits.bytes_read, used.bytes_to_read),
        6 => set(&mut limits.messages, used.messages),
        7 => set(&mut limits.message_bytes, used.message_size),
        8 => set(&mut limits.events, 20),
        9 => set(&mut limits.applications, APPLICATIONS),
        10 => set(&mut limits.memory_bytes, 12 << 20),
        11 => set(
            &mut limits.block_bytes,
            64_000 * used.service_as_oracle_queries + 20_000,
        ),
        _ => set(
            &mut limits.service_as_oracle_queries,
            used.service_as_oracle_queries,
        ),
    }
}

#[test]
fn at_the_edge_of_a_limit_all_agree() {
    // More drafts, and others, for whoever wants to search.
    let number = |name, or| std::env::var(name).map_or(or, |number| number.parse().unwrap());
    let (first, drafts) = (number("EDGE_SEED", 1), number("EDGE_DRAFTS", DRAFTS));
    let mut scene = Scene::new();
    let (mut kept, mut failed) = (0, 0);
    for seed in first..first + drafts {
        let mut random = Random::new(seed);
        let draft = scene.draft(&mut random);
        let policy = TestChains::auto_retry(random.below(4) as u32);
        let unlimited = scene.chains.stage(&scene.chain, draft.clone(), &policy);
        let unlimited = unlimited.unwrap_or_else(|error| panic!("{error}"));
        let used = unlimited.execution.executed.outcome.resources;
        for _ in 0..LIMITS_EACH {
            let mut limited = ResourcePolicy::default();
            let kind = random.below(LIMIT_KINDS);
            tighten(kind, &mut limited.limits, &used, &mut random);
            println!("seed {seed}, limit {kind}");
            scene.chains = scene.chains.with_policy(limited);
            match scene.chains.stage_everywhere(&scene.chain, &draft, &policy) {
                Ok(everywhere) => {
                    let staged = everywhere.staged;
                    kept += staged.execution.executed.block.transactions.len();
                    failed += staged.rejected.len() + staged.dropped.len();
                }
                Err(error) => panic!("all of it may wait or be rejected: {error}"),
            }
        }
        scene.chains = scene.chains.with_policy(ResourcePolicy::default());
        // The next draft meets what this one has stored.
        scene
            .chains
            .add_everywhere(&scene.chain, &draft, &policy)
            .unwrap_or_else(|error| panic!("all of it may wait or be rejected: {error}"));
    }
    println!("{kept} kept, {failed} failed");
    assert!(kept > 0 && failed > 0, "{kept} kept, {failed} failed");
}
