//! Which calls are followed, and what is noted of them.

use std::time::Duration;

use jiff::tz::TimeZone;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::time::{Instant, advance};

use super::*;
use crate::config::Secret;
use crate::model::{Channel, NegocioId};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_FOLLOWED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn tracer(by_parent: bool, share: f64) -> Arc<Tracer> {
    with(|config| config.sampler = SamplerConfig { by_parent, share })
}

fn with(change: impl FnOnce(&mut TracesConfig)) -> Arc<Tracer> {
    let mut config = TracesConfig {
        endpoint: Secret::new("http://collector"),
        headers: Vec::new(),
        is_compressed: false,
        authority: None,
        timeout: Duration::from_secs(10),
        sampler: SamplerConfig { by_parent: true, share: 1.0 },
        resource: Vec::new(),
        max_waiting: 100,
        max_batch: 100,
        delay: Duration::from_secs(5),
        has_ids: false,
    };
    change(&mut config);
    Arc::new(Tracer::new(config, Clock::system(TimeZone::UTC), Arc::default()))
}

fn follows(tracer: &Arc<Tracer>, traceparent: Option<&str>) -> bool {
    tracer.follow("/notify/cita", traceparent).is_some()
}

fn names(spans: &[Span]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

fn channel() -> Channel {
    Channel::Estadisticas(NegocioId::new("n1"))
}

#[test]
fn who_continues_a_trace_is_followed_as_that_is_and_the_others_by_their_share() {
    for (by_parent, share, followed, not_followed, none) in [
        (true, 1.0, true, false, true),
        (true, 0.0, true, false, false),
        (false, 1.0, true, true, true),
        (false, 0.0, false, false, false),
    ] {
        let tracer = tracer(by_parent, share);
        let said = [Some(PARENT), Some(NOT_FOLLOWED), None].map(|said| follows(&tracer, said));
        assert_eq!(said, [followed, not_followed, none], "{by_parent} {share}");
    }
    let tenth = tracer(true, 0.1);
    let followed = (0..2_000).filter(|_| follows(&tenth, None)).count();
    assert!((100..400).contains(&followed), "{followed} of 2000");
}

#[test]
fn what_is_no_traceparent_begins_a_trace_of_its_own() {
    let tracer = tracer(true, 1.0);
    for rubbish in [
        "",
        "00",
        "x",
        "00-0-0-01",
        &PARENT[..50],
        PARENT.to_uppercase().as_str(),
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        drop(tracer.follow("/notify/cita", Some(rubbish)));
        let spans = tracer.waiting.take();
        assert!(spans[0].parent_span_id.is_empty(), "{rubbish}");
    }
    drop(tracer.follow("/notify/cita", Some(PARENT)));
    let spans = tracer.waiting.take();
    assert_eq!(spans[0].parent_span_id, b"\xb7\xad\x6b\x71\x69\x20\x33\x31");
    assert_eq!(spans[0].trace_id[..4], *b"\x0a\xf7\x65\x19");
}

#[tokio::test]
async fn a_call_is_told_of_when_it_is_over_with_its_answer_or_without() {
    let tracer = tracer(true, 1.0);
    let call = tracer.follow("/notify/cita", None).unwrap();
    assert!(scope(Some(&call), async { Place::current().is_some() }).await && Place::current().is_none());
    call.answered(503);
    drop(tracer.follow("/notify/cita", None));
    let spans = tracer.waiting.take();
    assert_eq!(names(&spans), ["POST /notify/cita"; 2]);
    assert_eq!(spans[0].status.as_ref().unwrap().code, 2);
    assert_eq!((spans[0].attributes.len(), spans[1].attributes.len()), (3, 2));
}

#[tokio::test]
async fn who_has_the_answer_of_another_calls_read_names_it_and_of_its_own_does_not() {
    let tracer = tracer(true, 1.0);
    let (first, second) = (tracer.follow("/notify/cita", None).unwrap(), tracer.follow("/notify/cita", None).unwrap());
    let read =
        scope(Some(&first), async { Place::current().unwrap().step("read").over(Instant::now(), Instant::now()) })
            .await;
    for call in [&first, &second] {
        scope(Some(call), async { answered_by(Some(&read)) }).await;
    }
    answered_by(Some(&read));
    drop((first, second));
    let spans = tracer.waiting.take();
    assert_eq!(names(&spans), ["read", "POST /notify/cita", "POST /notify/cita"]);
    assert_eq!((spans[1].links.len(), spans[2].links.len()), (0, 1));
    assert_eq!((&spans[2].links[0].span_id, &spans[2].links[0].trace_id), (&spans[0].span_id, &spans[0].trace_id));
}

#[test]
fn what_has_no_room_is_dropped_and_counted() {
    let tracer = with(|config| config.max_waiting = 3);
    for _ in 0..10 {
        assert!(follows(&tracer, None));
    }
    assert_eq!((tracer.waiting.take().len(), tracer.metrics.traces.dropped.get()), (3, 7));
}

#[test]
fn a_channel_is_named_only_where_that_is_allowed() {
    for (has_ids, said) in [(false, "estadisticas"), (true, "estadisticas:n1")] {
        let tracer = with(|config| config.has_ids = has_ids);
        let call = tracer.follow("/notify/cita", None).unwrap();
        Place::of(&call.call).step("read").about(&channel()).over(Instant::now(), Instant::now());
        let span = &tracer.waiting.take()[0];
        assert!(format!("{:?}", span.attributes).contains(&format!("\"{said}\"")), "{span:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_write_is_the_last_of_those_who_had_to_wait() {
    let tracer = tracer(true, 1.0);
    let call = tracer.follow("/notify/cita", None).unwrap();
    let delivery = Delivery::of(Place::of(&call.call));
    assert_eq!(delivery.encode("frame", || 7), 7);
    delivery.handed_out(&channel(), 5, 2);
    delivery.written();
    assert_eq!(names(&tracer.waiting.take()), ["encode", "fan-out"]);
    advance(Duration::from_secs(3)).await;
    delivery.written();
    delivery.written();
    let spans = tracer.waiting.take();
    assert_eq!(names(&spans), ["last write"]);
    assert_eq!(spans[0].end_time_unix_nano - spans[0].start_time_unix_nano, 3_000_000_000);
    drop(delivery);
    assert_eq!(tracer.waiting.take(), []);
}

#[tokio::test]
async fn who_never_had_it_keeps_nobody_from_being_told() {
    let tracer = tracer(true, 1.0);
    let call = tracer.follow("/notify/cita", None).unwrap();
    let deliveries: Vec<Delivery> = (0..3).map(|_| Delivery::of(Place::of(&call.call))).collect();
    deliveries[0].handed_out(&channel(), 1, 1);
    deliveries[1].handed_out(&channel(), 0, 1);
    tracer.waiting.take();
    drop(deliveries);
    assert_eq!(names(&tracer.waiting.take()), ["last write"], "one was written, one never, one not handed out");
}
