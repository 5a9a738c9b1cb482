//! A business on a real PostgreSQL with the real server in front: where most promises are tried.

use pulso_harness::{Claims, Database, Postgres, Pulso, Running};

pub const NEGOCIO: &str = "11111111-1111-4111-8111-111111111111";
pub const OTHER_NEGOCIO: &str = "22222222-2222-4222-8222-222222222222";
pub const OWNER: &str = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
pub const OTHER_OWNER: &str = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";

/// The server, not started yet, on `database_url`.
pub fn pulso(database_url: &str) -> Pulso {
    Pulso::new(env!("CARGO_BIN_EXE_pulso"), database_url)
}

/// The token of the business's owner, as real ones are: the user alone.
pub fn owner() -> Claims {
    Claims::user(OWNER)
}

/// A database with two businesses and an owner each.
pub async fn database() -> Database {
    let database = Postgres::shared().database().await;
    furnish(&database).await;
    database
}

/// The two businesses, in a database that has the tables.
pub async fn furnish(database: &Database) {
    database
        .execute(&format!(
            "INSERT INTO negocios (id, admin_negocio_id, nombre) VALUES
             ('{NEGOCIO}', '{OWNER}', 'Barbería'), ('{OTHER_NEGOCIO}', '{OTHER_OWNER}', 'Clínica')"
        ))
        .await;
}

/// Adds `count` appointments of `estado` on `fecha` (an SQL expression, such as `'2026-01-01'`).
pub async fn citas(database: &Database, negocio: &str, count: u32, estado: &str, fecha: &str) {
    database
        .execute(&format!(
            "INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
             SELECT gen_random_uuid(), '{negocio}', gen_random_uuid(), {fecha}, '10:00', '10:30', '{estado}'
             FROM generate_series(1, {count})"
        ))
        .await;
}

/// The server with its defaults on a database of its own, ready.
pub async fn open() -> (Running, Database) {
    let database = database().await;
    (pulso(&database.url()).ready().await, database)
}
