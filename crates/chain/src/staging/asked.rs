//! The world outside is asked once for each question, however often a transaction is tried.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use resident_base::{CryptoHash, http};
use resident_execution::{HttpBounds, Oracle, OracleError};

/// Stands before an oracle while one block is built, and remembers what it answered or failed with.
///
/// The same request of the same transaction gets the same answer, the second of two equal requests that of the
/// second. Transactions do not share answers: a server may answer each of them differently.
pub(super) struct AskedOnce {
    oracle: Arc<dyn Oracle>,
    /// How often the oracle is asked at most.
    limit: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The transaction that is being run.
    transaction: usize,
    /// How often it has made each request.
    made: BTreeMap<CryptoHash, u32>,
    answers: BTreeMap<(usize, CryptoHash, u32), Answer>,
}

type Answer = Result<http::Response, OracleError>;

impl AskedOnce {
    /// Stands for the transactions in the place of one, at the end of the block.
    pub(super) const FINALIZATION: usize = usize::MAX;

    pub(super) fn new(oracle: Arc<dyn Oracle>, limit: u64) -> Self {
        Self {
            oracle,
            limit,
            state: Mutex::default(),
        }
    }

    /// Says which transaction is run now, from its beginning.
    pub(super) fn begin(&self, transaction: usize) {
        let mut state = self.state();
        state.transaction = transaction;
        state.made.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Oracle for AskedOnce {
    fn http_request(&self, request: &http::Request, bounds: &HttpBounds) -> Answer {
        let hash = CryptoHash::new(request);
        let key = {
            let mut state = self.state();
            let made = state.made.entry(hash).or_default();
            *made += 1;
            let key = (state.transaction, hash, state.made[&hash]);
            if let Some(answer) = state.answers.get(&key) {
                return answer.clone();
            }
            if state.answers.len() as u64 >= self.limit {
                return Err(OracleError::TooMany { limit: self.limit });
            }
            key
        };
        let answer = self.oracle.http_request(request, bounds);
        self.state().answers.insert(key, answer.clone());
        answer
    }
}

impl fmt::Debug for AskedOnce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.oracle.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU16, Ordering},
        time::Duration,
    };

    use super::*;

    /// Answers with the number of the question.
    #[derive(Debug, Default)]
    struct Counting(AtomicU16);

    impl Oracle for Counting {
        fn http_request(&self, _: &http::Request, _: &HttpBounds) -> Answer {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                3 => Err(OracleError::Refused),
                number => Ok(http::Response::ok(number.to_string())),
            }
        }
    }

    const BOUNDS: HttpBounds = HttpBounds {
        response_bytes: 10,
        timeout: Duration::ZERO,
    };

    #[test]
    fn each_transaction_is_answered_once_for_each_of_its_questions() {
        let oracle = Arc::new(Counting::default());
        let asked = AskedOnce::new(oracle.clone(), 5);
        let ask = |url: &str| asked.http_request(&http::Request::get(url), &BOUNDS);
        for _ in 0..3 {
            asked.begin(7);
            assert_eq!(ask("a"), Ok(http::Response::ok("0")));
            assert_eq!(ask("b"), Ok(http::Response::ok("1")));
            assert_eq!(ask("a"), Ok(http::Response::ok("2")));
            // That there was no answer is an answer, too.
            assert_eq!(ask("c"), Err(OracleError::Refused));
        }
        assert_eq!(oracle.0.load(Ordering::Relaxed), 4);
        asked.begin(8);
        assert_eq!(ask("a"), Ok(http::Response::ok("4")));
        assert_eq!(ask("b"), Err(OracleError::TooMany { limit: 5 }));
        asked.begin(AskedOnce::FINALIZATION);
        assert_eq!(ask("a"), Err(OracleError::TooMany { limit: 5 }));
        assert_eq!(oracle.0.load(Ordering::Relaxed), 5);
    }
}
