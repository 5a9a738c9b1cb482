//! Whose figures anybody gets to see, by every way in; and how soon rights that are gone are gone on the wire.

use std::time::Duration;

use pulso::config::{AuthConfig, Secret};
use pulso_harness::{Claims, Dashboard, Postgres, Running, SECRET, wait};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, OWNER, citas, database, open, owner, pulso};

const NOT_ALLOWED: &str = "not allowed to subscribe to this channel";
const WITHDRAWN: &str = "access to this channel was withdrawn";
const STRANGER: &str = "cccccccc-cccc-4ccc-8ccc-cccccccccccc";

/// The least tables, with ids of `kind`, and one business `id` that nobody owns.
async fn nobodys(kind: &str, id: &str) -> pulso_harness::Database {
    let database = Postgres::shared().empty_database().await;
    database
        .execute(&format!(
            "CREATE TABLE negocios (id {kind} PRIMARY KEY, admin_negocio_id uuid);
             CREATE TABLE citas (negocio_id {kind} NOT NULL, fecha date NOT NULL, estado text NOT NULL);
             INSERT INTO negocios (id) VALUES ('{id}')"
        ))
        .await;
    database
}

async fn may_watch(pulso: &Running, claims: &Claims, negocio: &str) -> bool {
    let mut dashboard = pulso.connect(claims).await;
    dashboard.subscribe(negocio).await;
    let answer = dashboard.next().await;
    let granted = answer["type"] == "stats";
    assert!(granted || answer["message"] == NOT_ALLOWED, "{answer}");
    granted
}

/// Takes the business away from its owner.
async fn withdraw(database: &pulso_harness::Database) {
    let sql = format!("UPDATE negocios SET admin_negocio_id = '{OTHER_OWNER}' WHERE id = '{NEGOCIO}'");
    database.execute(&sql).await;
}

async fn give_back(database: &pulso_harness::Database) {
    let sql = format!("UPDATE negocios SET admin_negocio_id = '{OWNER}' WHERE id = '{NEGOCIO}'");
    database.execute(&sql).await;
}

/// A server that asks again as often as it may.
async fn attentive() -> (Running, pulso_harness::Database) {
    let database = database().await;
    let pulso = pulso(&database.url()).with("ACCESS_CACHE", "0").with("ACCESS_RECHECK", "100ms").ready().await;
    (pulso, database)
}

#[tokio::test]
async fn a_token_grants_what_it_names_and_nothing_else() {
    let (pulso, _database) = open().await;
    let user = || Claims::user(STRANGER);
    for claims in [
        user().with("negocio_id", json!(NEGOCIO)),
        user().with("negocios", json!([NEGOCIO])),
        user().with("negocios", json!([7, null, {}, "x", NEGOCIO])),
        user().with("negocio_id", json!(OTHER_NEGOCIO)).with("negocios", json!([NEGOCIO])),
        user().with("negocio_id", json!({})).with("negocios", json!([NEGOCIO])),
        owner().with("negocio_id", json!(OTHER_NEGOCIO)),
    ] {
        assert!(may_watch(&pulso, &claims, NEGOCIO).await, "{}", claims.json());
    }
}

#[tokio::test]
async fn integer_claims_name_integer_ids_and_odd_claims_name_nothing() {
    for kind in ["smallint", "integer", "bigint"] {
        let database = nobodys(kind, "5").await;
        let pulso = pulso(&database.url()).ready().await;
        let user = || Claims::user(STRANGER);
        for (claims, granted) in [
            (user().with("negocio_id", json!(5)), true),
            (user().with("negocio_id", json!("5")), true),
            (user().with("negocios", json!([4, 5])), true),
            (user().with("negocios", json!(["5"])), true),
            (user().with("negocio_id", json!(5.0)), false),
            (user().with("negocio_id", json!(5.5)), false),
            (user().with("negocio_id", json!(true)), false),
            (user().with("negocio_id", json!([5])), false),
            (user().with("negocio_id", json!({ "id": 5 })), false),
            (user().with("negocio_id", json!("5 ")), false),
            (user().with("negocio_id", json!("5; --")), false),
            (user().with("negocio_id", json!(65_541)), false),
            (user().with("negocio_id", json!(4_294_967_301_i64)), false),
            (user().with("negocios", json!(5)), false),
            (user().with("negocios", json!("5")), false),
            (user().with("negocios", json!({ "5": 5 })), false),
            (user().with("negocios", json!([[5]])), false),
            (user(), false),
        ] {
            assert_eq!(may_watch(&pulso, &claims, "5").await, granted, "{kind}: {}", claims.json());
        }
    }
}

