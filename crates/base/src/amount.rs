//! Amounts of tokens.

use std::{fmt, iter, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ArithmeticError;

/// A non-negative amount of tokens, with 18 decimal places.
///
/// It is counted in attos, of which a token has 10^18. As text it is a decimal number of tokens that always
/// has its point (`20.`, `0.5`), in JSON that text as a string, and in BCS a `u128` of attos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u128);

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseAmountError {
    /// There is not a single digit.
    #[error("an amount needs at least one digit")]
    NoDigits,
    /// There is something else than digits and one point.
    #[error("an amount consists of digits and at most one decimal point")]
    InvalidCharacter,
    /// There are digits that an amount cannot hold.
    #[error("an amount has at most {} decimal places", Amount::DECIMAL_PLACES)]
    TooManyDecimals,
    /// The number is too large.
    #[error("an amount is at most {}", Amount::MAX)]
    Overflow,
}

impl_arithmetic!(Amount, u128);

impl Amount {
    /// How many digits stand after the decimal point.
    pub const DECIMAL_PLACES: u8 = 18;

    /// One token.
    pub const ONE: Self = Self(10u128.pow(Self::DECIMAL_PLACES as u32));

    /// An amount in tokens, at most [`MAX`](Self::MAX).
    pub const fn from_tokens(tokens: u128) -> Self {
        Self::ONE.saturating_mul(tokens)
    }

    /// An amount in thousandths of a token, at most [`MAX`](Self::MAX).
    pub const fn from_millis(millis: u128) -> Self {
        Self(10u128.pow(15)).saturating_mul(millis)
    }

    /// An amount in millionths of a token, at most [`MAX`](Self::MAX).
    pub const fn from_micros(micros: u128) -> Self {
        Self(10u128.pow(12)).saturating_mul(micros)
    }

    /// An amount in billionths of a token, at most [`MAX`](Self::MAX).
    pub const fn from_nanos(nanos: u128) -> Self {
        Self(10u128.pow(9)).saturating_mul(nanos)
    }

    /// An amount in attos, the smallest unit.
    pub const fn from_attos(attos: u128) -> Self {
        Self(attos)
    }

    /// The amount in attos.
    pub const fn to_attos(self) -> u128 {
        self.0
    }

    /// The upper 64 bits of the number of attos.
    pub const fn upper_half(self) -> u64 {
        (self.0 >> 64) as u64
    }

    /// The lower 64 bits of the number of attos.
    pub const fn lower_half(self) -> u64 {
        self.0 as u64
    }

    /// How many times `other` fits into this amount, or `u128::MAX` if `other` is zero.
    pub const fn saturating_div(self, other: Self) -> u128 {
        match self.0.checked_div(other.0) {
            Some(quotient) => quotient,
            None => u128::MAX,
        }
    }
}

/// Stops at [`Amount::MAX`].
impl iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

/// A precision asks for at least so many decimal places; none that matters is ever cut off.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tokens, attos) = (self.0 / Self::ONE.0, self.0 % Self::ONE.0);
        let digits = format!("{tokens}.{attos:018}");
        let mut text = digits.trim_end_matches('0').to_owned();
        let missing = digits.len() - text.len();
        let decimals = usize::from(Self::DECIMAL_PLACES) - missing;
        let padding = f.precision().unwrap_or(0).saturating_sub(decimals);
        text.extend(iter::repeat_n('0', padding));
        f.pad_integral(true, "", &text)
    }
}

impl FromStr for Amount {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Self, ParseAmountError> {
        let (tokens, decimals) = text.split_once('.').unwrap_or((text, ""));
        if tokens.is_empty() && decimals.is_empty() {
            return Err(ParseAmountError::NoDigits);
        }
        let places = usize::from(Self::DECIMAL_PLACES);
        if decimals.len() > places {
            return Err(ParseAmountError::TooManyDecimals);
        }
        let zeros = iter::repeat_n(b'0', places - decimals.len());
        let digits = tokens.bytes().chain(decimals.bytes()).chain(zeros);
        digits.into_iter().try_fold(Self::ZERO, push_digit)
    }
}

