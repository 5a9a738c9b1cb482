//! What a dashboard costs: memory while nothing happens, processor time for each message delivered.

use std::time::{Duration, Instant};

use pulso_harness::{Claims, Database, Postgres, Running, SECRET, Scratch};
use tokio::time::sleep;

use crate::crowd::{Crowd, Seat};
use crate::floor;
use crate::load::Line;
use crate::meter::{Cpu, resident_bytes};
use crate::report::Report;
use crate::storm::{DASHBOARDS, furnish, seats};
use crate::town;

const NAME: &str = "idle";
/// Subscribers of one business, and how many messages each is sent.
const FAN_OUTS: [(u32, u32); 2] = [(1_000, 300), (5_000, 60)];

pub async fn measure(binary: &str, report: &mut Report) {
    println!("-- {NAME}: {DASHBOARDS} idle dashboards, then fan-outs");
    let postgres = Postgres::own();
    let database = postgres.database().await;
    let scratch = Scratch::new();
    let members = furnish(&database, &scratch).await;
    memory(binary, &database, &members, report).await;
    for (subscribers, messages) in FAN_OUTS {
        let pulso = town::pulso(binary, &database.url()).ready().await;
        fan_out(&pulso, subscribers, messages, report).await;
    }
}

async fn memory(binary: &str, database: &Database, members: &str, report: &mut Report) {
    let pulso = town::pulso(binary, &database.url()).with("OWNER_SQL", members).ready().await;
    let empty = resident_bytes(pulso.pid());
    let crowd = Crowd::connect(pulso.port(), seats(DASHBOARDS), false).await;
    // A round of ownership checks, so that what it needs is counted.
    sleep(Duration::from_secs(12)).await;
    let before = Cpu::of(pulso.pid());
    let full = resident_bytes(pulso.pid());
    sleep(Duration::from_secs(10)).await;
    let idle = Cpu::of(pulso.pid()).since(before);
    let each = (full.saturating_sub(empty)) as f64 / f64::from(DASHBOARDS);
    report.note(NAME, "resident bytes an idle dashboard", format!("{each:.0}"));
    report.note(NAME, "resident MB of the server, empty", format!("{:.1}", empty as f64 / 1e6));
    let load = idle.total().as_secs_f64() / 10.0 * 100.0;
    report.note(NAME, "one processor's load with all of them idle", format!("{load:.1} %"));
    drop(crowd);
}

async fn fan_out(pulso: &Running, subscribers: u32, messages: u32, report: &mut Report) {
    let negocio = town::negocio(0);
    let token = Claims::naming(&town::user(0), &[&negocio]).sign(SECRET);
    let seats = (0..subscribers).map(|_| Seat { negocio: negocio.clone(), token: token.clone() });
    let crowd = Crowd::connect(pulso.port(), seats, false).await;
    let mut line = Line::open(pulso.port(), &negocio).await;
    let before = Cpu::of(pulso.pid());
    let (frames, from) = (crowd.frames(), Instant::now());
    for message in 1..=u64::from(messages) {
        assert_eq!(line.notify(Instant::now()).await.status, 200);
        crowd.until_frames(frames + message * u64::from(subscribers)).await;
    }
    let took = from.elapsed() / messages;
    let cpu = Cpu::of(pulso.pid()).since(before);
    let delivered = u64::from(messages) * u64::from(subscribers);
    drop(crowd);
    let floor = floor::measure(subscribers as usize, messages).await;
    let ratio = cpu.total().as_secs_f64() / delivered as f64 / floor.as_secs_f64();
    report.note(NAME, &format!("CPU a delivered message, {subscribers} subscribers"), cpu.each(delivered));
    report.note(NAME, &format!("… ÷ a bare loop of write() ({subscribers})"), format!("{ratio:.2}"));
    report.note(NAME, &format!("one notice until all {subscribers} have it"), crate::quantiles::ms(took));
}