#[tokio::test]
async fn text_ids_are_compared_to_the_letter() {
    let database = nobodys("text", "negocio_123").await;
    let pulso = pulso(&database.url()).ready().await;
    assert!(may_watch(&pulso, &Claims::naming("u", &["negocio_123"]), "negocio_123").await);
    for claim in ["NEGOCIO_123", "negocio_12", "negocio_1234", " negocio_123", "negocio_123 ", "%", "negocio_%"] {
        assert!(!may_watch(&pulso, &Claims::naming("u", &[claim]), "negocio_123").await, "{claim}");
    }
}

#[tokio::test]
async fn what_is_not_yours_is_refused_in_the_same_words_whether_it_exists_or_not() {
    let (pulso, _database) = open().await;
    let mut dashboard = pulso.connect(&owner()).await;
    let long = "x".repeat(5_000);
    for negocio in [
        OTHER_NEGOCIO,
        "33333333-3333-4333-8333-333333333333",
        "00000000-0000-0000-0000-000000000000",
        "no-uuid",
        "7",
        "*",
        " ",
        "ñ",
        "11111111-1111-4111-8111-11111111111",
        "11111111-1111-4111-8111-1111111111111",
        " 11111111-1111-4111-8111-111111111111",
        "11111111-1111-4111-8111-111111111111 ",
        "11111111-1111-4111-8111-111111111111\u{0}",
        "11111111-1111-4111-8111-111111111111:x",
        "11111111-1111-4111-8111-111111111111' OR '1'='1",
        "'; DROP TABLE citas; --",
        "estadisticas:11111111-1111-4111-8111-111111111111",
        &long,
    ] {
        dashboard.subscribe(negocio).await;
        let answer = dashboard.next().await;
        assert_eq!(answer, json!({ "type": "error", "message": NOT_ALLOWED }), "{negocio}");
    }
    dashboard.watch(NEGOCIO).await;
}

/// Identities that have no right to [`NEGOCIO`], some of which try to look as if they had.
fn foreigners() -> Vec<Claims> {
    let stranger = || Claims::user(STRANGER);
    vec![
        stranger(),
        Claims::user(OTHER_OWNER),
        Claims::user(NEGOCIO),
        Claims::user("admin"),
        Claims::user("*"),
        Claims::user(&format!("{OWNER} ")),
        Claims::user(&format!("{OWNER}' OR '1'='1")),
        Claims::user(STRANGER).with("user_id", json!(OWNER)).with("sub", json!(OWNER)),
        Claims::naming(STRANGER, &[OTHER_NEGOCIO]),
        Claims::naming(STRANGER, &[]),
        Claims::naming(STRANGER, &["*", "", "estadisticas:*", "%"]),
        stranger().with("negocio_id", json!([NEGOCIO])),
        stranger().with("negocio_id", json!({ "id": NEGOCIO })),
        stranger().with("negocio_id", json!(format!(" {NEGOCIO}"))),
        stranger().with("negocio_id", json!(format!("{NEGOCIO}\u{0}"))),
        stranger().with("negocio_id", json!(format!("{OTHER_NEGOCIO},{NEGOCIO}"))),
        stranger().with("negocio_id", json!(true)),
        stranger().with("negocio_id", Value::Null),
        stranger().with("negocios", json!(NEGOCIO)),
        stranger().with("negocios", json!([[NEGOCIO]])),
        stranger().with("negocios", json!([{ "id": NEGOCIO }])),
        stranger().with("negocios", json!({ "0": NEGOCIO })),
        stranger().with("negocio", json!(NEGOCIO)).with("negocioId", json!(NEGOCIO)),
        stranger().with("NEGOCIO_ID", json!(NEGOCIO)),
        stranger().with("admin_negocio_id", json!(OWNER)).with("role", json!("admin")).with("admin", json!(true)),
    ]
}

