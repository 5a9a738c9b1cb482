//! The four figures: what they count, whose day is today, and that they are right without being asked for.

mod schema;
mod zone;

use std::collections::BTreeSet;
use std::sync::Arc;

use pulso_harness::{Claims, Dashboard, Database, Running, SECRET, Stats, wait};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, citas, database, open, owner, pulso};

const LONG_AGO: &str = "'2020-01-01'";

/// Total, hoy, completadas, canceladas.
fn four(stats: &Stats) -> (i64, i64, i64, i64) {
    (stats.total, stats.hoy, stats.completadas, stats.canceladas)
}

#[tokio::test]
async fn each_figure_counts_what_its_name_says() {
    let (pulso, database) = open().await;
    let today = "(now() AT TIME ZONE 'America/Guayaquil')::date";
    let days =
        [LONG_AGO.to_owned(), format!("{today} - 1"), today.to_owned(), format!("{today} + 1"), "'2999-12-31'".into()];
    let mut count = 1;
    let mut expected = (0, 0, 0, 0);
    for day in &days {
        for estado in ["pendiente", "atendida", "cancelada"] {
            citas(&database, NEGOCIO, count, estado, day).await;
            let added = i64::from(count);
            expected.0 += added;
            expected.1 += if day == today { added } else { 0 };
            expected.2 += if estado == "atendida" { added } else { 0 };
            expected.3 += if estado == "cancelada" { added } else { 0 };
            count += 1;
        }
    }
    citas(&database, OTHER_NEGOCIO, 1_000, "atendida", today).await;
    let mut dashboard = pulso.connect(&owner()).await;
    assert_eq!(four(&dashboard.watch(NEGOCIO).await), expected);
    // And as rows change their state, move and go.
    database.execute(&format!("UPDATE citas SET estado = 'cancelada' WHERE negocio_id = '{NEGOCIO}'")).await;
    pulso.notify(NEGOCIO).await;
    assert_eq!(four(&dashboard.stats().await), (expected.0, expected.1, 0, expected.0));
    database.execute(&format!("UPDATE citas SET fecha = {today} WHERE negocio_id = '{NEGOCIO}'")).await;
    pulso.notify(NEGOCIO).await;
    assert_eq!(four(&dashboard.stats().await), (expected.0, expected.0, 0, expected.0));
    database.execute("DELETE FROM citas").await;
    pulso.notify(NEGOCIO).await;
    assert_eq!(four(&dashboard.stats().await), (0, 0, 0, 0));
}

#[tokio::test]
async fn a_business_without_appointments_has_zeros() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    assert_eq!(four(&dashboard.watch(NEGOCIO).await), (0, 0, 0, 0));
    // Also one that no table knows, where a token names it.
    let unknown = "33333333-3333-4333-8333-333333333333";
    let mut dashboard = pulso.connect(&Claims::naming("u", &[unknown])).await;
    assert_eq!(four(&dashboard.watch(unknown).await), (0, 0, 0, 0));
}

/// Connects with a token that is good at the server's own time.
async fn connect_at(pulso: &Running, user: &str, now: i64) -> Dashboard {
    pulso.connect(&Claims::user(user).with("exp", json!(now + 3_600))).await
}

/// 2026-03-02 00:00:00 UTC.
const MARCH_2: i64 = 1_772_409_600;

#[tokio::test]
async fn today_is_the_business_day_and_not_the_databases() {
    let database = database().await;
    citas(&database, NEGOCIO, 2, "pendiente", "'2026-03-01'").await;
    citas(&database, NEGOCIO, 3, "pendiente", "'2026-03-02'").await;
    citas(&database, NEGOCIO, 4, "pendiente", "CURRENT_DATE").await;
    for (zone, hoy) in [("America/Guayaquil", 2), ("UTC", 3), ("Asia/Tokyo", 3), ("Pacific/Honolulu", 2)] {
        let pulso = pulso(&database.url()).at("2026-03-02 01:30:00").with("TIMEZONE", zone).ready().await;
        let mut dashboard = connect_at(&pulso, OWNER, MARCH_2 + 5_400).await;
        let stats = dashboard.watch(NEGOCIO).await;
        assert_eq!((stats.hoy, stats.total), (hoy, 9), "{zone}");
        assert!((MARCH_2 + 5_400..MARCH_2 + 5_460).contains(&stats.timestamp), "{stats:?}");
    }
}

