//! Who answers what contracts ask of the world outside.

use std::{fmt, time::Duration};

use resident_base::http;
use thiserror::Error;

use crate::printable::Printable;

/// Asks the world outside, for blocks that are being built. Blocks that are run again replay what they
/// recorded, and ask nobody.
///
/// [`http_request`](Self::http_request) is called on a block's thread, which gives its place in the pool up
/// meanwhile. The policy's list of servers has been checked, and the answer's size is checked again. An
/// implementer
///
/// - answers or fails by the deadline, since the chain waits for it;
/// - asks no other server than the one that the URL names: redirections are answers;
/// - reads no more than so many bytes of an answer, and fails if there are more.
pub trait Oracle: fmt::Debug + Send + Sync {
    /// Makes a request, and waits for the answer.
    ///
    /// # Errors
    /// If there is no answer, or not one that may enter a block.
    fn http_request(
        &self,
        request: &http::Request,
        bounds: &HttpBounds,
    ) -> Result<http::Response, OracleError>;
}

/// How much an HTTP request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpBounds {
    /// The most that the headers and the body of the answer have together, in bytes.
    pub response_bytes: u64,
    /// How long it may take until the answer is there.
    pub timeout: Duration,
}

/// Why the world outside did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OracleError {
    /// This node asks nobody.
    #[error("this node makes no HTTP requests; build the block on one that does")]
    Refused,
    /// There was no answer from the server.
    #[error("{} did not answer: {}", Printable(server), Printable(reason))]
    Unreachable {
        /// The server.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The answer took too long.
    #[error("{} did not answer within {timeout:?}", Printable(server))]
    TimedOut {
        /// The server.
        server: String,
        /// How long it could take.
        timeout: Duration,
    },
    /// Building the block has asked often enough, whatever failed and was tried again.
    #[error("building the block has made {limit} HTTP requests already")]
    TooMany {
        /// How often it may ask.
        limit: u64,
    },
    /// The answer is too long.
    #[error(
        "the answer of {} has more than the {limit} bytes that are allowed",
        Printable(server)
    )]
    TooLarge {
        /// The server.
        server: String,
        /// How many bytes it may have.
        limit: u64,
    },
}

impl OracleError {
    /// Whether another block, later or on another node, may get an answer.
    pub const fn may_pass_later(&self) -> bool {
        !matches!(self, Self::TooLarge { .. })
    }
}

/// Refuses everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoOracle;

impl Oracle for NoOracle {
    fn http_request(
        &self,
        _: &http::Request,
        _: &HttpBounds,
    ) -> Result<http::Response, OracleError> {
        Err(OracleError::Refused)
    }
}
