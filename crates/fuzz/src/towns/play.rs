//! What happens in a town, round after round, and what must hold after every step.

use std::collections::BTreeSet;

use futures::executor::block_on;
use resident_base::{
    Account, AccountOwner, Amount, ApplicationId, BlockHeight, ChainId, CryptoHash,
    GenericApplicationId, StreamId, StreamName,
};
use resident_chain::{Cursor, MessageBundle, PostedMessage, receive_bundles};
use resident_execution::{Message, MessageKind, Operation, SystemOperation};
use resident_storage::KeyValueStore;

use super::{
    attacks::{self, Attack, Blow, Scene},
    commands::{Commands, Mark, Post},
    town::{Town, run},
    watch::Watch,
};
use crate::{compare::Difference, random::Random, tally::Tally};

/// The stream that honest applications follow.
const NEWS: u32 = 7;
/// Calls after which everything must have come to an end.
const MAX_SETTLING: usize = 250;

/// A town and what goes on in it.
pub(super) struct Play<'a> {
    pub(super) town: Town,
    pub(super) watch: Watch,
    attack: Attack,
    random: &'a mut Random,
    /// Whose chain is attacked, and whose relays for others.
    victim: usize,
    public: usize,
    /// Whether each blow comes from a chain of its own that is not on this node.
    from_strangers: bool,
    /// Bundles from strangers so far.
    strangers: u64,
    round: u32,
}

impl<'a> Play<'a> {
    pub(super) fn new(attack: Attack, town: Town, random: &'a mut Random) -> Self {
        let honest = town.citizens.iter().filter(|citizen| citizen.is_honest);
        let honest = honest.count() as u64;
        Self {
            watch: Watch::new(attack, &town),
            attack,
            victim: random.below(honest) as usize,
            public: random.below(honest) as usize,
            from_strangers: random.percent(40),
            strangers: 0,
            round: 0,
            town,
            random,
        }
    }

    /// Everything from the first round until nothing is on its way.
    pub(super) fn run(&mut self, tally: &mut Tally) -> Result<(), Difference> {
        if self.attack == Attack::Listed {
            self.town.never_reject(self.town.hostile[0])?;
        }
        self.listen()?;
        for round in 0..3 + self.random.below(4) as u32 {
            self.round = round;
            self.round(tally)
                .map_err(|difference| format!("round {round}: {difference}"))?;
        }
        self.come_to_an_end(tally)?;
        self.watch.finish(&self.town)
    }

    fn round(&mut self, tally: &mut Tally) -> Result<(), Difference> {
        if self.random.percent(10) {
            self.town.restart()?;
        }
        let hostile_first = self.random.percent(50);
        if hostile_first {
            self.attack(tally)?;
        }
        for citizen in self.citizens(true) {
            if self.random.percent(80) {
                self.live(citizen)?;
            }
        }
        if !hostile_first {
            self.attack(tally)?;
        }
        for _ in 0..1 + self.random.below(3) {
            self.deliver_and_process(tally)?;
        }
        self.watch.check_money(&self.town)
    }

    fn deliver_and_process(&mut self, tally: &mut Tally) -> Result<(), Difference> {
        self.watch.deliver(&mut self.town)?;
        for citizen in 0..self.town.citizens.len() {
            self.watch.process(&mut self.town, citizen, tally)?;
        }
        Ok(())
    }

    /// Nobody sends anything any more, but what was sent has consequences.
    fn come_to_an_end(&mut self, tally: &mut Tally) -> Result<(), Difference> {
        for _ in 0..MAX_SETTLING {
            self.deliver_and_process(tally)?;
            if self.watch.is_at_rest(&self.town) {
                return Ok(());
            }
        }
        Err(format!(
            "{MAX_SETTLING} rounds later there is still something to do"
        ))
    }

    /// The numbers of the honest, or of the others.
    fn citizens(&self, is_honest: bool) -> Vec<usize> {
        let citizens = self.town.citizens.iter().enumerate();
        let citizens = citizens.filter(|(_, citizen)| citizen.is_honest == is_honest);
        citizens.map(|(number, _)| number).collect()
    }

