//! The variables of OpenTelemetry.

use std::time::Duration;

use super::{config, misspelt, mistake, read};
use crate::config::{SamplerConfig, TracesConfig};

const ON: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

/// What is read where spans are sent, with more variables.
fn on(vars: &[(&str, &str)]) -> TracesConfig {
    config(&[&[ON], vars].concat()).traces.unwrap()
}

#[test]
fn nothing_is_sent_unless_there_is_an_endpoint_and_nobody_says_otherwise() {
    assert!(config(&[]).traces.is_none());
    assert!(config(&[ON]).traces.is_some());
    assert!(config(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector/x")]).traces.is_some());
    for off in [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none")] {
        assert!(config(&[ON, off]).traces.is_none(), "{off:?}");
    }
    // What is there for other programs on this machine.
    let others = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_TRACES_SAMPLER", "jaeger_remote")];
    assert!(config(&others).traces.is_none());
}

#[test]
fn what_is_nearly_one_of_ours_is_noticed_but_for_what_is_another_programs() {
    let names = ["OTEL_BLRP_MAX_QUEUE_SIZE", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_METRICS_EXPORTER", "OTEL_SERVICE_NAM"];
    let said: Vec<_> = misspelt(names.into_iter()).iter().map(ToString::to_string).collect();
    assert_eq!(said, ["OTEL_SERVICE_NAM: unknown variable; did you mean OTEL_SERVICE_NAME?"]);
}

#[test]
fn an_endpoint_is_a_collector_or_the_very_address() {
    for (said, address) in [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://api.example/otlp/", "https://api.example/otlp/v1/traces"),
    ] {
        let traces = config(&[("OTEL_EXPORTER_OTLP_ENDPOINT", said)]).traces.unwrap();
        assert_eq!(traces.endpoint.expose(), address);
    }
    let own = on(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other:1/in?key=k")]);
    assert_eq!(own.endpoint.expose(), "http://other:1/in?key=k");
    for wrong in ["collector:4318", "grpc://collector:4317", "http://", "http://ana:hunter2@collector", "http://c/#x"] {
        let said = mistake(&[("OTEL_EXPORTER_OTLP_ENDPOINT", wrong)]);
        assert!(said.contains("Write http://collector:4318") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn what_is_for_traces_alone_goes_before_what_is_for_all() {
    let traces = on(&[
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=general"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "X-Key=a%20b, other = c"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "7000"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "300"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
    ]);
    assert!(traces.is_compressed && on(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]).is_compressed);
    assert!(!on(&[]).is_compressed);
    let headers: Vec<_> = traces.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("X-Key", "a b"), ("other", "c")]);
    assert_eq!(traces.timeout, Duration::from_millis(300));
    assert_eq!(on(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "7000")]).timeout, Duration::from_secs(7));
    assert!(!format!("{traces:?}").contains("a b") && !format!("{traces:?}").contains("4318"));
}

#[test]
fn every_sampler_is_known_by_its_name() {
    for (name, by_parent, share) in [
        ("", true, 1.0),
        ("always_on", false, 1.0),
        ("always_off", false, 0.0),
        ("traceidratio", false, 0.01),
        ("parentbased_always_on", true, 1.0),
        ("parentbased_always_off", true, 0.0),
        ("parentbased_traceidratio", true, 0.01),
    ] {
        let traces = on(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", "0.01")]);
        assert_eq!(traces.sampler, SamplerConfig { by_parent, share }, "{name}");
    }
    assert!((on(&[("OTEL_TRACES_SAMPLER", "traceidratio")]).sampler.share - 1.0).abs() < f64::EPSILON);
}

#[test]
fn what_is_said_of_a_node_is_its_name_and_what_the_operator_adds() {
    let resource = |vars: &[(&str, &str)]| {
        let mut resource = on(vars).resource;
        resource.retain(|(name, _)| name != "service.version");
        resource.sort();
        resource.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(resource(&[]), "service.name=pulso");
    let said = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=pre%2Dprod");
    assert_eq!(resource(&[said]), "deployment.environment.name=pre-prod service.name=a");
    let named = [said, ("OTEL_SERVICE_NAME", "b"), ("NODE_NAME", "n1")];
    assert_eq!(resource(&named), "deployment.environment.name=pre-prod service.instance.id=n1 service.name=b");
}

#[test]
fn what_cannot_be_used_is_said_with_all_other_mistakes_and_grpc_by_name() {
    let wrong = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "gRPC is not spoken here"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key", "no list of headers"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "none, gzip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent.pem", "cannot be read"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "a whole number"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=x", "no list of attributes"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "parentbased_traceidratio"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "a whole number"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "a whole number"),
        ("OTEL_SDK_DISABLED", "yes", "true"),
        ("OTEL_TRACES_EXPORTER", "jaeger", "otlp, none"),
        ("TRACE_IDS", "some", "true"),
        ("PORT", "70000", "65535"),
    ];
    let vars: Vec<_> = wrong.iter().map(|(name, value, _)| (*name, *value)).chain([ON]).collect();
    let mistakes = read(&vars).unwrap_err();
    for (name, _, part) in wrong {
        let said = mistakes.iter().find(|mistake| mistake.variable == name).map(ToString::to_string);
        assert!(said.as_ref().is_some_and(|said| said.contains(part)), "{name}: {said:?} of {mistakes:?}");
    }
    assert_eq!(mistakes.len(), wrong.len());
    let json = [("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"), ON];
    assert!(mistake(&json).contains("Write http/protobuf"));
    let own = [("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "snappy"), ON];
    assert!(mistake(&own).starts_with("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"));
    let no_authority = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let own = [("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", no_authority), ON];
    assert!(mistake(&own).contains("has no certificate"));
    let share = [("OTEL_TRACES_SAMPLER_ARG", "1.5"), ("OTEL_TRACES_SAMPLER", "traceidratio"), ON];
    assert!(mistake(&share).contains("from 0 to 1"));
    let batch = [("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "11"), ("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ON];
    assert!(mistake(&batch).contains("from 1 to 10"));
}
