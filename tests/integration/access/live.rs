//! Rights that change while somebody watches, and what asking about them costs.

use std::time::Duration;

use pulso::config::{AuthConfig, Secret};
use pulso_harness::{Claims, Database, Running, SECRET};
use serde_json::json;

use super::{NOT_ALLOWED, STRANGER, WITHDRAWN};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, citas, database, open, owner, pulso};

/// Takes the business away from its owner.
async fn withdraw(database: &Database) {
    let sql = format!("UPDATE negocios SET admin_negocio_id = '{OTHER_OWNER}' WHERE id = '{NEGOCIO}'");
    database.execute(&sql).await;
}

async fn give_back(database: &Database) {
    let sql = format!("UPDATE negocios SET admin_negocio_id = '{OWNER}' WHERE id = '{NEGOCIO}'");
    database.execute(&sql).await;
}

/// A server that asks again as often as it may.
async fn attentive() -> (Running, Database) {
    let database = database().await;
    let pulso = pulso(&database.url()).with("ACCESS_CACHE", "0").with("ACCESS_RECHECK", "100ms").ready().await;
    (pulso, database)
}

#[tokio::test]
async fn rights_withdrawn_in_the_database_end_a_live_subscription() {
    let (pulso, database) = attentive().await;
    let mut losing = pulso.connect(&owner()).await;
    let mut named = pulso.connect(&Claims::naming(OWNER, &[NEGOCIO])).await;
    let mut gaining = pulso.connect(&Claims::user(OTHER_OWNER)).await;
    losing.watch(NEGOCIO).await;
    named.watch(NEGOCIO).await;
    gaining.watch(OTHER_NEGOCIO).await;
    withdraw(&database).await;
    assert_eq!(losing.error().await, WITHDRAWN);
    gaining.watch(NEGOCIO).await;
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    // The new owner, and whose token names the business.
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 2);
    assert_eq!(named.stats().await.total, 1);
    assert_eq!(gaining.stats().await.total, 1);
    losing.expect_silence().await;

    let channel = format!("estadisticas:{NEGOCIO}");
    for message in [
        json!({ "type": "subscribe", "channel": channel }),
        json!({ "type": "subscribe", "data": { "channel": channel } }),
        json!({ "type": "subscribe", "channel": channel.replace('-', "") }),
    ] {
        losing.send(&message).await;
        assert_eq!(losing.error().await, NOT_ALLOWED);
    }
    losing.send(&json!({ "type": "auth", "token": owner().sign(SECRET) })).await;
    losing.subscribe(NEGOCIO).await;
    assert_eq!(losing.error().await, NOT_ALLOWED);
    pulso.notify(NEGOCIO).await;
    losing.ping().await;

    give_back(&database).await;
    assert_eq!(losing.watch(NEGOCIO).await.total, 1);
    gaining.stats().await;
    assert_eq!(gaining.error().await, WITHDRAWN);
    assert_eq!(pulso.count("pulso_withdrawn_total").await, 2);
}

#[tokio::test]
async fn a_deleted_business_or_owner_ends_a_live_subscription() {
    let (pulso, database) = attentive().await;
    let (mut one, mut other) = (pulso.connect(&owner()).await, pulso.connect(&Claims::user(OTHER_OWNER)).await);
    one.watch(NEGOCIO).await;
    other.watch(OTHER_NEGOCIO).await;
    database.execute(&format!("UPDATE negocios SET admin_negocio_id = NULL WHERE id = '{NEGOCIO}'")).await;
    assert_eq!(one.error().await, WITHDRAWN);
    database.execute("DELETE FROM negocios").await;
    assert_eq!(other.error().await, WITHDRAWN);
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
}

#[tokio::test]
async fn withdrawn_rights_end_within_thirty_seconds_whatever_the_settings() {
    let defaults = AuthConfig::new(Secret::new("x"));
    // What was asked just before, the turn after, and room for a slow database.
    assert!(defaults.cache + defaults.recheck <= Duration::from_secs(25));
    for (cache, recheck) in [("20s", "20s"), ("5s", "30s"), ("30s", "1s"), ("1h", "1h")] {
        let mut server =
            pulso("sqlite:///nowhere").with("ACCESS_CACHE", cache).with("ACCESS_RECHECK", recheck).command(&["serve"]);
        let output = server.output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{cache} {recheck}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("ACCESS_"), "{said}");
    }
}

#[tokio::test]
async fn a_claim_that_is_gone_from_a_renewed_token_ends_the_subscription() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&Claims::naming(STRANGER, &[NEGOCIO, OTHER_NEGOCIO])).await;
    dashboard.watch(NEGOCIO).await;
    dashboard.watch(OTHER_NEGOCIO).await;
    let renewed = Claims::naming(STRANGER, &[OTHER_NEGOCIO]).sign(SECRET);
    dashboard.send(&json!({ "type": "auth", "token": renewed })).await;
    assert_eq!(dashboard.error().await, WITHDRAWN);
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 0);
    pulso.notify(OTHER_NEGOCIO).await;
    assert_eq!(dashboard.stats().await.negocio_id, OTHER_NEGOCIO);
    dashboard.subscribe(NEGOCIO).await;
    assert_eq!(dashboard.error().await, NOT_ALLOWED);

    // An owner needs no claim.
    let mut owners = pulso.connect(&Claims::naming(OWNER, &[NEGOCIO])).await;
    owners.watch(NEGOCIO).await;
    owners.send(&json!({ "type": "auth", "token": owner().sign(SECRET) })).await;
    owners.ping().await;
    pulso.notify(NEGOCIO).await;
    owners.stats().await;
}

#[tokio::test]
async fn a_renewed_token_that_names_the_business_outlives_the_ownership() {
    let (pulso, database) = attentive().await;
    let mut dashboard = pulso.connect(&owner()).await;
    let mut plain = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    plain.watch(NEGOCIO).await;
    dashboard.send(&json!({ "type": "auth", "token": Claims::naming(OWNER, &[NEGOCIO]).sign(SECRET) })).await;
    dashboard.ping().await;
    withdraw(&database).await;
    assert_eq!(plain.error().await, WITHDRAWN);
    dashboard.expect_silence().await;
    assert_eq!(pulso.notify(NEGOCIO).await.json()["subscribers"], 1);
    dashboard.stats().await;
    // And without the claim it is over.
    dashboard.send(&json!({ "type": "auth", "token": owner().sign(SECRET) })).await;
    assert_eq!(dashboard.error().await, WITHDRAWN);
}

#[tokio::test]
async fn ownership_is_asked_in_batches_and_remembered() {
    let (pulso, database) = open().await;
    database
        .execute(&format!(
            "INSERT INTO negocios SELECT ('99999999-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{OWNER}', 'n'
             FROM generate_series(1, 80) n"
        ))
        .await;
    let ids: Vec<String> = (1..=80).map(|n| format!("99999999-0000-4000-8000-{n:012}")).collect();
    let mut dashboard = pulso.connect(&owner()).await;
    for id in &ids {
        dashboard.subscribe(id).await;
    }
    for _ in &ids {
        dashboard.stats().await;
    }
    let queries = pulso.count("pulso_ownership_queries_total").await;
    assert!((1..=40).contains(&queries), "{queries} queries for 80 pairs");
    assert_eq!(pulso.count("pulso_ownership_pairs_total").await, 80);

    for _ in 0..10 {
        let mut again = pulso.connect(&owner()).await;
        again.watch(&ids[0]).await;
    }
    assert_eq!(pulso.count("pulso_ownership_pairs_total").await, 80);
    assert!(pulso.count("pulso_ownership_cached_total").await >= 10);
}
