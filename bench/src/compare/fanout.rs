//! One channel and all its subscribers: the work that Pulso is for.

use std::time::Duration;

use super::broadcast::Stage;
use super::{CALMLY, Comparison};
use crate::peer::Setting;
use crate::swarm::Swarm;

/// Deliveries of one measurement, whatever the size.
const DELIVERIES: u32 = 200_000;
const DELIVERIES_QUICK: u32 = 40_000;
/// Fewer say nothing about a median.
const LEAST_NOTICES: u32 = 10;

pub fn measure(run: &mut Comparison<'_>) {
    for size in run.sizes.clone() {
        let notices = (run.scaled(DELIVERIES, DELIVERIES_QUICK) / size).max(LEAST_NOTICES);
        let peers = run.peers.clone();
        let what = format!("fanout to {size}, {notices} notices");
        run.interleave(&what, &peers, |run, peer, place| {
            let server = run.start(peer, Setting::Sends);
            let mut swarm = Swarm::new(server.port, peer.wire().seats(0..size, 1));
            swarm.connect(CALMLY);
            let mut stage = Stage {
                world: run.world,
                server: &server,
                wire: peer.wire(),
                swarm: &mut swarm,
                readers: u64::from(size),
                pause: Duration::ZERO,
                number: 0,
            };
            let broadcasts = stage.broadcast(u64::from(notices));
            run.note("fanout", &size.to_string(), place, &broadcasts.figures());
        });
    }
}
