//! The statistics query on a table of 5 million rows, 50,000 of them the business's: its plan, and what Pulso adds.

use std::time::{Duration, Instant};

use pulso_harness::{Database, Postgres};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::load::Line;
use crate::quantiles::{median, ms, times};
use crate::report::Report;
use crate::swarm::{LIMIT, Swarm};
use crate::town;
use crate::wire::Wire;

const NAME: &str = "big";
const INDEX: &str = include_str!("../../sql/index.postgres.sql");
const SHARE: u32 = 100;
const OTHERS: u32 = 997;
const ROUNDS: usize = 60;

pub async fn measure(binary: &str, rows: u32, report: &mut Report) {
    println!("-- {NAME}: {rows} rows, {} of them the business's; loading", rows / SHARE);
    let postgres = Postgres::own();
    let database = postgres.database().await;
    town::found(&database, OTHERS + 1).await;
    database.execute("DROP INDEX citas_estadisticas; ALTER TABLE citas DROP CONSTRAINT citas_pkey").await;
    town::book(&database, rows, SHARE, OTHERS).await;
    database.execute("SET maintenance_work_mem = '512MB'; ALTER TABLE citas ADD PRIMARY KEY (id)").await;
    database.execute("VACUUM (ANALYZE) citas").await;
    println!("   without the index");
    let mut connection = database.connect().await;
    let sql = town::stats(&mut connection).await;
    let bare_without = bare(&mut connection, &sql, 5).await;

    println!("   creating the index as sql/index.postgres.sql does");
    create_index(&database).await;
    let plan = town::explain(&mut connection).await;
    let is_index_only = plan.iter().any(|line| line.contains("Index Only Scan using citas_estadisticas"));
    let fetches = plan.iter().find_map(|line| line.trim().strip_prefix("Heap Fetches: ")).unwrap_or("?").to_owned();
    report.check(NAME, "index-only scan on citas_estadisticas", yes(is_index_only), "yes", is_index_only);
    report.check(NAME, "heap fetches after VACUUM", &fetches, "0", fetches == "0");

    let negocio = town::negocio(0);
    let pulso = town::pulso(binary, &database.url()).ready().await;
    let mut swarm = Swarm::new(pulso.port(), Wire::Figures.seats(0..1, 1));
    swarm.keep();
    swarm.connect(1);
    let mut line = Line::open(pulso.port(), &negocio).await;
    // In turn, so that whatever else the machine does falls on all alike.
    let (mut bare_times, mut hook_times, mut pulso_times) = (Vec::new(), Vec::new(), Vec::new());
    let mut seq = 0;
    for _ in 0..ROUNDS {
        bare_times.push(ask(&mut connection, &sql).await);
        let before = pulso.metric("pulso_query_seconds_sum").await;
        let notice = line.notify(Instant::now()).await;
        hook_times.push(notice.answered - notice.sent);
        seq = notice.seq;
        pulso_times.push(Duration::from_secs_f64(pulso.metric("pulso_query_seconds_sum").await - before));
    }
    let bare = median(&mut bare_times);
    let right = town::figures(&database).await.remove(&negocio);
    swarm.drive(LIMIT, |swarm| swarm.newest().all(|(_, newest)| newest >= seq));
    let shown = swarm.last_messages().next().and_then(|(_, message)| town::parse(message));
    report.check(NAME, "the dashboard's figures are right", yes(shown == right), "yes", shown == right);
    report.note(NAME, "bare query", ms(bare));
    report.note(NAME, "query as Pulso makes it ÷ bare", format!("{:.2}", times(median(&mut pulso_times), bare)));
    report.note(NAME, "whole hook call ÷ bare", format!("{:.2}", times(median(&mut hook_times), bare)));
    report.note(NAME, "bare query without the index ÷ with it", format!("{:.0}", times(bare_without, bare)));
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// Statement by statement: neither may run in a transaction.
async fn create_index(database: &Database) {
    let mut connection = database.connect().await;
    connection.execute("SET maintenance_work_mem = '512MB'").await.expect("a setting");
    let statements: Vec<&str> = INDEX.lines().filter(|line| !line.starts_with("--")).collect();
    for statement in statements.join("\n").split(';').filter(|statement| !statement.trim().is_empty()) {
        connection.execute(AssertSqlSafe(statement.to_owned())).await.expect("the shipped statement");
    }
}

async fn bare(connection: &mut PgConnection, sql: &str, rounds: usize) -> Duration {
    let mut taken = Vec::new();
    for _ in 0..rounds {
        taken.push(ask(connection, sql).await);
    }
    median(&mut taken)
}

async fn ask(connection: &mut PgConnection, sql: &str) -> Duration {
    let from = Instant::now();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await.expect("the figures");
    from.elapsed()
}
