//! Control flow: recursion, calls through tables, a state machine, the formatter of the standard library.

use std::{fmt::Write, hint::black_box};

use crate::Random;

/// Fibonacci's number, the slow way: nothing but calls.
pub(crate) fn recursion(index: u32) -> u64 {
    fibonacci(black_box(index))
}

#[inline(never)]
fn fibonacci(index: u32) -> u64 {
    if index < 2 {
        return index.into();
    }
    fibonacci(index - 1) + fibonacci(index - 2)
}

trait Step {
    fn apply(&self, value: u64) -> u64;
}

struct Add(u64);
struct Rotate(u32);
struct Clear(u64);

impl Step for Add {
    fn apply(&self, value: u64) -> u64 {
        value.wrapping_add(self.0)
    }
}

impl Step for Rotate {
    fn apply(&self, value: u64) -> u64 {
        value.rotate_left(self.0)
    }
}

impl Step for Clear {
    fn apply(&self, value: u64) -> u64 {
        if value & 1 == 1 {
            value & self.0
        } else {
            value
        }
    }
}

/// So many calls of trait objects that do next to nothing.
pub(crate) fn dynamic_calls(count: usize) -> u64 {
    let mut random = Random(8);
    let steps: Vec<Box<dyn Step>> = (0..64)
        .map(|_| match random.next() % 3 {
            0 => Box::new(Add(random.next())) as Box<dyn Step>,
            1 => Box::new(Rotate(random.next() as u32 % 64)),
            _ => Box::new(Clear(random.next())),
        })
        .collect();
    let order = steps.iter().cycle().take(count);
    order.fold(1, |value, step| step.apply(value))
}

/// Reads so many bytes of numbers, words, texts and brackets, byte by byte.
pub(crate) fn parse(count: usize) -> u64 {
    let mut random = Random(9);
    let source = b"  {}[],:\"\"abcdefxyz0123456789\n--";
    let text: Vec<u8> = (0..count)
        .map(|_| source[random.next() as usize % source.len()])
        .collect();
    let mut counts = Counts::default();
    let mut state = State::Between;
    for byte in text {
        state = counts.step(state, byte);
    }
    counts.sum ^ counts.depth.cast_unsigned() ^ (counts.words << 32)
}

#[derive(Clone, Copy)]
enum State {
    Between,
    Number(u64),
    Word,
    Text,
}

#[derive(Default)]
struct Counts {
    sum: u64,
    words: u64,
    depth: i64,
}

impl Counts {
    fn step(&mut self, state: State, byte: u8) -> State {
        match (state, byte) {
            (State::Text, b'"') => State::Between,
            (State::Text, _) => State::Text,
            (State::Number(number), b'0'..=b'9') => {
                State::Number(number.wrapping_mul(10) + u64::from(byte - b'0'))
            }
            (State::Number(number), _) => {
                self.sum = self.sum.wrapping_add(number);
                self.begin(byte)
            }
            (State::Word, b'a'..=b'z' | b'0'..=b'9') => State::Word,
            (State::Word | State::Between, _) => self.begin(byte),
        }
    }

    fn begin(&mut self, byte: u8) -> State {
        match byte {
            b'0'..=b'9' => State::Number(u64::from(byte - b'0')),
            b'a'..=b'z' => {
                self.words += 1;
                State::Word
            }
            b'"' => State::Text,
            b'{' | b'[' => {
                self.depth += 1;
                State::Between
            }
            b'}' | b']' => {
                self.depth -= 1;
                State::Between
            }
            _ => State::Between,
        }
    }
}

/// Writes so many lines with numbers: small functions, allocations, calls through tables.
pub(crate) fn format_numbers(count: u64) -> u64 {
    let mut random = Random(10);
    let mut length = 0;
    for line in 0..count {
        let mut text = String::new();
        write!(
            text,
            "{line}: {} and {:x}",
            random.next() >> 30,
            random.next()
        )
        .expect("strings take everything");
        length += text.len() as u64;
    }
    length
}