/// A few seconds before the business's day ends at `midnight` (Unix seconds), two appointments are today and three
/// tomorrow; then the day ends and nobody says so.
async fn rolls_over(zone: &str, start: &str, midnight: i64, today: &str, tomorrow: &str) {
    let database = database().await;
    citas(&database, NEGOCIO, 2, "pendiente", today).await;
    citas(&database, NEGOCIO, 3, "pendiente", tomorrow).await;
    let pulso = pulso(&database.url()).at(start).with("TIMEZONE", zone).with("SENTINEL_INTERVAL", "0").ready().await;
    let mut dashboard = connect_at(&pulso, OWNER, midnight).await;
    let mut unmoved = connect_at(&pulso, OTHER_OWNER, midnight).await;
    let before = dashboard.watch(NEGOCIO).await;
    unmoved.watch(OTHER_NEGOCIO).await;
    assert_eq!((before.hoy, before.total), (2, 5), "{zone}");
    assert!(before.timestamp < midnight);
    let after = dashboard.stats().await;
    assert_eq!((after.hoy, after.total), (3, 5), "{zone}");
    assert!((midnight..midnight + 10).contains(&after.timestamp), "{after:?}");
    dashboard.expect_silence().await;
    // Zeros are zeros on any day.
    unmoved.ping().await;
    assert_eq!(pulso.count("pulso_drift_total").await, 0);
}

// These two wait for a midnight that is six seconds away.

#[tokio::test]
async fn citas_hoy_rolls_over_at_local_midnight_by_itself() {
    let midnight = MARCH_2 + 5 * 3_600;
    rolls_over("America/Guayaquil", "2026-03-02 04:59:54", midnight, "'2026-03-01'", "'2026-03-02'").await;
}

#[tokio::test]
async fn citas_hoy_rolls_over_where_daylight_saving_skips_midnight() {
    // 2026-09-06 04:00 UTC: the clocks of Santiago go from 24:00 to 01:00.
    rolls_over("America/Santiago", "2026-09-06 03:59:54", 1_788_667_200, "'2026-09-05'", "'2026-09-06'").await;
}

