//! Who may watch: every rule of `access`, by tokens as they come, as they are renewed and as the database changes its mind.

use pulso_harness::{Claims, Dashboard, SECRET};
use serde_json::json;

use super::{NOT_ALLOWED, Restaurants, WITHDRAWN, refused, result, subscribe, waiter};
use crate::business::{NEGOCIO, OWNER};

const COUNT: &str = "SELECT count(*) AS n FROM pedidos WHERE restaurante = $1\n";
const WORKS_THERE: &str =
    "SELECT restaurante, usuario FROM turnos WHERE restaurante = ANY ($1) AND usuario = ANY ($2)\n";

/// A query with this `access`, on a server that asks again as often as it may.
async fn guarded(access: &str) -> Restaurants {
    let file = format!("-- access: {access}\n{COUNT}");
    let files = [("q.sql", file.as_str()), ("access/turnos.sql", WORKS_THERE)];
    let attentive = |pulso: pulso_harness::Pulso| pulso.with("ACCESS_CACHE", "0").with("ACCESS_RECHECK", "100ms");
    Restaurants::with(&files, attentive).await
}

async fn may(restaurants: &Restaurants, claims: &Claims, key: &str) -> bool {
    let mut screen = restaurants.pulso.connect(claims).await;
    let channel = format!("consulta:q:{key}");
    subscribe(&mut screen, &channel).await;
    let frame = screen.next().await;
    assert_eq!(frame["channel"], channel, "{frame}");
    let granted = frame["type"] == "consulta";
    assert!(granted || frame["message"] == NOT_ALLOWED, "{frame}");
    granted
}

async fn renew(screen: &mut Dashboard, claims: &Claims) {
    screen.send(&json!({ "type": "auth", "token": claims.sign(SECRET) })).await;
}

#[tokio::test]
async fn a_claim_opens_what_it_holds_and_nothing_else() {
    let restaurants = guarded("claim restaurantId").await;
    assert!(may(&restaurants, &waiter("r-1"), "r-1").await);
    assert!(may(&restaurants, &Claims::user("u").with("restaurantId", json!(["r-0", "r-1"])), "r-1").await);
    for claims in [
        Claims::user("r-1"),
        waiter("r-2"),
        Claims::user("u").with("restaurantId", json!({ "id": "r-1" })),
        Claims::user("u").with("restaurantId", json!([["r-1"]])),
        Claims::user("u").with("restaurant_id", json!("r-1")).with("negocio_id", json!("r-1")),
    ] {
        assert!(!may(&restaurants, &claims, "r-1").await, "{}", claims.json());
    }
}

#[tokio::test]
async fn a_path_leads_into_objects_and_several_rules_must_all_hold() {
    let restaurants = guarded("claim app.restaurant, claim app.role=chef").await;
    let claims = |app: serde_json::Value| Claims::user("u").with("app", app);
    assert!(may(&restaurants, &claims(json!({ "restaurant": "r-1", "role": "chef" })), "r-1").await);
    assert!(may(&restaurants, &claims(json!({ "restaurant": ["r-1"], "role": ["x", "chef"] })), "r-1").await);
    for app in [
        json!({ "restaurant": "r-1" }),
        json!({ "role": "chef" }),
        json!({ "restaurant": "r-1", "role": "x" }),
        json!("r-1"),
    ] {
        assert!(!may(&restaurants, &claims(app.clone()), "r-1").await, "{app}");
    }
}

#[tokio::test]
async fn a_user_opens_what_is_called_like_her() {
    let restaurants = guarded("user").await;
    assert!(may(&restaurants, &Claims::user("ana"), "ana").await);
    assert!(!may(&restaurants, &Claims::user("eva").with("sub", json!("ana")), "ana").await);
}

#[tokio::test]
async fn everybody_opens_what_is_for_everybody_with_a_token() {
    let restaurants = guarded("authenticated").await;
    assert!(may(&restaurants, &Claims::user("quien-sea"), "r-1").await);
    let mut nobody = Dashboard::connect(restaurants.pulso.port(), "/ws", &[]).await;
    subscribe(&mut nobody, "consulta:q:r-1").await;
    assert_eq!(nobody.error().await, "authenticate first");
}

