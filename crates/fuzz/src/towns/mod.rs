//! Level C: towns of honest and hostile citizens.
//!
//! A town is one node with a few chains. Each round its honest citizens pay each other, count, and tell each other
//! news, and the others attack a chain in one of many ways (`attacks`): they refuse blocks, burn fuel, flood,
//! wait for what never comes, mislead with grants, follow everything. A ledger (`ledger`) that reads nothing but
//! blocks knows what is on its way, and after every step (`watch`)
//!
//! * processing an inbox has decided something, unless all that waits waits for something;
//! * an honest bundle at the head of its sender's queue is in a block after a few calls, and accepted;
//! * what was sent to a chain of the node is in its inbox;
//! * all tokens are somewhere, and nobody has what others lost by a failure;
//! * building a block took no more executions than the number of guilty bundles explains, and the world
//!   outside was asked nothing twice;
//! * a follower (`follower`) gets every block again on every engine and session.

mod attacks;
mod commands;
mod figures;
mod follower;
mod ledger;
mod play;
mod town;
mod watch;
mod world;

use resident_execution::ModuleCacheConfig;

pub use figures::figures;

use self::{attacks::Attack, play::Play, town::Town};
use crate::{compare::Difference, random::Random, tally::Tally};

/// Plays in one town.
pub(crate) fn run(
    seed: u64,
    modules: &ModuleCacheConfig,
    tally: &mut Tally,
) -> Result<(), Difference> {
    let attack = Attack::of(seed);
    let mut random = Random::new(seed, 5);
    tally.count("towns", format!("{attack:?}"));
    let town = Town::found(attack, modules, &mut random)?;
    let mut play = Play::new(attack, town, &mut random);
    play.run(tally)
        .map_err(|difference| format!("{attack:?}: {difference}"))
}
