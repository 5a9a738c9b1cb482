//! A slow query that is hinted on thousands of keys at once: what the figures notice of it.

use std::time::{Duration, Instant};

use pulso_harness::Running;
use serde_json::json;

use super::{CALMLY, NAME, Stage, call, gather, seats};
use crate::caller::Caller;
use crate::quantiles::{ms, quantile, times};
use crate::report::Report;
use crate::swarm::Swarm;
use crate::town;
use crate::wire::Wire;

const WATCHED: (u32, u32) = (5_000, 1_000);
const EACH: u32 = 100;
const NOTICES: u32 = 500;
const MOST: f64 = 2.0;

/// Quick for whoever comes, slow once `lentas` says so.
const SLOW: &str = "-- access: authenticated
SELECT n, (SELECT pg_sleep(CASE WHEN lento THEN 0.2 ELSE 0 END)::text FROM lentas) AS pausa FROM claves WHERE clave = $1";

pub(super) fn measure(stage: &Stage<'_>, report: &mut Report) {
    let watched = stage.scaled(WATCHED.0, WATCHED.1);
    stage
        .execute("DROP TABLE IF EXISTS lentas; CREATE TABLE lentas (lento boolean); INSERT INTO lentas VALUES (false)");
    let (server, _folder) = stage.serve(&[("lenta", SLOW)], &[("SENTINEL_INTERVAL", "0")]);
    let mut figures = Swarm::new(server.port(), Wire::Figures.seats(0..1, 1));
    figures.connect(CALMLY);
    let mut many = Swarm::new(server.port(), seats(0..watched, EACH, |key| format!("lenta:k-{key}")));
    gather(&mut many);
    // Warm first.
    p99(&server, &mut figures);
    let alone = p99(&server, &mut figures);
    stage.execute("UPDATE lentas SET lento = true");
    let mut callers: Vec<Caller> = (0..watched / EACH).map(|_| Caller::open(server.port())).collect();
    for (caller, first) in callers.iter_mut().zip((0..watched).step_by(EACH as usize)) {
        let keys: Vec<String> = (first..first + EACH).map(|key| format!("k-{key}")).collect();
        // Nobody waits for the answer: it says at last that it took too long.
        caller.send(&call("/notify/consulta", &json!({ "name": "lenta", "keys": keys })));
    }
    many.idle(Duration::from_millis(200));
    let beside = p99(&server, &mut figures);
    let ratio = times(beside, alone);
    report.note(NAME, "p99 of a notice of the figures alone", ms(alone));
    report.note(NAME, &format!("p99 of it beside a query of 200 ms on {watched} keys"), ms(beside));
    let what = "p99 of the figures' notices beside that query ÷ alone";
    report.check(NAME, what, format!("{ratio:.2}"), format!("≤ {MOST}"), ratio <= MOST);
}

/// Of notices one after the other: the wait for the answer.
fn p99(server: &Running, figures: &mut Swarm) -> Duration {
    let request = call("/notify/cita", &json!({ "negocio_id": town::negocio(0), "action": "updated" }));
    let mut caller = Caller::open(server.port());
    let mut waits = Vec::new();
    for _ in 0..NOTICES {
        let sent = Instant::now();
        caller.send(&request);
        let answer = caller.answer();
        assert!(answer.status == 200, "the hook answers {}", answer.status);
        waits.push(answer.at - sent);
        figures.idle(Duration::ZERO);
    }
    quantile(&mut waits, 0.99).unwrap_or_default()
}
