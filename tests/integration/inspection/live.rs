//! What `pulso check` says about live queries.

use std::sync::Arc;

use jiff::tz::TimeZone;
use pulso::clock::Clock;
use pulso::config::{DatabaseConfig, DatabaseUrl, ListenSource, Secret};
use pulso::queries::LiveQuery;
use pulso::queries::folder::Folder;
use pulso::queries::scan::Dialect;
use pulso::store::inspect::{Level, inspect_queries};
use pulso::store::{HintChange, HintTrigger};
use pulso_harness::scratch::Scratch;
use pulso_harness::{Database, Postgres};

use super::{Report, as_reader};
use crate::backend::postgres_config;

/// Live queries, by name and text behind a rule that lets everybody in.
fn defined(queries: &[(&str, &str)], dialect: Dialect) -> (Vec<Arc<LiveQuery>>, Scratch) {
    let scratch = Scratch::new();
    for (name, text) in queries {
        let rule = if text.contains("-- access") { "" } else { "-- access: authenticated\n" };
        scratch.write(&format!("{name}.sql"), &format!("{rule}{text}"));
    }
    let folder = Folder { path: scratch.path().to_owned(), zone: TimeZone::UTC, dialect };
    (folder.read().unwrap().queries, scratch)
}

async fn report(config: &DatabaseConfig, queries: &[(&str, &str)], dialect: Dialect) -> Report {
    let (queries, _scratch) = defined(queries, dialect);
    Report(inspect_queries(config, &queries, &Clock::system(TimeZone::UTC)).await)
}

/// Orders of fifty restaurants, of which `r1` has most.
async fn orders() -> Database {
    let database = Postgres::shared().database().await;
    database
        .execute(
            "CREATE TABLE pedidos (id bigint PRIMARY KEY, restaurante text, estado text, cuando timestamp, total numeric);
             INSERT INTO pedidos SELECT n, 'r' || CASE WHEN n % 3 = 0 THEN 1 ELSE n % 50 END, 'PENDING', now(), n
                                   FROM generate_series(1, 5000) AS n;
             ANALYZE pedidos;
             GRANT SELECT ON pedidos TO lectora",
        )
        .await;
    database
}

#[tokio::test]
async fn an_index_for_the_key_is_asked_for_and_then_found() {
    let database = orders().await;
    let config = postgres_config(&as_reader(&database));
    let queries = [("cocina", "SELECT count(*) AS total, max(estado) AS estado FROM pedidos WHERE restaurante = $1")];
    let before = report(&config, &queries, Dialect::Postgres).await;
    let create = before.advice("cocina: no index finds the rows of one key").to_owned();
    assert_eq!(create, "CREATE INDEX CONCURRENTLY ON public.pedidos (restaurante);");
    database.execute(&create).await;
    let after = report(&config, &queries, Dialect::Postgres).await;
    assert_eq!(after.worst(), Level::Ok, "{:#?}", after.0);
    after.saying("cocina: an index finds the rows of one key (pedidos_restaurante_idx)");
    let ran = after.saying("cocina: key text; total bigint, estado text; 1 rows, ");
    assert!(ran.what.ends_with(" on its biggest keys"), "{}", ran.what);
}

#[tokio::test]
async fn what_is_likely_not_meant_is_named() {
    let database = orders().await;
    let config = postgres_config(&as_reader(&database));
    let queries = [
        ("azar", "-- result: rows\nSELECT random() AS a, now() AS b FROM pedidos WHERE restaurante = $1 LIMIT 3"),
        ("todo", "-- result: rows\nSELECT * FROM pedidos WHERE restaurante = $1 ORDER BY id LIMIT 2"),
        ("grande", "SELECT 9007199254740993::bigint AS id, 1.5 AS total, $1 AS clave"),
        ("sin-tabla", "SELECT count(*) AS n FROM mesas WHERE local = $1"),
        ("dos", "SELECT id FROM pedidos WHERE restaurante = $1"),
    ];
    let report = report(&config, &queries, Dialect::Postgres).await;
    for text in [
        "azar returns rows in no order",
        "azar uses random",
        "azar uses now",
        "azar says another thing a second later",
        "todo selects *",
        "todo: cuando has no time zone",
        "grande: id is 9007199254740993, which JavaScript rounds",
    ] {
        assert_eq!(report.saying(text).level, Level::Warning, "{text}");
    }
    assert_eq!(report.saying("sin-tabla: ").level, Level::Problem);
    assert_eq!(report.saying("dos cannot be read for \"r1\"").level, Level::Problem);
    let rounded = report.0.iter().filter(|finding| finding.what.contains("JavaScript")).count();
    assert_eq!(rounded, 1, "{:#?}", report.0);
}

