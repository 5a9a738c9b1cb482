//! Whose figures anybody gets to see, by every way in; and how soon rights that are gone are gone on the wire.

mod live;
mod rate_limit;

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
async fn without_a_table_of_owners_nobody_is_let_in_by_default() {
    let database = Postgres::shared().database().await;
    database.execute("ALTER TABLE citas DROP CONSTRAINT citas_negocio_id_fkey; DROP TABLE negocios").await;
    citas(&database, NEGOCIO, 2, "pendiente", "'2020-01-01'").await;
    let by_default = pulso(&database.url()).start().await;
    wait::until(async || by_default.get("/ready").await.body.contains("table_missing"), "/ready says it").await;
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
    assert_eq!(pulso.count("pulso_ownership_queries_total").await, 0);
    pulso.until_logged("SUBSCRIBE_ACCESS").await;
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
