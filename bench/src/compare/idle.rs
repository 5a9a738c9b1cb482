//! Memory of clients that do nothing but be there, and what is left of it when they have gone.

use std::time::{Duration, Instant};

use super::{CALMLY, Comparison, Place};
use crate::meter::Memory;
use crate::peer::{Peer, Server, Setting};
use crate::sheet::{BYTES_IDLE, BYTES_LEFT, Figure};
use crate::swarm::{LIMIT, Swarm};
use crate::wire::Wire;
use crate::world::{NEGOCIOS, World};

/// Clients that come first and stay: what they touch is touched once, however many follow.
pub const WARM_UP: usize = 100;
const SETTLE: Duration = Duration::from_secs(3);
/// For a round of ownership checks (`ACCESS_RECHECK`), so that what it needs is counted.
const SETTLE_OWNERS: Duration = Duration::from_secs(12);

pub fn measure(run: &mut Comparison<'_>) {
    let count = run.scaled(10_000, 2_000);
    let peers = run.usual_peers();
    run.interleave(&format!("idle: {count} clients"), &peers, |run, peer, place| {
        let case = if peer == Peer::Socketio { "Socket.IO" } else { "plain" };
        let server = run.start(peer, Setting::Plain);
        one(run, &server, peer.wire(), count, case, place);
        if peer == Peer::Pulso {
            let owners = run.world.owners();
            let server = Server::pulso(run.world, &[("OWNER_SQL", &owners)]);
            one(run, &server, Wire::FiguresOfOwners, count, "plain, the database says who may", place);
            let server = run.start(peer, Setting::Feeds);
            one(run, &server, Wire::Restaurant, count, "Socket.IO", place);
        }
    });
}

fn one(run: &mut Comparison<'_>, server: &Server, wire: Wire, count: u32, case: &str, place: Place) {
    let settle = if wire == Wire::FiguresOfOwners { SETTLE_OWNERS } else { SETTLE };
    let settle = if run.is_quick { settle / 3 } else { settle };
    let mut swarm = Swarm::new(server.port, wire.seats(0..count + WARM_UP as u32, NEGOCIOS));
    let figures = bytes(run.world, &mut swarm, server, settle);
    run.note("idle", case, place, &figures);
}

/// Connects the swarm: memory when the first few are there, and when all are.
pub fn fill(swarm: &mut Swarm, server: &Server, settle: Duration) -> (Memory, Memory) {
    swarm.connect_some(WARM_UP, CALMLY);
    swarm.idle(settle);
    let before = server.memory();
    swarm.connect(CALMLY);
    swarm.idle(settle);
    (before, server.memory())
}

/// Connects the swarm and lets all but the first few go again.
pub fn bytes(world: &World, swarm: &mut Swarm, server: &Server, settle: Duration) -> Vec<(Figure, f64)> {
    let count = swarm.len() - WARM_UP;
    let (before, full) = fill(swarm, server, settle);
    swarm.leave(count);
    swarm.idle(settle);
    // Only when the server has noticed is it worth a look.
    let until = Instant::now() + LIMIT;
    while server.metric(world, "pulso_connections") > WARM_UP as f64 {
        assert!(Instant::now() < until, "clients that have gone are still there");
        swarm.idle(settle / 4);
    }
    let left = server.memory();
    vec![(BYTES_IDLE, full.each_since(before, count)), (BYTES_LEFT, left.each_since(before, count))]
}