/// A connection for `claims` by one of the ways in.
async fn enter(pulso: &Running, way: &str, claims: &Claims) -> Dashboard {
    let token = claims.sign(SECRET);
    let bearer = format!("Bearer {token}");
    let first = match way {
        "query" => return Dashboard::connect(pulso.port(), &format!("/ws?token={token}"), &[]).await,
        "header" => return Dashboard::connect(pulso.port(), "/ws", &[("authorization", &bearer)]).await,
        "both" => {
            return Dashboard::connect(pulso.port(), &format!("/ws?token={token}"), &[("authorization", &bearer)])
                .await;
        }
        "first message" | "renewed" => json!({ "type": "auth", "token": token }),
        "first message, in data" => json!({ "type": "auth", "data": { "token": token } }),
        other => panic!("{other}"),
    };
    let mut dashboard = if way == "renewed" {
        // The same user, with a token that names another business of hers.
        let id = claims.json()["id"].as_str().unwrap().to_owned();
        let mut dashboard = pulso.connect(&Claims::naming(&id, &[OTHER_NEGOCIO])).await;
        dashboard.watch(OTHER_NEGOCIO).await;
        dashboard.unsubscribe(OTHER_NEGOCIO).await;
        dashboard
    } else {
        Dashboard::connect(pulso.port(), "/ws", &[]).await
    };
    dashboard.send(&first).await;
    dashboard.ping().await;
    dashboard
}

#[tokio::test]
async fn no_way_in_gives_a_foreigner_any_figures() {
    let (pulso, database) = open().await;
    citas(&database, NEGOCIO, 3, "pendiente", "'2020-01-01'").await;
    let mut owners = pulso.connect(&owner()).await;
    owners.watch(NEGOCIO).await;
    let channel = format!("estadisticas:{NEGOCIO}");
    let spellings = [
        json!({ "type": "subscribe", "data": { "channel": channel } }),
        json!({ "type": "subscribe", "channel": channel }),
        json!({ "type": "subscribe", "channel": channel, "data": { "channel": channel } }),
        json!({ "type": "subscribe", "channel": format!("estadisticas:{}", NEGOCIO.replace('-', "")) }),
        json!({ "type": "subscribe", "channel": format!("estadisticas:{{{NEGOCIO}}}") }),
        json!({ "type": "subscribe", "channel": format!("estadisticas:urn:uuid:{NEGOCIO}") }),
        json!({ "type": "subscribe", "channel": channel, "user": OWNER, "id": OWNER, "token": owner().sign("x") }),
    ];
    let mut inside = Vec::new();
    for way in ["query", "header", "both", "first message", "first message, in data", "renewed"] {
        for claims in foreigners() {
            let mut dashboard = enter(&pulso, way, &claims).await;
            for message in &spellings {
                dashboard.send(message).await;
                let answer = dashboard.next().await;
                let refusal = json!({ "type": "error", "message": NOT_ALLOWED });
                assert_eq!(answer, refusal, "{way}, {}, {message}", claims.json());
            }
            inside.push(dashboard);
        }
    }
    let answer = pulso.notify(NEGOCIO).await;
    assert_eq!(answer.json()["subscribers"], 1, "{answer:?}");
    owners.stats().await;
    for dashboard in &mut inside {
        dashboard.ping().await;
    }
}

