//! The memory that every new instance of a module starts with.

/// The unit in which memories are compared with their starting image, in bytes.
pub(crate) const WORD_BYTES: usize = 8;

/// How much is compared at once, before looking at single words.
const CHUNK_BYTES: usize = 256;

/// Zeros up to this number are written rather than leave a gap between two segments.
const GAP_BYTES: usize = 256;

const ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];

/// The contents of a memory at instantiation: a module's data segments, and zeros between and behind
/// them.
///
/// Only the segments are kept, so its size is bounded by the published module's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartingImage {
    /// In ascending order, apart from each other; starts and lengths are whole words.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    start: usize,
    bytes: Vec<u8>,
}

impl Piece {
    fn end(&self) -> usize {
        self.start + self.bytes.len()
    }
}

impl StartingImage {
    /// The image of segments `(address, bytes)`, of which later ones are written over earlier ones.
    pub(crate) fn new(segments: &[(u32, &[u8])]) -> Self {
        let mut pieces = empty_pieces(segments);
        for (address, bytes) in segments.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let address = *address as usize;
            let index = pieces.partition_point(|piece| piece.start <= address) - 1;
            let start = address - pieces[index].start;
            pieces[index].bytes[start..start + bytes.len()].copy_from_slice(bytes);
        }
        StartingImage { pieces }
    }

    /// The data as segments. Those with fewer than [`GAP_BYTES`] between them are one.
    pub(super) fn segments(&self) -> Vec<(u32, Vec<u8>)> {
        let mut segments: Vec<(u32, Vec<u8>)> = Vec::new();
        for piece in &self.pieces {
            let start = u32::try_from(piece.start).expect("addresses have 32 bits");
            match segments.last_mut() {
                Some((first, bytes))
                    if piece.start - *first as usize <= bytes.len() + GAP_BYTES =>
                {
                    bytes.resize(piece.start - *first as usize, 0);
                    bytes.extend_from_slice(&piece.bytes);
                }
                _ => segments.push((start, piece.bytes.clone())),
            }
        }
        segments
    }

    /// What it takes of memory, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let piece = |piece: &Piece| size_of::<Piece>() + piece.bytes.len();
        self.pieces.iter().map(piece).sum()
    }

    /// Calls `found` with the address and the bytes of every longest run of words in which `memory`
    /// differs from the image, in ascending order.
    pub(crate) fn differences<'a>(&self, memory: &'a [u8], mut found: impl FnMut(usize, &'a [u8])) {
        let mut run = None;
        self.each_chunk(0, memory.len(), |at, image| {
            let chunk = &memory[at..at + image.len()];
            if chunk == image {
                if let Some(start) = run.take() {
                    found(start, &memory[start..at]);
                }
                return;
            }
            for (index, (word, original)) in words(chunk).zip(words(image)).enumerate() {
                let at = at + index * WORD_BYTES;
                match (run, word == original) {
                    (None, false) => run = Some(at),
                    (Some(start), true) => {
                        found(start, &memory[start..at]);
                        run = None;
                    }
                    _ => {}
                }
            }
        });
        if let Some(start) = run {
            found(start, &memory[start..]);
        }
    }

    /// Whether every word of `bytes` at this address differs from the image.
    pub(crate) fn differs_throughout(&self, address: usize, bytes: &[u8]) -> bool {
        let mut differs = true;
        self.each_chunk(address, address + bytes.len(), |at, image| {
            let at = at - address;
            let words = words(&bytes[at..at + image.len()]).zip(self::words(image));
            differs &= !words.fold(false, |same, (word, original)| same | (word == original));
        });
        differs
    }

    /// Makes `memory` what it was at instantiation, writing only to what differs.
    pub(crate) fn reset(&self, memory: &mut [u8]) {
        self.each_chunk(0, memory.len(), |at, image| {
            let chunk = &mut memory[at..at + image.len()];
            if chunk != image {
                chunk.copy_from_slice(image);
            }
        });
    }

    /// Calls `visit` with the address and the original bytes of every chunk between two addresses.
    fn each_chunk(&self, start: usize, end: usize, mut visit: impl FnMut(usize, &[u8])) {
        let mut at = start;
        let first = self.pieces.partition_point(|piece| piece.end() <= start);
        for piece in &self.pieces[first..] {
            if piece.start >= end {
                break;
            }
            each_zero_chunk(at, piece.start, &mut visit);
            at = at.max(piece.start);
            let until = end.min(piece.end());
            for chunk in piece.bytes[at - piece.start..until - piece.start].chunks(CHUNK_BYTES) {
                visit(at, chunk);
                at += chunk.len();
            }
        }
        each_zero_chunk(at, end, &mut visit);
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let word = |chunk: &[u8]| u64::from_ne_bytes(chunk.try_into().expect("a whole word"));
    bytes.chunks_exact(WORD_BYTES).map(word)
}

