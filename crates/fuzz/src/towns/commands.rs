//! What the applications of a town can be told, see `contract.wat`.

use resident_base::{ApplicationId, Bytecode, ChainId, CryptoHash};

/// The marks around the arms that the honest contract does without.
const HOSTILE_FROM: &str = ";; hostile from here";
const HOSTILE_TO: &str = ";; hostile up to here";

const CONTRACT: &str = include_str!("contract.wat");
const LOUD: &str = include_str!("loud.wat");

/// A contract that does everything that it is told.
pub(super) fn hostile_contract() -> Bytecode {
    assemble(CONTRACT)
}

/// A contract that counts, answers, emits and follows, and does nothing else.
pub(super) fn honest_contract() -> Bytecode {
    let (before, rest) = CONTRACT
        .split_once(HOSTILE_FROM)
        .expect("the mark is there");
    let (_, after) = rest.split_once(HOSTILE_TO).expect("the mark is there");
    assemble(&[before, after].concat())
}

/// A service whose answers are as long as they may be by default.
pub(super) fn loud_service() -> Bytecode {
    assemble(LOUD)
}

fn assemble(text: &str) -> Bytecode {
    Bytecode::new(wat::parse_str(text).expect("the text is a module"))
}

/// What kind of message it is, so that whoever looks at a bundle knows what to expect of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// It can be executed at any time, and fails nothing.
    Honest,
    /// It may fail or be rejected, but nothing keeps it from being decided.
    Hostile,
    /// It waits for something that never comes.
    Waits,
}

impl Mark {
    fn byte(self) -> u8 {
        match self {
            Mark::Honest => 0,
            Mark::Hostile => 1,
            Mark::Waits => 2,
        }
    }

    /// The mark of a message; one without a mark is hostile.
    pub(super) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [b'T', 0, ..] => Mark::Honest,
            [b'T', 2, ..] => Mark::Waits,
            _ => Mark::Hostile,
        }
    }
}

/// How a message is sent.
#[derive(Clone, Copy, Default)]
pub(super) struct Post {
    pub(super) is_signed: bool,
    pub(super) is_tracked: bool,
    /// Fuel that the grant is for.
    pub(super) grant: u64,
}

/// Commands, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Commands(pub(super) Vec<u8>);

impl Commands {
    /// With the mark that a message begins with.
    pub(super) fn marked(mark: Mark) -> Self {
        Self(vec![b'T', mark.byte()])
    }

    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A message that fails if it comes back.
    pub(super) fn failing_on_return() -> Self {
        Self(vec![b'!'])
    }

    /// Counts one.
    pub(super) fn count(self) -> Self {
        self.raw(b"+")
    }

    /// Traps.
    pub(super) fn trap(self) -> Self {
        self.raw(b"x")
    }

    /// Loops so many times.
    pub(super) fn spin(self, times: u32) -> Self {
        self.command(b'L', times)
    }

    /// Writes so many new keys.
    pub(super) fn put(self, keys: u32) -> Self {
        self.command(b'W', keys)
    }

    /// Asks for so many keys that are not there.
    pub(super) fn look(self, keys: u32) -> Self {
        self.command(b'A', keys)
    }

    /// Finds all the keys, so many times.
    pub(super) fn find(self, times: u32) -> Self {
        self.command(b'F', times)
    }

    /// Grows the memory to so many pages and touches each.
    pub(super) fn grow(self, pages: u32) -> Self {
        self.command(b'G', pages)
    }

    /// Sends commands to the same application on another chain.
    pub(super) fn send(self, to: ChainId, post: Post, commands: &Commands) -> Self {
        let flags = u8::from(post.is_signed) | u8::from(post.is_tracked) << 1;
        self.raw(b"S")
            .raw(to.0.as_bytes())
            .raw(&[flags])
            .raw(&post.grant.to_le_bytes())
            .block(&commands.0)
    }

    /// Sends so many messages of so many zeros.
    pub(super) fn flood(self, to: ChainId, size: u32, messages: u32) -> Self {
        self.raw(b"Z")
            .raw(to.0.as_bytes())
            .number(size)
            .number(messages)
    }

    /// Sends an empty message each to so many chains that do not exist.
    pub(super) fn nowhere(self, chains: u32) -> Self {
        self.command(b'N', chains)
    }

    /// Calls an application.
    pub(super) fn call(self, id: ApplicationId, commands: &Commands) -> Self {
        self.raw(b"c")
            .raw(id.application_description_hash.as_bytes())
            .block(&commands.0)
    }

    /// Waits for a blob.
    pub(super) fn assert_blob(self, hash: CryptoHash) -> Self {
        self.raw(b"M").raw(hash.as_bytes())
    }

    /// Reads an event of the same application.
    pub(super) fn read_event(self, chain: ChainId, stream: u32, index: u32) -> Self {
        self.raw(b"R")
            .raw(chain.0.as_bytes())
            .number(stream)
            .number(index)
    }

    /// Asks the service of an application so many times.
    pub(super) fn ask(self, id: ApplicationId, times: u32) -> Self {
        self.raw(b"q")
            .raw(id.application_description_hash.as_bytes())
            .number(times)
    }

    /// Asks a server.
    pub(super) fn get(self, url: &str) -> Self {
        self.raw(b"h").block(url.as_bytes())
    }

    /// Emits one event each on so many streams, from a number on.
    pub(super) fn emit(self, first: u32, streams: u32) -> Self {
        self.raw(b"E").number(first).number(streams)
    }

    /// Follows so many streams of an application, from a number on.
    pub(super) fn follow(
        self,
        chain: ChainId,
        id: ApplicationId,
        first: u32,
        streams: u32,
    ) -> Self {
        self.raw(b"U")
            .raw(chain.0.as_bytes())
            .raw(id.application_description_hash.as_bytes())
            .number(first)
            .number(streams)
    }

    /// What is done when the block is finalized.
    pub(super) fn finally(self, commands: &Commands) -> Self {
        self.raw(b"f").block(&commands.0)
    }

    /// What is done, from now on, when the application is told of events.
    pub(super) fn on_news(self, commands: &Commands) -> Self {
        self.raw(b"n").block(&commands.0)
    }

    /// Refuses the block if as many messages as this, or more, say so.
    pub(super) fn gather(self, messages: u32) -> Self {
        self.command(b'g', messages)
    }

    /// Refuses the block if anything is counted in it.
    pub(super) fn jealous(self) -> Self {
        self.raw(b"v")
    }

    fn command(self, command: u8, number: u32) -> Self {
        self.raw(&[command]).number(number)
    }

    fn block(self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("commands are short");
        self.number(length).raw(bytes)
    }

    fn number(self, number: u32) -> Self {
        self.raw(&number.to_le_bytes())
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}
