//! Checked and saturating arithmetic, written once for every number type.

use thiserror::Error;

/// Why an arithmetic operation has no result.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ArithmeticError {
    /// The result is larger than the type's maximum.
    #[error("number overflow")]
    Overflow,
    /// The result is below zero.
    #[error("number underflow")]
    Underflow,
}

/// Gives a one-field wrapper around an unsigned integer its arithmetic.
macro_rules! impl_arithmetic {
    ($name:ident, $inner:ident) => {
        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// The largest value.
            pub const MAX: Self = Self($inner::MAX);

            /// Adds, unless the sum is too large.
            pub fn try_add(self, other: Self) -> Result<Self, $crate::ArithmeticError> {
                let sum = self.0.checked_add(other.0);
                sum.map(Self).ok_or($crate::ArithmeticError::Overflow)
            }

            /// Subtracts, unless the difference is below zero.
            pub fn try_sub(self, other: Self) -> Result<Self, $crate::ArithmeticError> {
                let difference = self.0.checked_sub(other.0);
                difference
                    .map(Self)
                    .ok_or($crate::ArithmeticError::Underflow)
            }

            /// Multiplies by a plain number, unless the product is too large.
            pub fn try_mul(self, factor: $inner) -> Result<Self, $crate::ArithmeticError> {
                let product = self.0.checked_mul(factor);
                product.map(Self).ok_or($crate::ArithmeticError::Overflow)
            }

            /// Adds one, unless this is [`MAX`](Self::MAX).
            pub fn try_add_one(self) -> Result<Self, $crate::ArithmeticError> {
                self.try_add(Self(1))
            }

            /// Subtracts one, unless this is [`ZERO`](Self::ZERO).
            pub fn try_sub_one(self) -> Result<Self, $crate::ArithmeticError> {
                self.try_sub(Self(1))
            }

            /// Adds in place; an error leaves the value unchanged.
            pub fn try_add_assign(&mut self, other: Self) -> Result<(), $crate::ArithmeticError> {
                self.try_add(other).map(|sum| *self = sum)
            }

            /// Subtracts in place; an error leaves the value unchanged.
            pub fn try_sub_assign(&mut self, other: Self) -> Result<(), $crate::ArithmeticError> {
                self.try_sub(other).map(|difference| *self = difference)
            }

            /// Multiplies in place; an error leaves the value unchanged.
            pub fn try_mul_assign(
                &mut self,
                factor: $inner,
            ) -> Result<(), $crate::ArithmeticError> {
                self.try_mul(factor).map(|product| *self = product)
            }

            /// Adds, stopping at [`MAX`](Self::MAX).
            pub const fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// Subtracts, stopping at zero.
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// Multiplies by a plain number, stopping at [`MAX`](Self::MAX).
            pub const fn saturating_mul(self, factor: $inner) -> Self {
                Self(self.0.saturating_mul(factor))
            }

            /// Adds in place, stopping at [`MAX`](Self::MAX).
            pub const fn saturating_add_assign(&mut self, other: Self) {
                *self = self.saturating_add(other);
            }

            /// Subtracts in place, stopping at zero.
            pub const fn saturating_sub_assign(&mut self, other: Self) {
                *self = self.saturating_sub(other);
            }
        }

        impl From<$name> for $inner {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        // Operators hide what happens at the edges, so only tests get them; they panic there.
        #[cfg(any(test, feature = "test"))]
        impl std::ops::Add for $name {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                self.try_add(other).expect("a test's sum fits")
            }
        }

        #[cfg(any(test, feature = "test"))]
        impl std::ops::Sub for $name {
            type Output = Self;

            fn sub(self, other: Self) -> Self {
                self.try_sub(other).expect("a test's difference fits")
            }
        }

        #[cfg(any(test, feature = "test"))]
        impl std::ops::Mul<$inner> for $name {
            type Output = Self;

            fn mul(self, factor: $inner) -> Self {
                self.try_mul(factor).expect("a test's product fits")
            }
        }
    };
}
