//! What becomes of the database, or of the clock, while somebody watches.

use std::fs;

use pulso_harness::{Claims, Dashboard, Postgres, Running, Scratch, wait};
use serde_json::{Value, json};

use super::{Folder, KITCHEN, TABLES, result, result_is, subscribe, waiter};
use crate::business::{furnish, pulso};

const CHANNEL: &str = "consulta:cocina:r-1";
/// What has passed by now, and when that changes.
const BY_CLOCK: &str = "-- access: authenticated
SELECT count(*) FILTER (WHERE a <= $3) AS pasadas, min(a) FILTER (WHERE a > $3) AS next_change_at
FROM citas_de WHERE sala = $1
";

async fn watched(pulso: &Running, claims: &Claims, channel: &str) -> (Dashboard, Value) {
    let mut screen = pulso.connect(claims).await;
    subscribe(&mut screen, channel).await;
    let first = result(&mut screen, channel).await;
    (screen, first)
}

fn orders(count: u64) -> Value {
    json!({ "pendientes": count, "todos": count })
}

#[tokio::test]
async fn a_database_that_was_away_or_has_lost_something_is_shown_as_it_is_when_it_is_back() {
    let postgres = Postgres::own();
    let database = postgres.database().await;
    furnish(&database).await;
    database.execute(TABLES).await;
    let order = "INSERT INTO pedidos (restaurante, estado) VALUES ('r-1', 'PENDING')";
    database.execute(order).await;
    postgres.save();
    database.execute(order).await;
    let folder = Folder::new(&[("cocina.sql", KITCHEN)]);
    let server = pulso(&database.url()).with_hook_key().with("QUERIES_DIR", &folder.path());
    let server = server.with("SENTINEL_INTERVAL", "0").ready().await;
    let (mut screen, first) = watched(&server, &waiter("r-1"), CHANNEL).await;
    assert_eq!(first, orders(2));

    postgres.stop_hard();
    let answer = server.post("/notify/consulta", r#"{"name":"cocina","key":"r-1"}"#).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    postgres.start();
    database.execute(order).await;
    // Nobody announces it again.
    result_is(&mut screen, CHANNEL, orders(3)).await;

    postgres.become_what_was_saved();
    let hint = r#"{"name":"cocina","key":"r-1"}"#;
    wait::until(async || server.post("/notify/consulta", hint).await.status == 200, "it is read again").await;
    result_is(&mut screen, CHANNEL, orders(1)).await;
    database.execute(order).await;
    server.post("/notify/consulta", hint).await;
    result_is(&mut screen, CHANNEL, orders(2)).await;
}

/// A server whose clock is set by what stands in a file: so many seconds ahead of the machine's.
struct Clock {
    file: std::path::PathBuf,
    _folder: Scratch,
}

impl Clock {
    fn new() -> Self {
        let folder = Scratch::new();
        Self { file: folder.write("clock", "+0"), _folder: folder }
    }

    fn set(&self, ahead: i64) {
        // In one step: nobody reads half of it.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{ahead:+}")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }
}

#[tokio::test]
async fn a_clock_that_is_set_by_an_hour_is_followed_both_ways() {
    let (server, database) = crate::feeds::configured().await;
    database
        .execute(
            "CREATE TABLE citas_de (sala text, a timestamptz);
             INSERT INTO citas_de VALUES ('1', now() + interval '30 minutes')",
        )
        .await;
    let folder = Folder::new(&[("reloj.sql", BY_CLOCK)]);
    let clock = Clock::new();
    let server = server.with("QUERIES_DIR", &folder.path()).with("SENTINEL_INTERVAL", "0");
    let server = server.by_clock(&clock.file).ready().await;
    let claims = Claims::user("ana").expiring_in(100_000);
    let (mut screen, first) = watched(&server, &claims, "consulta:reloj:1").await;
    assert_eq!(first, json!({ "pasadas": 0 }));
    for (ahead, passed) in [(3_600, 1), (0, 0), (3_600, 1)] {
        clock.set(ahead);
        result_is(&mut screen, "consulta:reloj:1", json!({ "pasadas": passed })).await;
    }
}
