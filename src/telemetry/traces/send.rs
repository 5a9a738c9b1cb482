//! The way of spans to a collector: OTLP over HTTP, a batch at a time. One that is away, slow or refuses costs what it did not
//! take, and nothing else.
//!
//! Must never say where it is sent nor with what: both may hold a key.

use std::error::Error as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Tracer;
use crate::config::{Secret, TracesConfig};
use crate::trust::{self, Unnamed};

/// For what is left when the node stops.
const LAST: Duration = Duration::from_millis(500);
/// Of an answer no more is read.
const MOST_OF_ANSWER: usize = 64 * 1024;
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Why a collector has not taken a batch.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("TLS is not to be had")]
    NoTls,
    #[error("the file of OTEL_EXPORTER_OTLP_CERTIFICATE {0}")]
    NobodyTrusted(#[from] Unnamed),
    #[error("a batch cannot be compressed")]
    NoGzip,
    #[error("it does not answer in time")]
    TooSlow,
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it answers {0}")]
    Status(u16),
    #[error("it rejects {0} spans")]
    Rejected(u64),
}

impl Tracer {
    /// Sends what waits until `stop`, and shortly after it what is left.
    pub async fn keep_sending(self: Arc<Self>, stop: CancellationToken) {
        let last = async {
            stop.cancelled().await;
            sleep(LAST).await;
        };
        tokio::select! {
            () = last => {}
            () = self.send_until(&stop) => {}
        }
    }

    async fn send_until(&self, stop: &CancellationToken) {
        let mut client = None;
        let mut is_well = true;
        loop {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(self.config.delay) => {}
                () = self.waiting.until_batch() => {}
            }
            loop {
                let spans = self.waiting.take();
                if spans.is_empty() {
                    break;
                }
                let count = spans.len() as u64;
                let sent = self.send(&mut client, spans).await;
                let lost = match &sent {
                    Ok(()) => 0,
                    Err(Lost::Rejected(some)) => (*some).min(count),
                    Err(_) => count,
                };
                self.metrics.traces.sent.inc_by(count - lost);
                self.metrics.traces.dropped.inc_by(lost);
                match sent {
                    Err(lost) if is_well => {
                        warn!(reason = %lost, "the collector does not take spans: they are dropped");
                    }
                    Ok(()) if !is_well => info!("the collector takes spans again"),
                    _ => {}
                }
                is_well = lost == 0;
                if !stop.is_cancelled() && !self.waiting.has_batch() {
                    break;
                }
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }

    async fn send(&self, client: &mut Option<Client>, spans: Vec<Span>) -> Result<(), Lost> {
        let client = match client {
            Some(client) => client,
            none => none.insert(connect(&self.config).await?),
        };
        let body = request(&self.config, spans).encode_to_vec();
        let call = client.post(self.config.endpoint.expose()).header(CONTENT_TYPE, PROTOBUF);
        let call = if self.config.is_compressed {
            call.header(CONTENT_ENCODING, GZIP).body(compressed(body).await?)
        } else {
            call.body(body)
        };
        let answer = call.send().await.map_err(|error| lost(&error))?;
        match answer.status().as_u16() {
            200..300 => {}
            status => return Err(Lost::Status(status)),
        }
        match rejected(answer).await {
            0 => Ok(()),
            some => Err(Lost::Rejected(some)),
        }
    }
}

async fn connect(config: &TracesConfig) -> Result<Client, Lost> {
    let authority = config.authority.clone();
    let tls = spawn_blocking(move || {
        let roots = authority.map_or_else(|| Ok(trust::authorities()), |file| trust::named(&file))?;
        trust::client(roots).map_err(|_| Lost::NoTls)
    });
    let tls = tls.await.map_err(|_| Lost::NoTls)??;
    let header = |(name, value): &(String, Secret)| {
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    let headers: HeaderMap = config.headers.iter().filter_map(header).collect();
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .default_headers(headers)
        .redirect(Policy::none())
        .timeout(config.timeout)
        .user_agent(concat!("pulso/", env!("CARGO_PKG_VERSION")));
    client.build().map_err(|error| lost(&error))
}

fn request(config: &TracesConfig, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let attribute = |(name, value): &(String, String)| {
        let value = Some(AnyValue { value: Some(Value::StringValue(value.clone())) });
        KeyValue { key: name.clone(), value, ..KeyValue::default() }
    };
    let attributes = config.resource.iter().map(attribute).collect();
    let (name, version) = (env!("CARGO_PKG_NAME").to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let scope = Some(InstrumentationScope { name, version, ..InstrumentationScope::default() });
    let scope_spans = vec![ScopeSpans { scope, spans, ..ScopeSpans::default() }];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

/// By gzip, where nothing else waits meanwhile.
async fn compressed(body: Vec<u8>) -> Result<Vec<u8>, Lost> {
    let compress = move || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body).and_then(|()| encoder.finish())
    };
    spawn_blocking(compress).await.ok().and_then(Result::ok).ok_or(Lost::NoGzip)
}

/// How many spans an answer says were not taken. One that cannot be read says nothing.
async fn rejected(mut answer: Response) -> u64 {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        if body.len() + chunk.len() > MOST_OF_ANSWER {
            return 0;
        }
        body.extend_from_slice(&chunk);
    }
    let said = ExportTraceServiceResponse::decode(body.as_slice()).ok().and_then(|answer| answer.partial_success);
    said.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or_default())
}

/// What the library says, but for the address.
fn lost(error: &reqwest::Error) -> Lost {
    if error.is_timeout() {
        return Lost::TooSlow;
    }
    let mut cause = error.source();
    let mut last = None;
    while let Some(error) = cause {
        last = Some(error.to_string());
        cause = error.source();
    }
    Lost::Unreachable(last.unwrap_or_else(|| "the connection failed".to_owned()))
}
