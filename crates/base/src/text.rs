//! The textual encodings: hexadecimal, and the choice between text and binary in serde.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserializer, de};
use thiserror::Error;

/// Why a text is not an identifier, hash, key or signature.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParseIdError {
    /// The text has the wrong number of digits.
    #[error("expected {expected} hexadecimal digits, found {found} characters")]
    Length {
        /// How many digits there should be.
        expected: usize,
        /// How many bytes of text there are.
        found: usize,
    },
    /// The text is not pairs of hexadecimal digits.
    #[error("expected pairs of hexadecimal digits")]
    Digits,
    /// An account owner without its `0x`.
    #[error("an account owner must start with 0x")]
    MissingPrefix,
    /// An account owner that is none of the three kinds.
    #[error("an account owner must have 2, 40 or 64 hexadecimal digits, found {found} characters")]
    OwnerLength {
        /// How many bytes of text follow the `0x`.
        found: usize,
    },
    /// A composite identifier without the character between its parts.
    #[error("expected two parts separated by `{separator}`")]
    MissingSeparator {
        /// The character that was expected.
        separator: char,
    },
    /// A name that is none of the type's variants.
    #[error("unknown {type_name}")]
    UnknownName {
        /// What the name should have been a name of.
        type_name: &'static str,
    },
    /// The digits are right, but what they encode is not a value of the type.
    #[error("the digits do not encode a valid {type_name}")]
    Encoding {
        /// What they should have encoded.
        type_name: &'static str,
    },
}

/// Parses exactly `N` bytes of hexadecimal.
pub(crate) fn hex_array<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    if text.len() != 2 * N {
        let (expected, found) = (2 * N, text.len());
        return Err(ParseIdError::Length { expected, found });
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseIdError::Digits)?;
    Ok(bytes)
}

/// Parses any number of bytes of hexadecimal.
pub(crate) fn hex_bytes(text: &str) -> Result<Vec<u8>, ParseIdError> {
    hex::decode(text).map_err(|_| ParseIdError::Digits)
}

/// Writes bytes as lower-case hexadecimal, without allocating.
pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Deserializes a string by parsing it.
pub(crate) fn parse<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_str(TextVisitor(PhantomData))
}

/// Deserializes a string by parsing it, or takes a plain number.
pub(crate) fn parse_or_number<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display> + NumberFromU64,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(NumberVisitor(PhantomData))
}

/// A number type that any `u64` fits into.
pub(crate) trait NumberFromU64 {
    /// Wraps the number.
    fn from_u64(value: u64) -> Self;
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

struct NumberVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display> + NumberFromU64> de::Visitor<'_> for NumberVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a string with its decimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        Ok(T::from_u64(value))
    }
}

/// Implements serde by `Display` and `FromStr` in human-readable formats, and by another type, whose
/// derived encoding is the binary one, in all others.
macro_rules! impl_serde_as_text {
    (params($($param:ident),*), $type:ty, $binary:ident, $to:expr, $from:expr, $parse:path) => {
        impl<$($param),*> serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.collect_str(self);
                }
                let to_binary: fn(&Self) -> $binary = $to;
                serde::Serialize::serialize(&to_binary(self), serializer)
            }
        }

        impl<'de, $($param),*> serde::Deserialize<'de> for $type {
            fn deserialize<D>(deserializer: D) -> Result<Self, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                if deserializer.is_human_readable() {
                    return $parse(deserializer);
                }
                let from_binary: fn($binary) -> Self = $from;
                serde::Deserialize::deserialize(deserializer).map(from_binary)
            }
        }
    };
    ($type:ty, $binary:ident, $to:expr, $from:expr) => {
        impl_serde_as_text!(params(), $type, $binary, $to, $from, $crate::text::parse);
    };
}
