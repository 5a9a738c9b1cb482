//! A collector of OpenTelemetry: takes what is posted to it as OTLP over HTTP, in the manner that a test says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::wait;

/// How what is posted is answered.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    Takes,
    /// With this status.
    Refuses(u16),
    /// 200, and so many of each batch were not taken.
    Rejects(i64),
    /// Never.
    Silent,
}

/// The collector, on a port of the loopback. It lives in the runtime that made it and ends when dropped.
#[derive(Debug)]
pub struct Collector {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    acceptor: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    manner: Manner,
    /// The heads of all that was posted.
    heads: Vec<String>,
    spans: Vec<Seen>,
}

/// A span, with ids in hexadecimal and values as text.
#[derive(Clone, Debug)]
pub struct Seen {
    pub trace: String,
    pub id: String,
    /// Empty at the top of everything.
    pub parent: String,
    pub name: String,
    pub kind: i32,
    pub began: u64,
    pub ended: u64,
    pub failed: bool,
    pub attributes: BTreeMap<String, String>,
    /// Trace and span of each.
    pub links: Vec<(String, String)>,
    /// What is said of who sent it.
    pub resource: BTreeMap<String, String>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener").port();
        let shared = Shared { manner: Manner::Takes, heads: Vec::new(), spans: Vec::new() };
        let shared = Arc::new(Mutex::new(shared));
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared, acceptor }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on it answers like this.
    pub fn is(&self, manner: Manner) {
        lock(&self.shared).manner = manner;
    }

    /// The heads of all that was posted.
    pub fn heads(&self) -> Vec<String> {
        lock(&self.shared).heads.clone()
    }

    /// All that was taken.
    pub fn spans(&self) -> Vec<Seen> {
        lock(&self.shared).spans.clone()
    }

    /// All that was taken, once it is what a test waits for.
    pub async fn spans_once(&self, is_it: impl Fn(&[Seen]) -> bool, what: &str) -> Vec<Seen> {
        wait::until(async || is_it(&self.spans()), what).await;
        self.spans()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { answer(stream, &shared).await });
    }
}

/// One request a connection. A peer that hangs up is no concern of the collector's.
async fn answer(mut stream: TcpStream, shared: &Mutex<Shared>) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            break (head.clone(), end + 4 + length_of(&head));
        }
        if stream.read_buf(&mut bytes).await.is_ok_and(|read| read == 0) {
            return;
        }
    };
    while bytes.len() < length {
        if stream.read_buf(&mut bytes).await.is_ok_and(|read| read == 0) {
            return;
        }
    }
    let body = bytes.split_off(head.len() + 4);
    let manner = {
        let mut shared = lock(shared);
        shared.heads.push(head);
        shared.manner
    };
    let (status, said) = match manner {
        Manner::Takes => {
            lock(shared).spans.extend(seen(&body));
            (200, Vec::new())
        }
        Manner::Refuses(status) => (status, Vec::new()),
        Manner::Rejects(rejected_spans) => {
            let partial = ExportTracePartialSuccess { rejected_spans, ..ExportTracePartialSuccess::default() };
            (200, ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec())
        }
        Manner::Silent => std::future::pending().await,
    };
    let length = said.len();
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(&[head.as_bytes(), &said].concat()).await;
}

fn length_of(head: &str) -> usize {
    let lower = head.to_ascii_lowercase();
    let length = lower.split("\r\ncontent-length:").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
    length.expect("a body with its length")
}

fn seen(body: &[u8]) -> Vec<Seen> {
    let request = ExportTraceServiceRequest::decode(body).expect("a batch of spans");
    let mut all = Vec::new();
    for of_resource in request.resource_spans {
        let resource = texts(&of_resource.resource.unwrap_or_default().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            all.push(Seen::of(&span, resource.clone()));
        }
    }
    all
}

impl Seen {
    fn of(span: &Span, resource: BTreeMap<String, String>) -> Self {
        Self {
            trace: hexadecimal(&span.trace_id),
            id: hexadecimal(&span.span_id),
            parent: hexadecimal(&span.parent_span_id),
            name: span.name.clone(),
            kind: span.kind,
            began: span.start_time_unix_nano,
            ended: span.end_time_unix_nano,
            failed: span.status.as_ref().is_some_and(|status| status.code == 2),
            attributes: texts(&span.attributes),
            links: span.links.iter().map(|link| (hexadecimal(&link.trace_id), hexadecimal(&link.span_id))).collect(),
            resource,
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute.value.as_ref()))).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("an attribute of another kind: {other:?}"),
    }
}