    fn one_of(&mut self, is_honest: bool) -> usize {
        let citizens = self.citizens(is_honest);
        self.random.choose(&citizens)
    }

    /// On the attacked chain an honest application follows one of another.
    fn listen(&mut self) -> Result<(), Difference> {
        let (from, honest) = (self.town.citizens[0].chain, self.town.honest);
        let follow = run(honest, &Commands::new().follow(from, honest, NEWS, 1));
        let followed = self.town.propose(self.victim, vec![follow])?;
        followed.map_err(|error| format!("an honest application cannot follow: {error}"))?;
        let stream_id = StreamId {
            application_id: GenericApplicationId::User(honest),
            stream_name: StreamName(NEWS.to_le_bytes().to_vec()),
        };
        let to = self.town.citizens[self.victim].chain;
        self.watch.follow((to, honest, from, stream_id));
        Ok(())
    }

    /// What an honest citizen does in a round: pays, sends something to count, tells news.
    fn live(&mut self, citizen: usize) -> Result<(), Difference> {
        let mut operations = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let to = if self.random.percent(60) {
                self.victim
            } else {
                self.one_of(true)
            };
            if to == citizen {
                continue;
            }
            operations.push(self.honest_operation(citizen, to));
        }
        if citizen == 0 {
            operations.push(run(self.town.honest, &Commands::new().emit(NEWS, 1)));
        }
        self.propose_honestly(citizen, operations)
    }

    fn propose_honestly(
        &mut self,
        citizen: usize,
        operations: Vec<Operation>,
    ) -> Result<(), Difference> {
        if operations.is_empty() {
            return Ok(());
        }
        let block = self.town.propose(citizen, operations)?;
        block.map_err(|error| format!("an honest block fails: {error}"))?;
        Ok(())
    }

    fn honest_operation(&mut self, from: usize, to: usize) -> Operation {
        let destination = self.town.citizens[to].chain;
        let count = Commands::marked(Mark::Honest).count();
        let (id, letter) = match self.random.below(4) {
            0 => return self.pay(from, to),
            1 => (self.town.honest, count),
            2 => (self.town.shared, count),
            _ => {
                let home = self.town.citizens[from].chain;
                let answer = count.clone();
                (self.town.honest, count.send(home, Post::default(), &answer))
            }
        };
        run(
            id,
            &Commands::new().send(destination, Post::default(), &letter),
        )
    }

    fn pay(&mut self, from: usize, to: usize) -> Operation {
        let amount = Amount::from_micros(u128::from(1 + self.random.below(1_000)));
        let (payer, payee) = (from, to);
        let paid = self.town.citizens[payer].paid.saturating_add(amount);
        self.town.citizens[payer].paid = paid;
        let received = self.town.citizens[payee].received.saturating_add(amount);
        self.town.citizens[payee].received = received;
        Operation::System(SystemOperation::Transfer {
            owner: AccountOwner::CHAIN,
            recipient: Account::chain(self.town.citizens[payee].chain),
            amount,
        })
    }

    fn attack(&mut self, tally: &mut Tally) -> Result<(), Difference> {
        // Whose events are followed stays the same.
        let attacker = match self.attack.is_about_news() {
            true => self.town.citizens.len() - 1,
            false => self.one_of(false),
        };
        let (blows, grant) = {
            let limits = &self.town.config.policy.limits;
            let scene = Scene {
                victim: self.town.citizens[self.victim].chain,
                attacker: self.town.citizens[attacker].chain,
                hostile: &self.town.hostile,
                shared: self.town.shared,
                loud: self.town.loud,
                messages: limits.messages as u32,
                subscriptions: limits.subscriptions as u32,
                round: self.round,
            };
            let blows = attacks::blows(self.attack, &scene, self.random);
            let honest = self.town.citizens[self.public].chain;
            let grant = attacks::grant(&scene, honest, self.random);
            (blows, grant)
        };
        tally.add(
            "town blows",
            format!("{:?}", self.attack),
            blows.len() as u64,
        );
        for blow in &blows {
            self.strike(blow, attacker)?;
        }
        if self.attack == Attack::Closed && self.round == 1 {
            let close = Operation::System(SystemOperation::CloseChain);
            let _ = self.town.propose(attacker, vec![close])?;
        }
        if matches!(self.attack, Attack::Grants | Attack::Closed) {
            let (id, commands) = grant;
            self.propose_honestly(self.public, vec![run(id, &commands)])?;
        }
        if self.attack.is_about_news() {
            self.tell(attacker)?;
        }
        Ok(())
    }

    /// Sends a blow on its way.
    fn strike(&mut self, blow: &Blow, attacker: usize) -> Result<(), Difference> {
        let victim = self.town.citizens[self.victim].chain;
        if self.from_strangers || blow.is_protected || blow.is_early {
            return self.strike_from_stranger(blow, victim);
        }
        let post = Post {
            is_tracked: blow.is_tracked,
            ..Post::default()
        };
        let direct = Commands::new().send(victim, post, &blow.commands);
        let commands = match self.random.percent(20) {
            true => {
                let relay = Commands::marked(Mark::Hostile).send(victim, post, &blow.commands);
                let public = self.town.citizens[self.public].chain;
                Commands::new().send(public, Post::default(), &relay)
            }
            false => direct,
        };
        let from = if self.random.percent(50) {
            attacker
        } else {
            self.one_of(false)
        };
        // Whether that succeeds is the attacker's own affair.
        let _ = self
            .town
            .propose(from, vec![run(blow.application, &commands)])?;
        Ok(())
    }

    /// A bundle from a chain that is not on this node.
    fn strike_from_stranger(&mut self, blow: &Blow, victim: ChainId) -> Result<(), Difference> {
        // Some have sent before.
        let sender = self.random.below(self.strangers + 2);
        self.strangers += 1;
        let origin = ChainId(CryptoHash::of_bytes(&sender.to_le_bytes()));
        let kind = match blow {
            Blow {
                is_protected: true, ..
            } => MessageKind::Protected,
            Blow {
                is_tracked: true, ..
            } => MessageKind::Tracked,
            _ => MessageKind::Simple,
        };
        let now = self.town.now();
        let year = 365 * 24 * 3_600 * 1_000_000;
        let message = PostedMessage {
            authenticated_owner: None,
            grant: Amount::ZERO,
            refund_grant_to: None,
            index: 0,
            kind,
            message: Message::User {
                application_id: blow.application,
                bytes: blow.commands.0.clone(),
            },
        };
        let bundle = MessageBundle {
            height: BlockHeight(self.strangers),
            timestamp: if blow.is_early {
                (now.micros() + year).into()
            } else {
                now
            },
            block_hash: CryptoHash::of_bytes(&self.strangers.to_le_bytes()),
            transaction_index: 0,
            messages: vec![message],
        };
        let Cursor { height, index } = bundle.cursor();
        let route = (victim, origin, Cursor { height, index });
        self.town.ledger.add(route, &bundle.messages);
        let store = &*self.town.store;
        let batch = block_on(receive_bundles(store, victim, origin, vec![bundle]));
        let batch = batch.map_err(|error| format!("a bundle cannot arrive: {error}"))?;
        block_on(store.write(batch)).map_err(|error| error.to_string())?;
        self.watch.arrive(&mut self.town, route);
        Ok(())
    }

    /// The attacker emits to all the streams that may be followed.
    fn tell(&mut self, attacker: usize) -> Result<(), Difference> {
        let streams = self.town.config.policy.limits.subscriptions as u32;
        let hostile: BTreeSet<ApplicationId> = self.town.hostile.iter().copied().collect();
        for id in hostile {
            let emit = run(id, &Commands::new().emit(0, streams));
            let _ = self.town.propose(attacker, vec![emit])?;
        }
        Ok(())
    }
}
