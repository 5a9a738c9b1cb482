//! Socket.IO by WebSocket and by polling, beside npm's server and the limit: a delivery, an idle client, a connection.

use std::time::Duration;

use pulso_harness::HOOK_KEY;

use super::broadcast::Stage;
use super::connect::{Connected, connect};
use super::feeds::{SYNC_NOTICES, SYNC_PAUSE};
use super::idle::{WARM_UP, fill};
use super::{CALMLY, Comparison, Place};
use crate::caller::Caller;
use crate::peer::{Peer, Server, Setting};
use crate::sheet::{BYTES_IDLE, CPU_CONNECT};
use crate::swarm::{LIMIT, Swarm};
use crate::wire::{CLOUD_KEY, Wire};
use crate::world::NEGOCIOS;

/// Deliveries of one measurement.
const DELIVERIES: u32 = 100_000;
const DELIVERIES_QUICK: u32 = 20_000;
const LEAST_NOTICES: u32 = 10;
const SETTLE: Duration = Duration::from_secs(3);

/// Every feed's key; and as many kept connections as there are clients that poll: between two polls they are idle ones.
const SETTINGS: [(&str, &str); 3] =
    [("NOTIFY_API_KEY", HOOK_KEY), ("CLOUD_API_KEY", CLOUD_KEY), ("MAX_HTTP_CONNECTIONS", "20000")];

/// A namespace, how it travels, and by what the peer does the same.
const WAYS: [(Wire, &str, Wire); 4] = [
    (Wire::Restaurant, "/ by WebSocket", Wire::SocketIo),
    (Wire::Sync, "/sync by WebSocket", Wire::SocketIo),
    (Wire::RestaurantPolling, "/ by polling", Wire::SocketIoPolling),
    (Wire::SyncPolling, "/sync by polling", Wire::SocketIoPolling),
];

pub fn measure(run: &mut Comparison<'_>) {
    let among =
        |wanted: &[Peer]| -> Vec<Peer> { run.peers.iter().copied().filter(|peer| wanted.contains(peer)).collect() };
    let all = among(&[Peer::Pulso, Peer::Floor, Peer::Socketio]);
    let both = among(&[Peer::Pulso, Peer::Socketio]);
    for size in run.sizes.clone() {
        run.interleave(&format!("socketio: {size} subscribers"), &all, |run, peer, place| {
            deliver(run, peer, size, place);
        });
    }
    let count = run.scaled(10_000, 2_000);
    run.interleave(&format!("socketio: {count} idle clients"), &both, |run, peer, place| {
        for (wire, case, same) in WAYS.into_iter().filter(|(_, case, _)| case.starts_with("/ ")) {
            let (server, wire) = begin(run, peer, wire, same);
            let mut swarm = Swarm::new(server.port, wire.seats(0..count + WARM_UP as u32, NEGOCIOS));
            let settle = if run.is_quick { SETTLE / 3 } else { SETTLE };
            let (before, full) = fill(&mut swarm, &server, settle);
            let figures = [(BYTES_IDLE, full.each_since(before, count as usize))];
            run.note("socketio", &format!("{count} idle, {case}"), place, &figures);
        }
    });
    let count = run.scaled(5_000, 1_000);
    run.interleave(&format!("socketio: {count} connections"), &both, |run, peer, place| {
        let (server, wire) = begin(run, peer, Wire::Restaurant, Wire::SocketIo);
        let Connected { spent, .. } = connect(&server, wire, count, |swarm| first_event(swarm, server.port, wire));
        let figures = [(CPU_CONNECT, spent.each(u64::from(count)))];
        run.note("socketio", &format!("{count} connections, first event included"), place, &figures);
    });
}

/// The server, and how it is spoken to.
fn begin(run: &Comparison<'_>, peer: Peer, wire: Wire, same: Wire) -> (Server, Wire) {
    match peer {
        Peer::Pulso => (Server::pulso(run.world, &SETTINGS), wire),
        Peer::Socketio => (run.start(peer, Setting::Plain), same),
        _ => (run.start(peer, Setting::Plain), peer.wire()),
    }
}

fn deliver(run: &mut Comparison<'_>, peer: Peer, size: u32, place: Place) {
    for (way, case, same) in WAYS {
        let (server, wire) = begin(run, peer, way, same);
        let case = format!("{size}, {case}");
        let deliveries = run.scaled(DELIVERIES, DELIVERIES_QUICK);
        // All at the same pace: who has had a pause finds nothing in the cache.
        let (notices, pause) = if way.merges() {
            (SYNC_NOTICES, SYNC_PAUSE)
        } else {
            ((deliveries / size).max(LEAST_NOTICES), Duration::ZERO)
        };
        let mut swarm = Swarm::new(server.port, wire.seats(0..size, 1));
        swarm.connect(CALMLY);
        let readers = u64::from(size);
        let mut stage = Stage { world: run.world, server: &server, wire, swarm: &mut swarm, readers, pause, number: 0 };
        let figures = stage.broadcast(u64::from(notices)).figures();
        run.note("socketio", &case, place, &figures);
    }
}

/// Whoever is not greeted with an event gets its first by a notice to each channel.
fn first_event(swarm: &mut Swarm, port: u16, wire: Wire) {
    if wire != Wire::Restaurant {
        return;
    }
    let mut caller = Caller::open(port);
    let goal = swarm.counts.delivered + swarm.len() as u64;
    for channel in 0..NEGOCIOS {
        caller.send(&wire.notice(channel, 1 + u64::from(channel)));
        let answer = caller.answer();
        assert!((200..300).contains(&answer.status), "the hook answers {}", answer.status);
    }
    assert!(swarm.drive(LIMIT, |swarm| swarm.counts.delivered >= goal), "not everybody has its first event");
}
