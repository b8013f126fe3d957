//! Requests of contracts to servers outside.

use std::time::Duration;

use resident_base::{CryptoHash, http};

use super::{Runtime, RuntimeHandle};
use crate::{
    FailureReason, HttpBounds, LimitKind, OracleError, OracleResponse, Stop, policy::host_cost,
    pool::wait_for_another, printable::shortened,
};

/// How often building a block may ask, as a multiple of what a block may record. Bundles that ask and then
/// fail leave no record, but time has passed.
pub const HTTP_REQUESTS_ASKED_PER_RECORDED: u64 = 8;

impl RuntimeHandle {
    /// Makes a request for the running application, or replays its answer.
    pub(super) fn http_request_charged(
        &mut self,
        request: &http::Request,
    ) -> Result<http::Response, Stop> {
        self.charge_call(request.size_bytes())?;
        self.usage.charge_fuel(host_cost::HTTP_REQUEST)?;
        let server = self.check_may_ask(request)?;
        let policy = self.context.policy.clone();
        self.usage
            .http_request(request.size_bytes() as u64, &policy)?;
        let hash = CryptoHash::new(request);
        let question = || format!("an HTTP request to {}", shortened(request.url.clone()));
        let is_asked = |response: &OracleResponse| matches!(response, OracleResponse::Http { request, .. } if *request == hash);
        let answer = self.answer(question, is_asked, |runtime| {
            let response = runtime.ask(request, &server)?.canonical();
            let request = hash;
            Ok(OracleResponse::Http { request, response })
        })?;
        let OracleResponse::Http { response, .. } = answer else {
            return Err(FailureReason::OracleMismatch { asked: question() }.into());
        };
        self.check_answer_fits(&response)?;
        self.usage
            .charge_fuel(response.size_bytes() as u64 * host_cost::BYTE)?;
        Ok(response)
    }

    /// The server that a request goes to, if chain and policy let the running application ask it.
    fn check_may_ask(&self, request: &http::Request) -> Result<String, FailureReason> {
        let application_id = self.frame().application_id;
        let permissions = &self.config.application_permissions;
        if !permissions.can_make_http_requests(&application_id) {
            return Err(FailureReason::HttpNotPermitted(application_id));
        }
        let server = request.server()?;
        let allowed = &self.context.policy.http_request_allow_list;
        match allowed.contains(&server) {
            true => Ok(server),
            false => Err(FailureReason::HttpServerNotAllowed {
                server: shortened(server),
            }),
        }
    }

    /// Blocks with larger answers are refused, whoever made up the answers.
    fn check_answer_fits(&self, response: &http::Response) -> Result<(), Stop> {
        let bytes = response.size_bytes() as u64;
        let limit = self.context.policy.limits.http_response_bytes;
        match bytes > limit || response.headers.len() > http::MAX_HEADERS {
            true => Err(LimitKind::HttpResponseBytes.into()),
            false => Ok(()),
        }
    }
}

impl Runtime {
    fn ask(&mut self, request: &http::Request, server: &str) -> Result<http::Response, Stop> {
        let limits = &self.context.policy.limits;
        if self.asked
            >= limits
                .http_requests
                .saturating_mul(HTTP_REQUESTS_ASKED_PER_RECORDED)
        {
            return Err(FailureReason::Crowded(LimitKind::HttpRequests).into());
        }
        self.asked += 1;
        let bounds = HttpBounds {
            response_bytes: limits.http_response_bytes,
            timeout: Duration::from_millis(limits.http_timeout_milliseconds),
        };
        let oracle = self.executor.oracle();
        let response = wait_for_another(|| oracle.http_request(request, &bounds));
        let response = response.map_err(|error| match error {
            OracleError::TooMany { .. } => FailureReason::Crowded(LimitKind::HttpRequests),
            error => FailureReason::Oracle(error),
        })?;
        let limit = bounds.response_bytes;
        match response.size_bytes() as u64 > limit || response.headers.len() > http::MAX_HEADERS {
            true => Err(FailureReason::Oracle(OracleError::TooLarge {
                server: server.to_owned(),
                limit,
            })
            .into()),
            false => Ok(response),
        }
    }
}
