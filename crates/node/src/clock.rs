//! Where the timestamps of new blocks come from.
//!
//! A chain's time never goes back, and a message takes its time along. So one wrong reading would be
//! for ever. Two things keep it from spreading: a node takes no message from the future
//! ([`NodeConfig::max_clock_skew`](crate::NodeConfig::max_clock_skew)), and a guarded clock that jumps forward is not
//! believed before it has kept its new time for a while.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use resident_base::{TimeDelta, Timestamp};

/// How much faster than the time since the last reading a guarded clock may run, at a time.
const MAX_JUMP: TimeDelta = TimeDelta::from_secs(60);

/// How long a guarded clock must keep the time that it jumped to before it is believed.
const SETTLING: Duration = Duration::from_secs(60);

/// Tells the time. Passed in, so that a test or a replay can choose it.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    guard: Option<Arc<Guard>>,
}

/// A clock has jumped forward, and it is not certain yet that it is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock jumped to {reading} when it should be about {expected}; set it right, or wait until it has kept its \
     time for a minute"
)]
pub struct ClockJump {
    /// What it shows.
    pub reading: Timestamp,
    /// What it should show, by the time since an earlier reading.
    pub expected: Timestamp,
}

/// Compares a clock with one that only tells how much time has passed.
struct Guard {
    elapsed: Box<dyn Fn() -> Duration + Send + Sync>,
    state: Mutex<GuardState>,
}

#[derive(Default)]
struct GuardState {
    /// The last reading that was believed, and when that was.
    believed: Option<Reading>,
    /// The first reading after a jump.
    doubted: Option<Reading>,
}

#[derive(Clone, Copy)]
struct Reading {
    time: Timestamp,
    at: Duration,
}

impl Clock {
    /// A clock that asks this function each time, and believes it.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            now: Arc::new(now),
            guard: None,
        }
    }

    /// A clock that is not believed when it jumps forward by more than a minute against `elapsed`, which says
    /// how much time has passed since any fixed moment. It is believed again once it has kept its time for a minute.
    pub fn guarded(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        elapsed: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        let guard = Guard {
            elapsed: Box::new(elapsed),
            state: Mutex::default(),
        };
        Self {
            now: Arc::new(now),
            guard: Some(Arc::new(guard)),
        }
    }

    /// The system's clock, guarded; a time before 1970 counts as 1970.
    pub fn system() -> Self {
        let now = || {
            let since_epoch = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            Timestamp::from(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
        };
        let started = Instant::now();
        Self::guarded(now, move || started.elapsed())
    }

    /// A clock that stands still.
    pub fn fixed(at: Timestamp) -> Self {
        Self::new(move || at)
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// The time for a new block.
    ///
    /// # Errors
    /// If the clock is guarded and has just jumped forward.
    pub fn checked_now(&self) -> Result<Timestamp, ClockJump> {
        let time = self.now();
        match &self.guard {
            Some(guard) => guard.check(time),
            None => Ok(time),
        }
    }
}

impl Guard {
    fn check(&self, time: Timestamp) -> Result<Timestamp, ClockJump> {
        let reading = Reading {
            time,
            at: (self.elapsed)(),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let jumped = |from: &Reading| time > from.expect(reading.at).saturating_add(MAX_JUMP);
        let Some(believed) = state.believed.filter(jumped) else {
            (state.believed, state.doubted) = (Some(reading), None);
            return Ok(time);
        };
        // Another jump, in either direction, and the waiting starts anew.
        let is_steady = |doubted: &Reading| {
            let expected = doubted.expect(reading.at);
            !jumped(doubted) && expected.delta_since(time) <= MAX_JUMP
        };
        match state.doubted.filter(is_steady) {
            Some(doubted) if reading.at.saturating_sub(doubted.at) >= SETTLING => {
                (state.believed, state.doubted) = (Some(reading), None);
                return Ok(time);
            }
            Some(_) => {}
            None => state.doubted = Some(reading),
        }
        Err(ClockJump {
            reading: time,
            expected: believed.expect(reading.at),
        })
    }
}

impl Reading {
    /// What a clock that showed this then should show now.
    fn expect(&self, now: Duration) -> Timestamp {
        let passed = now.saturating_sub(self.at).as_micros();
        let passed = TimeDelta::from_micros(u64::try_from(passed).unwrap_or(u64::MAX));
        self.time.saturating_add(passed)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Both in seconds.
    struct Hands {
        shown: Arc<AtomicU64>,
        passed: Arc<AtomicU64>,
        clock: Clock,
    }

    impl Hands {
        fn new() -> Self {
            let [shown, passed] = [1_000, 0].map(|start| Arc::new(AtomicU64::new(start)));
            let (show, pass) = (shown.clone(), passed.clone());
            let now = move || Timestamp::from(show.load(Ordering::SeqCst) * 1_000_000);
            let elapsed = move || Duration::from_secs(pass.load(Ordering::SeqCst));
            let clock = Clock::guarded(now, elapsed);
            Self {
                shown,
                passed,
                clock,
            }
        }

        /// Whether a block can have the time.
        fn read(&self, shown: u64, passed: u64) -> bool {
            self.shown.store(shown, Ordering::SeqCst);
            self.passed.store(passed, Ordering::SeqCst);
            self.clock.checked_now().is_ok()
        }
    }

    #[test]
    fn one_wrong_reading_is_not_believed() {
        let hands = Hands::new();
        assert!(hands.read(1_000, 0));
        assert!(!hands.read(4_000_000_000, 1));
        assert!(hands.read(1_002, 2));
        // Again later: what was seen before does not count.
        assert!(!hands.read(4_000_000_000, 70));
        assert!(!hands.read(4_000_000_001, 71));
        assert!(hands.read(1_072, 72));
    }

    #[test]
    fn a_clock_that_keeps_its_new_time_is_believed_after_a_minute() {
        let hands = Hands::new();
        assert!(hands.read(1_000, 0));
        assert!(!hands.read(9_000, 10));
        assert!(!hands.read(9_050, 60));
        assert!(hands.read(9_060, 70));
        assert!(hands.read(9_061, 71));
    }

    #[test]
    fn going_back_and_small_steps_are_nothing_to_wait_for() {
        let hands = Hands::new();
        for (shown, passed) in [(1_000, 0), (500, 1), (560, 2), (700, 100)] {
            assert!(hands.read(shown, passed), "{shown} after {passed}");
        }
    }
}
