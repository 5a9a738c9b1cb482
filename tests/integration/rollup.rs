//! The rollup says what the plain query says, whoever writes and however, and where it does not the plain query is asked.

mod drift;
mod installing;
mod race;
mod restored;
mod rights;

use pulso::config::{DatabaseConfig, StatsSource};
use pulso::model::Figures;
use pulso::store::{RollupChange, Store, open};
use pulso_harness::{Database, Postgres};

use crate::backend::{TODAY, postgres_config};

/// A database with a few businesses, `negocio(1)` to `negocio(9)`.
async fn founded() -> Database {
    let database = Postgres::shared().database().await;
    let values: Vec<String> = (1..=9).map(|number| format!("('{}', 'n{number}')", negocio(number))).collect();
    database.execute(&format!("INSERT INTO negocios (id, nombre) VALUES {}", values.join(", "))).await;
    database
}

/// The same, with the rollup.
async fn counted() -> Database {
    let database = founded().await;
    change(&database, RollupChange::Create).await;
    database
}

async fn change(database: &Database, change: RollupChange) -> bool {
    open(&postgres_config(&database.url())).unwrap().change_rollup(change).await.unwrap()
}

fn negocio(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn rollup_config(url: &str) -> DatabaseConfig {
    DatabaseConfig { stats_source: StatsSource::Rollup, ..postgres_config(url) }
}

async fn figures(store: &dyn Store, number: u32) -> Figures {
    let id = store.contact().await.unwrap().parse(&negocio(number)).unwrap();
    store.figures(&id, TODAY).await.unwrap()
}

/// An appointment's `INSERT`, but for the values of (negocio, fecha, estado).
const INTO: &str = "INSERT INTO citas (cliente_id, servicio_id, hora_inicio, hora_fin, negocio_id, fecha, estado)";

/// A row of [`INTO`].
fn row(number: u32, fecha: &str, estado: &str) -> String {
    format!("(gen_random_uuid(), gen_random_uuid(), '09:00', '09:30', '{}', '{fecha}', '{estado}')", negocio(number))
}

/// Rows, all at once.
async fn book(database: &Database, rows: &[(u32, &str, &str)]) {
    let rows: Vec<String> = rows.iter().map(|(number, fecha, estado)| row(*number, fecha, estado)).collect();
    database.execute(&format!("{INTO} VALUES {}", rows.join(", "))).await;
}

/// The businesses, days and states whose counters are not what the appointments are, in one snapshot.
const DIFFERENCES: &str = "
    WITH truth AS (SELECT negocio_id, fecha, coalesce(estado::text, '') AS estado, count(*) AS citas FROM citas
                    WHERE negocio_id IS NOT NULL GROUP BY 1, 2, 3),
         days AS (SELECT negocio_id, fecha, estado, citas FROM pulso_stats_day
                  UNION ALL SELECT negocio_id, fecha, estado, citas FROM pulso_stats_delta),
         totals AS (SELECT negocio_id, estado, citas FROM pulso_stats_total
                    UNION ALL SELECT negocio_id, estado, citas FROM pulso_stats_delta)
    SELECT concat_ws(' ', negocio_id, fecha, estado, sum(citas)) FROM (
        SELECT * FROM truth UNION ALL SELECT negocio_id, fecha, estado, -citas FROM days) AS a
     WHERE fecha IS NOT NULL GROUP BY negocio_id, fecha, estado HAVING sum(citas) <> 0
    UNION ALL
    SELECT concat_ws(' ', negocio_id, estado, sum(citas)) FROM (
        SELECT negocio_id, estado, citas FROM truth UNION ALL SELECT negocio_id, estado, -citas FROM totals) AS b
     GROUP BY negocio_id, estado HAVING sum(citas) <> 0";

async fn differences(database: &Database) -> Vec<String> {
    use sqlx::Row as _;
    database.rows(DIFFERENCES).await.iter().map(|row| row.get(0)).collect()
}
