//! Results that change by the clock alone: whether each is sent in time, and by how many reads.

use std::time::{Duration, Instant};

use super::{NAME, Stage, gather, seats};
use crate::quantiles::{ms, quantile};
use crate::report::Report;
use crate::swarm::Swarm;

const WATCHED: (u32, u32) = (10_000, 1_000);
/// Of each key, spread over a minute and at least a tenth of a second apart.
const TIMES: u32 = 2;
const SPREAD: Duration = Duration::from_mins(1);
/// For all to connect before the first.
const LEAD: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(15));
const AFTER: Duration = Duration::from_secs(3);
const LATEST: Duration = Duration::from_millis(250);

const BY_CLOCK: &str = "-- access: authenticated
SELECT count(*) FILTER (WHERE a <= $3) AS pasados, min(a) FILTER (WHERE a > $3) AS next_change_at
  FROM relojes WHERE clave = $1";

pub(super) fn measure(stage: &Stage<'_>, report: &mut Report) {
    let watched = stage.scaled(WATCHED.0, WATCHED.1);
    let lead_time = if stage.is_quick { LEAD.1 } else { LEAD.0 };
    stage.execute("DROP TABLE IF EXISTS relojes; CREATE TABLE relojes (clave text, a timestamptz)");
    stage.execute("CREATE INDEX relojes_clave ON relojes (clave)");
    let (server, _folder) = stage.serve(&[("reloj", BY_CLOCK)], &[("SENTINEL_INTERVAL", "0")]);
    let (begun, lead) = (Instant::now(), lead_time.as_secs());
    let half = SPREAD.as_millis() / u128::from(TIMES);
    stage.execute(&format!(
        "INSERT INTO relojes SELECT 'k-' || i, now() + interval '{lead} seconds'
             + (t * {half} + i * {half} / {watched}) * interval '1 millisecond'
           FROM generate_series(0, {watched} - 1) AS i, generate_series(0, {TIMES} - 1) AS t; ANALYZE relojes"
    ));
    let inserted = Instant::now();
    let mut swarm = Swarm::new(server.port(), seats(0..watched, 1, |key| format!("reloj:k-{key}")));
    gather(&mut swarm);
    assert!(inserted.elapsed() < lead_time, "all have connected before the first time");
    swarm.keep();
    let before = stage.reads(&server, "reloj");
    swarm.idle((inserted + lead_time + SPREAD + AFTER).saturating_duration_since(Instant::now()));
    let reads = stage.reads(&server, "reloj") - before;
    // The statement's now() lies between these two moments.
    let due = |key: u32, time: u32| {
        let millis = u128::from(time) * half + u128::from(key) * half / u128::from(watched);
        begun + lead_time + Duration::from_millis(millis as u64)
    };
    let (mut late, mut missing, mut early) = (Vec::new(), 0, 0);
    for (key, arrivals) in (0..).zip(swarm.arrivals()) {
        missing += (TIMES as usize).saturating_sub(arrivals.len());
        for (time, (_, at)) in (0..TIMES).zip(arrivals) {
            early += usize::from(*at < due(key, time));
            late.push(at.saturating_duration_since(due(key, time)));
        }
    }
    let worst = quantile(&mut late, 1.0).unwrap_or_default();
    let p99 = quantile(&mut late, 0.99).unwrap_or_default();
    let what = |what: &str| format!("{watched} keys by the clock: {what}");
    report.note(NAME, &what("how far the times are uncertain"), ms(inserted - begun));
    report.check(NAME, &what("missing · early"), format!("{missing} · {early}"), "0 · 0", missing + early == 0);
    report.check(NAME, &what("sent after its time, p99"), ms(p99), ms(LATEST), p99 <= LATEST);
    report.note(NAME, &what("sent after its time, worst"), ms(worst));
    let most = f64::from(watched * TIMES);
    report.check(NAME, &what("reads"), format!("{reads}"), format!("≤ {most}"), reads <= most);
}
