//! Counters that are wrong or missing: who finds out, and what the screens show.

use pulso::config::StatsSource;
use pulso::store::inspect::{Level, inspect};
use pulso_harness::{Database, wait};

use super::{RollupChange, book, change, counted, figures, founded, negocio, open, rollup_config};
use crate::backend::{TODAY, figures as expected, postgres_config};
use crate::business::{self, pulso};

/// Books without anybody counting.
async fn book_behind_the_triggers(database: &Database, number: u32) {
    let row = super::row(number, "2020-01-01", "pendiente");
    database.execute(&format!("SET session_replication_role = replica; {} VALUES {row}", super::INTO)).await;
}

async fn saying(database: &Database, source: StatsSource, text: &str) -> (Level, String) {
    let mut config = postgres_config(&database.url());
    config.stats_source = source;
    let findings = inspect(&config).await;
    let found = findings.iter().find(|finding| finding.what.contains(text));
    let found = found.unwrap_or_else(|| panic!("{text:?} is not in {findings:#?}"));
    (found.level, found.advice.clone().unwrap_or_default())
}

#[tokio::test]
async fn one_negocios_counters_never_show_in_anothers_figures() {
    let database = counted().await;
    book(&database, &[(1, "2026-11-22", "atendida"), (1, "2026-11-22", "cancelada"), (2, "2026-11-20", "pendiente")])
        .await;
    let store = open(&rollup_config(&database.url())).unwrap();
    for round in 0..2 {
        assert_eq!(figures(&*store, 1).await, expected(2, 2, 1, 1));
        assert_eq!(figures(&*store, 2).await, expected(1, 0, 0, 0));
        assert_eq!(figures(&*store, 3).await, expected(0, 0, 0, 0));
        assert!(store.reads_rollup());
        if round == 0 {
            // Once as they were added, once folded.
            change(&database, RollupChange::Rebuild).await;
        }
    }
}

#[tokio::test]
async fn the_check_finds_what_is_missing_what_is_wrong_and_what_is_not_used() {
    let database = founded().await;
    book(&database, &[(1, "2026-11-22", "atendida"), (2, "2026-11-22", "atendida")]).await;
    let (level, advice) = saying(&database, StatsSource::Rollup, "the rollup is not there").await;
    assert!(level == Level::Warning && advice.contains("pulso migrate --rollup"), "{advice}");
    change(&database, RollupChange::Create).await;
    let (level, advice) = saying(&database, StatsSource::Query, "the rollup is there and not used").await;
    assert!(level == Level::Warning && advice.contains("--rollup remove"), "{advice}");
    let right = "the rollup says what the appointments say, for all 2 businesses";
    assert_eq!(saying(&database, StatsSource::Rollup, right).await.0, Level::Ok);
    book_behind_the_triggers(&database, 2).await;
    let (level, advice) =
        saying(&database, StatsSource::Rollup, "differs from the appointments in 1 of 2 businesses").await;
    assert!(level == Level::Problem && advice.contains("--rollup rebuild"), "{advice}");
    change(&database, RollupChange::Rebuild).await;
    assert_eq!(saying(&database, StatsSource::Rollup, right).await.0, Level::Ok);
    database.execute("DELETE FROM pulso_stats_day").await;
    saying(&database, StatsSource::Rollup, "differs from the appointments in 2 of 2 businesses").await;
    database.execute("DROP TRIGGER pulso_stats_update ON citas").await;
    saying(&database, StatsSource::Rollup, "3 of the rollup's 4 triggers on citas are there and enabled").await;
}

#[tokio::test]
async fn the_check_compares_a_sample_where_there_are_many() {
    let database = founded().await;
    let rows: Vec<_> = (1..=9).map(|number| (number, "2026-11-22", "atendida")).collect();
    book(&database, &rows).await;
    change(&database, RollupChange::Create).await;
    // As ANALYZE would leave it.
    let many = "UPDATE pg_class SET reltuples = 9000000 WHERE relname = 'citas'";
    database.execute(many).await;
    let right = "the rollup says what the appointments say, for a sample of 9 businesses";
    assert_eq!(saying(&database, StatsSource::Rollup, right).await.0, Level::Ok);
    book_behind_the_triggers(&database, 5).await;
    saying(&database, StatsSource::Rollup, "differs from the appointments in 1 of 9 businesses").await;
}