#[tokio::test]
async fn a_query_of_whose_keys_none_can_be_made_up_is_told_and_no_problem() {
    let database = orders().await;
    database
        .execute("CREATE TYPE fase AS ENUM ('una'); CREATE TABLE fases (fase fase); GRANT SELECT ON fases TO lectora")
        .await;
    let config = postgres_config(&as_reader(&database));
    let queries = [("fase", "SELECT count(*) AS n FROM fases WHERE fase = $1::text::fase")];
    let report = report(&config, &queries, Dialect::Postgres).await;
    assert_eq!(report.worst(), Level::Warning, "{:#?}", report.0);
    let advice = report.advice("fase is not tried, for no key of it is known");
    assert!(advice.contains("`pulso query fase <key>`"), "{advice}");
}

#[tokio::test]
async fn rows_that_a_policy_hides_from_our_role_are_told() {
    let database = orders().await;
    let config = postgres_config(&as_reader(&database));
    let queries = [("cocina", "SELECT count(*) AS total FROM pedidos WHERE restaurante = $1")];
    let text = "row-level security of public.pedidos applies to our role";
    assert!(report(&config, &queries, Dialect::Postgres).await.0.iter().all(|finding| !finding.what.contains(text)));
    database.execute("ALTER TABLE pedidos ENABLE ROW LEVEL SECURITY").await;
    report(&config, &queries, Dialect::Postgres).await.saying(text);
}

#[tokio::test]
async fn who_may_watch_is_asked_once() {
    let database = orders().await;
    let config = postgres_config(&as_reader(&database));
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("quien")).unwrap();
    scratch.write("quien/a.sql", "SELECT a AS negocio_id, a AS user_id FROM nadie WHERE a = ANY ($1) AND a = ANY ($2)");
    scratch.write("cocina.sql", "-- access: sql quien/a.sql\nSELECT $1 AS clave");
    let folder = Folder { path: scratch.path().to_owned(), zone: TimeZone::UTC, dialect: Dialect::Postgres };
    let queries = folder.read().unwrap().queries;
    let report = Report(inspect_queries(&config, &queries, &Clock::system(TimeZone::UTC)).await);
    assert_eq!(report.saying("quien/a.sql: ").level, Level::Problem);
}

#[tokio::test]
async fn a_subject_that_no_trigger_sends_is_told_until_one_does() {
    let database = orders().await;
    let channel = "pulso_hints".to_owned();
    let mut config = postgres_config(&database.url());
    config.hints = Some(ListenSource { channel: channel.clone(), url: Secret::new(database.url()) });
    let hinted =
        "-- access: authenticated\n-- hints: listen/pedidos\nSELECT count(*) AS n FROM pedidos WHERE restaurante = $1";
    let queries = [("cocina", hinted)];
    let before = report(&config, &queries, Dialect::Postgres).await;
    before.saying("notifications on pulso_hints arrive");
    let advice = before.advice("hints name listen/pedidos, and no trigger sends that on pulso_hints");
    assert!(advice.starts_with("pulso migrate --listen <table> <column> pedidos"), "{advice}");
    let [table, column, subject] = ["pedidos", "restaurante", "pedidos"].map(str::to_owned);
    let trigger = HintTrigger { table, column, subject, channel };
    pulso::store::open(&config).unwrap().change_hints(&trigger, HintChange::Create).await.unwrap();
    let after = report(&config, &queries, Dialect::Postgres).await;
    assert!(after.0.iter().all(|finding| !finding.what.contains("no trigger sends")), "{:#?}", after.0);
    // Where nobody is heard of, it is no use to send.
    config.hints = Some(ListenSource { channel: "pulso_hints".to_owned(), url: Secret::new(database.url_at(1)) });
    let deaf = report(&config, &queries, Dialect::Postgres).await;
    assert_eq!(deaf.saying("LISTEN on pulso_hints (HINTS_CHANNEL)").level, Level::Problem);
}

#[tokio::test]
async fn a_standby_is_told_to_lack_what_was_just_committed() {
    let cluster = Postgres::own();
    let database = cluster.database().await;
    let config = postgres_config(&database.url());
    let queries = [("uno", "SELECT 1 AS n, $1::text AS clave")];
    let text = "this is a standby: a read behind a hint";
    let primary = report(&config, &queries, Dialect::Postgres).await;
    assert!(primary.0.iter().all(|finding| !finding.what.contains(text)), "{:#?}", primary.0);
    cluster.become_standby();
    let standby = report(&config, &queries, Dialect::Postgres).await;
    assert_eq!(standby.saying(text).level, Level::Warning);
    assert!(standby.advice(text).contains("xid"), "{:#?}", standby.0);
}

#[tokio::test]
async fn queries_on_sqlite_are_described_and_run_too() {
    let scratch = Scratch::new();
    let url = format!("sqlite://{}", scratch.path().join("a.db").display());
    // An empty file is a database without tables.
    scratch.write("a.db", "");
    let config = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(url.as_str())));
    let queries = [
        ("hora", "SELECT datetime('now') AS hora, $1 AS clave"),
        ("falta", "SELECT count(*) AS n FROM mesas WHERE local = $1"),
    ];
    let report = report(&config, &queries, Dialect::Sqlite).await;
    report.saying("hora uses 'now'");
    report.saying("hora: key text; hora ");
    assert_eq!(report.saying("falta: ").level, Level::Problem);
}
