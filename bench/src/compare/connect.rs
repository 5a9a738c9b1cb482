//! What a server spends on a client that connects, presents its token, subscribes and gets its first figures.

use std::time::{Duration, Instant};

use super::{CALMLY, Comparison};
use crate::peer::Setting;
use crate::sheet::{CPU_CONNECT, RATE_CONNECT, REFUSED};
use crate::swarm::Swarm;
use crate::world::NEGOCIOS;

/// Clients that come first, so that code is loaded and businesses are read.
const WARM_UP: usize = 500;

pub fn measure(run: &mut Comparison<'_>) {
    let count = run.scaled(5_000, 1_000);
    let peers = run.usual_peers();
    run.interleave(&format!("connect: {count} clients, {CALMLY} at a time"), &peers, |run, peer, place| {
        let server = run.start(peer, Setting::Plain);
        let mut swarm = Swarm::new(server.port, peer.wire().seats(0..count + WARM_UP as u32, NEGOCIOS));
        swarm.connect_some(WARM_UP, CALMLY);
        swarm.idle(Duration::from_millis(100));
        let (cpu, from) = (server.cpu(), Instant::now());
        swarm.connect(CALMLY);
        let took = from.elapsed();
        // What is put off until after the first figures belongs to them.
        swarm.idle(Duration::from_millis(100));
        let spent = server.cpu().since(&cpu);
        let rate = f64::from(count) / took.as_secs_f64();
        let figures =
            [(CPU_CONNECT, spent.each(u64::from(count))), (RATE_CONNECT, rate), (REFUSED, swarm.counts.refused as f64)];
        run.note("connect", &count.to_string(), place, &figures);
    });
}
