//! Screens that move though nobody calls the hook: the database's own trigger, heard through every outage.

use pulso_harness::pgbouncer::Options;
use pulso_harness::{ChaosProxy, Claims, Database, PgBouncer, wait};

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER, citas, database, owner, pulso};

async fn with_trigger() -> Database {
    let database = database().await;
    database.execute(include_str!("../../../sql/listen.postgres.sql")).await;
    database
}

#[tokio::test]
async fn rows_that_change_without_a_hook_move_the_screens() {
    let database = with_trigger().await;
    let pulso =
        pulso(&database.url()).with("LISTEN_CHANNEL", "pulso_citas").with("SENTINEL_INTERVAL", "0").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    wait::until(async || pulso.has_logged("listening for changes"), "the listener is there").await;
    citas(&database, NEGOCIO, 3, "pendiente", "'2020-01-01'").await;
    dashboard.stats_until(|stats| stats.total == 3).await;
    citas(&database, OTHER_NEGOCIO, 3, "pendiente", "'2020-01-01'").await;
    database.execute(&format!("UPDATE citas SET estado = 'atendida' WHERE negocio_id = '{NEGOCIO}'")).await;
    dashboard.stats_until(|stats| stats.completadas == 3).await;
    database.execute("NOTIFY pulso_citas, 'no id at all'").await;
    database.execute("DELETE FROM citas").await;
    dashboard.stats_until(|stats| stats.total == 0).await;
    assert!(pulso.count("pulso_listen_notices_total").await >= 4);
    assert_eq!(pulso.count("pulso_notices_total").await, 0);
    assert_eq!(pulso.count("pulso_drift_total").await, 0);
}

#[tokio::test]
async fn what_changed_while_the_listener_was_away_is_read_when_it_is_back() {
    let database = with_trigger().await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso = pulso(&database.url())
        .with("LISTEN_CHANNEL", "pulso_citas")
        .with("LISTEN_DATABASE_URL", &database.url_at(line.port()))
        .with("SENTINEL_INTERVAL", "0")
        .ready()
        .await;
    let mut dashboard = pulso.connect(&Claims::naming(OWNER, &[NEGOCIO, OTHER_NEGOCIO])).await;
    dashboard.watch(NEGOCIO).await;
    dashboard.watch(OTHER_NEGOCIO).await;
    wait::until(async || pulso.has_logged("listening for changes"), "the listener is there").await;
    line.refuse().await;
    wait::until(async || pulso.has_logged("not listening for changes"), "the listener is away").await;
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    citas(&database, OTHER_NEGOCIO, 2, "pendiente", "'2020-01-01'").await;
    dashboard.expect_silence().await;
    assert_eq!(pulso.get("/ready").await.status, 200);

    line.restore().await;
    let mut totals = [0, 0];
    while totals != [1, 2] {
        let stats = dashboard.stats().await;
        totals[usize::from(stats.negocio_id == OTHER_NEGOCIO)] = stats.total;
    }
    assert!(pulso.count("pulso_listen_gaps_total").await >= 2);
    // Killed from the other side, it is back by itself as well.
    for total in 2..4 {
        assert!(database.terminate_connections().await > 0);
        citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
        dashboard.stats_until(|stats| stats.total == total).await;
    }
}

#[tokio::test]
async fn a_listener_made_deaf_by_a_pooler_says_what_to_set() {
    let database = with_trigger().await;
    let pooler = PgBouncer::start(&database, Options::default());
    let server = pulso(&pooler.url(&database)).with("LISTEN_CHANNEL", "pulso_citas");
    let deaf = server.ready().await;
    wait::until(async || deaf.has_logged("set LISTEN_DATABASE_URL"), "the operator is told").await;
    assert_eq!(deaf.get("/ready").await.status, 200);
    let pulso = server.with("LISTEN_DATABASE_URL", &database.url()).ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    wait::until(async || pulso.has_logged("listening for changes"), "the listener is there").await;
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    dashboard.stats_until(|stats| stats.total == 1).await;
}