#[tokio::test]
async fn a_business_opens_to_whom_its_figures_open() {
    let restaurants = guarded("negocio").await;
    assert!(may(&restaurants, &Claims::user(OWNER), NEGOCIO).await);
    assert!(may(&restaurants, &Claims::naming("u", &[NEGOCIO]), NEGOCIO).await);
    assert!(!may(&restaurants, &Claims::user("cccccccc-cccc-4ccc-8ccc-cccccccccccc"), NEGOCIO).await);
    assert!(!may(&restaurants, &Claims::user(OWNER), "no-uuid").await);
}

#[tokio::test]
async fn a_query_of_the_operators_opens_to_whom_it_pairs_with_the_key_for_as_long_as_it_does() {
    let restaurants = guarded("sql access/turnos.sql").await;
    restaurants.database.execute("INSERT INTO turnos VALUES ('r-1', 'ana'), ('r-2', 'eva')").await;
    assert!(!may(&restaurants, &Claims::user("eva"), "r-1").await);
    let mut screen = restaurants.pulso.connect(&Claims::user("ana")).await;
    subscribe(&mut screen, "consulta:q:r-1").await;
    result(&mut screen, "consulta:q:r-1").await;
    restaurants.database.execute("DELETE FROM turnos WHERE usuario = 'ana'").await;
    assert_eq!(refused(&mut screen, "consulta:q:r-1").await, WITHDRAWN);
    assert_eq!(restaurants.announce(&json!({ "name": "q", "key": "r-1" })).await.json()["subscribers"], 0);
    subscribe(&mut screen, "consulta:q:r-1").await;
    assert_eq!(refused(&mut screen, "consulta:q:r-1").await, NOT_ALLOWED);
}

#[tokio::test]
async fn a_renewed_token_is_judged_at_once() {
    let restaurants = guarded("claim restaurantId").await;
    let mut screen =
        restaurants.pulso.connect(&Claims::user("mesera").with("restaurantId", json!(["r-1", "r-2"]))).await;
    for channel in ["consulta:q:r-1", "consulta:q:r-2"] {
        subscribe(&mut screen, channel).await;
        result(&mut screen, channel).await;
    }
    renew(&mut screen, &waiter("r-2")).await;
    assert_eq!(refused(&mut screen, "consulta:q:r-1").await, WITHDRAWN);
    for (key, subscribers) in [("r-1", 0), ("r-2", 1)] {
        let answer = restaurants.announce(&json!({ "name": "q", "key": key })).await;
        assert_eq!(answer.json()["subscribers"], subscribers, "{key}");
    }
    result(&mut screen, "consulta:q:r-2").await;
    renew(&mut screen, &waiter("r-1")).await;
    assert_eq!(refused(&mut screen, "consulta:q:r-2").await, WITHDRAWN);
    subscribe(&mut screen, "consulta:q:r-1").await;
    result(&mut screen, "consulta:q:r-1").await;
}

#[tokio::test]
async fn what_a_token_granted_the_database_grants_on_and_the_other_way_round() {
    let restaurants = guarded("negocio").await;
    let channel = format!("consulta:q:{NEGOCIO}");
    let mut screen = restaurants.pulso.connect(&Claims::naming(OWNER, &[NEGOCIO])).await;
    subscribe(&mut screen, &channel).await;
    result(&mut screen, &channel).await;
    renew(&mut screen, &Claims::user(OWNER)).await;
    screen.ping().await;
    restaurants.announce(&json!({ "name": "q", "key": NEGOCIO })).await;
    result(&mut screen, &channel).await;
    restaurants.database.execute("UPDATE negocios SET admin_negocio_id = NULL").await;
    assert_eq!(refused(&mut screen, &channel).await, WITHDRAWN);
    renew(&mut screen, &Claims::naming(OWNER, &[NEGOCIO])).await;
    subscribe(&mut screen, &channel).await;
    result(&mut screen, &channel).await;
}
