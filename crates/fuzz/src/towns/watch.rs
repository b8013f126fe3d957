//! What must hold in a town after every step, whatever its hostile citizens do.

use std::collections::BTreeSet;

use futures::executor::block_on;
use resident_base::{Amount, ApplicationId, ChainId, StreamId};
use resident_chain::{DropReason, MAX_INBOX_PAGE, StagingPolicy};
use resident_node::CommittedBlock;

use super::{
    attacks::Attack,
    commands::Mark,
    figures::{self, measure},
    ledger::{Parcel, Route},
    town::{Citizen, FUNDS, Town},
};
use crate::{
    compare::{Difference, cut, ensure},
    tally::Tally,
};

/// Calls after which an honest application knows the news.
const NEWS_CALLS: u32 = 8;
/// How often a bundle is tried that waits for something.
const TRIES: u32 = 4;
/// How far a block's time may be ahead of the clock, in microseconds.
const HOUR: u64 = 3_600_000_000;

/// What is shown of a reason, in characters.
const MAX_REASON: usize = 200;

/// A subscription: chain, follower, chain and name of the stream.
pub(super) type Subscription = (ChainId, ApplicationId, ChainId, StreamId);

/// A stream that an honest application follows.
struct Followed {
    subscription: Subscription,
    /// Of how many events it was told.
    told: u32,
    /// Calls in which it was told of nothing, though there was something.
    calls: u32,
}

/// Looks at every step.
pub(super) struct Watch {
    attack: Attack,
    followed: Vec<Followed>,
    max_bundles: u32,
    max_failures: u32,
}

impl Watch {
    pub(super) fn new(attack: Attack, town: &Town) -> Self {
        Self {
            attack,
            followed: Vec::new(),
            max_bundles: u32::try_from(town.config.max_bundles).unwrap_or(u32::MAX),
            max_failures: match town.config.staging {
                StagingPolicy::AutoRetry { max_failures, .. } => max_failures,
                StagingPolicy::Abort => 0,
            },
        }
    }

    /// From now on an honest application must be told of a stream.
    pub(super) fn follow(&mut self, subscription: Subscription) {
        self.followed.push(Followed {
            subscription,
            told: 0,
            calls: 0,
        });
    }

    /// A bundle was put into an inbox.
    pub(super) fn arrive(&self, town: &mut Town, route: Route) {
        if let Some(parcel) = town.ledger.parcels.get_mut(&route) {
            parcel.has_arrived = true;
        }
    }

    /// Delivers everything. What is for a chain of this node arrives, whatever else lies in the outbox.
    pub(super) fn deliver(&self, town: &mut Town) -> Result<(), Difference> {
        let delivered = block_on(town.node.deliver_all());
        delivered.map_err(|error| format!("a delivery fails: {error}"))?;
        let known: BTreeSet<_> = town.citizens.iter().map(|citizen| citizen.chain).collect();
        for ((to, ..), parcel) in &mut town.ledger.parcels {
            parcel.has_arrived |= known.contains(to);
        }
        for chain in known {
            check_inbox(town, chain)?;
        }
        Ok(())
    }

    /// Processes an inbox once.
    pub(super) fn process(
        &mut self,
        town: &mut Town,
        citizen: usize,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        town.tick();
        let Citizen { chain, key, .. } = &town.citizens[citizen];
        let chain = *chain;
        let heads = town.ledger.heads(chain);
        let block = block_on(town.node.process_inbox(chain, key));
        town.check_world()?;
        let block = block.map_err(|error| format!("the inbox cannot be processed: {error}"))?;
        let mut taken = BTreeSet::new();
        if let Some(block) = &block {
            self.check_block(town, block, tally)?;
            town.follower.follow(&block.executed, &block.report)?;
            for it in town.ledger.book(&block.executed)? {
                taken.insert(it.route);
                self.note(it.parcel, it.is_accepted, tally);
                ensure(it.is_accepted || it.parcel.mark != Mark::Honest, || {
                    format!("an honest bundle is rejected: {}", reason(block, &it.route))
                })?;
            }
        }
        let is_stuck = taken.is_empty() && heads.iter().any(|(_, head)| head.mark != Mark::Waits);
        ensure(!is_stuck, || {
            let why = heads
                .iter()
                .map(|(route, head)| why(block.as_ref(), route, head));
            let why = why.collect::<Vec<_>>().join("; ");
            let block = block
                .as_ref()
                .map(|block| block.executed.block.transactions.len());
            format!(
                "nothing is decided (transactions: {block:?}), though not everything waits for something: {why}"
            )
        })?;
        self.wait(town, &heads, &taken, block.as_ref())?;
        self.check_news(town, chain, tally)
    }

