//! Many callers, many channels, few subscribers each: what a notice costs with its query and its deliveries.
//!
//! Callers take the channels in turn, so that hardly ever two calls of one channel are under way and may share a read:
//! the messages a request say how far that holds.

use std::thread;
use std::time::{Duration, Instant};

use super::{CALMLY, Comparison, Place, pgbench};
use crate::caller::{Calls, close_the_loop};
use crate::peer::{Peer, Setting};
use crate::quantiles::quantile;
use crate::sheet::{
    ANSWERED, CPU_REQUEST, DELIVERED_REQUEST, LOST, NOT_TAKEN, OF_PGBENCH, QUERIES_REQUEST, RATE, RATE_PGBENCH, STRAY,
};
use crate::swarm::Swarm;
use crate::wire::Wire;
use crate::world::NEGOCIOS;

const CALLERS: usize = 64;
const SUBSCRIBERS: u32 = 10;
const WARM_UP: Duration = Duration::from_millis(500);
const CASE: &str = "64 callers, 100 channels of 10";

pub fn measure(run: &mut Comparison<'_>) {
    let time = Duration::from_secs(run.scaled(5, 2).into());
    let peers = run.usual_peers();
    run.interleave(&format!("channels: {CASE}, {time:?}"), &peers, |run, peer, place| {
        let rate = one(run, peer, place, time);
        if peer == Peer::Pulso {
            // Right behind it, on the same database.
            let pgbench = pgbench::rate(run.world, time);
            run.note("channels", CASE, place, &[(RATE_PGBENCH, pgbench), (OF_PGBENCH, rate / pgbench)]);
        }
    });
}

fn one(run: &mut Comparison<'_>, peer: Peer, place: Place, time: Duration) -> f64 {
    let server = run.start(peer, Setting::Plain);
    let mut swarm = swarm(server.port, peer.wire());
    call(&mut swarm, server.port, peer.wire(), 0, WARM_UP);
    swarm.idle(WARM_UP);
    let metric = |name: &str| server.metric(run.world, name);
    let counted = ["pulso_queries_total", "pulso_broadcasts_total", "pulso_conflated_total"];
    let earlier = counted.map(metric);
    let (delivered, disordered) = (swarm.counts.delivered, swarm.counts.disordered);
    let (cpu, from) = (server.cpu(), Instant::now());
    let mut calls = call(&mut swarm, server.port, peer.wire(), 1 << 32, time);
    let took = from.elapsed();
    let spent = server.cpu().since(&cpu);
    swarm.idle(WARM_UP);
    let count = calls.took.len() as f64;
    let delivered = (swarm.counts.delivered - delivered) as f64;
    let [queries, broadcasts, conflated] = std::array::from_fn(|place| metric(counted[place]) - earlier[place]);
    let published = if peer.is_pulso() { broadcasts } else { count };
    let behind = swarm.newest().filter(|(channel, newest)| *newest < calls.newest[*channel as usize]).count() as f64;
    let lost = (published * f64::from(SUBSCRIBERS) - conflated - delivered).max(behind);
    // nchan's messages have the numbers of their callers, who may overtake each other on the way to it.
    let disordered = if peer == Peer::Nchan { 0 } else { swarm.counts.disordered - disordered };
    let rate = count / took.as_secs_f64();
    let mut figures = vec![
        (CPU_REQUEST, spent.each(count as u64)),
        (RATE, rate),
        (DELIVERED_REQUEST, delivered / count),
        (ANSWERED, f64::from(quantile(&mut calls.took, 0.5).unwrap_or_default()) / 1e3),
        (LOST, lost),
        (STRAY, disordered as f64),
        (NOT_TAKEN, calls.refused as f64),
    ];
    if peer.is_pulso() {
        figures.push((QUERIES_REQUEST, queries / count));
    }
    run.note("channels", CASE, place, &figures);
    rate
}

/// All subscribers of all channels, connected.
pub fn swarm(port: u16, wire: Wire) -> Swarm {
    let mut swarm = Swarm::new(port, wire.seats(0..NEGOCIOS * SUBSCRIBERS, NEGOCIOS));
    swarm.connect(CALMLY);
    swarm
}

/// The callers in a thread of their own, while the subscribers read.
pub fn call(swarm: &mut Swarm, port: u16, wire: Wire, first: u64, time: Duration) -> Calls {
    let callers = thread::spawn(move || {
        close_the_loop(port, CALLERS, NEGOCIOS as usize, time, |number| {
            let channel = (number % u64::from(NEGOCIOS)) as u32;
            wire.notice(channel, first + number)
        })
    });
    swarm.drive(time * 2 + crate::swarm::LIMIT, |_| callers.is_finished());
    callers.join().unwrap_or_else(|_| panic!("the callers gave up"))
}
