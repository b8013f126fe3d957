//! Requests to servers outside, and what they answer, as contracts and blocks know them.
//!
//! Only what a contract can make sense of is kept: a status, headers and a body, without the versions and
//! encodings of the connection. A request is strict about its URL, so that whoever checks its host and whoever
//! connects to it cannot read it differently.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::BcsHashable;

/// The longest URL of a request, in bytes.
pub const MAX_URL_BYTES: usize = 2_048;

/// The most headers of a request or of a response.
pub const MAX_HEADERS: usize = 64;

/// What is to be done with the thing that the URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// Read it.
    Get,
    /// Hand something in.
    Post,
    /// Replace it.
    Put,
    /// Remove it.
    Delete,
    /// Read what is said about it.
    Head,
    /// Read what can be done with it.
    Options,
    /// Change a part of it.
    Patch,
}

impl Method {
    /// Whether something is handed in.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

/// A header of a request or a response.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Header {
    /// Its name; upper and lower case are the same.
    pub name: String,
    /// Its value.
    #[serde(with = "crate::bytes")]
    pub value: Vec<u8>,
}

impl Header {
    /// A header.
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// A request to a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// With what: `http://` or `https://`, a host, perhaps a port, and a path.
    pub url: String,
    /// What else the server is told.
    pub headers: Vec<Header>,
    /// What is handed in.
    #[serde(with = "crate::bytes")]
    pub body: Vec<u8>,
}

impl BcsHashable for Request {
    const NAME: &'static str = "HttpRequest";
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Response {
    /// How it went, such as 200 or 404.
    pub status: u16,
    /// What else the server said.
    pub headers: Vec<Header>,
    /// The answer itself.
    #[serde(with = "crate::bytes")]
    pub body: Vec<u8>,
}

/// Why a request cannot be made, whoever is asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// The URL is not one that can be asked for.
    #[error("the URL {0}")]
    Url(&'static str),
    /// There are too many headers.
    #[error("the request has {found} headers, {MAX_HEADERS} are allowed")]
    TooManyHeaders {
        /// How many there are.
        found: usize,
    },
    /// Something is handed in by a method that only asks.
    #[error("the request has a body, which only POST, PUT and PATCH can have")]
    Body,
    /// A header belongs to the connection.
    #[error("header {0} is for the connection, which is not the contract's affair")]
    ConnectionHeader(usize),
    /// A header would be read as something else.
    #[error("the name or the value of header {0} has characters that headers cannot have")]
    Header(usize),
}

impl Request {
    /// A request to read something.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A request that hands something in.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: Method::Post,
            body: body.into(),
            ..Self::get(url)
        }
    }

    /// The request with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(Header::new(name, value));
        self
    }

    /// What the request takes, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.url.len() + headers_bytes(&self.headers) + self.body.len()
    }

    /// Checks that the request has one meaning only, and gives the server that it goes to: the host in lower
    /// case, and `:port` if that is not the usual one of the URL's scheme.
    ///
    /// # Errors
    /// If the URL or a header is malformed.
    pub fn server(&self) -> Result<String, BadRequest> {
        if self.headers.len() > MAX_HEADERS {
            let found = self.headers.len();
            return Err(BadRequest::TooManyHeaders { found });
        }
        if let Some(bad) = self.headers.iter().position(|header| !is_header(header)) {
            return Err(BadRequest::Header(bad));
        }
        if let Some(bad) = self.headers.iter().position(is_of_connection) {
            return Err(BadRequest::ConnectionHeader(bad));
        }
        if !self.body.is_empty() && !self.method.has_body() {
            return Err(BadRequest::Body);
        }
        server_of(&self.url).map_err(BadRequest::Url)
    }
}

impl Response {
    /// An answer without headers and body.
    pub const fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// An answer that all went well.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::new(200)
        }
    }

    /// The answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(Header::new(name, value));
        self
    }

    /// What the answer takes, in bytes.
    pub fn size_bytes(&self) -> usize {
        headers_bytes(&self.headers) + self.body.len()
    }

    /// The answer in the form that blocks record: names of headers in lower case and in order. The order of
    /// headers with the same name means something, and stays.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        for header in &mut self.headers {
            header.name.make_ascii_lowercase();
        }
        self.headers
            .sort_by(|left, right| left.name.cmp(&right.name));
        self
    }
}

fn headers_bytes(headers: &[Header]) -> usize {
    let size = |header: &Header| header.name.len() + header.value.len();
    headers.iter().map(size).sum()
}

fn is_header(header: &Header) -> bool {
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let in_value = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    !header.name.is_empty()
        && header.name.bytes().all(in_name)
        && header.value.iter().copied().all(in_value)
}

