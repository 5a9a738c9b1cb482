//! Other databases than the shipped PostgreSQL schema: query files, and SQLite.

use pulso_harness::{Claims, Database, Postgres, Pulso, Scratch};
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};

use super::{LONG_AGO, four};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, owner, pulso};

/// An integrator's own tables, in other words.
async fn foreign_schema() -> Database {
    let database = Postgres::shared().empty_database().await;
    database
        .execute(
            "CREATE TABLE locales (codigo text PRIMARY KEY, duenio text);
             CREATE TABLE turnos (local text NOT NULL, dia date NOT NULL, fase text NOT NULL);
             INSERT INTO locales VALUES ('centro', 'ana'), ('norte', 'luis');
             INSERT INTO turnos VALUES ('centro', '2020-01-01', 'hecho'), ('centro', '2020-01-02', 'anulado')",
        )
        .await;
    database
}

const FOREIGN_STATS: &str = "SELECT COUNT(*) AS total_citas, COUNT(*) FILTER (WHERE dia = $2) AS citas_hoy,
    COUNT(*) FILTER (WHERE fase = 'hecho') AS citas_completadas,
    COUNT(*) FILTER (WHERE fase = 'anulado') AS citas_canceladas FROM turnos WHERE local = $1";
const FOREIGN_OWNER: &str = "SELECT codigo AS negocio_id, duenio AS user_id FROM locales
    WHERE codigo = ANY ($1) AND duenio = ANY ($2)";

fn with_queries(database: &Database, scratch: &Scratch, stats: &str, owner: &str) -> Pulso {
    let file = |name, text| scratch.write(name, text).to_string_lossy().into_owned();
    let (stats, owner) = (file("stats.sql", stats), file("owner.sql", owner));
    pulso(&database.url()).with("STATS_SQL", &stats).with("OWNER_SQL", &owner)
}

#[tokio::test]
async fn other_schemas_are_served_by_query_files() {
    let (database, scratch) = (foreign_schema().await, Scratch::new());
    let pulso = with_queries(&database, &scratch, FOREIGN_STATS, FOREIGN_OWNER).ready().await;
    let mut dashboard = pulso.connect(&Claims::user("ana")).await;
    assert_eq!(four(&dashboard.watch("centro").await), (2, 0, 1, 1));
    dashboard.subscribe("norte").await;
    dashboard.error().await;
    database.execute("INSERT INTO turnos VALUES ('centro', '2020-01-03', 'hecho')").await;
    assert_eq!(pulso.notify("centro").await.status, 200);
    assert_eq!(four(&dashboard.stats().await), (3, 0, 2, 1));
}

#[tokio::test]
async fn query_files_with_wrong_columns_are_refused_at_start_with_the_reason() {
    let (database, scratch) = (foreign_schema().await, Scratch::new());
    let stats = |from: &str, to: &str| FOREIGN_STATS.replace(from, to);
    let owner = |from: &str, to: &str| FOREIGN_OWNER.replace(from, to);
    let good = (FOREIGN_STATS.to_owned(), FOREIGN_OWNER.to_owned());
    for (stats, owner, variable, reason) in [
        (stats("AS citas_hoy", "AS hoy"), good.1.clone(), "STATS_SQL", "citas_hoy"),
        (stats("COUNT(*) AS total_citas", "COUNT(*) AS total_citas, 1 AS otra"), good.1.clone(), "STATS_SQL", "otra"),
        (stats("COUNT(*) AS total_citas", "'x' AS total_citas"), good.1.clone(), "STATS_SQL", "total_citas"),
        (stats("dia = $2", "true"), good.1.clone(), "STATS_SQL", "$2"),
        (stats("SELECT", "SELEC"), good.1.clone(), "STATS_SQL", "SELEC"),
        (String::new(), good.1.clone(), "STATS_SQL", "empty"),
        (stats("SELECT", "\0SELECT"), good.1.clone(), "STATS_SQL", "NUL"),
        (good.0.clone(), owner("AS negocio_id", "AS negocio"), "OWNER_SQL", "negocio_id"),
        (good.0.clone(), owner("AND duenio = ANY ($2)", ""), "OWNER_SQL", "$2"),
        (good.0.clone(), owner("= ANY ($1)", "= $1"), "OWNER_SQL", "array"),
    ] {
        let mut command = with_queries(&database, &scratch, &stats, &owner).command(&["serve"]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{reason}: {said}");
        assert!(said.contains(variable) && said.contains(reason), "{variable} and {reason} in {said}");
    }
    let missing = pulso(&database.url()).with("STATS_SQL", "/no/such/file.sql").command(&["serve"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("STATS_SQL"));
}

async fn sqlite(options: &SqliteConnectOptions, sql: &str) -> SqliteConnection {
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection
}

fn sqlite_cita(estado: &str, fecha: &str) -> String {
    format!(
        "INSERT INTO citas (id, cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
         VALUES (lower(hex(randomblob(16))), 'c', '{NEGOCIO}', 's', {fecha}, '10:00', '10:30', '{estado}');"
    )
}

#[tokio::test]
async fn a_sqlite_file_that_another_program_writes_is_served_as_well() {
    let scratch = Scratch::new();
    let file = scratch.path().join("negocio.db");
    let options =
        SqliteConnectOptions::new().filename(&file).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let schema = include_str!("../../../sql/schema.sqlite.sql");
    let rows = format!(
        "INSERT INTO negocios (id, admin_negocio_id, nombre) VALUES ('{NEGOCIO}', '{OWNER}', 'Barbería'),
         ('{OTHER_NEGOCIO}', '{OTHER_OWNER}', 'Clínica');"
    );
    let mut writer = sqlite(&options, &format!("{schema}{rows}{}", sqlite_cita("atendida", LONG_AGO))).await;
    let pulso = pulso(&format!("sqlite://{}", file.display()))
        .with("ACCESS_CACHE", "0")
        .with("ACCESS_RECHECK", "100ms")
        .ready()
        .await;
    let mut dashboard = pulso.connect(&owner()).await;
    assert_eq!(four(&dashboard.watch(NEGOCIO).await), (1, 0, 1, 0));
    dashboard.subscribe(OTHER_NEGOCIO).await;
    dashboard.error().await;

    let more = [sqlite_cita("cancelada", LONG_AGO), sqlite_cita("pendiente", "date('now', '-5 hours')")].concat();
    sqlx::raw_sql(AssertSqlSafe(more)).execute(&mut writer).await.unwrap();
    let answer = pulso.notify(NEGOCIO).await;
    assert_eq!((answer.status, &answer.json()["subscribers"]), (200, &json!(1)), "{answer:?}");
    assert_eq!(four(&dashboard.stats().await), (3, 1, 1, 1));

    // Sent before its commit.
    sqlx::raw_sql(AssertSqlSafe(format!("BEGIN IMMEDIATE; {}", sqlite_cita("atendida", LONG_AGO))))
        .execute(&mut writer)
        .await
        .unwrap();
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200, "a writer does not keep readers out");
    dashboard.stats().await;
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    dashboard.stats_until(|stats| stats.total == 4).await;

    sqlx::raw_sql("UPDATE negocios SET admin_negocio_id = NULL").execute(&mut writer).await.unwrap();
    assert_eq!(dashboard.error().await, "access to this channel was withdrawn");
}
