//! `pulso migrate` makes Pulso's own tables, once, and nothing else does.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use pulso::config::{DatabaseConfig, DatabaseUrl, Secret};
use pulso::model::{Change, Confirmation, Entity};
use pulso::store::migrations::{POSTGRES, SQLITE};
use pulso::store::{StoreError, open};
use pulso_harness::postgres::PASSWORD;
use pulso_harness::{Postgres, Pulso, Scratch};
use tokio::task::JoinSet;

use super::changes::{GET, POST};
use crate::backend::{Prepared, postgres_config};

promises_everywhere!(
    what_is_missing_is_applied_once,
    tables_of_an_older_release_keep_changes_and_are_brought_up_to_date,
    two_at_once_apply_each_step_once,
    without_tables_everything_is_refused_with_the_advice_until_they_appear,
    serving_never_migrates,
    a_table_made_by_hand_is_named,
);

fn change(id: &str) -> Change {
    Change { tenant: "t".into(), entity: Entity::Order, id: id.into(), payload: "{}".into() }
}

async fn what_is_missing_is_applied_once(prepared: Prepared) {
    let steps = if prepared.is_postgres() { POSTGRES } else { SQLITE };
    let store = prepared.store();
    let outbox = store.outbox().unwrap();
    assert_eq!(outbox.missing().await.unwrap(), steps);
    assert_eq!(outbox.migrate().await.unwrap().applied, steps);
    assert_eq!(outbox.missing().await.unwrap(), []);
    assert_eq!(outbox.migrate().await.unwrap(), pulso::store::migrations::Migration::default());
    // As a release that knew only the first step would have left it.
    prepared.execute("DROP TABLE pulso_idempotency; DELETE FROM pulso_migrations WHERE version = 2").await;
    assert_eq!(outbox.missing().await.unwrap(), steps[1..2]);
    assert_eq!(prepared.store().outbox().unwrap().migrate().await.unwrap().applied, steps[1..2]);
    // A later release's steps are no reason to stop.
    prepared.execute("INSERT INTO pulso_migrations (version, name) VALUES (99, 'later')").await;
    assert_eq!(outbox.missing().await.unwrap(), []);
}

async fn tables_of_an_older_release_keep_changes_and_are_brought_up_to_date(prepared: Prepared) {
    let steps = if prepared.is_postgres() { POSTGRES } else { SQLITE };
    let store = prepared.migrated().await;
    let outbox = store.outbox().unwrap();
    prepared
        .execute(
            "ALTER TABLE pulso_outbox DROP COLUMN handed; ALTER TABLE pulso_outbox DROP COLUMN handed_by;
             ALTER TABLE pulso_outbox DROP COLUMN handed_twice; DELETE FROM pulso_migrations WHERE version = 3",
        )
        .await;
    outbox.keep(&change("1"), None).await.unwrap();
    prepared.execute("UPDATE pulso_outbox SET pulled = version").await;
    let refused = outbox.pull("t", &[], GET, None, 10).await;
    assert!(matches!(&refused, Err(StoreError::Refused(text)) if text.contains("run `pulso migrate`")), "{refused:?}");
    assert_eq!(outbox.migrate().await.unwrap().applied, steps[2..]);
    // What an older release handed out nobody need have.
    let confirmed = Confirmation { entity: Entity::Order, id: "1".into(), version: None };
    assert_eq!(outbox.pull("t", std::slice::from_ref(&confirmed), POST, None, 10).await.unwrap().len(), 1);
    assert_eq!(outbox.pull("t", &[confirmed], GET, None, 10).await.unwrap(), []);
}

async fn two_at_once_apply_each_step_once(prepared: Prepared) {
    let mut runs = JoinSet::new();
    for _ in 0..4 {
        let store = prepared.store();
        runs.spawn(async move { store.outbox().unwrap().migrate().await.unwrap().applied.len() });
    }
    assert_eq!(runs.join_all().await.iter().sum::<usize>(), POSTGRES.len());
    assert_eq!(prepared.store().outbox().unwrap().missing().await.unwrap(), []);
}

async fn without_tables_everything_is_refused_with_the_advice_until_they_appear(prepared: Prepared) {
    let store = prepared.store();
    let outbox = store.outbox().unwrap();
    let age = std::time::Duration::from_secs(1);
    let failures = [
        outbox.keep(&change("1"), None).await.map(drop),
        outbox.pull("t", &[], GET, None, 10).await.map(drop),
        outbox.has_pending("t").await.map(drop),
        outbox.recall("/p", "k", age).await.map(drop),
        outbox.prune(age, 1).await.map(drop),
    ];
    for failure in failures {
        assert!(
            matches!(&failure, Err(StoreError::Refused(text)) if text.contains("run `pulso migrate`")),
            "{failure:?}"
        );
    }
    let operator = prepared.store();
    operator.outbox().unwrap().migrate().await.unwrap();
    assert_eq!(outbox.missing().await.unwrap(), []);
    outbox.keep(&change("1"), None).await.unwrap();
    assert!(outbox.has_pending("t").await.unwrap());
}

