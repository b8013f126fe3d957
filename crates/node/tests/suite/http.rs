//! Requests over real connections, to servers that do not always behave.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use resident_base::http::{Header, Method, Request, Response};
use resident_execution::{HttpBounds, Oracle, OracleError};
use resident_node::HttpOracle;

const BOUNDS: HttpBounds = HttpBounds {
    response_bytes: 1_000,
    timeout: Duration::from_secs(20),
};

/// A server that takes one connection and says how it was asked.
struct Server {
    url: String,
    thread: JoinHandle<String>,
}

impl Server {
    /// Reads a request up to its end, and lets `answer` write what it wants.
    fn start(answer: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/path?query", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = read_request(&mut stream);
            // The other side may have gone by now.
            let _ = answer(&mut stream);
            request
        });
        Self { url, thread }
    }

    fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |stream| stream.write_all(&answer))
    }

    fn get(self) -> Result<Response, OracleError> {
        let response = HttpOracle.http_request(&Request::get(&self.url), &BOUNDS);
        self.thread.join().unwrap();
        response
    }
}

/// The head of a request and as many bytes of its body as it announces.
fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        request.extend(byte);
    }
    let head = String::from_utf8(request).unwrap();
    let announced = head
        .lines()
        .filter_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .next();
    let mut body = vec![0; announced.unwrap_or_default()];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a Header> {
    response.headers.iter().find(|header| header.name == name)
}

#[test]
fn an_answer_comes_with_status_headers_and_body() {
    let answer = "HTTP/1.1 404 Not Found\r\nX-Why: because\r\nContent-Length: 4\r\n\r\ngone";
    let response = Server::saying(answer).get().unwrap();
    assert_eq!((response.status, &*response.body), (404, &b"gone"[..]));
    assert_eq!(header(&response, "x-why").unwrap().value, b"because");
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(Server::saying(chunked).get().unwrap().body, b"abcde");
    let until_the_end = "HTTP/1.0 200 OK\r\n\r\nall of it";
    assert_eq!(
        Server::saying(until_the_end).get().unwrap().body,
        b"all of it"
    );
}

#[test]
fn a_request_arrives_as_it_was_made() {
    for (method, line) in [
        (Method::Post, "POST"),
        (Method::Put, "PUT"),
        (Method::Patch, "PATCH"),
    ] {
        let server = Server::saying("HTTP/1.1 204 No Content\r\n\r\n");
        let mut request =
            Request::post(&server.url, b"handed in").with_header("x-who", "a contract");
        request.method = method;
        let response = HttpOracle.http_request(&request, &BOUNDS).unwrap();
        assert_eq!((response.status, response.body), (204, vec![]));
        let received = server.thread.join().unwrap();
        assert!(
            received.starts_with(&format!("{line} /path?query HTTP/1.1\r\n")),
            "{received}"
        );
        assert!(received.contains("\r\nx-who: a contract\r\n"), "{received}");
        assert!(received.ends_with("\r\n\r\nhanded in"), "{received}");
    }
    for (method, line) in [
        (Method::Get, "GET"),
        (Method::Delete, "DELETE"),
        (Method::Head, "HEAD"),
        (Method::Options, "OPTIONS"),
    ] {
        let server = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let mut request = Request::get(&server.url);
        request.method = method;
        HttpOracle.http_request(&request, &BOUNDS).unwrap();
        let received = server.thread.join().unwrap();
        assert!(received.starts_with(line), "{received}");
    }
}

#[test]
fn a_redirection_is_an_answer() {
    let elsewhere =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let response = Server::saying(elsewhere).get().unwrap();
    assert_eq!(response.status, 302);
    assert_eq!(
        header(&response, "location").unwrap().value,
        b"http://127.0.0.1:1/"
    );
}

#[test]
fn an_answer_that_is_too_long_is_not_read() {
    let fits = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec(),
        vec![7; 1000],
    ]
    .concat();
    assert_eq!(Server::saying(fits).get().unwrap().body, [7; 1000]);
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
    let endless = Server::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            stream.write_all(&[7; 1 << 10])?;
        }
    });
    let headers = Server::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
        loop {
            stream.write_all(&[b'y'; 1 << 10])?;
        }
    });
    let announced = Server::start(move |stream| {
        stream.write_all(announced.as_bytes())?;
        stream.write_all(&[7; 1 << 20])
    });
    for server in [announced, endless, headers] {
        let error = server.get().expect_err("it is too long");
        assert!(
            matches!(error, OracleError::TooLarge { limit: 1_000, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_server_that_is_slow_is_given_up() {
    let bounds = HttpBounds {
        timeout: Duration::from_millis(300),
        ..BOUNDS
    };
    let silent = Server::start(|stream| {
        // Until the other side goes away.
        stream.read_exact(&mut [0])
    });
    let dripping = Server::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")?;
        loop {
            stream.write_all(b".")?;
            thread::sleep(Duration::from_millis(20));
        }
    });
    for server in [silent, dripping] {
        let started = Instant::now();
        let error = HttpOracle.http_request(&Request::get(&server.url), &bounds);
        let error = error.expect_err("it is too slow");
        assert!(matches!(error, OracleError::TimedOut { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
        server.thread.join().unwrap();
    }
}

#[test]
fn what_is_no_answer_is_an_error() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    for answer in ["", "nonsense\r\n\r\n", "HTTP/1.1 200", cut] {
        let error = Server::saying(answer).get().expect_err("that is no answer");
        assert!(
            matches!(error, OracleError::Unreachable { .. }),
            "{answer}: {error}"
        );
    }
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // With the feature `https` this is asked for too, and nobody is there either.
    let encrypted = format!("https://{gone}/");
    for url in [
        format!("http://{gone}/"),
        encrypted,
        "http://a b/".to_owned(),
    ] {
        let error = HttpOracle.http_request(&Request::get(url), &BOUNDS);
        let error = error.expect_err("nobody is there");
        assert!(matches!(error, OracleError::Unreachable { .. }), "{error}");
    }
}
