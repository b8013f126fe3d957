//! Numbers and words of the portable form, as bytes.

use super::SnapshotError;
use crate::prepare::WORD_BYTES;

pub(super) fn put_number(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend(number.to_le_bytes());
}

/// Unsigned LEB128.
pub(super) fn put_short(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// How many bytes [`put_short`] puts.
pub(super) fn short_len(number: u32) -> usize {
    (32 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// Each word as a mask of its bytes that are not zero, and those bytes.
pub(super) fn put_words(bytes: &mut Vec<u8>, words: &[u8]) {
    for word in words.chunks_exact(WORD_BYTES) {
        let mask_at = bytes.len();
        bytes.push(0);
        for (index, byte) in word.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            bytes[mask_at] |= 1 << index;
            bytes.push(*byte);
        }
    }
}

/// How many bytes [`put_words`] puts.
pub(super) fn words_len(words: &[u8]) -> usize {
    words.len() / WORD_BYTES + words.iter().filter(|byte| **byte != 0).count()
}

/// Takes an encoding apart from front to back.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// What was read so far.
    pub(super) fn behind(&self) -> &'a [u8] {
        &self.bytes[..self.at]
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let rest = &self.bytes[self.at..];
        let array = rest.first_chunk().ok_or(SnapshotError::CutOff {
            found: self.bytes.len() as u64,
        })?;
        self.at += N;
        Ok(*array)
    }

    pub(super) fn number(&mut self) -> Result<u32, SnapshotError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn short(&mut self) -> Result<u32, SnapshotError> {
        let mut number = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let is_shortest = byte != 0 || shift == 0;
                return u32::try_from(number).ok().filter(|_| is_shortest).ok_or(
                    SnapshotError::Corrupt("a number is not in its shortest form"),
                );
            }
        }
        Err(SnapshotError::Corrupt("a number is too long"))
    }

    pub(super) fn word(&mut self) -> Result<[u8; WORD_BYTES], SnapshotError> {
        let [mask] = self.array()?;
        let mut word = [0; WORD_BYTES];
        for (index, byte) in word.iter_mut().enumerate() {
            if mask & (1 << index) != 0 {
                [*byte] = self.array()?;
                if *byte == 0 {
                    return Err(SnapshotError::Corrupt("a zero is written out"));
                }
            }
        }
        Ok(word)
    }

    pub(super) fn end(&self) -> Result<(), SnapshotError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            more => Err(SnapshotError::TooLong { more: more as u64 }),
        }
    }
}
