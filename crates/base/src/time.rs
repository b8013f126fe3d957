//! Points in time and the distances between them, in microseconds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time, in microseconds since the Unix epoch. JSON has a number, or a string beyond 2^53.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(#[serde(with = "crate::exact")] u64);

/// A length of time, in microseconds. JSON has a number, or a string beyond 2^53.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct TimeDelta(#[serde(with = "crate::exact")] u64);

impl_arithmetic!(TimeDelta, u64);

impl Timestamp {
    /// The last representable point in time.
    pub const MAX: Self = Self(u64::MAX);

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// How much later this is than `other`; zero if it is not later.
    pub const fn delta_since(self, other: Self) -> TimeDelta {
        TimeDelta(self.0.saturating_sub(other.0))
    }

    /// The point in time `delta` later, at most [`MAX`](Self::MAX).
    pub const fn saturating_add(self, delta: TimeDelta) -> Self {
        Self(self.0.saturating_add(delta.0))
    }

    /// The point in time `delta` earlier, at least the Unix epoch.
    pub const fn saturating_sub(self, delta: TimeDelta) -> Self {
        Self(self.0.saturating_sub(delta.0))
    }
}

impl From<u64> for Timestamp {
    fn from(micros: u64) -> Self {
        Self(micros)
    }
}

/// The number of microseconds: dates depend on calendars that nothing here needs.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TimeDelta {
    /// A length of time in microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A length of time in milliseconds, at most [`MAX`](Self::MAX).
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A length of time in seconds, at most [`MAX`](Self::MAX).
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// The length in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
}

#[cfg(any(test, feature = "test"))]
impl From<u64> for TimeDelta {
    fn from(micros: u64) -> Self {
        Self(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_saturates() {
        let (early, late) = (Timestamp::from(3), Timestamp::from(5));
        assert_eq!(late.delta_since(early), TimeDelta::from_micros(2));
        assert_eq!(early.delta_since(late), TimeDelta::ZERO);
        assert_eq!(
            early.saturating_add(TimeDelta::from_millis(1)).micros(),
            1_003
        );
        assert_eq!(late.saturating_add(TimeDelta::MAX), Timestamp::MAX);
        assert_eq!(late.saturating_sub(TimeDelta::from_secs(1)).micros(), 0);
        assert_eq!(TimeDelta::from_secs(u64::MAX), TimeDelta::MAX);
    }
}
