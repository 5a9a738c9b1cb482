//! What a server spends on a client that connects, presents its token, subscribes and gets its first figures.

use std::time::{Duration, Instant};

use super::{CALMLY, Comparison};
use crate::meter::{Instructions, Spent};
use crate::peer::{Server, Setting};
use crate::sheet::{CPU_CONNECT, RATE_CONNECT, REFUSED};
use crate::swarm::{Seat, Swarm};
use crate::wire::Wire;
use crate::world::NEGOCIOS;

/// Clients that come first, so that code is loaded and businesses are read.
pub const WARM_UP: usize = 500;

pub fn measure(run: &mut Comparison<'_>) {
    let count = run.scaled(5_000, 1_000);
    let peers = run.usual_peers();
    run.interleave(&format!("connect: {count} clients, {CALMLY} at a time"), &peers, |run, peer, place| {
        let server = run.start(peer, Setting::Plain);
        let Connected { spent, took, refused, .. } = connect(&server, peer.wire(), count, |_| {});
        let rate = f64::from(count) / took.as_secs_f64();
        let figures = [(CPU_CONNECT, spent.each(u64::from(count))), (RATE_CONNECT, rate), (REFUSED, refused as f64)];
        run.note("connect", &count.to_string(), place, &figures);
    });
}

/// What it took until all had their figures.
pub struct Connected {
    pub spent: Spent,
    /// In user space; `None` where the machine does not count them.
    pub instructions: Option<f64>,
    took: Duration,
    refused: u64,
}

/// Connects `count` clients behind a few that warm up; what is done in `then` with all of them belongs to it.
pub fn connect(server: &Server, wire: Wire, count: u32, then: impl FnOnce(&mut Swarm)) -> Connected {
    connect_seats(server, wire.seats(0..count + WARM_UP as u32, NEGOCIOS), then)
}

/// As [`connect`], these clients, of which the first [`WARM_UP`] warm up.
pub fn connect_seats(server: &Server, seats: Vec<Seat>, then: impl FnOnce(&mut Swarm)) -> Connected {
    let mut swarm = Swarm::new(server.port, seats);
    swarm.connect_some(WARM_UP, CALMLY);
    swarm.idle(Duration::from_millis(100));
    let counted = Instructions::of(server.pid());
    let (cpu, from) = (server.cpu(), Instant::now());
    swarm.connect(CALMLY);
    let took = from.elapsed();
    then(&mut swarm);
    // What is put off until after the first figures belongs to them.
    swarm.idle(Duration::from_millis(100));
    let spent = server.cpu().since(&cpu);
    let instructions = counted.and_then(Instructions::stop);
    Connected { spent, instructions, took, refused: swarm.counts.refused }
}
