//! The cost of a read against the appointments of its business, by the plain query and by the rollup, in a table of 10
//! million; and what a write pays for the rollup's triggers.

use std::time::{Duration, Instant};

use pulso_harness::{Database, Postgres, Running};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use tokio::task::JoinSet;

use crate::load::Line;
use crate::quantiles::{median, times};
use crate::report::Report;
use crate::swarm::{LIMIT, Swarm};
use crate::town;
use crate::wire::Wire;

const NAME: &str = "curve";
const ROWS: u32 = 10_000_000;
/// Business n has every so many-th row: a million, a hundred thousand, ten thousand, a thousand.
const EVERY: [u32; 4] = [10, 100, 1_000, 10_000];
const OTHERS: u32 = 997;
const ROUNDS: usize = 100;
const WRITES: usize = 400;
const WRITERS: u32 = 8;
const WRITING: Duration = Duration::from_secs(4);

const PLAIN: &str = include_str!("../../sql/stats.sql");
const COUNTED: &str = include_str!("../../sql/stats.rollup.sql");

pub async fn measure(binary: &str, report: &mut Report) {
    println!("-- {NAME}: {ROWS} rows, of one business a million, of others 100,000, 10,000 and 1,000; loading");
    let postgres = Postgres::own();
    let database = postgres.database().await;
    fill(&database).await;
    write(&database, "without triggers", report).await;
    database.execute("VACUUM (ANALYZE) citas").await;
    read(binary, &database, "query", PLAIN, report).await;

    let from = Instant::now();
    let migrated = town::pulso(binary, &database.url()).command(&["migrate", "--rollup"]).status();
    assert!(migrated.is_ok_and(|status| status.success()), "pulso migrate --rollup");
    report.note(
        NAME,
        "counting 10 million rows (pulso migrate --rollup)",
        format!("{:.0} s", from.elapsed().as_secs_f64()),
    );
    write(&database, "with triggers", report).await;
    database.execute("VACUUM (ANALYZE) citas").await;
    read(binary, &database, "rollup", COUNTED, report).await;
    let waiting = database.rows("SELECT count(*) FROM pulso_stats_delta").await[0].get::<i64, _>(0);
    report.note(NAME, "changes not folded at the end", waiting.to_string());
}

/// Days run over three years for every business, and their rows lie far apart.
async fn fill(database: &Database) {
    town::found(database, OTHERS + 4).await;
    database.execute("DROP INDEX citas_estadisticas; ALTER TABLE citas DROP CONSTRAINT citas_pkey").await;
    let [a, b, c, d] = EVERY;
    database
        .execute(&format!(
            "SET session_replication_role = replica;
             INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
             SELECT 'cccccccc-0000-4000-8000-000000000000',
                    (lpad(to_hex(CASE WHEN i % {a} = 0 THEN 0 WHEN i % {b} = 1 THEN 1 WHEN i % {c} = 2 THEN 2
                                      WHEN i % {d} = 3 THEN 3 ELSE 4 + i % {OTHERS} END), 8, '0')
                        || '-0000-4000-8000-00000000aaaa')::uuid,
                    'dddddddd-0000-4000-8000-000000000000', {today} - 999 + (i / {d}) % 1000, '10:00', '10:30',
                    (ARRAY['pendiente', 'atendida', 'atendida', 'atendida', 'cancelada'])[1 + (i / {d}) % 5]::estado_cita
               FROM generate_series(1, {ROWS}) AS i",
            today = town::TODAY
        ))
        .await;
    println!("   indexing");
    database
        .execute(
            "SET maintenance_work_mem = '512MB'; ALTER TABLE citas ADD PRIMARY KEY (id);
             CREATE INDEX citas_estadisticas ON citas (negocio_id, fecha, estado)",
        )
        .await;
}