/// Adds an appointment in a transaction that is left open.
async fn uncommitted(database: &Database) -> sqlx::PgConnection {
    let mut connection = database.connect().await;
    let sql = format!(
        "BEGIN; INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin)
         VALUES (gen_random_uuid(), '{NEGOCIO}', gen_random_uuid(), {LONG_AGO}, '10:00', '10:30')"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection
}

async fn commit(mut connection: sqlx::PgConnection) {
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn a_notice_sent_before_its_commit_is_healed_by_the_trailing_reread() {
    let database = database().await;
    // Longer than by default, so that a busy machine commits in time.
    let pulso = pulso(&database.url()).with("TRAILING_REREAD", "1500ms").with("SENTINEL_INTERVAL", "0").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let open = uncommitted(&database).await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    assert_eq!(dashboard.stats().await.total, 0, "pushed at once");
    commit(open).await;
    assert_eq!(dashboard.stats().await.total, 1);
    assert_eq!(pulso.count("pulso_trailing_corrections_total").await, 1);
    // Nothing more, and no correction where nothing had to be corrected.
    let queries = pulso.count("pulso_queries_total").await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    dashboard.stats().await;
    wait::until(async || pulso.count("pulso_queries_total").await >= queries + 2, "the trailing re-read").await;
    dashboard.expect_silence().await;
    assert_eq!(pulso.count("pulso_trailing_corrections_total").await, 1);
    assert_eq!(pulso.count("pulso_drift_total").await, 0);
}

#[tokio::test]
async fn who_subscribes_between_a_notice_and_its_commit_gets_the_figures_too() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("TRAILING_REREAD", "2s").with("SENTINEL_INTERVAL", "0").ready().await;
    let open = uncommitted(&database).await;
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
    let mut dashboard = pulso.connect(&owner()).await;
    assert_eq!(dashboard.watch(NEGOCIO).await.total, 0);
    commit(open).await;
    assert_eq!(dashboard.stats().await.total, 1);
}

#[tokio::test]
async fn the_sentinel_pushes_what_nobody_announced_and_counts_it() {
    let database = database().await;
    let watchful = pulso(&database.url()).with("SENTINEL_INTERVAL", "1s").ready().await;
    let trusting = pulso(&database.url()).with("SENTINEL_INTERVAL", "0").ready().await;
    let mut seen = watchful.connect(&owner()).await;
    let mut unseen = trusting.connect(&owner()).await;
    seen.watch(NEGOCIO).await;
    unseen.watch(NEGOCIO).await;
    citas(&database, NEGOCIO, 2, "atendida", LONG_AGO).await;
    let stats = seen.stats().await;
    assert_eq!(four(&stats), (2, 0, 2, 0));
    wait::until(async || watchful.count("pulso_drift_total").await == 1, "the drift is counted").await;
    watchful.until_logged("figures changed without a notice").await;
    assert!(watchful.has_logged(&format!(r#""channel":"estadisticas:{NEGOCIO}""#)), "in the channel's own words");
    seen.expect_silence().await;
    unseen.ping().await;
    assert_eq!(trusting.count("pulso_queries_total").await, 1);
    assert_eq!(trusting.count("pulso_drift_total").await, 0);
    // Announced after all, a moment later: no drift.
    citas(&database, NEGOCIO, 1, "atendida", LONG_AGO).await;
    watchful.notify(NEGOCIO).await;
    seen.stats_until(|stats| stats.total == 3).await;
    assert_eq!(watchful.count("pulso_drift_total").await, 1);
}

#[tokio::test]
async fn nothing_is_read_for_nobody() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("SENTINEL_INTERVAL", "100ms").with("TRAILING_REREAD", "50ms").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    dashboard.unsubscribe(NEGOCIO).await;
    dashboard.ping().await;
    let queries = pulso.count("pulso_queries_total").await;
    for _ in 0..5 {
        assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    }
    dashboard.expect_silence().await;
    assert_eq!(pulso.count("pulso_queries_total").await, queries);
}

#[tokio::test]
async fn two_hundred_dashboards_at_once_cost_a_few_queries() {
    let (pulso, database) = open().await;
    let pulso = Arc::new(pulso);
    citas(&database, NEGOCIO, 7, "pendiente", LONG_AGO).await;
    let path = Arc::new(format!("/ws?token={}", owner().sign(SECRET)));
    let arrivals: Vec<_> = (0..200)
        .map(|_| {
            let (pulso, path) = (Arc::clone(&pulso), Arc::clone(&path));
            tokio::spawn(async move {
                let mut dashboard = Dashboard::connect(pulso.port(), &path, &[]).await;
                assert_eq!(dashboard.watch(NEGOCIO).await.total, 7);
                dashboard
            })
        })
        .collect();
    let mut dashboards = Vec::new();
    for arrival in arrivals {
        dashboards.push(arrival.await.unwrap());
    }
    let queries = pulso.count("pulso_queries_total").await;
    assert!(queries <= 5, "{queries} queries");
    assert!(pulso.count("pulso_ownership_pairs_total").await <= 5);
    citas(&database, NEGOCIO, 1, "pendiente", LONG_AGO).await;
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 200);
    for dashboard in &mut dashboards {
        dashboard.stats_until(|stats| stats.total == 8).await;
    }
}

#[tokio::test]
async fn a_newcomer_gets_figures_no_older_than_it_is_told() {
    let database = database().await;
    let quiet = |age: &str| pulso(&database.url()).with("SNAPSHOT_MAX_AGE", age).with("SENTINEL_INTERVAL", "0");
    let (sharing, reading) = (quiet("60s").ready().await, quiet("0").ready().await);
    for (pulso, shares) in [(&sharing, true), (&reading, false)] {
        let mut first = pulso.connect(&owner()).await;
        let before = first.watch(NEGOCIO).await;
        // Without a notice.
        citas(&database, NEGOCIO, 1, "pendiente", LONG_AGO).await;
        let mut second = pulso.connect(&owner()).await;
        let stats = second.watch(NEGOCIO).await;
        assert_eq!(stats == before, shares, "{stats:?} after {before:?}");
        // After a notice nobody gets what was before, whatever its age.
        pulso.notify(NEGOCIO).await;
        let mut third = pulso.connect(&owner()).await;
        let after = third.watch(NEGOCIO).await;
        assert_eq!(after.total, before.total + 1);
        assert!(after.seq > before.seq);
    }
    assert_eq!(sharing.count("pulso_snapshots_shared_total").await, 2);
}

#[tokio::test]
async fn a_notice_for_nobody_is_not_forgotten_by_who_comes_next() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("SNAPSHOT_MAX_AGE", "60s").with("SENTINEL_INTERVAL", "0").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    dashboard.unsubscribe(NEGOCIO).await;
    dashboard.ping().await;
    citas(&database, NEGOCIO, 1, "pendiente", LONG_AGO).await;
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
    assert_eq!(dashboard.watch(NEGOCIO).await.total, 1);
}

#[tokio::test]
async fn a_dashboard_never_sees_older_figures_after_newer_ones() {
    let (pulso, database) = open().await;
    let pulso = Arc::new(pulso);
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (pulso, database) = (Arc::clone(&pulso), database.clone());
            tokio::spawn(async move {
                for _ in 0..15 {
                    citas(&database, NEGOCIO, 1, "pendiente", LONG_AGO).await;
                    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
                }
            })
        })
        .collect();
    let mut newest = dashboard.watch(NEGOCIO).await;
    let mut seen = BTreeSet::new();
    while newest.total < 60 {
        let stats = dashboard.stats().await;
        assert!(stats.seq >= newest.seq && stats.total >= newest.total, "{stats:?} after {newest:?}");
        assert!(stats.seq > newest.seq || stats == newest, "{stats:?} and {newest:?}");
        // A repeated subscribe is one more way for figures to come.
        if seen.insert(stats.seq) && seen.len() % 3 == 0 {
            dashboard.subscribe(NEGOCIO).await;
        }
        newest = stats;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(seen.len() > 1);
}
