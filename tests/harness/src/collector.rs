//! A collector of OpenTelemetry: takes what is posted to it as OTLP over HTTP, in the manner that a test says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::served::{Certificate, Port, Request, header};
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
    port: Port,
    /// Of one behind TLS.
    certificate: Option<Certificate>,
    shared: Arc<Mutex<Shared>>,
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
        Self::open(None).await
    }

    /// Behind TLS, with a certificate of a new authority's.
    pub async fn start_tls() -> Self {
        Self::open(Some(Certificate::new())).await
    }

    async fn open(certificate: Option<Certificate>) -> Self {
        let shared = Shared { manner: Manner::Takes, heads: Vec::new(), spans: Vec::new() };
        let shared = Arc::new(Mutex::new(shared));
        let answering = Arc::clone(&shared);
        let port = Port::open(certificate.as_ref(), move |request| answer(request, Arc::clone(&answering))).await;
        Self { port, certificate, shared }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port.number())
    }

    /// The file with the authority of its certificate.
    pub fn authority(&self) -> String {
        self.certificate.as_ref().expect("a collector behind TLS").authority.display().to_string()
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

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(mut request: Request, shared: Arc<Mutex<Shared>>) {
    let body = plain(&request);
    let manner = {
        let mut shared = lock(&shared);
        shared.heads.push(std::mem::take(&mut request.head));
        shared.manner
    };
    let (status, said) = match manner {
        Manner::Takes => {
            lock(&shared).spans.extend(seen(&body));
            (200, Vec::new())
        }
        Manner::Refuses(status) => (status, Vec::new()),
        Manner::Rejects(rejected_spans) => {
            let partial = ExportTracePartialSuccess { rejected_spans, ..ExportTracePartialSuccess::default() };
            (200, ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec())
        }
        Manner::Silent => std::future::pending().await,
    };
    request.answer(&format!("{status} Said"), &[], &said).await;
}

/// The body as it was before it was compressed.
fn plain(request: &Request) -> Vec<u8> {
    match header(&request.head, "content-encoding") {
        None => request.body.clone(),
        Some("gzip") => {
            let mut plain = Vec::new();
            GzDecoder::new(request.body.as_slice()).read_to_end(&mut plain).expect("what gzip made");
            plain
        }
        Some(other) => panic!("nobody compresses by {other}"),
    }
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
