//! A notice on a query of the figures' own SQL beside a notice of the figures.

use pulso_harness::Running;
use serde_json::json;

use super::{CALMLY, NAME, SAME, SETTLED, Stage, call, hint, seats};
use crate::caller::Caller;
use crate::meter::Cpu;
use crate::quantiles::middle;
use crate::report::Report;
use crate::swarm::Swarm;
use crate::town;
use crate::wire::Wire;

const NOTICES: u64 = 1_000;
const MOST: f64 = 1.05;

pub(super) fn measure(stage: &Stage<'_>, rounds: u32, report: &mut Report) {
    let (server, _folder) = stage.serve(&[("figures", SAME)], &[("SENTINEL_INTERVAL", "0")]);
    let negocio = town::negocio(0);
    let mut figures = Swarm::new(server.port(), Wire::Figures.seats(0..1, 1));
    let mut live = Swarm::new(server.port(), seats(0..1, 1, |_| format!("figures:{negocio}")));
    figures.connect(CALMLY);
    live.connect(CALMLY);
    let cita = call("/notify/cita", &json!({ "negocio_id": negocio, "action": "updated" }));
    let consulta = hint("figures", &negocio);
    let mut ratios = Vec::new();
    let (mut of_figures, mut of_query) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        // In turn, for whatever else the machine does.
        let (one, other) = if round % 2 == 0 {
            let one = each(&server, &mut figures, &cita);
            (one, each(&server, &mut live, &consulta))
        } else {
            let other = each(&server, &mut live, &consulta);
            (each(&server, &mut figures, &cita), other)
        };
        // The first is for warming up.
        if round > 0 {
            ratios.push(other / one);
            of_figures.push(one);
            of_query.push(other);
        }
    }
    let ratio = middle(&mut ratios).unwrap_or(f64::NAN);
    let micros = |values: &mut Vec<f64>| format!("{:.1} µs", middle(values).unwrap_or(f64::NAN));
    report.note(NAME, "CPU of a notice of the figures", micros(&mut of_figures));
    report.note(NAME, "CPU of a notice of a query with the same SQL", micros(&mut of_query));
    let what = "notice of a query of the same SQL ÷ of the figures, CPU";
    report.check(NAME, what, format!("{ratio:.3}"), format!("≤ {MOST}"), ratio <= MOST);
}

/// The processor time of a notice, its re-read and its one delivery included.
fn each(server: &Running, swarm: &mut Swarm, request: &[u8]) -> f64 {
    let mut caller = Caller::open(server.port());
    let before = Cpu::of(server.pid());
    for _ in 0..NOTICES {
        caller.send(request);
        let answer = caller.answer();
        assert!(answer.status == 200, "the hook answers {}", answer.status);
        swarm.idle(std::time::Duration::ZERO);
    }
    swarm.idle(SETTLED);
    Cpu::of(server.pid()).since(&before).each(NOTICES)
}
