//! HTTP requests of contracts, over real connections.

use std::io;

use resident_base::http::{self, Header, Method, Request, Response};
use resident_execution::{HttpBounds, Oracle, OracleError};
use ureq::{Agent, Error, http as wire};

/// What servers are told about who asks, unless the contract says something else.
const USER_AGENT: &str = "resident";

/// Asks the servers that contracts name, each time over a new connection. Redirections are answers like any
/// other, and no proxy is used.
///
/// Servers that speak HTTPS are asked only if the crate was built with the feature `https`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpOracle;

impl Oracle for HttpOracle {
    fn http_request(
        &self,
        request: &Request,
        bounds: &HttpBounds,
    ) -> Result<Response, OracleError> {
        let server = request.server().map_err(|error| OracleError::Unreachable {
            server: request.url.clone(),
            reason: error.to_string(),
        })?;
        exchange(request, bounds).map_err(|error| sort(error, server, bounds))
    }
}

/// One request and its answer, within one deadline for all of it.
fn exchange(request: &Request, bounds: &HttpBounds) -> Result<Response, Error> {
    let agent = agent(bounds);
    let mut answer = match request.method.has_body() {
        true => agent.run(head(request).body(request.body.as_slice())?),
        false => agent.run(head(request).body(())?),
    }?;
    let status = answer.status().as_u16();
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| Header::new(name.as_str(), value.as_bytes()));
    let headers = headers.collect();
    let body = answer.body_mut().with_config();
    // One more than allowed, since the exact limit would count as exceeded.
    let body = body
        .limit(bounds.response_bytes.saturating_add(1))
        .read_to_vec()?;
    Ok(Response {
        status,
        headers,
        body,
    })
}

fn agent(bounds: &HttpBounds) -> Agent {
    let header_bytes = usize::try_from(bounds.response_bytes).unwrap_or(usize::MAX);
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .max_idle_connections(0)
        .user_agent(USER_AGENT)
        .max_response_header_size(header_bytes.max(MIN_HEADER_BYTES))
        .timeout_global(Some(bounds.timeout))
        .build()
        .into()
}

/// Smaller answers have headers too, and whether those are allowed is found out afterwards.
const MIN_HEADER_BYTES: usize = 4 << 10;

fn head(request: &Request) -> wire::request::Builder {
    let method = match request.method {
        Method::Get => wire::Method::GET,
        Method::Post => wire::Method::POST,
        Method::Put => wire::Method::PUT,
        Method::Delete => wire::Method::DELETE,
        Method::Head => wire::Method::HEAD,
        Method::Options => wire::Method::OPTIONS,
        Method::Patch => wire::Method::PATCH,
    };
    let builder = wire::Request::builder().method(method).uri(&request.url);
    let headers = request.headers.iter();
    headers.fold(builder, |builder, http::Header { name, value }| {
        builder.header(name, value.as_slice())
    })
}

/// Says in the blocks' terms why there is no answer.
fn sort(error: Error, server: String, bounds: &HttpBounds) -> OracleError {
    let HttpBounds {
        response_bytes: limit,
        timeout,
    } = *bounds;
    match error {
        Error::BodyExceedsLimit(_) | Error::LargeResponseHeader(..) => {
            OracleError::TooLarge { server, limit }
        }
        error if is_timeout(&error) => OracleError::TimedOut { server, timeout },
        error => OracleError::Unreachable {
            server,
            reason: error.to_string(),
        },
    }
}

fn is_timeout(error: &Error) -> bool {
    match error {
        Error::Timeout(_) => true,
        Error::Io(error) => error.kind() == io::ErrorKind::TimedOut,
        _ => false,
    }
}
