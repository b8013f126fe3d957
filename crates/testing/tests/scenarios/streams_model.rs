//! Random blocks on chains that follow each other, against a model of what becomes of every transaction.

use resident_base::{ApplicationId, ChainId, EventId};
use resident_chain::{DropReason, Transaction};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles::stranger,
    random::Random,
    teller::{self, Told, follow, range, read, told, unfollow},
};

const CHAINS: usize = 3;
const STEPS: u64 = 40;

#[test]
fn random_blocks_do_what_the_model_says() {
    for seed in 1..=3 {
        let mut world = World::new();
        let mut random = Random::new(seed);
        for step in 1..=STEPS {
            world.step(step, &mut random);
        }
        world.check_told();
        let told: usize = world.model.iter().map(|chain| chain.told.len()).sum();
        assert!(told > 40, "seed {seed}: only {told} things were told");
    }
}

/// What a chain is, as far as streams go.
#[derive(Clone, Default)]
struct ModelChain {
    events: Vec<u8>,
    /// What is emitted at the end of the block.
    at_end: Option<u8>,
    /// How far each chain is followed.
    positions: [Option<u32>; CHAINS],
    told: Vec<Told>,
}

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Included,
    /// Rejected, or dropped if it is an update.
    Failed,
    Missing,
}

enum Command {
    Emit(u8),
    EmitAtEnd(u8),
    Follow(usize),
    Unfollow(usize),
    Read(usize, u8),
    Fail,
}

enum Step {
    Bundle(Vec<Command>),
    /// Chains and indices.
    Update(Vec<(usize, u32)>),
}

struct World {
    chains: TestChains,
    all: [TestChain; CHAINS],
    teller: ApplicationId,
    model: [ModelChain; CHAINS],
}

