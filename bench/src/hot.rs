//! One business with 50,000 appointments and 100 dashboards under 5,000 notices a second, while its rows change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pulso_harness::{Database, Postgres, Running};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::load::{self, Notice};
use crate::meter::Cpu;
use crate::quantiles::{median, ms, quantile, times};
use crate::report::Report;
use crate::swarm::Swarm;
use crate::town;
use crate::wire::Wire;

const NAME: &str = "hot";
const ROWS: u32 = 1_000_000;
const SHARE: u32 = 20;
const DASHBOARDS: u32 = 100;
const RATE: u32 = 5_000;
const CONNECTIONS: usize = 800;
const CHANGE_EVERY: Duration = Duration::from_millis(20);
const SAMPLE_EVERY: Duration = Duration::from_millis(10);

pub async fn measure(binary: &str, seconds: u32, report: &mut Report) {
    println!("-- {NAME}: {RATE} notices/s for {seconds} s on one business, {DASHBOARDS} dashboards");
    let postgres = Postgres::own();
    let database = postgres.database().await;
    town::found(&database, 20).await;
    town::book(&database, ROWS, SHARE, 19).await;
    database.execute("VACUUM (ANALYZE) citas").await;
    town::explain(&mut database.connect().await).await;
    let negocio = town::negocio(0);
    let pulso = town::pulso(binary, &database.url()).ready().await;
    let mut swarm = Swarm::new(pulso.port(), Wire::Figures.seats(0..DASHBOARDS, 1));
    swarm.keep();
    swarm.connect(DASHBOARDS as usize);

    let quiet = alone(&pulso, &negocio).await;
    let stop = Arc::new(AtomicBool::new(false));
    let busiest = Arc::new(AtomicUsize::new(0));
    let helpers = [sample(&database, &busiest, &stop), change(&database, &stop)];
    // The dashboards read in a thread of their own until all have the frame that is the last one.
    let last = Arc::new(AtomicU64::new(u64::MAX));
    let goal = Arc::clone(&last);
    let patience = Duration::from_secs(u64::from(seconds) + 30);
    let reading_all = thread::spawn(move || {
        swarm.drive(patience, |swarm| swarm.newest().all(|(_, newest)| newest >= goal.load(Ordering::Relaxed)));
        swarm
    });
    println!("   load begins");
    let (queries, reading, cpu) = (queries(&pulso).await, read_seconds(&pulso).await, Cpu::of(pulso.pid()));
    let from = Instant::now();
    let mut notices = load::fire(pulso.port(), &negocio, RATE, seconds, CONNECTIONS).await;
    let took = from.elapsed();
    let cpu = Cpu::of(pulso.pid()).since(&cpu);
    let reads = self::queries(&pulso).await - queries;
    let query = Duration::from_secs_f64((read_seconds(&pulso).await - reading) / reads);
    stop.store(true, Ordering::Relaxed);
    for helper in helpers {
        helper.await.expect("a helper ends well");
    }
    // The last change comes after the last notice of the load: one more, as an API would send.
    let answer = load::Line::open(pulso.port(), &negocio).await.notify(Instant::now()).await;
    last.store(answer.seq, Ordering::Relaxed);
    let swarm = reading_all.join().expect("the dashboards read to the end");
    let until = from + took;
    let during = |arrivals: &[(u64, Instant)]| arrivals.iter().filter(|(_, at)| (from..until).contains(at)).count();
    let delivered: usize = swarm.arrivals().map(during).sum();
    let right = town::figures(&database).await.remove(&negocio);
    let wrong = swarm.last_messages().filter(|(_, message)| town::parse(message) != right).count();

    notices.sort_unstable_by_key(|notice| notice.sent);
    let refused = notices.iter().filter(|notice| notice.status != 200).count();
    let span = notices.last().map_or(took, |last| last.sent - notices[0].sent);
    let rate = notices.len() as f64 / span.as_secs_f64();
    let mut late: Vec<Duration> = notices.iter().map(|notice| notice.sent - notice.due).collect();
    let mut waits = notice_to_socket(&notices, &swarm);
    let answered = median(&mut notices.iter().map(|notice| notice.answered - notice.sent).collect::<Vec<_>>());
    let p99 = quantile(&mut waits, 0.99).unwrap_or_default();
    let p50 = median(&mut waits);
    let busiest = busiest.load(Ordering::Relaxed);

    report.check(NAME, "notices/s reached", format!("{rate:.0}"), "≥ 4950", rate >= 0.99 * f64::from(RATE));
    report.check(NAME, "notices not answered 200", refused.to_string(), "0", refused == 0);
    report.check(NAME, "queries at once, seen by PostgreSQL", busiest.to_string(), "≤ 1", busiest <= 1);
    report.check(NAME, "dashboards with wrong last figures", wrong.to_string(), "0", wrong == 0);
    let ratio = times(p99, query);
    report.check(NAME, "p99 notice-to-socket ÷ query", format!("{ratio:.2}"), "≤ 3", ratio <= 3.0);
    report.note(NAME, "p50 notice-to-socket ÷ query", format!("{:.2}", times(p50, query)));
    report.note(NAME, "query under load", ms(query));
    report.note(NAME, "query under load ÷ alone", format!("{:.2}", times(query, quiet)));
    report.note(NAME, "notices a query", format!("{:.0}", notices.len() as f64 / reads));
    report.note(NAME, "POST answered, median ÷ query", format!("{:.2}", times(answered, query)));
    report.note(
        NAME,
        "share of the time a query runs",
        format!("{:.2}", reads * query.as_secs_f64() / took.as_secs_f64()),
    );
    report.note(NAME, "server CPU a notice, deliveries included", format!("{:.1} µs", cpu.each(notices.len() as u64)));
    report.note(NAME, "messages delivered a notice", format!("{:.2}", delivered as f64 / notices.len() as f64));
    report.note(NAME, "notices sent late, p99", ms(quantile(&mut late, 0.99).unwrap_or_default()));
}

