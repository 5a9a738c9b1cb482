//! Everybody loses the server at once and comes back at once.

use std::time::{Duration, Instant};

use super::{CALMLY, Comparison, Place};
use crate::meter::{self, Spent};
use crate::peer::{Peer, Server, Setting};
use crate::sheet::{CPU_CONNECT, GENERATOR, MEMORY_AFTER, OWNER_QUERIES, QUERIES, REFUSED, STORM, WRONG};
use crate::swarm::{LIMIT, Swarm};
use crate::town;
use crate::wire::Wire;
use crate::world::{NEGOCIOS, World};

/// Handshakes under way at once. More than a listener's backlog (4,096 on Linux as it comes) would measure how long the
/// kernel waits before it sends a lost SYN again: a second.
const AT_ONCE: usize = 3_000;
/// For what a storm leaves behind to be tidied up.
const SETTLE: Duration = Duration::from_secs(3);

pub fn measure(run: &mut Comparison<'_>) {
    let count = run.scaled(10_000, 2_000);
    let peers = run.usual_peers();
    run.interleave(&format!("storm: {count} clients on {NEGOCIOS} businesses"), &peers, |run, peer, place| {
        let server = run.start(peer, Setting::Plain);
        one(run, server, peer.wire(), count, Fault::Killed, &count.to_string(), place);
        let server = run.start(peer, Setting::Plain);
        one(run, server, peer.wire(), count, Fault::Cut, &format!("{count}, only the lines were cut"), place);
        if peer == Peer::Pulso {
            // Its users are unknown to the new process: the database is asked who may see what.
            let owners = run.world.owners();
            let server = Server::pulso(run.world, &[("OWNER_SQL", &owners)]);
            let case = format!("{count}, the database says who may");
            one(run, server, Wire::FiguresOfOwners, count, Fault::Killed, &case, place);
        }
    });
}

/// What befell the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The server was killed and started again.
    Killed,
    /// Something between them failed: the server has to tidy up the old lines while the new ones come.
    Cut,
}

fn one(run: &mut Comparison<'_>, mut server: Server, wire: Wire, count: u32, fault: Fault, case: &str, place: Place) {
    let mut swarm = Swarm::new(server.port, wire.seats(0..count, NEGOCIOS));
    swarm.connect(CALMLY);
    swarm.keep();
    swarm.idle(SETTLE);
    let before = server.memory();
    if fault == Fault::Killed {
        server.die();
        assert!(swarm.drive(LIMIT, |swarm| swarm.counts.served == 0), "a dead server's clients notice");
        if server.peer.is_pulso() {
            change(run.world);
        }
        server.rise(run.world);
    }
    let queries = server.metric(run.world, "pulso_queries_total");
    let (from, cpu, own, refused) = (Instant::now(), server.cpu(), meter::own(), swarm.counts.refused);
    if fault == Fault::Cut {
        swarm.hang_up();
    }
    swarm.connect(AT_ONCE);
    let took = from.elapsed();
    let (spent, own) = (server.cpu().since(&cpu), Spent(meter::own().saturating_sub(own)));
    // Trailing re-reads and corrections come within this time.
    swarm.idle(SETTLE);
    let memory = server.memory().0 as f64 / before.0 as f64;
    let mut figures = vec![
        (STORM, took.as_secs_f64()),
        (CPU_CONNECT, spent.each(u64::from(count))),
        (GENERATOR, own.each(u64::from(count))),
        (REFUSED, (swarm.counts.refused - refused) as f64),
        (MEMORY_AFTER, memory),
    ];
    if server.peer.is_pulso() {
        let metric = |name: &str| server.metric(run.world, name);
        figures.push((QUERIES, (metric("pulso_queries_total") - queries) / f64::from(NEGOCIOS)));
        figures.push((OWNER_QUERIES, metric("pulso_ownership_queries_total")));
        figures.push((WRONG, wrong(run.world, &swarm) as f64));
    }
    run.note("storm", case, place, &figures);
}

/// What happened while nobody listened.
fn change(world: &World) {
    world.execute(&format!(
        "INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
         SELECT gen_random_uuid(), id, gen_random_uuid(), {}, '10:00', '10:30', 'atendida' FROM negocios",
        town::TODAY
    ));
}

/// Clients whose last message is not what the database says.
fn wrong(world: &World, swarm: &Swarm) -> usize {
    let right = world.runtime.block_on(town::figures(&world.database));
    let is_wrong = |(channel, text): &(u32, &[u8])| town::parse(text) != right.get(&town::negocio(*channel)).copied();
    swarm.last_messages().filter(is_wrong).count()
}
