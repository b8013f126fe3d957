//! What applications log: for people, and in nobody's outcome.

use resident_abi::wire::LogLevel;

use super::RuntimeHandle;
use crate::{
    Stop,
    printable::{Printable, shortened},
};

/// What the applications of one block, or of one query, may write to the log, in bytes, with what was rolled
/// back.
const MAX_LOG_BYTES: usize = 256 << 10;

/// What a line has beside what the application said, about.
const LINE_BYTES: usize = 128;

/// How much has been logged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Logged {
    bytes: usize,
    is_full: bool,
}

impl Logged {
    /// Counts a line, and says what becomes of it.
    fn add(&mut self, bytes: usize) -> Fate {
        if self.is_full {
            return Fate::LeftOut;
        }
        self.bytes += bytes + LINE_BYTES;
        self.is_full = self.bytes > MAX_LOG_BYTES;
        match self.is_full {
            true => Fate::FirstLeftOut,
            false => Fate::Written,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Written,
    FirstLeftOut,
    LeftOut,
}

impl RuntimeHandle {
    /// The host function `log`. The fuel is the same whether or not anybody reads the line.
    pub(super) fn log_line(&mut self, level: LogLevel, message: String) -> Result<(), Stop> {
        self.charge_call(message.len())?;
        let level = level_of(level);
        if !log::log_enabled!(target: "contract", level) {
            return Ok(());
        }
        let id = self.frame().application_id;
        let message = shortened(message);
        match self.logged.add(message.len()) {
            Fate::Written => log::log!(target: "contract", level, "{id}: {}", Printable(&message)),
            Fate::FirstLeftOut => {
                let chain_id = self.context.chain_id;
                log::warn!(
                    target: "contract",
                    "{id}: more than {MAX_LOG_BYTES} bytes are logged at once on chain {chain_id}; the rest is left out"
                );
            }
            Fate::LeftOut => {}
        }
        Ok(())
    }
}

impl RuntimeHandle {
    /// Tells what ran in an application that failed, innermost first. A module's author chose the names.
    pub(super) fn log_trap(&mut self, functions: &[&str]) {
        if !log::log_enabled!(target: "contract", log::Level::Debug) {
            return;
        }
        let id = self.frame().application_id;
        let shown = shortened(format!("{functions:?}"));
        if self.logged.add(shown.len()) == Fate::Written {
            log::debug!(target: "contract", "{id} failed; what ran, innermost first: {shown}");
        }
    }
}

fn level_of(level: LogLevel) -> log::Level {
    match level {
        LogLevel::Error => log::Level::Error,
        LogLevel::Warn => log::Level::Warn,
        LogLevel::Info => log::Level::Info,
        LogLevel::Debug => log::Level::Debug,
        LogLevel::Trace => log::Level::Trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_left_out_and_said_once() {
        let mut logged = Logged::default();
        let lines = MAX_LOG_BYTES / LINE_BYTES;
        assert!((0..lines).all(|_| logged.add(0) == Fate::Written));
        assert_eq!(logged.add(0), Fate::FirstLeftOut);
        assert_eq!(logged.add(0), Fate::LeftOut);
    }
}
