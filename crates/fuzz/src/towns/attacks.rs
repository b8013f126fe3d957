//! What hostile applications and senders do to a chain.

use std::fmt;

use resident_base::{ApplicationId, ChainId, CryptoHash};

use super::{
    commands::{Commands, Mark, Post},
    world,
};
use crate::random::Random;

/// A way to hurt a chain. `Calm` is none, for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attack {
    Calm,
    RefuseAlone,
    RefuseShared,
    RefuseTogether,
    RefuseJealously,
    Misname,
    Greedy,
    FloodLater,
    Burn,
    BurnLater,
    Grow,
    Walk,
    Flood,
    Nowhere,
    Blob,
    BlobLater,
    Event,
    Loud,
    LoudLater,
    Crowd,
    Grants,
    Deaf,
    Endless,
    FollowMuch,
    World,
    Protected,
    Future,
    Bounce,
    Relay,
    Mixed,
    Listed,
    Closed,
}

/// All of them, in the order in which seeds take turns.
pub(super) const ATTACKS: [Attack; 32] = [
    Attack::Calm,
    Attack::RefuseAlone,
    Attack::RefuseShared,
    Attack::RefuseTogether,
    Attack::RefuseJealously,
    Attack::Misname,
    Attack::Greedy,
    Attack::FloodLater,
    Attack::Burn,
    Attack::BurnLater,
    Attack::Grow,
    Attack::Walk,
    Attack::Flood,
    Attack::Nowhere,
    Attack::Blob,
    Attack::BlobLater,
    Attack::Event,
    Attack::Loud,
    Attack::LoudLater,
    Attack::Crowd,
    Attack::Grants,
    Attack::Deaf,
    Attack::Endless,
    Attack::FollowMuch,
    Attack::World,
    Attack::Protected,
    Attack::Future,
    Attack::Bounce,
    Attack::Relay,
    Attack::Mixed,
    Attack::Listed,
    Attack::Closed,
];

impl Attack {
    /// The attack of a seed.
    pub(super) fn of(seed: u64) -> Self {
        ATTACKS[(seed % ATTACKS.len() as u64) as usize]
    }

    /// Whether events of hostile streams play a part.
    pub(super) fn is_about_news(self) -> bool {
        matches!(
            self,
            Attack::Deaf | Attack::Endless | Attack::FollowMuch | Attack::Mixed
        )
    }

