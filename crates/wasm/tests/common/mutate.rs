//! Damage to bytes, the same for the same seed. Knows nothing of what the bytes mean.

/// Numbers from a seed (SplitMix64), for damage and for whoever needs more of them.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound, or zero if there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            bound => (self.next() % bound as u64) as usize,
        }
    }

    /// So many bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// The bytes with one to four pieces of damage.
pub(crate) fn mutate(seed: u64, bytes: &[u8]) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut damaged = bytes.to_vec();
    for _ in 0..=numbers.below(4) {
        damage(&mut numbers, &mut damaged, bytes);
    }
    damaged
}

/// Bytes that mean something in many formats: limits of small and large integers, and of LEB128.
const TELLING: [&[u8]; 6] = [
    &[0],
    &[0x7f],
    &[0x80, 0x80, 0x80, 0x80, 0],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xff; 16],
];

fn damage(numbers: &mut Numbers, damaged: &mut Vec<u8>, original: &[u8]) {
    let at = numbers.below(damaged.len());
    match numbers.below(8) {
        0 if at < damaged.len() => damaged[at] ^= 1 << numbers.below(8),
        1 if at < damaged.len() => damaged[at] = numbers.next() as u8,
        2 => damaged.truncate(at),
        3 => {
            let end = damaged.len().min(at + 1 + numbers.below(64));
            damaged.drain(at.min(end)..end);
        }
        4 => {
            let telling = TELLING[numbers.below(TELLING.len())];
            let end = damaged.len().min(at + telling.len() * numbers.below(2));
            damaged.splice(at.min(end)..end, telling.iter().copied());
        }
        5 | 6 => splice(numbers, damaged, original, at),
        _ => {
            let length = 1 + numbers.below(16);
            let random = numbers.bytes(length);
            damaged.splice(at..at, random);
        }
    }
}

/// A piece of the original in another place, over what was there or between it.
fn splice(numbers: &mut Numbers, damaged: &mut Vec<u8>, original: &[u8], at: usize) {
    let from = numbers.below(original.len());
    let to = original.len().min(from + 1 + numbers.below(128));
    let replaced = numbers.below(2) * (to - from);
    let end = damaged.len().min(at + replaced);
    damaged.splice(at.min(end)..end, original[from..to].iter().copied());
}
