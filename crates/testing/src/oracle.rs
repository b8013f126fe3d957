//! A world outside that is the same in every test.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use resident_base::http;
use resident_execution::{HttpBounds, Oracle, OracleError};

/// Answers HTTP requests out of a table, and counts them.
#[derive(Debug, Default)]
pub struct FakeOracle {
    answers: BTreeMap<String, Answer>,
    calls: AtomicU64,
}

#[derive(Debug)]
enum Answer {
    Fixed(http::Response),
    Counter,
    Silence,
}

impl FakeOracle {
    /// Knows no server.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers every request with this URL alike.
    #[must_use]
    pub fn with_answer(self, url: &str, response: http::Response) -> Self {
        self.with(url, Answer::Fixed(response))
    }

    /// Answers every request with this URL differently: with the number of requests so far, in decimal
    /// digits.
    #[must_use]
    pub fn with_counter(self, url: &str) -> Self {
        self.with(url, Answer::Counter)
    }

    /// Lets requests with this URL run out of time, without waiting for it.
    #[must_use]
    pub fn with_silence(self, url: &str) -> Self {
        self.with(url, Answer::Silence)
    }

    /// How many requests there were.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn with(mut self, url: &str, answer: Answer) -> Self {
        self.answers.insert(url.to_owned(), answer);
        self
    }
}

impl Oracle for FakeOracle {
    fn http_request(
        &self,
        request: &http::Request,
        bounds: &HttpBounds,
    ) -> Result<http::Response, OracleError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let server = request.url.clone();
        match self.answers.get(&request.url) {
            Some(Answer::Fixed(response)) => Ok(response.clone()),
            Some(Answer::Counter) => Ok(http::Response::ok(call.to_string())),
            Some(Answer::Silence) => Err(OracleError::TimedOut {
                server,
                timeout: bounds.timeout,
            }),
            None => Err(OracleError::Unreachable {
                server,
                reason: "nobody is there".to_owned(),
            }),
        }
    }
}

/// A world outside that must not be asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct PanickingOracle;

impl Oracle for PanickingOracle {
    fn http_request(
        &self,
        request: &http::Request,
        _: &HttpBounds,
    ) -> Result<http::Response, OracleError> {
        panic!(
            "nobody was to be asked, but a contract asked for {}",
            request.url
        )
    }
}