fn each_zero_chunk(start: usize, end: usize, visit: &mut impl FnMut(usize, &[u8])) {
    for at in (start..end).step_by(CHUNK_BYTES) {
        visit(at, &ZEROS[..CHUNK_BYTES.min(end - at)]);
    }
}

/// Pieces of zeros that cover all segments, rounded to whole words.
fn empty_pieces(segments: &[(u32, &[u8])]) -> Vec<Piece> {
    let covered = segments.iter().filter(|(_, bytes)| !bytes.is_empty());
    let mut ranges: Vec<_> = covered
        .map(|(address, bytes)| {
            let (start, end) = (*address as usize, *address as usize + bytes.len());
            (
                start / WORD_BYTES * WORD_BYTES,
                end.next_multiple_of(WORD_BYTES),
            )
        })
        .collect();
    ranges.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (start, end) in ranges {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    let piece = |(start, end)| Piece {
        start,
        bytes: vec![0; end - start],
    };
    merged.into_iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory written byte by byte, as an engine would.
    fn plain(segments: &[(u32, &[u8])], size: usize) -> Vec<u8> {
        let mut memory = vec![0; size];
        for (address, bytes) in segments {
            let address = *address as usize;
            memory[address..address + bytes.len()].copy_from_slice(bytes);
        }
        memory
    }

    fn differences(image: &StartingImage, memory: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        image.differences(memory, |address, bytes| found.push((address, bytes.len())));
        found
    }

    #[test]
    fn segments_may_overlap_touch_and_be_empty() {
        let long = [7; 1000];
        let cases: [&[(u32, &[u8])]; 5] = [
            &[],
            &[(3, b""), (1023, b"")],
            &[(1, b"abcdefgh"), (4, b"XY"), (9, b"q"), (2000, b"end")],
            &[(1500, &long[..500]), (8, &long), (1000, b"over")],
            &[(0, &long), (500, &[0; 600])],
        ];
        for segments in cases {
            let (image, expected) = (StartingImage::new(segments), plain(segments, 2048));
            let mut memory = vec![0xff; 2048];
            image.reset(&mut memory);
            assert_eq!(memory, expected);
            assert_eq!(differences(&image, &memory), []);
        }
    }

    #[test]
    fn runs_are_as_long_as_possible_and_hold_nothing_unchanged() {
        let image = StartingImage::new(&[(256, &[1; 300])]);
        let mut memory = plain(&[(256, &[1; 300])], 4096);
        // Across the beginning and the end of the segment, at both ends of the memory, and one byte.
        for range in [0..8, 250..260, 550..570, 1001..1002, 4095..4096] {
            memory[range].fill(9);
        }
        let expected = [(0, 8), (248, 16), (544, 32), (1000, 8), (4088, 8)];
        assert_eq!(differences(&image, &memory), expected);
        for (address, length) in expected {
            assert!(image.differs_throughout(address, &memory[address..address + length]));
            let longer = address..(address + length + 8).min(4096);
            let whole = longer.len() > length;
            assert_eq!(image.differs_throughout(address, &memory[longer]), !whole);
        }
    }

    #[test]
    fn what_lies_close_together_is_one_segment() {
        let image = StartingImage::new(&[(0, &[1; 8]), (264, &[2; 8]), (1_000, &[3; 8])]);
        let segments = image.segments();
        let extents: Vec<_> = segments
            .iter()
            .map(|(start, bytes)| (*start, bytes.len()))
            .collect();
        assert_eq!(extents, [(0, 272), (1_000, 8)]);
        let borrowed: Vec<_> = segments
            .iter()
            .map(|(start, bytes)| (*start, &bytes[..]))
            .collect();
        let mut memories = [vec![0xff; 2048], vec![0xff; 2048]];
        image.reset(&mut memories[0]);
        StartingImage::new(&borrowed).reset(&mut memories[1]);
        assert_eq!(memories[0], memories[1]);
    }

    #[test]
    fn every_word_can_differ() {
        let image = StartingImage::new(&[(100, b"something")]);
        assert_eq!(differences(&image, &[0xaa; 1024]), [(0, 1024)]);
    }
}