fn is_of_connection(header: &Header) -> bool {
    const NAMES: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&header.name.to_ascii_lowercase().as_str())
}

/// The server that a URL names, or what is wrong with the URL.
fn server_of(url: &str) -> Result<String, &'static str> {
    if url.len() > MAX_URL_BYTES {
        return Err("is too long");
    }
    // What is left out is what programs are known to read in different ways.
    let in_url = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte);
    if !url.bytes().all(in_url) {
        return Err("has characters that have to be percent-encoded");
    }
    let (rest, usual_port) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, 80),
        (_, Some(rest)) => (rest, 443),
        (None, None) => return Err("does not begin with http:// or https://"),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, port) = split_port(&rest[..end])?;
    if !is_host(host) {
        return Err("has no host that consists of letters, digits, dots and hyphens");
    }
    let host = host.to_ascii_lowercase();
    Ok(match port {
        Some(port) if port != usual_port => format!("{host}:{port}"),
        _ => host,
    })
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let Some((host, port)) = authority.split_once(':') else {
        return Ok((authority, None));
    };
    let is_number = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if is_number => Ok((host, Some(port))),
        _ => Err("has a port that is not a number from 1 to 65535"),
    }
}

/// A name or an IPv4 address. Addresses in brackets have no place on a list of trusted servers.
fn is_host(host: &str) -> bool {
    let in_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(in_label);
    host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<String, BadRequest> {
        Request::get(url).server()
    }

    #[test]
    fn a_server_is_a_host_and_an_unusual_port() {
        for (url, expected) in [
            ("http://example.org", "example.org"),
            ("http://Example.ORG/a/b?c=http://d", "example.org"),
            ("https://example.org?x", "example.org"),
            ("http://example.org:80/", "example.org"),
            ("https://example.org:443/", "example.org"),
            ("https://example.org:80/", "example.org:80"),
            ("http://127.0.0.1:8080/x@y", "127.0.0.1:8080"),
        ] {
            assert_eq!(server(url).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn urls_with_two_meanings_are_refused() {
        let long = format!("http://example.org/{}", "a".repeat(MAX_URL_BYTES));
        for url in [
            "",
            "example.org",
            "ftp://example.org",
            "HTTP://example.org",
            "http://",
            "http:///path",
            "http://.org",
            "http://example..org",
            "http://good.org@evil.org/",
            "http://good.org:80@evil.org/",
            "http://good.org\\@evil.org/",
            "http://evil.org#good.org",
            "http://evil.org\r\nHost: good.org",
            "http://example.org/ HTTP/1.1",
            "http://exämple.org/",
            "http://[::1]/",
            "http://example.org:",
            "http://example.org:0",
            "http://example.org:+80",
            "http://example.org:080",
            "http://example.org:65536",
            "http://example.org:80:80",
            &long,
        ] {
            assert!(matches!(server(url), Err(BadRequest::Url(_))), "{url}");
        }
    }

    #[test]
    fn headers_cannot_end_early() {
        let request = |name: &str, value: &str| {
            Request::get("http://example.org").with_header(name, value.as_bytes())
        };
        assert!(request("Accept", "text/plain, */*").server().is_ok());
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("a", "x\r\nb: y"),
            ("a", "\0"),
        ] {
            let refused = request(name, value).server();
            assert_eq!(refused, Err(BadRequest::Header(0)), "{name}: {value}");
        }
        let many = (0..=MAX_HEADERS).fold(Request::get("http://a"), |request, _| {
            request.with_header("a", "b")
        });
        let found = MAX_HEADERS + 1;
        assert_eq!(many.server(), Err(BadRequest::TooManyHeaders { found }));
    }

    #[test]
    fn requests_cannot_be_smuggled() {
        let framed = Request::post("http://a", b"x")
            .with_header("a", "b")
            .with_header("Transfer-Encoding", "chunked");
        assert_eq!(framed.server(), Err(BadRequest::ConnectionHeader(1)));
        let mut body = Request::post("http://a", b"x");
        assert!(body.server().is_ok());
        body.method = Method::Get;
        assert_eq!(body.server(), Err(BadRequest::Body));
    }

    #[test]
    fn recorded_headers_have_one_order() {
        let response = Response::ok("hi")
            .with_header("B", "2")
            .with_header("a", "2")
            .with_header("A", "1");
        let expected = [("a", "2"), ("a", "1"), ("b", "2")];
        let expected = expected.map(|(name, value)| Header::new(name, value));
        let canonical = response.canonical();
        assert_eq!(canonical.headers, expected);
        assert_eq!(canonical.clone().canonical(), canonical);
        assert_eq!(canonical.size_bytes(), 2 + 3 * 2);
    }
}