fn push_digit(amount: Amount, digit: u8) -> Result<Amount, ParseAmountError> {
    if !digit.is_ascii_digit() {
        return Err(ParseAmountError::InvalidCharacter);
    }
    let digit = Amount(u128::from(digit - b'0'));
    let shifted = amount.try_mul(10).and_then(|amount| amount.try_add(digit));
    shifted.map_err(|_: ArithmeticError| ParseAmountError::Overflow)
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Amount")]
struct BinaryAmount(u128);

impl_serde_as_text!(
    Amount,
    BinaryAmount,
    |amount| BinaryAmount(amount.0),
    |binary| Amount(binary.0)
);

#[cfg(any(test, feature = "test"))]
impl From<u128> for Amount {
    fn from(attos: u128) -> Self {
        Self(attos)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn printing_keeps_the_point() {
        assert_eq!(Amount::ZERO.to_string(), "0.");
        assert_eq!(Amount::from_tokens(20).to_string(), "20.");
        assert_eq!(Amount::from_millis(500).to_string(), "0.5");
        assert_eq!(Amount::from_attos(1).to_string(), "0.000000000000000001");
        assert_eq!(
            Amount::MAX.to_string(),
            "340282366920938463463.374607431768211455"
        );
        assert_eq!(format!("{:.2}", Amount::ONE), "1.00");
        assert_eq!(format!("{:.1}", Amount::from_millis(1_250)), "1.25");
        assert_eq!(
            format!("[{:6}|{:<4}]", Amount::ONE, Amount::ONE),
            "[    1.|1.  ]"
        );
    }

    #[test]
    fn parsing_takes_numbers_with_and_without_a_point() {
        for (text, millis) in [("2", 2_000), ("2.", 2_000), ("002.50", 2_500), (".25", 250)] {
            assert_eq!(text.parse(), Ok(Amount::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn parsing_errors_are_typed() {
        use ParseAmountError::*;
        for text in ["", "."] {
            assert_eq!(text.parse::<Amount>(), Err(NoDigits), "{text}");
        }
        for text in ["-1", "+1", "1.2.3", "1e3", " 1", "1_000", "٣"] {
            assert_eq!(text.parse::<Amount>(), Err(InvalidCharacter), "{text}");
        }
        assert_eq!(
            "0.0000000000000000001".parse::<Amount>(),
            Err(TooManyDecimals)
        );
        for text in [
            "340282366920938463463.374607431768211456",
            "999999999999999999999",
        ] {
            assert_eq!(text.parse::<Amount>(), Err(Overflow), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_checked_at_both_ends() {
        let one = Amount::from_attos(1);
        assert_eq!(Amount::MAX.try_add(one), Err(ArithmeticError::Overflow));
        assert_eq!(Amount::MAX.try_mul(2), Err(ArithmeticError::Overflow));
        assert_eq!(Amount::ZERO.try_sub(one), Err(ArithmeticError::Underflow));
        assert_eq!(Amount::MAX.saturating_add(one), Amount::MAX);
        assert_eq!(Amount::ZERO.saturating_sub(one), Amount::ZERO);
        assert_eq!(Amount::from_tokens(u128::MAX), Amount::MAX);
        assert_eq!(Amount::ONE.saturating_div(Amount::ZERO), u128::MAX);
        assert_eq!(Amount::ONE.saturating_div(Amount::from_millis(300)), 3);
        assert_eq!([Amount::MAX, one].into_iter().sum::<Amount>(), Amount::MAX);
    }

    #[test]
    fn a_failed_assignment_changes_nothing() {
        let mut amount = Amount::MAX;
        assert_eq!(
            amount.try_add_assign(Amount::ONE),
            Err(ArithmeticError::Overflow)
        );
        assert_eq!(amount.try_mul_assign(2), Err(ArithmeticError::Overflow));
        assert_eq!(amount, Amount::MAX);
        amount = Amount::ZERO;
        assert_eq!(
            amount.try_sub_assign(Amount::ONE),
            Err(ArithmeticError::Underflow)
        );
        assert_eq!(amount, Amount::ZERO);
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(attos in any::<u128>()) {
            let amount = Amount::from_attos(attos);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn halves_make_the_whole(attos in any::<u128>()) {
            let amount = Amount::from_attos(attos);
            let upper = u128::from(amount.upper_half()) << 64;
            prop_assert_eq!(upper | u128::from(amount.lower_half()), attos);
        }

        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = text.parse::<Amount>();
        }
    }
}
