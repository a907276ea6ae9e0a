//! A mock that lives as long as the test, and a small HTTP client that notices how a body ended.

use conduit::cli::mock::{Options, serve};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub struct Mock {
    pub at: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    /// As text; what is none of it is replaced.
    pub body: String,
    pub bytes: Vec<u8>,
    /// Whether the body came to its declared end.
    pub whole: bool,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The data of each event.
    pub fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }
}

/// `body` with more fields.
pub fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// A schema that wants a city.
pub fn weather() -> Value {
    serde_json::json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "day": {"type": "string"}},
        "required": ["city"],
    })
}

/// A refusal per line: the body, its status, and a part of what it says.
pub fn refusals(answer: impl Fn(&Value) -> Answer, cases: &[(Value, u16, &str)]) {
    for (body, status, part) in cases {
        let answer = answer(body);
        assert_eq!(answer.status, *status, "{body}: {}", answer.body);
        assert!(answer.body.contains(part), "{body}: {}", answer.body);
    }
}

impl Mock {
    pub fn with(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let at = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, options, std::future::pending()));
        Self { at, _runtime: runtime }
    }

    pub fn new() -> Self {
        Self::with(Options::default())
    }

    /// One request; `None` where the connection was closed without an answer.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        exchange(&stream, method, path, headers, body)
    }

    pub fn openai(&self, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("authorization", "Bearer sk-test")];
        all.extend(headers);
        self.send("POST", "/v1/chat/completions", &all, &body.to_string()).unwrap()
    }

    pub fn anthropic(&self, body: &Value) -> Answer {
        let headers = [("x-api-key", "sk-test"), ("anthropic-version", "2023-06-01")];
        self.send("POST", "/v1/messages", &headers, &body.to_string()).unwrap()
    }

    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.send("POST", path, headers, &body.to_string()).unwrap()
    }

    pub fn get(&self, path: &str) -> Value {
        self.send("GET", path, &[("authorization", "Bearer k")], "").unwrap().json()
    }
}

pub fn exchange(
    mut stream: &TcpStream,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: mock\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let status = line(&mut reader)?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    while let Some(text) = line(&mut reader).filter(|text| !text.is_empty()) {
        let (name, value) = text.split_once(": ").unwrap();
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, n)| n.parse().unwrap());
    let mut bytes = Vec::new();
    let whole = match length {
        Some(length) => take(&mut reader, length, &mut bytes),
        None => chunks(&mut reader, &mut bytes),
    };
    Some(Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), bytes, whole })
}

type Reader<'s> = BufReader<&'s TcpStream>;

fn line(reader: &mut Reader<'_>) -> Option<String> {
    let mut text = String::new();
    let read = reader.read_line(&mut text);
    read.is_ok_and(|n| n > 0).then(|| text.trim_end().to_owned())
}

/// Whether all of the bytes came.
fn take(reader: &mut Reader<'_>, length: u64, bytes: &mut Vec<u8>) -> bool {
    reader.take(length).read_to_end(bytes).is_ok_and(|read| u64::try_from(read) == Ok(length))
}

/// Whether the last chunk came.
fn chunks(reader: &mut Reader<'_>, bytes: &mut Vec<u8>) -> bool {
    while let Some(size) = line(reader) {
        let size = u64::from_str_radix(&size, 16).unwrap();
        if !take(reader, size, bytes) || line(reader).is_none() {
            return false;
        }
        if size == 0 {
            return true;
        }
    }
    false
}
