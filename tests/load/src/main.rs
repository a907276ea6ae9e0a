//! `conduit-load ADDRESS KINDS COUNT CONNECTIONS`: sends COUNT requests, the kinds of the file KINDS in turn, over so
//! many connections, and prints as JSON how many of each kind ended how.
//!
//! A kind is one JSON line. In its body, `{n}` stands for the request's number.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No exchange takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What to send, and when to go away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    kind: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: serde_json::Value,
    /// Hangs up once this many bytes of the answer's body came.
    hang_up: Option<usize>,
}

/// How many requests of a kind ended how: with a status, `left` (we hung up), `torn` (the body broke off), `lost` (no
/// answer).
type Ends = BTreeMap<String, BTreeMap<String, u64>>;

struct Job {
    address: String,
    kinds: Vec<Kind>,
    count: usize,
    next: AtomicUsize,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, kinds, count, connections] = arguments.as_slice() else {
        return Err("usage: conduit-load ADDRESS KINDS COUNT CONNECTIONS".into());
    };
    let text = std::fs::read_to_string(kinds)?;
    let kinds = text.lines().map(serde_json::from_str).collect::<Result<Vec<Kind>, _>>()?;
    let job = Job { address: address.clone(), kinds, count: count.parse()?, next: AtomicUsize::new(0) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let ends = runtime.block_on(run(Arc::new(job), connections.parse()?))?;
    println!("{}", serde_json::json!({"ends": ends, "seconds": began.elapsed().as_secs_f64()}));
    Ok(())
}

async fn run(job: Arc<Job>, connections: usize) -> Result<Ends, Failure> {
    let workers: Vec<_> = (0..connections).map(|_| tokio::spawn(work(Arc::clone(&job)))).collect();
    let mut all = Ends::new();
    for worker in workers {
        for (kind, ends) in worker.await?? {
            let into = all.entry(kind).or_default();
            for (end, count) in ends {
                *into.entry(end).or_default() += count;
            }
        }
    }
    Ok(all)
}

async fn work(job: Arc<Job>) -> Result<Ends, Failure> {
    let mut ends = Ends::new();
    let mut connection = None;
    loop {
        let number = job.next.fetch_add(1, Ordering::Relaxed);
        let Some(kind) = job.kinds.get(number % job.kinds.len()).filter(|_| number < job.count) else {
            return Ok(ends);
        };
        let sender = match connection.take() {
            Some(sender) => sender,
            None => connect(&job.address).await?,
        };
        let (end, kept) = match timeout(PATIENCE, ask(sender, &job.address, kind, number)).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) => ("lost".to_owned(), None),
            Err(_) => ("slow".to_owned(), None),
        };
        connection = kept.filter(|sender| !sender.is_closed());
        *ends.entry(kind.kind.clone()).or_default().entry(end).or_default() += 1;
    }
}

type Sender = SendRequest<Full<Bytes>>;

async fn connect(address: &str) -> Result<Sender, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its sender, and its errors are those of the request.
    tokio::spawn(connection);
    Ok(sender)
}

/// How a request ended, and its connection where another may use it.
async fn ask(
    mut sender: Sender,
    address: &str,
    kind: &Kind,
    number: usize,
) -> Result<(String, Option<Sender>), Failure> {
    let body = kind.body.to_string().replace("{n}", &number.to_string());
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(kind.path.as_str())
        .header(HOST, address)
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in &kind.headers {
        request = request.header(name, value.replace("{n}", &number.to_string()));
    }
    sender.ready().await?;
    let answer = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
    let status = answer.status().as_str().to_owned();
    let (mut body, mut came) = (answer.into_body(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Ok(("torn".to_owned(), None)) };
        came = came.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if kind.hang_up.is_some_and(|most| came >= most) {
            return Ok(("left".to_owned(), None));
        }
    }
    Ok((status, Some(sender)))
}
