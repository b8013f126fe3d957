//! A world outside that remembers what it was asked.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use resident_base::http;
use resident_execution::{HttpBounds, Oracle, OracleError};

/// The server that the contracts of a town may ask.
pub(super) const SERVER: &str = "outside.example";

/// What a URL has in it if nobody answers.
pub(super) const SILENT: &str = "silent";

/// Answers every request, some with silence, and counts how often each was made.
#[derive(Debug, Default)]
pub(super) struct World {
    asked: Mutex<BTreeMap<String, u64>>,
}

impl World {
    /// What was asked since the last time, and how often.
    pub(super) fn take(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Oracle for World {
    fn http_request(
        &self,
        request: &http::Request,
        bounds: &HttpBounds,
    ) -> Result<http::Response, OracleError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let times = asked.entry(request.url.clone()).or_default();
        *times += 1;
        if request.url.contains(SILENT) {
            return Err(OracleError::TimedOut {
                server: SERVER.to_owned(),
                timeout: bounds.timeout,
            });
        }
        // Another answer each time, so that one that is asked for twice cannot go unnoticed.
        Ok(http::Response::ok(times.to_string()))
    }
}
