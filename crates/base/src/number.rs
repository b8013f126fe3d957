//! Numbers that are strings in JSON, whose own numbers are only exact up to 2^53.

use std::{fmt, num::ParseIntError, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text::{NumberFromU64, parse_or_number};

/// The position of a block in its chain; the first block has height zero.
///
/// JSON writes it as a string of decimal digits, and reads a number too. In BCS it is a `u64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockHeight(pub u64);

/// A plain 128-bit number.
///
/// JSON writes it as a string of decimal digits, and reads a number too. In BCS it is a `u128`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct U128(pub u128);

#[derive(Serialize, Deserialize)]
#[serde(rename = "BlockHeight")]
struct BinaryHeight(u64);

#[derive(Serialize, Deserialize)]
#[serde(rename = "U128")]
struct BinaryU128(u128);

macro_rules! impl_number {
    ($name:ident, $inner:ident, $binary:ident) => {
        impl_arithmetic!($name, $inner);

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }

        impl NumberFromU64 for $name {
            fn from_u64(value: u64) -> Self {
                Self(value.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }

        impl_serde_as_text!(
            params(),
            $name,
            $binary,
            |number| $binary(number.0),
            |binary| $name(binary.0),
            parse_or_number
        );
    };
}

impl_number!(BlockHeight, u64, BinaryHeight);
impl_number!(U128, u128, BinaryU128);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ArithmeticError;

    #[test]
    fn heights_do_not_wrap() {
        assert_eq!(BlockHeight(6).try_add_one(), Ok(BlockHeight(7)));
        assert_eq!(
            BlockHeight::MAX.try_add_one(),
            Err(ArithmeticError::Overflow)
        );
        assert_eq!(
            BlockHeight::ZERO.try_sub_one(),
            Err(ArithmeticError::Underflow)
        );
        let mut height = BlockHeight(1);
        height.try_add_assign(BlockHeight(1)).unwrap();
        assert_eq!(height, BlockHeight(2));
    }

    #[test]
    fn json_reads_strings_and_numbers() {
        for json in ["7", "\"7\""] {
            assert_eq!(
                serde_json::from_str::<BlockHeight>(json).unwrap(),
                BlockHeight(7)
            );
            assert_eq!(serde_json::from_str::<U128>(json).unwrap(), U128(7));
        }
        for json in ["-7", "\"\"", "\"x\"", "1.5", "null"] {
            assert!(serde_json::from_str::<BlockHeight>(json).is_err(), "{json}");
        }
    }
}
