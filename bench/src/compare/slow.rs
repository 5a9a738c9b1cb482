//! What those who read notice of a few that do not.
//!
//! The slow ones come first and are sent messages until their line holds no more: a small window and small segments see
//! to it that this is soon.

use std::time::Duration;

use super::broadcast::{Broadcasts, Stage};
use super::{CALMLY, Comparison};
use crate::caller::Caller;
use crate::peer::{Peer, Setting};
use crate::sheet::{CONFLATED, CPU_DELIVERY, LOST, P50, P99, SLOW_CPU, SLOW_P50, SLOW_P99};
use crate::swarm::{Manner, Swarm};

const SLOW: u32 = 10;
/// Messages that clog a line, sent twice: it holds about 140, and some 95 more when the kernel has packed them closer on
/// being asked again whether there is room. Both times together are fewer than that and a buffer of 256.
const CLOG: u64 = 195;
/// For the kernel to ask.
const PACKED: Duration = Duration::from_secs(2);

pub fn measure(run: &mut Comparison<'_>) {
    let (readers, notices) = (run.scaled(5_000, 1_000), run.scaled(40, 15));
    let peers = run.usual_peers();
    run.interleave(
        &format!("slow: {readers} clients without and with {SLOW} that do not read"),
        &peers,
        |run, peer, place| {
            let (mut without, _) = one(run, peer, readers, 0, notices);
            let (mut with, conflated) = one(run, peer, readers, SLOW, notices);
            let ((p50, p99), (slow_p50, slow_p99)) = (without.waits(), with.waits());
            let mut figures = vec![
                (SLOW_CPU, with.cpu() / without.cpu()),
                (SLOW_P50, slow_p50 / p50),
                (SLOW_P99, slow_p99 / p99),
                (CPU_DELIVERY, with.cpu()),
                (P50, slow_p50),
                (P99, slow_p99),
            ];
            let lost =
                |seen: Broadcasts| seen.figures().iter().find(|(figure, _)| *figure == LOST).map_or(0.0, |lost| lost.1);
            figures.push((LOST, lost(without) + lost(with)));
            if peer.is_pulso() {
                // None would mean that the slow ones were not slow.
                figures.push((CONFLATED, conflated));
            }
            run.note("slow", &readers.to_string(), place, &figures);
        },
    );
}

/// The broadcasts to those who read, and how many messages were replaced by newer ones meanwhile.
fn one(run: &Comparison<'_>, peer: Peer, readers: u32, slow: u32, notices: u32) -> (Broadcasts, f64) {
    let server = run.start(peer, Setting::Plain);
    let wire = peer.wire();
    let mut seats = wire.seats(0..slow + readers, 1);
    seats.iter_mut().take(slow as usize).for_each(|seat| seat.manner = Manner::Stalls);
    let mut swarm = Swarm::new(server.port, seats);
    let mut number = 0;
    if slow > 0 {
        swarm.connect_some(slow as usize, CALMLY);
        let mut caller = Caller::open(server.port);
        for pause in [PACKED, Duration::ZERO] {
            for _ in 0..CLOG {
                number += 1;
                caller.send(&wire.notice(0, number));
                caller.answer();
            }
            swarm.idle(pause);
        }
    }
    swarm.connect(CALMLY);
    let readers = u64::from(readers);
    let mut stage =
        Stage { world: run.world, server: &server, wire, swarm: &mut swarm, readers, pause: Duration::ZERO, number };
    let conflated = server.metric(run.world, "pulso_conflated_total");
    let broadcasts = stage.broadcast(u64::from(notices));
    (broadcasts, server.metric(run.world, "pulso_conflated_total") - conflated)
}