async fn queries(pulso: &Running) -> f64 {
    pulso.metric("pulso_queries_total").await
}

async fn read_seconds(pulso: &Running) -> f64 {
    pulso.metric("pulso_query_seconds_sum").await
}

/// The mean of a query while nothing else happens.
async fn alone(pulso: &Running, negocio: &str) -> Duration {
    let mut line = load::Line::open(pulso.port(), negocio).await;
    let (count, time) = (queries(pulso).await, read_seconds(pulso).await);
    for _ in 0..50 {
        line.notify(Instant::now()).await;
    }
    Duration::from_secs_f64((read_seconds(pulso).await - time) / (queries(pulso).await - count))
}

/// Keeps the most connections of the server that PostgreSQL has seen at work at the same moment.
fn sample(database: &Database, busiest: &Arc<AtomicUsize>, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (database, busiest, stop) = (database.clone(), Arc::clone(busiest), Arc::clone(stop));
    tokio::spawn(async move {
        let mut connection = database.connect().await;
        while !stop.load(Ordering::Relaxed) {
            let row = sqlx::query(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
                 AND backend_type = 'client backend' AND query LIKE '%AS citas_hoy%' AND pid <> pg_backend_pid()",
            );
            let row = row.fetch_one(&mut connection).await.expect("pg_stat_activity");
            busiest.fetch_max(usize::try_from(row.get::<i64, _>(0)).unwrap_or(0), Ordering::Relaxed);
            sleep(SAMPLE_EVERY).await;
        }
        connection.close().await.expect("a clean end");
    })
}

/// Books one appointment and ends another, over and over.
fn change(database: &Database, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (database, stop) = (database.clone(), Arc::clone(stop));
    tokio::spawn(async move {
        let mut connection = database.connect().await;
        let negocio = town::negocio(0);
        let sql = format!(
            "WITH old AS (SELECT ctid FROM citas WHERE negocio_id = '{negocio}' AND estado = 'pendiente' LIMIT 1)
             UPDATE citas SET estado = 'atendida' WHERE ctid = (SELECT ctid FROM old);
             INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin)
             VALUES (gen_random_uuid(), '{negocio}', gen_random_uuid(), {}, '10:00', '10:30')",
            town::TODAY
        );
        while !stop.load(Ordering::Relaxed) {
            sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut connection).await.expect("a change");
            sleep(CHANGE_EVERY).await;
        }
        connection.close().await.expect("a clean end");
    })
}

/// For every notice and every dashboard: from the call to the first frame read after it.
fn notice_to_socket(notices: &[Notice], swarm: &Swarm) -> Vec<Duration> {
    let mut waits = Vec::with_capacity(notices.len() * swarm.len());
    for arrivals in swarm.arrivals() {
        for notice in notices.iter().filter(|notice| notice.seq > 0) {
            let place = arrivals.partition_point(|(seq, _)| *seq < notice.seq);
            if let Some((_, at)) = arrivals.get(place) {
                waits.push(at.saturating_duration_since(notice.sent));
            }
        }
    }
    waits
}
