//! What a wrapped contract is told to do: commands of a fixed size, one after another.
//!
//! A command is [`COMMAND_BYTES`] long: byte 0 is the [`Op`], bytes 4 to 8 are a number, and the rest
//! are seven words. Everything is little-endian. What is shorter than a command ends the script.

use crate::random::Random;

/// The size of one command.
pub(crate) const COMMAND_BYTES: u32 = 64;
/// Words of arguments in a command.
pub(crate) const WORDS: u32 = 7;
/// Bytes of a key; it stands in the first word.
pub(crate) const KEY_BYTES: u32 = 4;
/// Bytes of a value; it stands behind the first word.
pub(crate) const VALUE_BYTES: u32 = 40;

/// What one command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    /// Calls the generated function that the number says, with the words as arguments.
    Call,
    /// Grows memory by the number.
    Grow,
    /// Stores the first word at the number.
    Store,
    /// Mixes the word at the number into the digest.
    Load,
    /// Puts a value under a key of the state.
    Put,
    /// Reads a key of the state.
    Get,
    /// Reads all keys and values of the state.
    FindAll,
    /// Calls the application of the first four words, with the rest of the script.
    CallApplication,
    /// Reaches `unreachable`.
    Trap,
    /// Makes the number and the first word the response.
    Respond,
    /// Copies memory from the first word to the number, as many bytes as the second word says.
    Copy,
    /// Fills memory at the number with the first word, as many bytes as the second word says.
    Fill,
    /// Counts to the number.
    Spin,
    /// Calls itself as many times as the number says.
    Recurse,
    /// Makes finalization fail.
    Refuse,
}

/// What scripts should do how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// How many generated functions can be called.
    pub(crate) functions: u64,
    /// How many of a hundred scripts have a command that is likely to fail.
    pub(crate) failing_percent: u64,
    /// How many of a hundred scripts make the contract refuse the block.
    pub(crate) refusing_percent: u64,
}

/// A random script.
pub(crate) fn script(random: &mut Random, style: Style) -> Vec<u8> {
    let mut script = Vec::new();
    for _ in 0..random.choose(&[1, 1, 2, 2, 3, 5]) {
        script.extend(good(random, style));
    }
    if random.percent(style.failing_percent) {
        script.extend(bad(random));
    }
    if random.percent(style.refusing_percent) {
        script.extend(command(Op::Refuse, 0, &[]));
    }
    if random.percent(20) {
        script.extend(good(random, style));
    }
    if random.percent(3) {
        script.extend(random.bytes(100));
    }
    script
}

/// A call of another application, with what it is told.
pub(crate) fn call_application(callee: [u64; 4], script: &[u8]) -> Vec<u8> {
    let mut call = command(Op::CallApplication, 1, &callee);
    call.extend(script);
    call
}

fn good(random: &mut Random, style: Style) -> Vec<u8> {
    let address = random.choose(&[512, 1_024, 4_096, 20_000, 65_400]) + random.below(128);
    let word = word(random);
    match random.below(22) {
        0 => command(Op::Grow, random.choose(&[0, 1, 1, 2]), &[]),
        1 | 2 => command(Op::Store, address, &[word]),
        3 => command(Op::Load, address, &[]),
        4..=6 => command(Op::Put, 0, &[random.below(8), word, random.next()]),
        7 => command(Op::Get, 0, &[random.below(8)]),
        8 => command(Op::FindAll, 0, &[]),
        9 => command(
            Op::Copy,
            address,
            &[random.below(30_000), random.below(300)],
        ),
        10 => command(Op::Fill, address, &[word, random.below(300)]),
        11 => command(Op::Spin, random.below(3_000), &[]),
        12 => command(Op::Recurse, random.below(60), &[]),
        _ => {
            let words: Vec<_> = (0..WORDS).map(|_| self::word(random)).collect();
            command(Op::Call, random.below(style.functions.max(1)), &words)
        }
    }
}

/// What fails, or is likely to.
fn bad(random: &mut Random) -> Vec<u8> {
    let any = random.any_length();
    let words = [random.any_length(), random.any_length()];
    match random.below(10) {
        0 => command(Op::Trap, 0, &[]),
        1 => command(Op::Grow, any, &[]),
        2 => command(Op::Store, any, &words),
        3 => command(Op::Load, any, &words),
        4 => command(Op::Respond, any, &words),
        5 => command(Op::Copy, any, &words),
        6 => command(Op::Fill, any, &words),
        7 => command(Op::Spin, any, &[]),
        8 => command(Op::CallApplication, any, &words),
        _ => command(Op::Recurse, any, &[]),
    }
}

/// An argument: often one that means something.
fn word(random: &mut Random) -> u64 {
    const SPECIAL: [u64; 10] = [
        0,
        1,
        u64::MAX,
        0x8000_0000,
        0x8000_0000_0000_0000,
        0x7fc0_0000,
        0xffa0_0001,
        0x7ff8_0000_0000_0000,
        0xfff4_0000_0000_0001,
        0x3ff0_0000_3f80_0000,
    ];
    match random.below(3) {
        0 => random.choose(&SPECIAL),
        1 => random.below(4_096),
        _ => random.any_length(),
    }
}

fn command(op: Op, number: u64, words: &[u64]) -> Vec<u8> {
    let mut bytes = vec![op as u8, 0, 0, 0];
    bytes.extend((number as u32).to_le_bytes());
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes.resize(COMMAND_BYTES as usize, 0);
    bytes
}
