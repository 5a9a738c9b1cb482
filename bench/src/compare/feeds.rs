//! Pulso's other feeds, each over its own transport, beside the limit and the other Socket.IO server.

use std::time::Duration;

use super::broadcast::Stage;
use super::idle::bytes;
use super::{CALMLY, Comparison, Place};
use crate::peer::{Peer, Server, Setting};
use crate::swarm::Swarm;
use crate::wire::Wire;

const SUBSCRIBERS: u32 = 1_000;
const NOTICES: u32 = 100;
/// `changes:pending` comes once in 100 ms, however many changes there are.
pub const SYNC_PAUSE: Duration = Duration::from_millis(150);
pub const SYNC_NOTICES: u32 = 20;

const FEEDS: [(Wire, &str); 6] = [
    (Wire::Figures, "/ws stats"),
    (Wire::Sales, "/ws point of sale"),
    (Wire::Staff, "/ws/staff/orders/"),
    (Wire::Stream, "/sse stats"),
    (Wire::Restaurant, "Socket.IO restaurant"),
    (Wire::Sync, "Socket.IO /sync"),
];

pub fn measure(run: &mut Comparison<'_>) {
    let wanted = |peer: &Peer| matches!(peer, Peer::Pulso | Peer::Floor | Peer::Socketio);
    let peers: Vec<Peer> = run.peers.iter().copied().filter(wanted).collect();
    run.interleave(&format!("feeds: {SUBSCRIBERS} subscribers each"), &peers, |run, peer, place| {
        if peer == Peer::Pulso {
            for (wire, case) in FEEDS {
                let server = run.start(peer, Setting::Feeds);
                one(run, &server, wire, &[case], place);
            }
            return;
        }
        // What plain feeds and what Socket.IO's are compared with.
        let server = run.start(peer, Setting::Plain);
        let is_beside = |case: &&str| peer == Peer::Floor || case.starts_with("Socket.IO");
        let cases: Vec<&str> = FEEDS.iter().map(|(_, case)| *case).filter(is_beside).collect();
        one(run, &server, peer.wire(), &cases, place);
    });
}

fn one(run: &mut Comparison<'_>, server: &Server, wire: Wire, cases: &[&str], place: Place) {
    let (notices, pause) =
        if wire.merges() { (SYNC_NOTICES, SYNC_PAUSE) } else { (run.scaled(NOTICES, NOTICES / 4), Duration::ZERO) };
    let settle = Duration::from_millis(500);
    let memory = bytes(run.world, &mut Swarm::new(server.port, wire.seats(0..SUBSCRIBERS + 100, 1)), server, settle);
    let mut swarm = Swarm::new(server.port, wire.seats(0..SUBSCRIBERS, 1));
    swarm.connect(CALMLY);
    let readers = u64::from(SUBSCRIBERS);
    let mut stage = Stage { world: run.world, server, wire, swarm: &mut swarm, readers, pause, number: 0 };
    let mut figures = stage.broadcast(u64::from(notices)).figures();
    figures.push(memory[0]);
    let Some((first, others)) = cases.split_first() else { return };
    run.note("feeds", first, place, &figures);
    for case in others {
        run.record("feeds", case, place, &figures);
    }
}