#[tokio::test]
async fn every_way_in_serves_the_owner() {
    let (pulso, _database) = open().await;
    for way in ["query", "header", "both", "first message", "first message, in data"] {
        enter(&pulso, way, &owner()).await.watch(NEGOCIO).await;
    }
    let upper = Claims::user(&OWNER.to_uppercase());
    pulso.connect(&upper).await.watch(NEGOCIO).await;
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
    assert_eq!(pulso.metric("pulso_withdrawn_total").await, 2.0);
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
async fn without_a_table_of_owners_nobody_is_let_in_by_default() {
    let database = Postgres::shared().database().await;
    database.execute("ALTER TABLE citas DROP CONSTRAINT citas_negocio_id_fkey; DROP TABLE negocios").await;
    citas(&database, NEGOCIO, 2, "pendiente", "'2020-01-01'").await;
    let by_default = pulso(&database.url()).start().await;
    wait::until(async || by_default.get("/ready").await.body.contains("negocios"), "/ready names the table").await;
    assert_eq!(by_default.get("/ready").await.status, 503);
    for claims in [owner(), Claims::naming(OWNER, &[NEGOCIO])] {
        let mut dashboard = by_default.connect(&claims).await;
        dashboard.subscribe(NEGOCIO).await;
        dashboard.error().await;
        dashboard.expect_silence().await;
    }

    let opened = pulso(&database.url()).with("SUBSCRIBE_ACCESS", "authenticated").ready().await;
    let mut dashboard = opened.connect(&Claims::user(STRANGER)).await;
    assert_eq!(dashboard.watch(NEGOCIO).await.total, 2);
    opened.notify(NEGOCIO).await;
    dashboard.stats().await;
    let mut nobody = Dashboard::connect(opened.port(), "/ws", &[]).await;
    nobody.subscribe(NEGOCIO).await;
    assert_eq!(nobody.error().await, "authenticate first");
}

#[tokio::test]
async fn any_authenticated_user_is_let_in_where_the_operator_says_so() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("SUBSCRIBE_ACCESS", "authenticated").ready().await;
    assert!(may_watch(&pulso, &Claims::user(STRANGER), NEGOCIO).await);
    assert!(!may_watch(&pulso, &Claims::user(STRANGER), "no-uuid").await);
    assert_eq!(pulso.metric("pulso_ownership_queries_total").await, 0.0);
    assert!(pulso.has_logged("SUBSCRIBE_ACCESS"));
}

#[tokio::test]
async fn each_dashboard_gets_its_own_business_and_no_other() {
    let (pulso, database) = open().await;
    let mut one = pulso.connect(&owner()).await;
    let mut other = pulso.connect(&Claims::user(OTHER_OWNER)).await;
    one.watch(NEGOCIO).await;
    other.watch(OTHER_NEGOCIO).await;
    for round in 1..=5 {
        citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
        assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
        let stats = one.stats().await;
        assert_eq!((stats.negocio_id.as_str(), stats.total), (NEGOCIO, round));
        other.ping().await;
    }
    pulso.notify(OTHER_NEGOCIO).await;
    let stats = other.stats().await;
    assert_eq!((stats.negocio_id.as_str(), stats.total), (OTHER_NEGOCIO, 0));
    one.expect_silence().await;
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
    let queries = pulso.metric("pulso_ownership_queries_total").await;
    assert!((1.0..=40.0).contains(&queries), "{queries} queries for 80 pairs");
    assert_eq!(pulso.metric("pulso_ownership_pairs_total").await, 80.0);

    for _ in 0..10 {
        let mut again = pulso.connect(&owner()).await;
        again.watch(&ids[0]).await;
    }
    assert_eq!(pulso.metric("pulso_ownership_pairs_total").await, 80.0);
    assert!(pulso.metric("pulso_ownership_cached_total").await >= 10.0);
}

#[tokio::test]
async fn too_many_ownership_checks_are_an_error_and_others_are_served() {
    let database = database().await;
    let pulso = pulso(&database.url()).with("OWNERSHIP_BURST", "3").with("OWNERSHIP_RATE", "1").ready().await;
    let mut greedy = pulso.connect(&Claims::naming(OWNER, &[OTHER_NEGOCIO])).await;
    let mut denials = Vec::new();
    for n in 0..20 {
        greedy.subscribe(&format!("99999999-0000-4000-8000-{n:012}")).await;
        denials.push(greedy.error().await);
    }
    let limited = denials.iter().filter(|text| *text == "too many ownership checks; wait a little").count();
    let asked = denials.iter().filter(|text| *text == NOT_ALLOWED).count();
    assert_eq!(limited + asked, 20, "{denials:?}");
    assert!(limited >= 10 && asked >= 3, "{denials:?}");
    assert!(pulso.metric("pulso_ownership_pairs_total").await <= 10.0);
    // What the token names needs no check.
    greedy.watch(OTHER_NEGOCIO).await;
    let mut other = pulso.connect(&owner()).await;
    other.watch(NEGOCIO).await;
    // And what was asked just now by anybody needs none either.
    greedy.watch(NEGOCIO).await;
}
