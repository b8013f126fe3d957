//! A value as it lies in the file: with a checksum of itself and its key behind it.
//!
//! The database checks its pages only when it repairs a file. Without this, a byte that was altered in a closed
//! file would be answered as if somebody had written it.

use crc32fast::Hasher;

use crate::store::StoreError;

const CHECKSUM_BYTES: usize = 4;

/// What is stored for a value.
pub(super) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(value.len() + CHECKSUM_BYTES);
    stored.extend_from_slice(value);
    stored.extend_from_slice(&checksum(key, value));
    stored
}

/// The value, if what is stored is what was written for this key.
pub(super) fn open<'a>(key: &[u8], stored: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let (value, found) = stored
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or_else(altered)?;
    match checksum(key, value) == *found {
        true => Ok(value),
        false => Err(altered()),
    }
}

/// The length of the key stands between the two, so that no byte can pass from one to the other.
fn checksum(key: &[u8], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = Hasher::new();
    hasher.update(key);
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(value);
    hasher.finalize().to_le_bytes()
}

fn altered() -> StoreError {
    StoreError::Damaged {
        reason: "a record is not what was written".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_altered_bit_is_noticed() {
        let (key, value) = (b"key", b"value");
        let stored = seal(key, value);
        assert_eq!(open(key, &stored).unwrap(), value);
        for bit in 0..stored.len() * 8 {
            let mut altered = stored.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let opened = open(key, &altered);
            assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{bit}");
        }
        assert!(open(b"kez", &stored).is_err());
        assert!(open(b"keyv", &seal(b"key", b"alue")).is_err());
        assert!(open(key, &stored[..3]).is_err());
        assert_eq!(open(b"", &seal(b"", b"")).unwrap(), b"");
    }
}
