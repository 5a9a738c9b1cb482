//! Collectors that are away, slow or refuse: nothing waits for them, and only a counter moves.

use pulso_harness::process::free_port;
use pulso_harness::{Collector, Manner, Running};
use rustix::process::Signal;

use super::{cita, followed, start};
use crate::business::{NEGOCIO, database, owner};

const DROPPED: &str = "pulso_spans_dropped_total";

/// Notices are answered and shown, though no span is taken, and what is not taken is counted.
async fn goes_on(pulso: &Running) {
    let mut screen = pulso.connect(&owner()).await;
    screen.watch(NEGOCIO).await;
    for _ in 0..5 {
        assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 200);
        screen.stats().await;
    }
    pulso_harness::wait::until(async || pulso.count(DROPPED).await >= 5, "dropped spans are counted").await;
    assert_eq!(pulso.count("pulso_spans_sent_total").await, 0);
}

#[tokio::test]
async fn a_collector_that_is_away_costs_nothing_but_a_counter() {
    let (pulso, _collector, _database) =
        start(|pulso| pulso.with("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://127.0.0.1:{}", free_port()))).await;
    goes_on(&pulso).await;
    pulso.until_logged("cannot be reached").await;
}

#[tokio::test]
async fn a_collector_that_refuses_costs_nothing_but_a_counter_and_is_told_of_once() {
    for status in [500, 429, 307] {
        let (pulso, collector, _database) = start(|pulso| pulso).await;
        collector.is(Manner::Refuses(status));
        goes_on(&pulso).await;
        pulso.until_logged(&format!("it answers {status}")).await;
        let said = pulso.log().iter().filter(|line| line.contains("the collector does not take spans")).count();
        assert_eq!(said, 1, "{:#?}", pulso.log());
        collector.is(Manner::Takes);
        assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 200);
        pulso.until_logged("the collector takes spans again").await;
    }
}

#[tokio::test]
async fn what_a_collector_takes_only_in_part_is_counted() {
    let (pulso, collector, _database) = start(|pulso| pulso.with("OTEL_TRACES_SAMPLER", "always_on")).await;
    collector.is(Manner::Rejects(1));
    // Nobody watches: each call is one span.
    assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 200);
    pulso.until_count(DROPPED, 1).await;
    assert_eq!(pulso.count("pulso_spans_sent_total").await, 0);
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_nobody_and_what_is_too_much_is_dropped() {
    let (pulso, collector, _database) =
        start(|pulso| pulso.with("OTEL_EXPORTER_OTLP_TIMEOUT", "600000").with("OTEL_BSP_MAX_QUEUE_SIZE", "4")).await;
    collector.is(Manner::Silent);
    goes_on(&pulso).await;
    pulso.signal(Signal::TERM);
    assert_eq!(pulso.ended().await, 0, "it stops though a batch is under way");
}

#[tokio::test]
async fn a_slow_collector_is_given_up_after_its_time() {
    let (pulso, collector, _database) = start(|pulso| pulso.with("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "50")).await;
    collector.is(Manner::Silent);
    goes_on(&pulso).await;
    pulso.until_logged("it does not answer in time").await;
}

#[tokio::test]
async fn what_waits_when_a_server_stops_is_sent_and_without_traces_nothing_is() {
    let (collector, database) = (Collector::start().await, database().await);
    for (variable, value, sent) in [
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000", 1),
        ("OTEL_SDK_DISABLED", "true", 1),
        ("OTEL_TRACES_EXPORTER", "none", 1),
        ("OTEL_TRACES_SAMPLER", "always_off", 1),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1", 2),
    ] {
        let pulso = followed(&collector, &database).with(variable, value).ready().await;
        assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 200);
        pulso.signal(Signal::TERM);
        assert_eq!(pulso.ended().await, 0);
        assert_eq!(collector.spans().len(), sent, "{variable}");
    }
}

#[tokio::test]
async fn batches_are_compressed_where_that_is_asked_for() {
    let (collector, database) = (Collector::start().await, database().await);
    let general = ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
    let own = ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none");
    for (settings, is_compressed) in [(&[general][..], true), (&[general, own], false)] {
        let mut pulso = followed(&collector, &database);
        for (variable, value) in settings {
            pulso = pulso.with(variable, value);
        }
        let (pulso, taken) = (pulso.ready().await, collector.spans().len());
        assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 200);
        collector.spans_once(|spans| spans.len() > taken, "a batch").await;
        let head = collector.heads().pop().unwrap();
        assert_eq!(head.contains("\r\ncontent-encoding: gzip\r\n"), is_compressed, "{head}");
    }
}

#[tokio::test]
async fn a_collector_behind_tls_is_trusted_by_the_authority_that_is_named_and_by_no_other() {
    let (collector, other, database) = (Collector::start_tls().await, Collector::start_tls().await, database().await);
    let general = "OTEL_EXPORTER_OTLP_CERTIFICATE";
    for (settings, is_trusted) in [
        (vec![], false),
        (vec![(general, other.authority())], false),
        (vec![(general, collector.authority())], true),
        (vec![(general, other.authority()), ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", collector.authority())], true),
    ] {
        let mut pulso = followed(&collector, &database);
        for (variable, value) in &settings {
            pulso = pulso.with(variable, value);
        }
        let (pulso, taken) = (pulso.ready().await, collector.spans().len());
        assert_eq!(pulso.post("/notify/cita", &cita()).await.status, 200);
        if is_trusted {
            collector.spans_once(|spans| spans.len() > taken, "a batch").await;
        } else {
            pulso.until_logged("invalid peer certificate").await;
            pulso.until_count(DROPPED, 1).await;
        }
    }
}
