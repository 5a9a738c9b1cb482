//! The businesses, their people and their appointments: what a database is filled with.

use std::collections::HashMap;

use pulso_harness::{Database, Pulso};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, Row};

/// The zone the server is run in; its day is what `citas_hoy` counts.
pub const TODAY: &str = "(now() AT TIME ZONE 'America/Guayaquil')::date";

const STATS: &str = include_str!("../../sql/stats.sql");

/// total, hoy, completadas, canceladas.
pub type Figures = [i64; 4];

/// The server on `database_url`, as it ships but for a quieter log.
pub fn pulso(binary: &str, database_url: &str) -> Pulso {
    Pulso::new(binary, database_url).with("LOG_LEVEL", "info")
}

pub fn negocio(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-00000000aaaa")
}

pub fn user(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-00000000bbbb")
}

/// The businesses 0 to `count`, each owned by the user of its number.
pub async fn found(database: &Database, count: u32) {
    database
        .execute(&format!(
            "INSERT INTO negocios (id, admin_negocio_id, nombre)
             SELECT (lpad(to_hex(i), 8, '0') || '-0000-4000-8000-00000000aaaa')::uuid,
                    (lpad(to_hex(i), 8, '0') || '-0000-4000-8000-00000000bbbb')::uuid, 'Negocio ' || i
               FROM generate_series(0, {count} - 1) AS i"
        ))
        .await;
}

/// Adds `rows` appointments: every `every`th belongs to business 0, the rest to businesses 1 to `others` in turn, so
/// that the rows of one business lie far apart, as they do after years of work.
pub async fn book(database: &Database, rows: u32, every: u32, others: u32) {
    database
        .execute(&format!(
            "SET session_replication_role = replica; SET work_mem = '64MB';
             INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
             SELECT 'cccccccc-0000-4000-8000-000000000000',
                    (lpad(to_hex(CASE WHEN i % {every} = 0 THEN 0 ELSE 1 + i % {others} END), 8, '0')
                        || '-0000-4000-8000-00000000aaaa')::uuid,
                    'dddddddd-0000-4000-8000-000000000000', {TODAY} - 400 + (i / {every}) % 500, '10:00', '10:30',
                    (ARRAY['pendiente', 'atendida', 'atendida', 'atendida', 'cancelada'])[1 + (i / {every}) % 5]
                        ::estado_cita
               FROM generate_series(1, {rows}) AS i"
        ))
        .await;
}

/// The right figures of every business that has appointments.
pub async fn figures(database: &Database) -> HashMap<String, Figures> {
    let sql = format!(
        "SELECT negocio_id::text, count(*), count(*) FILTER (WHERE fecha = {TODAY}),
                count(*) FILTER (WHERE estado = 'atendida'), count(*) FILTER (WHERE estado = 'cancelada')
           FROM citas GROUP BY negocio_id"
    );
    let rows = database.rows(&sql).await;
    rows.iter().map(|row| (row.get(0), std::array::from_fn(|column| row.get(column + 1)))).collect()
}

/// The figures that a `stats` message shows.
pub fn parse(message: &[u8]) -> Option<Figures> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let data = message.get("data")?;
    let figure = |name: &str| data.get(name)?.as_i64();
    Some([figure("total_citas")?, figure("citas_hoy")?, figure("citas_completadas")?, figure("citas_canceladas")?])
}

/// The shipped query for business 0 with its parameters written in, as one would try it by hand.
/// Today is a constant, as it is for Pulso: an expression would be worked out for each row.
pub async fn stats(connection: &mut PgConnection) -> String {
    let sql = format!("SELECT {TODAY}::text");
    let today = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await.expect("a date");
    let today = format!("'{}'::date", today.get::<String, _>(0));
    STATS.replace("$1", &format!("'{}'::uuid", negocio(0))).replace("$2", &today)
}

/// Its plan, run and printed.
pub async fn explain(connection: &mut PgConnection) -> Vec<String> {
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS) {}", stats(connection).await);
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.expect("a plan");
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for line in &plan {
        println!("      {line}");
    }
    plan
}