/// The query by hand and the whole hook call, for each size in turn.
async fn read(binary: &str, database: &Database, source: &str, sql: &str, report: &mut Report) {
    println!("   reading, STATS_SOURCE={source}");
    let pulso = town::pulso(binary, &database.url()).with("STATS_SOURCE", source).ready().await;
    let mut swarm = Swarm::new(pulso.port(), Wire::Figures.seats(0..4, 4));
    swarm.keep();
    swarm.connect(4);
    let mut connection = database.connect().await;
    let mut lines = Vec::new();
    let mut queries = Vec::new();
    for number in 0..4 {
        lines.push(Line::open(pulso.port(), &town::negocio(number)).await);
        queries.push(written_out(&mut connection, sql, number).await);
    }
    let mut last = [0; 4];
    let (mut bare, mut hook) = ([const { Vec::new() }; 4], [const { Vec::new() }; 4]);
    for _ in 0..ROUNDS {
        for size in 0..4 {
            let from = Instant::now();
            connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(queries[size].as_str()))).await.expect("the figures");
            bare[size].push(from.elapsed());
            let notice = lines[size].notify(Instant::now()).await;
            assert_eq!(notice.status, 200);
            hook[size].push(notice.answered - notice.sent);
            last[size] = notice.seq;
        }
    }
    let right = town::figures(database).await;
    swarm.drive(LIMIT, |swarm| swarm.newest().all(|(number, newest)| newest >= last[number as usize]));
    let is_wrong =
        |(number, message): &(u32, &[u8])| town::parse(message).as_ref() != right.get(&town::negocio(*number));
    let wrong = swarm.last_messages().filter(is_wrong).count();
    report.check(NAME, &format!("wrong screens, {source}"), wrong.to_string(), "0", wrong == 0);
    let used = uses_rollup(&pulso).await;
    report.check(
        NAME,
        &format!("reads the rollup, {source}"),
        used.to_string(),
        "as set",
        used == (source == "rollup"),
    );
    let (bare, hook) = (bare.map(|mut times| median(&mut times)), hook.map(|mut times| median(&mut times)));
    for (size, every) in EVERY.iter().enumerate().rev() {
        let what = format!("{source}, business of {}: bare query · hook call", ROWS / every);
        report.note(NAME, &what, format!("{} · {}", micros(bare[size]), micros(hook[size])));
    }
    let growth = times(hook[0], hook[3]);
    let what = format!("{source}: hook call at 1,000,000 ÷ at 1,000");
    if source == "rollup" {
        report.check(NAME, &what, format!("{growth:.2}"), "≤ 1.5", growth <= 1.5);
    } else {
        report.note(NAME, &what, format!("{growth:.0}"));
    }
}

async fn uses_rollup(pulso: &Running) -> bool {
    pulso.metric("pulso_rollup_used").await > 0.5
}

async fn written_out(connection: &mut PgConnection, sql: &str, number: u32) -> String {
    let today = format!("SELECT {}::text", town::TODAY);
    let today = sqlx::raw_sql(AssertSqlSafe(today)).fetch_one(connection).await.expect("a date");
    let today = format!("'{}'::date", today.get::<String, _>(0));
    sql.replace("$1", &format!("'{}'::uuid", town::negocio(number))).replace("$2", &today)
}

/// One writer's statements, each a transaction; then several writers of the one business at once, first as fast as they
/// can, then with 5 ms of other work in each transaction.
async fn write(database: &Database, how: &str, report: &mut Report) {
    println!("   writing, {how}");
    let mut connection = database.connect().await;
    let insert = insert(1);
    let update = |set: &str| {
        format!(
            "UPDATE citas SET {set} WHERE id = (SELECT id FROM citas WHERE negocio_id = '{}' LIMIT 1 OFFSET %AT%)",
            town::negocio(1)
        )
    };
    let kinds = [
        ("insert", insert),
        (
            "update of the state",
            update("estado = CASE estado WHEN 'atendida' THEN 'pendiente' ELSE 'atendida' END::estado_cita"),
        ),
        ("update of nothing counted", update("hora_fin = hora_fin + interval '1 second'")),
    ];
    for (what, sql) in kinds {
        let mut taken = Vec::new();
        for round in 0..WRITES {
            let sql = sql.replace("%AT%", &(round % 50).to_string());
            let from = Instant::now();
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.expect("a write");
            taken.push(from.elapsed());
        }
        report.note(NAME, &format!("{what}, {how}: median"), micros(median(&mut taken)));
    }
    for (what, pause) in
        [("inserts/s of one business, 8 writers", None), ("the same, 5 ms in each transaction", Some(5))]
    {
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let url = database.url();
            writers.spawn(async move { keep_writing(&url, pause).await });
        }
        let count: u32 = writers.join_all().await.iter().sum();
        report.note(NAME, &format!("{what}, {how}"), format!("{:.0}", f64::from(count) / WRITING.as_secs_f64()));
    }
}

async fn keep_writing(url: &str, pause: Option<u64>) -> u32 {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let (sql, until, mut count) = (insert(0), Instant::now() + WRITING, 0);
    while Instant::now() < until {
        if let Some(pause) = pause {
            connection.execute("BEGIN").await.expect("a transaction");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.as_str()))).await.expect("a write");
            tokio::time::sleep(Duration::from_millis(pause)).await;
            connection.execute("COMMIT").await.expect("a commit");
        } else {
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.as_str()))).await.expect("a write");
        }
        count += 1;
    }
    count
}

fn insert(number: u32) -> String {
    format!(
        "INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin)
         VALUES ('cccccccc-0000-4000-8000-000000000000', '{}', 'dddddddd-0000-4000-8000-000000000000', {}, '10:00', '10:30')",
        town::negocio(number),
        town::TODAY
    )
}

fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}
