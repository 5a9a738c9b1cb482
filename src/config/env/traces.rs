//! The variables of OpenTelemetry that concern traces, as its specification has them (durations are plain milliseconds), and
//! `TRACE_IDS`.
//!
//! Must never show a header's value nor an address, which may hold a key.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::certificate;
use crate::config::reader::{Reader, quote};
use crate::config::{SamplerConfig, Secret, TracesConfig};

const PATH: &str = "v1/traces";
const WAITING: usize = 2_048;
const BATCH: usize = 512;

/// A variable of traces alone, and the one of all that is sent, which it goes before.
struct Pair(&'static str, &'static str);

const ENDPOINT: Pair = Pair("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
const PROTOCOL: Pair = Pair("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
const HEADERS: Pair = Pair("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
const COMPRESSION: Pair = Pair("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION");
const CERTIFICATE: Pair = Pair("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE");
const TIMEOUT: Pair = Pair("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");

impl Pair {
    /// The variable that counts, and what it says.
    fn find(&self, reader: &Reader<'_>) -> Option<(&'static str, String)> {
        let (own, general) = (reader.text(self.0), reader.text(self.1));
        own.map(|said| (self.0, said)).or(general.map(|said| (self.1, said)))
    }

    /// The variable that counts, or the general one where neither says anything.
    fn name(&self, reader: &Reader<'_>) -> &'static str {
        self.find(reader).map_or(self.1, |(variable, _)| variable)
    }
}

/// `None` where no span is sent: then the rest of what OpenTelemetry reads is for other programs. `node`: what people call
/// this one.
pub(super) fn read(reader: &mut Reader<'_>, node: Option<&str>) -> Option<TracesConfig> {
    let is_disabled = reader.flag("OTEL_SDK_DISABLED");
    let is_sent = reader.choice("OTEL_TRACES_EXPORTER", &[("otlp", true), ("none", false)], true);
    let has_ids = reader.flag("TRACE_IDS");
    let said = ENDPOINT.find(reader);
    let is_on = said.is_some() && is_sent && !is_disabled;
    let before = reader.mistakes.len();
    let endpoint = said.and_then(|(variable, said)| endpoint(reader, variable, &said));
    protocol(reader);
    let headers = headers(reader);
    let is_compressed = reader.choice(COMPRESSION.name(reader), &[("none", false), ("gzip", true)], false);
    let authority = certificate::authority(reader, CERTIFICATE.name(reader));
    let timeout = timeout(reader);
    let sampler = sampler(reader);
    let resource = resource(reader, node);
    let max_waiting = reader.number("OTEL_BSP_MAX_QUEUE_SIZE", WAITING, 1..=1_000_000);
    let max_batch = reader.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH.min(max_waiting), 1..=max_waiting);
    let delay = reader.number("OTEL_BSP_SCHEDULE_DELAY", 5_000, 1..=3_600_000);
    if !is_on {
        reader.mistakes.truncate(before);
        return None;
    }
    let delay = Duration::from_millis(delay);
    Some(TracesConfig {
        endpoint: endpoint?,
        headers,
        is_compressed,
        authority,
        timeout,
        sampler,
        resource,
        max_waiting,
        max_batch,
        delay,
        has_ids,
    })
}

fn endpoint(reader: &mut Reader<'_>, variable: &'static str, said: &str) -> Option<Secret> {
    let is_plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_ours = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain(url);
    let Some(mut url) = Url::parse(said).ok().filter(is_ours) else {
        let problem = "it is not an http:// or https:// address without user and password";
        let remedy = format!("Write http://collector:4318; what a collector asks for belongs into {}", HEADERS.1);
        reader.mistake(variable, problem, remedy);
        return None;
    };
    if variable == ENDPOINT.1 {
        url.set_path(&format!("{}/{PATH}", url.path().trim_end_matches('/')));
    }
    Some(Secret::new(url.to_string()))
}

fn protocol(reader: &mut Reader<'_>) {
    match PROTOCOL.find(reader) {
        Some((variable, said)) if said.eq_ignore_ascii_case("grpc") => {
            let remedy = "Write http/protobuf, and into the endpoint the collector's port for HTTP, usually 4318";
            reader.mistake(variable, "gRPC is not spoken here", remedy);
        }
        Some((variable, said)) if !said.eq_ignore_ascii_case("http/protobuf") => {
            reader.mistake(variable, format!("{} is not spoken here", quote(&said)), "Write http/protobuf");
        }
        _ => {}
    }
}

fn headers(reader: &mut Reader<'_>) -> Vec<(String, Secret)> {
    let Some((variable, said)) = HEADERS.find(reader) else { return Vec::new() };
    let is_header = |(name, value): &(String, String)| {
        HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
    };
    match pairs(&said) {
        Some(pairs) if pairs.iter().all(is_header) => {
            pairs.into_iter().map(|(name, value)| (name, Secret::new(value))).collect()
        }
        _ => {
            reader.mistake(variable, "it is no list of headers", "Write name=value,name=value, each percent-encoded");
            Vec::new()
        }
    }
}

fn timeout(reader: &mut Reader<'_>) -> Duration {
    let range = 1..=600_000;
    let general = reader.number(TIMEOUT.1, 10_000, range.clone());
    Duration::from_millis(reader.number(TIMEOUT.0, general, range))
}

fn sampler(reader: &mut Reader<'_>) -> SamplerConfig {
    let said = reader.text("OTEL_TRACES_SAMPLER_ARG");
    // Which share of those that continue no trace; none where that is the argument's.
    let words = [
        ("always_on", (false, Some(1.0))),
        ("always_off", (false, Some(0.0))),
        ("traceidratio", (false, None)),
        ("parentbased_always_on", (true, Some(1.0))),
        ("parentbased_always_off", (true, Some(0.0))),
        ("parentbased_traceidratio", (true, None)),
    ];
    let (by_parent, share) = reader.choice("OTEL_TRACES_SAMPLER", &words, (true, Some(1.0)));
    let argument = || {
        let Some(said) = said else { return 1.0 };
        said.parse().ok().filter(|share| (0.0..=1.0).contains(share)).unwrap_or_else(|| {
            let remedy = "Write the share of calls to follow, from 0 to 1: 0.01 is one of a hundred";
            reader.mistake("OTEL_TRACES_SAMPLER_ARG", format!("{} is no share", quote(&said)), remedy);
            1.0
        })
    };
    SamplerConfig { by_parent, share: share.unwrap_or_else(argument) }
}

fn resource(reader: &mut Reader<'_>, node: Option<&str>) -> Vec<(String, String)> {
    let name = reader.text("OTEL_SERVICE_NAME");
    let said = reader.text("OTEL_RESOURCE_ATTRIBUTES");
    let said = said.map_or_else(|| Some(Vec::new()), |said| pairs(&said));
    let mut resource = said.unwrap_or_else(|| {
        let remedy = "Write name=value,name=value, each percent-encoded";
        reader.mistake("OTEL_RESOURCE_ATTRIBUTES", "it is no list of attributes", remedy);
        Vec::new()
    });
    if name.is_some() {
        resource.retain(|(said, _)| said != "service.name");
    }
    let own = [
        ("service.name", Some(name.as_deref().unwrap_or("pulso"))),
        ("service.version", Some(env!("CARGO_PKG_VERSION"))),
        ("service.instance.id", node),
    ];
    for (name, value) in own {
        if let Some(value) = value.filter(|_| resource.iter().all(|(said, _)| said != name)) {
            resource.push((name.to_owned(), value.to_owned()));
        }
    }
    resource
}

/// `name=value` by commas, percent-encoded; `None` if it is something else.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(String::from);
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pairs = parts.map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((decoded(name).filter(|name| !name.is_empty())?, decoded(value)?))
    });
    pairs.collect()
}
