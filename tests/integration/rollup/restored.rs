//! Counters that came back from a dump.

use std::process::{Command, Stdio};

use pulso_harness::{Database, Postgres, postgres};

use super::{RollupChange, book, change, counted, figures, open, rollup_config};
use crate::backend::figures as expected;

/// As `pg_dump … | psql` would, errors passed over as psql does.
fn copy(from: &Database, to: &Database, options: &[&str]) {
    let mut dump = Command::new(postgres::program("pg_dump"))
        .args(options)
        .arg(from.url())
        .stdout(Stdio::piped())
        .spawn()
        .expect("pg_dump runs");
    let dumped = dump.stdout.take().expect("a pipe");
    let psql = Command::new(postgres::program("psql"))
        .args(["-X", "-q"])
        .arg(to.url())
        .stdin(dumped)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(psql.is_ok_and(|status| status.success()));
    assert!(dump.wait().is_ok_and(|status| status.success()));
}

async fn booked() -> Database {
    let database = counted().await;
    // One at a time: some wait to be folded.
    for day in ["2026-11-20", "2026-11-21", "2026-11-22"] {
        book(&database, &[(1, day, "atendida"), (2, day, "cancelada")]).await;
    }
    database
}

#[tokio::test]
async fn a_restore_of_data_alone_which_counts_twice_is_found_at_the_first_contact() {
    let source = booked().await;
    let database = Postgres::shared().database().await;
    change(&database, RollupChange::Create).await;
    copy(&source, &database, &["--data-only"]);
    let store = open(&rollup_config(&database.url())).unwrap();
    assert_eq!(figures(&*store, 1).await, expected(3, 1, 3, 0));
    assert!(!store.reads_rollup(), "the counters are not read");
    change(&database, RollupChange::Rebuild).await;
    assert_eq!(figures(&*store, 1).await, expected(3, 1, 3, 0));
    assert!(store.reads_rollup());
}

#[tokio::test]
async fn a_whole_restore_keeps_its_counters() {
    let source = booked().await;
    let database = Postgres::shared().empty_database().await;
    copy(&source, &database, &[]);
    let store = open(&rollup_config(&database.url())).unwrap();
    assert_eq!(figures(&*store, 1).await, expected(3, 1, 3, 0));
    assert!(store.reads_rollup());
    book(&database, &[(1, "2026-11-22", "atendida")]).await;
    assert_eq!(figures(&*store, 1).await, expected(4, 2, 4, 0));
}
