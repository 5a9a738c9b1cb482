//! What Pulso has to reach, and whether it did. The only place that knows the numbers.

use crate::compare::tokens::{AGAIN, BASE};
use crate::peer::Peer;
use crate::sheet::{
    ANSWERED_AFTER_QUERY, BYTES_IDLE, CPU_CONNECT, CPU_DELIVERY, CPU_REQUEST, FIRST_TO_LAST, Figure, LOST,
    MEMORY_AFTER, NOT_TAKEN, OF_PGBENCH, QUERIES, SLOW_CPU, SLOW_P50, STORM, STRAY, Sheet, WRONG, digits,
};

/// One line of the verdict.
#[derive(Debug)]
pub struct Verdict {
    pub what: String,
    pub measured: String,
    pub target: String,
    pub has_passed: bool,
}

/// "No change beyond noise": what two runs of the same thing differ by on a shared machine.
const NOISE: f64 = 1.15;

/// Everything that this run has measured and that has a target.
pub fn verdicts(sheet: &Sheet) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (work, case) in sheet.cases() {
        let mut limits = |peer: Peer, figure: Figure, limit: f64, base: Option<Peer>, what: &str| {
            let measured = if let Some(base) = base {
                sheet.ratio_to(base, work, &case, peer, figure).map(|(median, least, most)| {
                    (median, format!("{} ({}–{})", digits(median), digits(least), digits(most)))
                })
            } else {
                sheet.median(work, &case, peer, figure).map(|median| (median, figure.value(median)))
            };
            if let Some((value, measured)) = measured {
                let target = if base.is_some() { digits(limit) } else { figure.value(limit) };
                let what = format!("{work}, {case}: {what}");
                let target = format!("≤ {target}");
                verdicts.push(Verdict { what, measured, target, has_passed: value <= limit });
            }
        };
        let (io_uring, of_limit, of_npm) = (Peer::PulsoIoUring, Some(Peer::Floor), Some(Peer::Socketio));
        match work {
            "fanout" => {
                limits(Peer::Pulso, CPU_DELIVERY, 1.05, of_limit, "CPU a delivery ÷ the write() limit");
                limits(io_uring, CPU_DELIVERY, 0.95, of_limit, "… with io_uring");
                limits(Peer::Pulso, ANSWERED_AFTER_QUERY, 1.0, None, "200 after the figures are read");
                if case == "10000" {
                    limits(Peer::Pulso, FIRST_TO_LAST, 1.0, of_limit, "first → last ÷ the limit's");
                }
            }
            "channels" => {
                limits(Peer::Pulso, CPU_REQUEST, 120.0, None, "CPU a request, query and deliveries included");
                if let Some(ratio) = sheet.median(work, &case, Peer::Pulso, OF_PGBENCH) {
                    let what = format!("{work}, {case}: rate ÷ pgbench's");
                    let (measured, target) = (digits(ratio), "≥ 0.50".to_owned());
                    verdicts.push(Verdict { what, measured, target, has_passed: ratio >= 0.5 });
                }
            }
            "connect" => limits(Peer::Pulso, CPU_CONNECT, 80.0, None, "CPU a connection, token and figures included"),
            "storm" => {
                limits(Peer::Pulso, STORM, 1.0, None, "all are current after");
                limits(Peer::Pulso, QUERIES, 1.0, None, "queries a business");
                limits(Peer::Pulso, WRONG, 0.0, None, "clients not current");
                limits(Peer::Pulso, MEMORY_AFTER, 1.1, None, "memory ÷ before");
            }
            "idle" if case.starts_with("Socket.IO") => {
                limits(Peer::Pulso, BYTES_IDLE, 3_500.0, None, "bytes an idle connection");
            }
            "idle" => limits(Peer::Pulso, BYTES_IDLE, 2_500.0, None, "bytes an idle connection"),
            "slow" => {
                limits(Peer::Pulso, SLOW_CPU, NOISE, None, "CPU a delivery to the others, with ÷ without");
                limits(Peer::Pulso, SLOW_P50, NOISE, None, "p50 of the others, with ÷ without");
            }
            "socketio" if case.ends_with("by polling") => {
                limits(Peer::Pulso, CPU_DELIVERY, 0.5, of_npm, "CPU a delivery ÷ npm's");
                limits(Peer::Pulso, BYTES_IDLE, 6_000.0, None, "bytes an idle client");
            }
            "socketio" => {
                limits(Peer::Pulso, CPU_DELIVERY, 1.1, of_limit, "CPU a delivery ÷ the write() limit");
                limits(Peer::Pulso, BYTES_IDLE, 3_500.0, None, "bytes an idle client");
                limits(Peer::Pulso, CPU_CONNECT, 0.25, of_npm, "CPU of connecting, first event included ÷ npm's");
            }
            "tokens" if case != BASE => {
                let limit = match case.as_str() {
                    "RS256" => 60.0,
                    AGAIN => 5.0,
                    _ => 150.0,
                };
                let of = |case: &str| sheet.median(work, case, Peer::Pulso, CPU_CONNECT);
                if let (Some(value), Some(base)) = (of(&case), of(BASE)) {
                    let more = value - base;
                    verdicts.push(Verdict {
                        what: format!("{work}, {case}: CPU a handshake more than {BASE}"),
                        measured: CPU_CONNECT.value(more),
                        target: format!("≤ {}", CPU_CONNECT.value(limit)),
                        has_passed: more <= limit,
                    });
                }
            }
            _ => {}
        }
    }
    for (whose, of) in [("Pulso", true), ("the peers", false)] {
        let Some(wrong) = sheet.sum(&[LOST, STRAY, NOT_TAKEN], |peer| peer.is_pulso() == of) else { continue };
        verdicts.push(Verdict {
            what: format!("all works: messages of {whose} lost, doubled or out of order, calls not taken"),
            measured: digits(wrong),
            target: "0".to_owned(),
            has_passed: wrong == 0.0,
        });
    }
    verdicts
}