    /// Whether nothing happens any more: what waits can never be decided, and everybody knows the news.
    pub(super) fn is_at_rest(&self, town: &Town) -> bool {
        let mut chains = town.citizens.iter().map(|citizen| citizen.chain);
        let is_done = |chain| {
            let mut heads = town.ledger.heads(chain).into_iter();
            heads.all(|(_, parcel)| parcel.is_protected)
        };
        chains.all(is_done) && !self.is_anything_undelivered(town) && !self.is_anything_new(town)
    }

    /// All tokens are somewhere, and nobody has what others lost.
    pub(super) fn check_money(&self, town: &Town) -> Result<(), Difference> {
        let (ledger, mut total) = (&town.ledger, Amount::ZERO);
        for citizen in &town.citizens {
            let wealth = town.wealth(citizen.chain)?;
            total = total.saturating_add(wealth);
            let most = FUNDS.saturating_add(citizen.received);
            let who = if citizen.is_honest {
                "an honest"
            } else {
                "a hostile"
            };
            ensure(wealth <= most, || {
                format!("{who} chain has {wealth}, though it can have no more than {most}")
            })?;
            let lost = citizen.paid.saturating_add(ledger.fees);
            let least = FUNDS.saturating_sub(lost);
            let around = ledger.tokens_around(citizen.chain);
            ensure(wealth.saturating_add(around) >= least, || {
                format!(
                    "{who} chain has {wealth} and {around} on the way, though it has paid {lost} at most"
                )
            })?;
        }
        let (on_the_way, fees) = (ledger.tokens(), ledger.fees);
        let found = total.saturating_add(on_the_way).saturating_add(fees);
        let expected = FUNDS.saturating_mul(town.citizens.len() as u128);
        ensure(found == expected, || {
            format!(
                "there are {found} tokens: {total} in accounts, {on_the_way} on the way, {fees} paid; and not {expected}"
            )
        })
    }

    /// What honest messages have counted is there.
    pub(super) fn finish(&self, town: &Town) -> Result<(), Difference> {
        self.check_money(town)?;
        for (number, citizen) in town.citizens.iter().enumerate() {
            if town.ledger.closed.contains(&citizen.chain) {
                continue;
            }
            for id in [town.honest, town.shared] {
                let key = (citizen.chain, id);
                let expected = town.ledger.counted.get(&key).copied().unwrap_or_default();
                let found = town.counted(number, id)?;
                ensure(found == expected, || {
                    format!("an application counted {found}, and {expected} messages were accepted")
                })?;
            }
        }
        Ok(())
    }

    fn check_block(
        &self,
        town: &Town,
        block: &CommittedBlock,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        let (time, now) = (block.executed.block.timestamp.micros(), town.now().micros());
        ensure(time <= now + HOUR, || {
            format!(
                "a block's time is {} s ahead of the clock",
                (time - now) / 1_000_000
            )
        })?;
        let refused = |(_, reason): &&(_, DropReason)| matches!(reason, DropReason::Refused(_));
        let refused = block.dropped.iter().filter(refused).count();
        let guilty = (block.rejected.len() + refused + block.dropped_updates.len()) as u64;
        let transactions = block.executed.block.transactions.len();
        let candidates = (transactions + block.dropped.len() + block.dropped_updates.len()) as u64;
        let passes = (guilty + 1) * (u64::from(candidates.max(1).ilog2()) + 4);
        let most = 2 * candidates * passes;
        let executions = block.executions;
        let ratio = executions.div_ceil(candidates.max(1));
        measure(tally, figures::EXECUTIONS, &self.attack.to_string(), ratio);
        ensure(executions <= most, || {
            format!(
                "{executions} executions for {candidates} candidates, {guilty} of them guilty; at most {most}"
            )
        })
    }

    fn note(&self, parcel: Parcel, is_accepted: bool, tally: &mut Tally) {
        let what = match parcel.mark {
            Mark::Honest => figures::HONEST,
            Mark::Hostile => figures::HOSTILE,
            Mark::Waits => figures::WAITS,
        };
        let calls = u64::from(parcel.calls) + 1;
        measure(tally, what, &self.attack.to_string(), calls);
        let how = if is_accepted { "accepted" } else { "rejected" };
        tally.count("town bundles", format!("{:?} {how}", parcel.mark));
    }