async fn serving_never_migrates(prepared: Prepared) {
    let prepared = prepared.with_schema().await;
    let (store, _) = prepared.contacted().await;
    store.ping().await.unwrap();
    let _ = store.outbox().unwrap().keep(&change("1"), None).await;
    assert_eq!(store.outbox().unwrap().missing().await.unwrap().len(), POSTGRES.len());
}

async fn a_table_made_by_hand_is_named(prepared: Prepared) {
    prepared.execute("CREATE TABLE pulso_outbox (tenant text)").await;
    let store = prepared.store();
    match store.outbox().unwrap().migrate().await {
        Err(StoreError::Refused(text)) => {
            assert!(text.contains("0001_outbox") && text.contains("created it by hand"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    prepared.execute("DROP TABLE pulso_outbox").await;
    assert_eq!(store.outbox().unwrap().migrate().await.unwrap().applied.len(), POSTGRES.len());
}

#[test]
fn every_file_is_embedded_in_order() {
    for (folder, steps) in [("postgres", POSTGRES), ("sqlite", SQLITE)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/migrations").join(folder);
        let mut files: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        let named: Vec<_> = steps.iter().map(|step| OsString::from(format!("{step}.sql"))).collect();
        assert_eq!(files, named);
        assert!(steps.iter().enumerate().all(|(at, step)| step.version == i64::try_from(at).unwrap() + 1));
    }
}

#[tokio::test]
async fn a_role_without_the_right_is_told_which_and_serves_with_its_grants() {
    let database = Postgres::shared().empty_database().await;
    let config = postgres_config(&database.url().replace("pulso@", &format!("lectora:{PASSWORD}@")));
    let reader = open(&config).unwrap();
    match reader.outbox().unwrap().migrate().await {
        Err(StoreError::Refused(text)) => assert!(text.contains("CREATE ON SCHEMA"), "{text}"),
        other => panic!("{other:?}"),
    }
    database.execute("CREATE ROLE sirve LOGIN").await;
    open(&postgres_config(&database.url())).unwrap().outbox().unwrap().migrate().await.unwrap();
    let server = open(&postgres_config(&database.url().replace("pulso@", "sirve@"))).unwrap();
    let outbox = server.outbox().unwrap();
    let advice = match outbox.missing().await {
        Err(StoreError::Refused(text)) => text,
        other => panic!("{other:?}"),
    };
    let (_, grants) = advice.split_once("(here pulso): ").unwrap();
    database.execute(&grants.replace("TO pulso", "TO sirve")).await;
    assert_eq!(outbox.missing().await.unwrap(), []);
    outbox.keep(&change("1"), None).await.unwrap();
    assert_eq!(outbox.pull("t", &[], GET, None, 10).await.unwrap().len(), 1);
    outbox.prune(std::time::Duration::from_secs(1), 1).await.unwrap();
}

#[tokio::test]
async fn a_role_that_reads_by_default_migrates_and_writes_all_the_same() {
    let database = Postgres::shared().empty_database().await;
    let url = format!("{}?options=-c%20default_transaction_read_only%3Don", database.url());
    let store = open(&postgres_config(&url)).unwrap();
    assert_eq!(store.outbox().unwrap().migrate().await.unwrap().applied.len(), POSTGRES.len());
    store.outbox().unwrap().keep(&change("1"), None).await.unwrap();
}

#[tokio::test]
async fn the_command_says_what_it_does_and_needs_the_database_only() {
    let scratch = Scratch::new();
    let file = scratch.path().join("nueva.db");
    let url = format!("sqlite://{}", file.display());
    let server = Pulso::new(env!("CARGO_BIN_EXE_pulso"), &url).with("JWT_SECRET", "");
    let said =
        format!("created {}\napplied 0001_outbox\napplied 0002_idempotency\napplied 0003_handed\n", file.display());
    assert_eq!(server.run(&["migrate"]).await, (0, said, String::new()));
    assert_eq!(server.run(&["migrate"]).await, (0, "nothing to do\n".to_owned(), String::new()));
    let (code, _, stderr) =
        server.clone().with("DATABASE_URL", "postgres://a:cl4ve@127.0.0.1:1/x").run(&["migrate"]).await;
    assert!(code == 1 && stderr.contains("Cannot connect") && !stderr.contains("cl4ve"), "{stderr}");
    let (code, _, stderr) = server.with("DATABASE_URL", "").run(&["migrate"]).await;
    assert!(code == 64 && stderr.contains("DATABASE_URL: "), "{stderr}");
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_said_so() {
    let prepared = Prepared::sqlite().await;
    let url = format!("sqlite://{}?mode=ro", prepared.scratch.path().join("citas.db").display());
    let store = open(&DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(url)))).unwrap();
    match store.outbox().unwrap().migrate().await {
        Err(StoreError::Refused(text)) => assert!(text.contains("mode=ro"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_store_that_only_reads_creates_no_file() {
    let scratch = Scratch::new();
    let file = scratch.path().join("nada.db");
    let url = format!("sqlite://{}", file.display());
    let store = open(&DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new(url)))).unwrap();
    let outbox = Arc::clone(&store);
    assert!(matches!(outbox.outbox().unwrap().missing().await, Err(StoreError::Unreachable(_))));
    assert!(matches!(outbox.outbox().unwrap().keep(&change("1"), None).await, Err(StoreError::Unreachable(_))));
    assert!(!file.exists());
}
