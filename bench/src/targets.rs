//! What Pulso has to reach, and whether it did. The only place that knows the numbers.

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
        let mut limits = |peer: Peer, figure: Figure, limit: f64, is_ratio: bool, what: &str| {
            let measured = if is_ratio {
                sheet.ratio(work, &case, peer, figure).map(|(median, least, most)| {
                    (median, format!("{} ({}–{})", digits(median), digits(least), digits(most)))
                })
            } else {
                sheet.median(work, &case, peer, figure).map(|median| (median, figure.value(median)))
            };
            if let Some((value, measured)) = measured {
                let target = if is_ratio { digits(limit) } else { figure.value(limit) };
                let what = format!("{work}, {case}: {what}");
                let target = format!("≤ {target}");
                verdicts.push(Verdict { what, measured, target, has_passed: value <= limit });
            }
        };
        let io_uring = Peer::PulsoIoUring;
        match work {
            "fanout" => {
                limits(Peer::Pulso, CPU_DELIVERY, 1.05, true, "CPU a delivery ÷ the write() limit");
                limits(io_uring, CPU_DELIVERY, 0.95, true, "… with io_uring");
                limits(Peer::Pulso, ANSWERED_AFTER_QUERY, 1.0, false, "200 after the figures are read");
                if case == "10000" {
                    limits(Peer::Pulso, FIRST_TO_LAST, 1.0, true, "first → last ÷ the limit's");
                }
            }
            "channels" => {
                limits(Peer::Pulso, CPU_REQUEST, 120.0, false, "CPU a request, query and deliveries included");
                if let Some(ratio) = sheet.median(work, &case, Peer::Pulso, OF_PGBENCH) {
                    let what = format!("{work}, {case}: rate ÷ pgbench's");
                    let (measured, target) = (digits(ratio), "≥ 0.50".to_owned());
                    verdicts.push(Verdict { what, measured, target, has_passed: ratio >= 0.5 });
                }
            }
            "connect" => limits(Peer::Pulso, CPU_CONNECT, 80.0, false, "CPU a connection, token and figures included"),
            "storm" => {
                limits(Peer::Pulso, STORM, 1.0, false, "all are current after");
                limits(Peer::Pulso, QUERIES, 1.0, false, "queries a business");
                limits(Peer::Pulso, WRONG, 0.0, false, "clients not current");
                limits(Peer::Pulso, MEMORY_AFTER, 1.1, false, "memory ÷ before");
            }
            "idle" if case.starts_with("Socket.IO") => {
                limits(Peer::Pulso, BYTES_IDLE, 12_000.0, false, "bytes an idle connection");
            }
            "idle" => limits(Peer::Pulso, BYTES_IDLE, 2_500.0, false, "bytes an idle connection"),
            "slow" => {
                limits(Peer::Pulso, SLOW_CPU, NOISE, false, "CPU a delivery to the others, with ÷ without");
                limits(Peer::Pulso, SLOW_P50, NOISE, false, "p50 of the others, with ÷ without");
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