    /// What was at the head of its sender's queue and is still there has waited one call more.
    fn wait(
        &self,
        town: &mut Town,
        heads: &[(Route, Parcel)],
        taken: &BTreeSet<Route>,
        block: Option<&CommittedBlock>,
    ) -> Result<(), Difference> {
        let senders = heads.len() as u32;
        // Its turn comes, and then everybody who was in the way before it goes first; every other block may be for
        // one alone that has given way too often.
        let turns = 2 * (senders.div_ceil(self.max_bundles) + self.max_failures + 2);
        for (route, _) in heads.iter().filter(|(route, _)| !taken.contains(route)) {
            let Some(parcel) = town.ledger.parcels.get_mut(route) else {
                continue;
            };
            parcel.calls += 1;
            let most = match parcel.mark {
                Mark::Honest => turns,
                Mark::Hostile => turns + senders,
                Mark::Waits if parcel.is_protected => u32::MAX,
                Mark::Waits => TRIES * turns,
            };
            ensure(parcel.calls <= most, || {
                let why = why(block, route, parcel);
                format!(
                    "among {senders} senders one waits at the head of its queue, longer than {most} calls: {why}"
                )
            })?;
        }
        Ok(())
    }

    /// Honest applications are told of what they follow.
    fn check_news(
        &mut self,
        town: &Town,
        chain: ChainId,
        tally: &mut Tally,
    ) -> Result<(), Difference> {
        let attack = self.attack.to_string();
        let followed = self.followed.iter_mut();
        for followed in followed.filter(|followed| followed.subscription.0 == chain) {
            let (emitted, told) = news(town, &followed.subscription);
            if told > followed.told {
                measure(tally, figures::NEWS, &attack, u64::from(followed.calls) + 1);
            }
            followed.calls = match told == emitted || told > followed.told {
                true => 0,
                false => followed.calls + 1,
            };
            followed.told = told;
            let calls = followed.calls;
            ensure(calls <= NEWS_CALLS, || {
                format!(
                    "an honest application was told of {told} events, and for {calls} calls not of the {emitted} that there are"
                )
            })?;
        }
        Ok(())
    }

    fn is_anything_new(&self, town: &Town) -> bool {
        let mut followed = self.followed.iter();
        followed.any(|followed| {
            let (emitted, told) = news(town, &followed.subscription);
            emitted > told
        })
    }

    fn is_anything_undelivered(&self, town: &Town) -> bool {
        let mut parcels = town.ledger.parcels.iter();
        parcels.any(|((to, ..), parcel)| {
            let mut citizens = town.citizens.iter();
            !parcel.has_arrived && citizens.any(|citizen| citizen.chain == *to)
        })
    }
}

/// How many events there are, and how many a follower was told of.
fn news(town: &Town, subscription: &Subscription) -> (u32, u32) {
    let (_, _, from, stream) = subscription;
    let emitted = town.ledger.emitted.get(&(*from, stream.clone()));
    let told = town.ledger.told.get(subscription);
    let number = |number: Option<&u32>| number.copied().unwrap_or_default();
    (number(emitted), number(told))
}

/// The inbox has exactly what was sent to it and no block has taken.
fn check_inbox(town: &Town, chain: ChainId) -> Result<(), Difference> {
    let reader = town.node.reader(chain);
    let waiting = block_on(reader.inbox_bundles(MAX_INBOX_PAGE));
    let waiting = waiting.map_err(|error| format!("an inbox cannot be read: {error}"))?;
    let route =
        |(origin, bundle): &(_, resident_chain::MessageBundle)| (chain, *origin, bundle.cursor());
    let found: BTreeSet<Route> = waiting.iter().map(route).collect();
    let expected: BTreeSet<Route> = town
        .ledger
        .arrived(chain)
        .map(|(route, _)| *route)
        .collect();
    ensure(found == expected, || {
        let lost = expected.difference(&found).count();
        let extra = found.difference(&expected).count();
        format!(
            "{lost} bundles have not arrived in an inbox, and {extra} are there that should not be"
        )
    })?;
    let count = block_on(reader.inbox_len()).map_err(|error| error.to_string())?;
    ensure(count == expected.len(), || {
        format!(
            "{} bundles wait in an inbox, and its length is {count}",
            expected.len()
        )
    })
}

/// Why a bundle is not in a block.
fn why(block: Option<&CommittedBlock>, route: &Route, parcel: &Parcel) -> String {
    let mut dropped = block.iter().flat_map(|block| &block.dropped);
    let found = dropped
        .find(|(incoming, _)| incoming.origin == route.1 && incoming.bundle.cursor() == route.2);
    let reason = found.map(|(_, reason)| cut(format!("{reason:?}"), MAX_REASON));
    format!(
        "{:?} from {} of {}, {} calls, {}",
        parcel.mark,
        route.1,
        route.2,
        parcel.calls,
        reason.as_deref().unwrap_or("not tried")
    )
}

/// Why a block rejected a bundle.
fn reason(block: &CommittedBlock, route: &Route) -> String {
    let mut rejected = block.rejected.iter();
    let found = rejected
        .find(|(incoming, _)| incoming.origin == route.1 && incoming.bundle.cursor() == route.2);
    found.map_or_else(
        || "for no reason".to_owned(),
        |(_, failure)| failure.to_string(),
    )
}