#[tokio::test]
async fn who_verifies_gets_the_truth_and_trusts_the_counters_again_once_they_are_rebuilt() {
    let database = counted().await;
    book(&database, &[(1, "2026-11-22", "atendida")]).await;
    let store = open(&rollup_config(&database.url())).unwrap();
    let one = store.contact().await.unwrap().parse(&negocio(1)).unwrap();
    let verified = store.verified_figures(&one, TODAY).await.unwrap();
    assert_eq!((verified.figures, verified.drifted), (expected(1, 1, 1, 0), false));
    book_behind_the_triggers(&database, 1).await;
    assert_eq!(store.figures(&one, TODAY).await.unwrap(), expected(1, 1, 1, 0), "nobody knows yet");
    let verified = store.verified_figures(&one, TODAY).await.unwrap();
    assert_eq!((verified.figures, verified.drifted), (expected(2, 1, 1, 0), true));
    assert_eq!(store.figures(&one, TODAY).await.unwrap(), expected(2, 1, 1, 0));
    store.contact().await.unwrap();
    assert!(!store.reads_rollup(), "what was found wrong stays wrong");
    change(&database, RollupChange::Rebuild).await;
    store.contact().await.unwrap();
    assert!(store.reads_rollup());
    assert_eq!(store.figures(&one, TODAY).await.unwrap(), expected(2, 1, 1, 0));
}

#[tokio::test]
async fn counters_below_zero_and_counters_that_are_gone_are_not_shown() {
    let database = counted().await;
    book(&database, &[(1, "2026-11-22", "atendida")]).await;
    let store = open(&rollup_config(&database.url())).unwrap();
    assert_eq!(figures(&*store, 1).await, expected(1, 1, 1, 0));
    database.execute("UPDATE pulso_stats_delta SET citas = -1; UPDATE pulso_stats_total SET citas = -1").await;
    let one = store.contact().await.unwrap().parse(&negocio(1)).unwrap();
    assert_eq!(store.figures(&one, TODAY).await.unwrap(), expected(1, 1, 1, 0));
    assert!(!store.reads_rollup());
    change(&database, RollupChange::Rebuild).await;
    assert_eq!(figures(&*store, 1).await, expected(1, 1, 1, 0));
    assert!(store.reads_rollup());
    change(&database, RollupChange::Remove).await;
    assert_eq!(store.figures(&one, TODAY).await.unwrap(), expected(1, 1, 1, 0));
    assert!(!store.reads_rollup());
}

#[tokio::test]
async fn the_sentinel_corrects_the_screens_and_counts_the_drift_once() {
    let database = business::database().await;
    change(&database, RollupChange::Create).await;
    let pulso = pulso(&database.url()).with("STATS_SOURCE", "rollup").with("SENTINEL_INTERVAL", "1s").ready().await;
    let mut dashboard = pulso.connect(&business::owner()).await;
    let total = dashboard.watch(business::NEGOCIO).await.total;
    assert_eq!(pulso.count("pulso_rollup_used").await, 1);
    let row = format!(
        "SET session_replication_role = replica; {} VALUES {}",
        super::INTO,
        super::row(1, "2020-01-01", "pendiente").replace(&negocio(1), business::NEGOCIO)
    );
    database.execute(&row).await;
    assert_eq!(dashboard.stats_until(|stats| stats.total != total).await.total, total + 1);
    pulso.until_count("pulso_rollup_drift_total", 1).await;
    assert_eq!(pulso.count("pulso_rollup_used").await, 0);
    pulso.until_logged("pulso migrate --rollup rebuild").await;
    // From now on the truth is read, and nobody is said to have forgotten the hook.
    database.execute(&row).await;
    pulso.notify(business::NEGOCIO).await;
    assert_eq!(dashboard.stats_until(|stats| stats.total > total + 1).await.total, total + 2);
    let queries = pulso.count("pulso_queries_total").await;
    let looked_on = async || pulso.count("pulso_queries_total").await > queries + 3;
    wait::until(looked_on, "the sentinel has come by a few times more").await;
    assert_eq!(pulso.count("pulso_rollup_drift_total").await, 1);
    assert_eq!(pulso.count("pulso_drift_total").await, 0);
}

#[tokio::test]
async fn a_server_without_its_counters_says_so_and_reads_them_once_they_are_there() {
    let database = business::database().await;
    let pulso = pulso(&database.url()).with("STATS_SOURCE", "rollup").ready().await;
    pulso.until_logged("run `pulso migrate --rollup`").await;
    let mut dashboard = pulso.connect(&business::owner()).await;
    let total = dashboard.watch(business::NEGOCIO).await.total;
    change(&database, RollupChange::Create).await;
    let used = async || {
        pulso.notify(business::NEGOCIO).await;
        pulso.count("pulso_rollup_used").await == 1
    };
    wait::until(used, "the counters are found").await;
    assert_eq!(dashboard.watch(business::NEGOCIO).await.total, total);
}
