//! Tables that are not there yet, or are not what the queries need.

use pulso_harness::{Claims, Postgres, Scratch};
use serde_json::json;

use super::until_down;
use crate::business::{database, pulso};

const CITAS_BY_TEXT: &str =
    "CREATE TABLE citas (id serial PRIMARY KEY, negocio_id text NOT NULL, fecha date, estado text)";

#[tokio::test]
async fn tables_that_come_later_are_found_and_their_id_type_is_read() {
    let database = Postgres::shared().empty_database().await;
    let pulso = pulso(&database.url()).start().await;
    assert_eq!(until_down(&pulso).await, "table_missing");
    pulso.until_logged("table citas does not exist yet").await;
    assert_eq!(pulso.get("/health").await.status, 200);
    assert_eq!(pulso.notify("negocio_123").await.status, 500);
    let mut dashboard = pulso.connect(&Claims::naming("ana", &["negocio_123"])).await;
    dashboard.subscribe("negocio_123").await;
    dashboard.error().await;

    database.execute(CITAS_BY_TEXT).await;
    pulso.until_logged("table negocios does not exist yet").await;
    database
        .execute("INSERT INTO citas (negocio_id, fecha, estado) VALUES ('negocio_123', '2020-01-01', 'atendida')")
        .await;
    database.execute("CREATE TABLE negocios (id text PRIMARY KEY, admin_negocio_id text)").await;
    pulso.until_ready().await;
    let stats = dashboard.stats().await;
    assert_eq!((stats.negocio_id.as_str(), stats.total, stats.completadas), ("negocio_123", 1, 1));
    assert_eq!(pulso.notify("negocio_123").await.status, 200);
    dashboard.stats().await;
    let body = json!({ "negocio_id": 123 }).to_string();
    let answer = pulso.exchange("POST /notify/cita HTTP/1.1\ncontent-type: application/json", &body).await;
    assert_eq!(answer.status, 400, "a number where the column is text: {answer:?}");
    let mut owner = pulso.connect(&Claims::user("ana")).await;
    owner.subscribe("negocio_123").await;
    assert_eq!(owner.error().await, "not allowed to subscribe to this channel");
}

#[tokio::test]
async fn a_column_that_is_missing_is_named_and_waited_for() {
    let database = Postgres::shared().empty_database().await;
    database.execute("CREATE TABLE citas (negocio_id integer, fecha date)").await;
    database.execute("CREATE TABLE negocios (id integer, admin_negocio_id integer)").await;
    let pulso = pulso(&database.url()).start().await;
    assert_eq!(until_down(&pulso).await, "table_missing");
    pulso.until_logged("column estado does not exist yet").await;
    database.execute("ALTER TABLE citas ADD estado text").await;
    pulso.until_ready().await;
    let body = json!({ "negocio_id": 123 }).to_string();
    let answer = pulso.exchange("POST /notify/cita HTTP/1.1\ncontent-type: application/json", &body).await;
    assert_eq!(answer.status, 200, "a number where the column is an integer: {answer:?}");
}

#[tokio::test]
async fn a_query_file_with_wrong_columns_is_refused_at_the_start_with_the_reason() {
    let database = database().await;
    let scratch = Scratch::new();
    let file = scratch.write("stats.sql", "SELECT count(*) AS total FROM citas WHERE negocio_id = $1 AND fecha <> $2");
    let server = pulso(&database.url()).with("STATS_SQL", file.to_str().unwrap());
    let (code, _, said) = server.run(&["serve"]).await;
    assert_eq!(code, 64);
    assert!(said.contains("STATS_SQL") && said.contains("citas_hoy"), "{said}");
}

#[tokio::test]
async fn a_wrong_query_file_does_not_end_a_server_whose_database_comes_later() {
    let database = database().await;
    let line = pulso_harness::ChaosProxy::start(database.port()).await;
    line.refuse().await;
    let scratch = Scratch::new();
    let file = scratch.write("stats.sql", "SELECT 1 AS total WHERE $1::uuid IS NULL AND $2::date IS NULL");
    let pulso = pulso(&database.url_at(line.port())).with("STATS_SQL", file.to_str().unwrap()).start().await;
    until_down(&pulso).await;
    line.restore().await;
    pulso.until_logged("STATS_SQL").await;
    assert_eq!(until_down(&pulso).await, "query_file_wrong");
    assert_eq!(pulso.get("/health").await.status, 200);
    assert_eq!(pulso.exit_code(), None);
}