    /// Whether so many messages are needed that the limit has to be large.
    pub(super) fn needs_messages(self) -> bool {
        matches!(self, Attack::Nowhere)
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A message that a hostile sender has for a chain.
#[derive(Clone, Debug)]
pub(super) struct Blow {
    pub(super) application: ApplicationId,
    pub(super) commands: Commands,
    /// Whether it comes with the protection that no application can give it.
    pub(super) is_protected: bool,
    /// Whether it comes with a time that is far away.
    pub(super) is_early: bool,
    pub(super) is_tracked: bool,
}

/// What attacks need to know of a town.
pub(super) struct Scene<'a> {
    /// Whom the blows are for.
    pub(super) victim: ChainId,
    /// A hostile chain.
    pub(super) attacker: ChainId,
    /// Applications that only the hostile use.
    pub(super) hostile: &'a [ApplicationId],
    /// One that the honest use too.
    pub(super) shared: ApplicationId,
    /// One with a loud service.
    pub(super) loud: ApplicationId,
    /// Messages that a block may send.
    pub(super) messages: u32,
    /// Streams that an application may follow.
    pub(super) subscriptions: u32,
    /// Which round it is, from zero.
    pub(super) round: u32,
}

/// More than any town's limit on fuel allows.
const ENDLESS: u32 = 1 << 30;

/// The blows of one round.
pub(super) fn blows(attack: Attack, scene: &Scene<'_>, random: &mut Random) -> Vec<Blow> {
    match attack {
        Attack::Calm | Attack::Grants | Attack::Closed => Vec::new(),
        Attack::Mixed => {
            let mut all = Vec::new();
            for _ in 0..2 + random.below(3) {
                let number = 1 + random.below(ATTACKS.len() as u64 - 4);
                all.extend(blows(ATTACKS[number as usize], scene, random));
            }
            all
        }
        Attack::Deaf | Attack::Endless | Attack::FollowMuch => {
            if scene.round == 0 {
                follow(attack, scene, random)
            } else {
                Vec::new()
            }
        }
        Attack::Crowd => (0..1 + random.below(3))
            .map(|_| crowd(scene, random))
            .collect(),
        // Each of them takes several calls, and those of one sender come one after the other.
        Attack::Blob | Attack::BlobLater | Attack::Event | Attack::Future => {
            let count = random.choose(&[1, 2, 6]);
            many(attack, scene, random, count)
        }
        Attack::Nowhere | Attack::LoudLater | Attack::Loud | Attack::Greedy => {
            let count = 1 + random.below(3);
            many(attack, scene, random, count)
        }
        _ => {
            let count = random.choose(&[1, 2, 5, 12, 18, 24]);
            many(attack, scene, random, count)
        }
    }
}

fn many(attack: Attack, scene: &Scene<'_>, random: &mut Random, count: u64) -> Vec<Blow> {
    let gather = 2 + random.below(3) as u32;
    (0..count)
        .map(|_| blow(attack, scene, random, gather))
        .collect()
}

fn blow(attack: Attack, scene: &Scene<'_>, random: &mut Random, gather: u32) -> Blow {
    let own = random.choose(scene.hostile);
    let either = random.choose(&[own, scene.shared]);
    let hostile = Commands::marked(Mark::Hostile);
    let waits = Commands::marked(Mark::Waits);
    let trap = Commands::new().trap();
    let missing = CryptoHash::of_bytes(&random.bytes(8));
    let to = random.choose(&[scene.attacker, scene.victim, ChainId(missing)]);
    let url = format!("http://{}/{:x}", world::SERVER, random.next());
    match attack {
        Attack::RefuseAlone => plain(own, hostile.finally(&trap)),
        Attack::RefuseShared => plain(scene.shared, hostile.finally(&trap)),
        Attack::RefuseTogether => plain(
            random.choose(&[scene.hostile[0], scene.shared]),
            hostile.gather(gather),
        ),
        Attack::RefuseJealously => plain(scene.shared, hostile.jealous()),
        Attack::Misname => plain(
            own,
            hostile.call(scene.shared, &Commands::new().finally(&trap)),
        ),
        Attack::Greedy => {
            let rest = Commands::new().flood(to, 1, 2 + random.below(4) as u32);
            let most = scene.messages.saturating_sub(random.below(5) as u32).max(1);
            plain(either, hostile.flood(to, 8, most).finally(&rest))
        }
        Attack::FloodLater => {
            let most = 1 + random.below(u64::from(scene.messages)) as u32;
            plain(either, hostile.finally(&Commands::new().flood(to, 8, most)))
        }
        Attack::Burn => plain(either, hostile.spin(ENDLESS)),
        Attack::BurnLater => plain(either, hostile.finally(&Commands::new().spin(ENDLESS))),
        Attack::Grow => fail_perhaps(
            plain(own, hostile.grow(40 + random.below(400) as u32)),
            random,
        ),
        Attack::Walk => {
            let keys = 1 + random.below(300) as u32;
            let walk = match random.below(3) {
                0 => hostile.put(keys),
                1 => hostile.look(keys),
                _ => hostile.look(keys).find(keys),
            };
            fail_perhaps(plain(either, walk), random)
        }
        Attack::Flood => {
            let most = 1 + random.below(u64::from(scene.messages)) as u32;
            let size = random.choose(&[0, 8, 500]);
            fail_perhaps(plain(either, hostile.flood(to, size, most)), random)
        }
        Attack::Nowhere => plain(own, hostile.nowhere(1_100)),
        Attack::Blob => plain(either, waits.assert_blob(missing)),
        Attack::BlobLater => plain(either, waits.finally(&Commands::new().assert_blob(missing))),
        Attack::Event => plain(either, waits.read_event(scene.attacker, 99, 1_000)),
        Attack::Loud => plain(own, hostile.ask(scene.loud, 300)),
        Attack::LoudLater => plain(own, hostile.finally(&Commands::new().ask(scene.loud, 300))),
        Attack::World => world(own, &url, random),
        Attack::Protected => Blow {
            is_protected: true,
            ..plain(own, waits.trap())
        },
        // Of an application that is never rejected.
        Attack::Listed => plain(scene.hostile[0], waits.trap()),
        Attack::Future => Blow {
            is_early: true,
            ..plain(own, waits)
        },
        Attack::Bounce => {
            let failing = random.choose(&[true, false]);
            let commands = match failing {
                true => Commands::failing_on_return().trap(),
                false => hostile.trap(),
            };
            Blow {
                is_tracked: true,
                ..plain(either, commands)
            }
        }
        Attack::Relay => relay(own, scene, random),
        // These have their own way.
        _ => plain(own, hostile),
    }
}

fn plain(application: ApplicationId, commands: Commands) -> Blow {
    Blow {
        application,
        commands,
        is_protected: false,
        is_early: false,
        is_tracked: false,
    }
}

fn fail_perhaps(blow: Blow, random: &mut Random) -> Blow {
    match random.percent(50) {
        true => Blow {
            commands: blow.commands.trap(),
            ..blow
        },
        false => blow,
    }
}

/// Asks a server, and then fails, or makes the application refuse the block, or passes.
fn world(application: ApplicationId, url: &str, random: &mut Random) -> Blow {
    let hostile = Commands::marked(Mark::Hostile);
    let silent = format!("{url}/{}", world::SILENT);
    let trap = Commands::new().trap();
    let commands = match random.below(5) {
        0 => hostile.get(url),
        1 => hostile.get(url).trap(),
        2 => hostile.get(url).finally(&trap),
        3 => hostile.get(&silent),
        _ => hostile.finally(&Commands::new().get(url)),
    };
    plain(application, commands)
}

/// Messages that lead to messages that lead to messages.
fn relay(application: ApplicationId, scene: &Scene<'_>, random: &mut Random) -> Blow {
    let mut inner = Commands::marked(Mark::Hostile).trap();
    for _ in 0..1 + random.below(4) {
        let to = random.choose(&[scene.attacker, scene.victim]);
        let post = Post {
            is_tracked: random.percent(50),
            ..Post::default()
        };
        let outer = Commands::marked(Mark::Hostile);
        inner = outer.send(to, post, &inner).send(to, post, &inner);
    }
    plain(application, inner)
}

/// One message that enters all the hostile applications.
fn crowd(scene: &Scene<'_>, random: &mut Random) -> Blow {
    let first = random.choose(scene.hostile);
    let others = scene.hostile.iter().filter(|id| **id != first);
    let commands = others.fold(Commands::marked(Mark::Hostile), |commands, id| {
        commands.call(*id, &Commands::new())
    });
    plain(first, commands)
}

/// Every hostile application follows streams of the attacker, and is no good listener.
fn follow(attack: Attack, scene: &Scene<'_>, random: &mut Random) -> Vec<Blow> {
    let mut all = Vec::new();
    for id in scene.hostile {
        let streams = match attack {
            Attack::FollowMuch => scene.subscriptions,
            _ => 1 + random.below(3) as u32,
        };
        let reaction = match attack {
            Attack::Endless => Commands::new().spin(ENDLESS),
            Attack::Deaf => Commands::new().trap(),
            _ => match random.below(3) {
                0 => Commands::new().trap(),
                1 => Commands::new().spin(ENDLESS),
                _ => Commands::new().finally(&Commands::new().trap()),
            },
        };
        let commands = Commands::marked(Mark::Hostile).on_news(&reaction).follow(
            scene.attacker,
            *id,
            0,
            streams,
        );
        all.push(plain(*id, commands));
    }
    all
}

/// The operation of an honest owner whose message, with a grant, is answered by one that fails.
pub(super) fn grant(
    scene: &Scene<'_>,
    honest: ChainId,
    random: &mut Random,
) -> (ApplicationId, Commands) {
    let answer = match random.below(3) {
        0 => Commands::marked(Mark::Hostile).trap(),
        1 => Commands::marked(Mark::Hostile).finally(&Commands::new().trap()),
        _ => Commands::marked(Mark::Hostile).spin(ENDLESS),
    };
    let back = Post {
        is_tracked: random.percent(50),
        ..Post::default()
    };
    let letter = Commands::marked(Mark::Hostile).send(honest, back, &answer);
    let letter = match random.percent(20) {
        true => letter.trap(),
        false => letter,
    };
    let post = Post {
        is_signed: random.percent(50),
        is_tracked: random.percent(50),
        grant: 1 << 40,
    };
    let id = random.choose(scene.hostile);
    (id, Commands::new().send(scene.attacker, post, &letter))
}
