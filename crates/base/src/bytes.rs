//! Serde for byte strings, used as `#[serde(with = "resident_base::bytes")]`.
//!
//! Human-readable formats get hexadecimal. BCS gets the length and the bytes, just as for a `Vec<u8>`, but
//! copied at once: serde would otherwise visit every byte on its own.

use std::fmt;

use serde::{Deserializer, Serializer, de};

use crate::text::hex_bytes;

/// Writes a byte string.
///
/// # Errors
/// If the serializer fails.
pub fn serialize<B, S>(bytes: &B, serializer: S) -> Result<S::Ok, S::Error>
where
    B: AsRef<[u8]>,
    S: Serializer,
{
    if serializer.is_human_readable() {
        serializer.serialize_str(&hex::encode(bytes))
    } else {
        serializer.serialize_bytes(bytes.as_ref())
    }
}

/// Reads a byte string.
///
/// # Errors
/// If there is none, or its hexadecimal digits are wrong.
pub fn deserialize<'de, B, D>(deserializer: D) -> Result<B, D::Error>
where
    B: From<Vec<u8>>,
    D: Deserializer<'de>,
{
    let bytes = if deserializer.is_human_readable() {
        deserializer.deserialize_str(BytesVisitor)
    } else {
        deserializer.deserialize_byte_buf(BytesVisitor)
    };
    bytes.map(B::from)
}

struct BytesVisitor;

impl de::Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, or a string of their hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        hex_bytes(text).map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}