impl World {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let all = [1, 2, 3].map(|seed| chains.open_root(seed));
        let [teller] = teller::create(&chains, &all[0]);
        World {
            chains,
            all,
            teller,
            model: Default::default(),
        }
    }

    fn step(&mut self, step: u64, random: &mut Random) {
        let here = random.below(CHAINS as u64) as usize;
        let steps: Vec<Step> = (0..=random.below(6))
            .map(|_| self.random_step(here, random))
            .collect();
        let fates = self.predict(here, &steps);
        let numbered = (1..).zip(&steps);
        let transactions: Vec<_> = numbered
            .map(|(number, of)| self.transaction(of, number, step))
            .collect();
        let policy = TestChains::auto_retry(8);
        let added = self
            .chains
            .add_everywhere(&self.all[here], &transactions, &policy);
        let staged = added.unwrap().staged;
        let count = |fate| fates.iter().filter(|found| **found == fate).count();
        let is_missing = |reason: &DropReason| matches!(reason, DropReason::Missing(_));
        let bundles = staged.dropped.iter().map(|(_, reason)| reason);
        let updates = staged.dropped_updates.iter().map(|(_, reason)| reason);
        let (missing, failed): (Vec<_>, Vec<_>) = bundles
            .chain(updates)
            .partition(|reason| is_missing(reason));
        assert_eq!(
            missing.len(),
            count(Fate::Missing),
            "step {step}: {fates:?}"
        );
        let failed = failed.len() + staged.rejected.len();
        assert_eq!(failed, count(Fate::Failed), "step {step}: {fates:?}");
        self.check_events(here);
    }

    /// Moves the model forward.
    fn predict(&mut self, here: usize, steps: &[Step]) -> Vec<Fate> {
        let mut fates = Vec::new();
        for step in steps {
            let mut model = self.model.clone();
            let passed = match step {
                Step::Bundle(commands) => commands
                    .iter()
                    .try_for_each(|command| self.obey(&mut model, here, command)),
                Step::Update(heads) => self.tell(&mut model, here, heads),
            };
            match passed {
                Ok(()) => {
                    self.model = model;
                    fates.push(Fate::Included);
                }
                Err(fate) => fates.push(fate),
            }
        }
        let chain = &mut self.model[here];
        let at_end = chain.at_end.take();
        chain.events.extend(at_end);
        fates
    }

    fn obey(
        &self,
        model: &mut [ModelChain; CHAINS],
        here: usize,
        command: &Command,
    ) -> Result<(), Fate> {
        match *command {
            Command::Emit(value) => model[here].events.push(value),
            Command::EmitAtEnd(value) => model[here].at_end = Some(value),
            Command::Follow(chain) => {
                model[here].positions[chain].get_or_insert(0);
            }
            Command::Unfollow(chain) => model[here].positions[chain] = None,
            Command::Read(chain, index) => {
                let value = value(model, here, chain, index.into())?;
                model[here].told.push(Told::Value(value));
            }
            Command::Fail => return Err(Fate::Failed),
        }
        Ok(())
    }

    fn tell(
        &self,
        model: &mut [ModelChain; CHAINS],
        here: usize,
        heads: &[(usize, u32)],
    ) -> Result<(), Fate> {
        if heads.is_empty() {
            return Err(Fate::Failed);
        }
        let mut ranges = Vec::new();
        for &(chain, next) in heads {
            let position = &mut model[here].positions[chain];
            let previous = position.filter(|previous| *previous < next);
            let previous = previous.ok_or(Fate::Failed)?;
            *position = Some(next);
            value(model, here, chain, next - 1)?;
            ranges.push((chain, previous, next));
        }
        for (chain, previous, next) in ranges {
            let told = range(self.all[chain].id, previous as u8, next as u8);
            model[here].told.push(told);
            for index in previous..next {
                let value = value(model, here, chain, index)?;
                model[here].told.push(Told::Value(value));
            }
        }
        Ok(())
    }

    fn random_step(&self, here: usize, random: &mut Random) -> Step {
        if random.below(3) > 0 {
            let commands = (0..=random.below(3)).map(|_| self.random_command(random));
            return Step::Bundle(commands.collect());
        }
        let followed = (0..CHAINS).filter(|chain| {
            let position = self.model[here].positions[*chain];
            position.is_some() || random.below(10) == 0
        });
        let followed: Vec<usize> = followed.collect();
        let heads = followed.into_iter().map(|chain| {
            let count = self.model[chain].events.len() as u64;
            let next = match random.below(4) {
                0 => random.below(count + 2),
                _ => count,
            };
            (chain, next as u32)
        });
        Step::Update(heads.collect())
    }

    fn random_command(&self, random: &mut Random) -> Command {
        let letter = b'A' + random.below(26) as u8;
        let chain = random.below(CHAINS as u64) as usize;
        match random.below(12) {
            0..=3 => Command::Emit(letter),
            4 => Command::EmitAtEnd(letter),
            5..=7 => Command::Follow(chain),
            8 => Command::Unfollow(chain),
            9 | 10 => {
                let count = self.model[chain].events.len() as u64;
                Command::Read(chain, random.below(count + 2) as u8)
            }
            _ => Command::Fail,
        }
    }

    fn transaction(&self, step: &Step, number: u8, height: u64) -> Transaction {
        match step {
            Step::Bundle(commands) => {
                let commands: Vec<_> = commands.iter().map(|command| self.bytes(command)).collect();
                teller::message(self.teller, stranger(number), height, &[&commands.concat()])
            }
            Step::Update(heads) => {
                let heads = heads.iter().map(|(chain, next)| (self.id(*chain), *next));
                teller::update(self.teller, &heads.collect::<Vec<_>>())
            }
        }
    }

    fn bytes(&self, command: &Command) -> Vec<u8> {
        match *command {
            Command::Emit(value) => vec![b'e', value],
            Command::EmitAtEnd(value) => vec![b'f', value],
            Command::Follow(chain) => follow(self.id(chain), self.teller),
            Command::Unfollow(chain) => unfollow(self.id(chain), self.teller),
            Command::Read(chain, index) => read(b'r', self.id(chain), index),
            Command::Fail => vec![b'x'],
        }
    }

    fn id(&self, chain: usize) -> ChainId {
        self.all[chain].id
    }

    fn check_events(&self, here: usize) {
        let executor = self.chains.executor(PAIRS[0].0);
        let events = &self.model[here].events;
        for index in 0..=events.len() {
            let id = EventId {
                chain_id: self.id(here),
                stream_id: teller::stream(self.teller),
                index: index as u32,
            };
            let expected = events.get(index).map(|value| vec![*value]);
            assert_eq!(executor.read_event(&id).unwrap(), expected, "{id}");
        }
    }

    fn check_told(&self) {
        for (chain, model) in self.all.iter().zip(&self.model) {
            let question = TestChains::raw_operation(self.teller, Vec::new());
            let block = self.chains.run(chain, vec![question]);
            let answer = told(&block.outcome.transactions[0].response);
            assert_eq!(answer, model.told);
        }
    }
}

/// An event as a block of the chain `here` finds it.
fn value(model: &[ModelChain; CHAINS], here: usize, chain: usize, index: u32) -> Result<u8, Fate> {
    let absent = match chain == here {
        true => Fate::Failed,
        false => Fate::Missing,
    };
    let value = model[chain].events.get(index as usize);
    value.copied().ok_or(absent)
}
