//! 10,000 dashboards of 10,000 users on 100 businesses: the server is killed, and all come back at the same moment.

use std::time::{Duration, Instant};

use pulso_harness::{Claims, Database, Postgres, Running, SECRET, Scratch};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::crowd::{Crowd, Seat};
use crate::meter::Cpu;
use crate::quantiles::ms;
use crate::report::Report;
use crate::town;

const NAME: &str = "storm";
pub const DASHBOARDS: u32 = 10_000;
pub const NEGOCIOS: u32 = 100;

/// The shipped table gives a business one owner; here each has a hundred people, the hardest case for ownership.
const MEMBERS: &str = "SELECT negocio_id::text AS negocio_id, user_id::text AS user_id FROM miembros
    WHERE negocio_id = ANY ($1) AND user_id = ANY ($2)";

pub async fn measure(binary: &str, report: &mut Report) {
    println!("-- {NAME}: {DASHBOARDS} dashboards on {NEGOCIOS} businesses reconnect at once");
    let postgres = Postgres::own();
    let database = postgres.database().await;
    let scratch = Scratch::new();
    let members = furnish(&database, &scratch).await;
    let server = town::pulso(binary, &database.url()).with("OWNER_SQL", &members);
    let pulso = server.ready().await;
    let port = pulso.port();
    let crowd = Crowd::connect(port, seats(DASHBOARDS), false).await;
    println!("   connected; killing the server");

    pulso.signal(Signal::KILL);
    pulso.ended().await;
    crowd.forget();
    // What changed while nobody listened.
    database
        .execute(&format!(
            "INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
             SELECT gen_random_uuid(), id, gen_random_uuid(), {}, '10:00', '10:30', 'atendida' FROM negocios",
            town::TODAY
        ))
        .await;
    let (refused, errors) = crowd.setbacks();
    let pulso = server.with("PORT", &port.to_string()).start().await;
    println!("   the server listens again; all reconnect");
    let from = Instant::now();
    crowd.reconnect().await;
    let took = from.elapsed();
    let cpu = Cpu::of(pulso.pid());
    // Trailing re-reads and corrections would come within this time.
    sleep(Duration::from_secs(2)).await;

    let right = town::figures(&database).await;
    let wrong = crowd.screens.iter().filter(|screen| screen.figures() != right.get(&screen.seat.negocio).copied());
    let wrong = wrong.count();
    let queries = count(&pulso, "pulso_queries_total").await;
    report.check(NAME, "statistics queries", queries.to_string(), "≤ 200", queries <= 200);
    report.check(NAME, "dashboards not current", wrong.to_string(), "0", wrong == 0);
    report.note(NAME, "ownership queries", count(&pulso, "pulso_ownership_queries_total").await.to_string());
    report.note(NAME, "ownership pairs asked", count(&pulso, "pulso_ownership_pairs_total").await.to_string());
    report.note(NAME, "all have figures after", ms(took));
    report.note(NAME, "server CPU a reconnect", cpu.each(u64::from(DASHBOARDS)));
    let setbacks = crowd.setbacks();
    report.note(NAME, "handshakes tried again", (setbacks.0 - refused).to_string());
    report.note(NAME, "error messages on the way", (setbacks.1 - errors).to_string());
}

/// Businesses, their people, some appointments; returns the path of the ownership query.
pub async fn furnish(database: &Database, scratch: &Scratch) -> String {
    town::found(database, NEGOCIOS).await;
    town::book(database, 20_000, NEGOCIOS, NEGOCIOS - 1).await;
    database
        .execute(&format!(
            "CREATE TABLE miembros (user_id uuid, negocio_id uuid, PRIMARY KEY (user_id, negocio_id));
             INSERT INTO miembros
             SELECT (lpad(to_hex(i), 8, '0') || '-0000-4000-8000-00000000bbbb')::uuid,
                    (lpad(to_hex(i % {NEGOCIOS}), 8, '0') || '-0000-4000-8000-00000000aaaa')::uuid
               FROM generate_series(0, {DASHBOARDS} - 1) AS i"
        ))
        .await;
    database.execute("VACUUM (ANALYZE)").await;
    scratch.write("members.sql", MEMBERS).to_string_lossy().into_owned()
}

/// A user each, spread over the businesses; the tokens name the user alone.
pub fn seats(count: u32) -> impl Iterator<Item = Seat> {
    (0..count).map(|number| Seat {
        negocio: town::negocio(number % NEGOCIOS),
        token: Claims::user(&town::user(number)).sign(SECRET),
    })
}

async fn count(pulso: &Running, metric: &str) -> u64 {
    pulso.metric(metric).await as u64
}
