//! The harness does what the other tests rely on.

use pulso_harness::pgbouncer::Options;
use pulso_harness::{ChaosProxy, PgBouncer, Postgres, wait};
use sqlx::{Connection, PgConnection, Row};

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = (Postgres::shared().database().await, Postgres::shared().database().await);
    one.execute("INSERT INTO negocios (id, nombre) VALUES (gen_random_uuid(), 'uno')").await;
    let count = |rows: Vec<sqlx::postgres::PgRow>| rows[0].get::<i64, _>(0);
    assert_eq!(count(one.rows("SELECT count(*) FROM negocios").await), 1);
    assert_eq!(count(other.rows("SELECT count(*) FROM negocios").await), 0);
}

#[tokio::test]
async fn a_killed_server_comes_back_on_its_port_with_its_rows() {
    let server = Postgres::own();
    let database = server.database().await;
    database.execute("INSERT INTO negocios (id, nombre) VALUES (gen_random_uuid(), 'uno')").await;
    server.stop_hard();
    assert!(PgConnection::connect(&database.url()).await.is_err());
    server.start();
    assert_eq!(database.rows("SELECT * FROM negocios").await.len(), 1);
}

#[tokio::test]
async fn the_line_can_be_cut_refused_and_restored() {
    let database = Postgres::shared().database().await;
    let line = ChaosProxy::start(database.port()).await;
    let url = database.url_at(line.port());
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection.ping().await.unwrap();
    line.cut();
    assert!(connection.ping().await.is_err());
    line.refuse().await;
    assert!(PgConnection::connect(&url).await.is_err());
    line.restore().await;
    wait::until(async || PgConnection::connect(&url).await.is_ok(), "the line is open again").await;
}

#[tokio::test]
async fn the_pooler_shares_its_server_connections() {
    let database = Postgres::shared().database().await;
    let pooler = PgBouncer::start(&database, Options { pool_size: 1, ..Options::default() });
    let mut pids = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let options =
            pooler.url(&database).parse::<sqlx::postgres::PgConnectOptions>().unwrap().extra_float_digits(None);
        let mut client = PgConnection::connect_with(&options).await.unwrap();
        let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(&mut client).await.unwrap();
        pids.push(row.get_unchecked::<String, _>(0));
        clients.push(client);
    }
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}
