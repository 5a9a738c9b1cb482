//! One person, one name: whoever is dismissed by any name that a token gives her is found on every connection of hers.

use pulso_harness::{Claims, Dashboard, SECRET, token};
use serde_json::{Value, json};

use crate::business::{NEGOCIO, OWNER, database, owner, pulso};
use crate::everywhere::{Everywhere, ended};
use crate::feeds::{assert_reached, open, signed};

/// Whose token opens everything; the claims that name her are added.
fn everything() -> Claims {
    Claims::empty()
        .with("negocio_id", json!(NEGOCIO))
        .with("role", json!("STAFF"))
        .with("restaurantId", json!("r-1"))
        .with("iat", json!(token::now() - 5))
        .expiring_in(3_600)
}

#[tokio::test]
async fn whoever_is_dismissed_by_any_of_her_names_is_out_on_every_connection_and_stays_out() {
    let (pulso, _database) = open().await;
    let uuid = |last: &str| format!("9f1c2b3a-0000-4000-8000-0000000000{last}");
    let two = |id: &str, sub: &str| everything().with("id", json!(id)).with("sub", json!(sub));
    let four = everything().with("id", json!("a1")).with("user_id", json!("a2")).with("sub", json!("a3"));
    let cases: [(Claims, Value); 12] = [
        (two("interno-1", "ana@example.com"), json!("ana@example.com")),
        (two("interno-2", "eva@example.com"), json!("interno-2")),
        (four.with("userId", json!("a4")), json!("a4")),
        (everything().with("id", json!(5)), json!(5)),
        (everything().with("sub", json!(6)), json!("6")),
        (everything().with("userId", json!(7)), json!(7)),
        (everything().with("user_id", json!("8")), json!(8)),
        (two("interno-3", "").with("userId", json!(9_007_199_254_740_993_u64)), json!(9_007_199_254_740_993_u64)),
        (everything().with("id", json!(uuid("01").to_uppercase())), json!(uuid("01"))),
        (everything().with("sub", json!(uuid("02"))), json!(uuid("02").to_uppercase())),
        (two("interno-4", &uuid("03").to_uppercase()), json!(format!("{{{}}}", uuid("03")))),
        (two("interno-5", &uuid("04")), json!(uuid("04").replace('-', ""))),
    ];
    let mut other = pulso.connect(&everything().with("id", json!("luis")).with("sub", json!("luis@example.com"))).await;
    other.ping().await;
    for (claims, name) in cases {
        let hers = Everywhere::enter(&pulso, &claims.sign(SECRET)).await;
        let answer = pulso.post("/api/disconnect", &json!({ "user": name }).to_string()).await;
        assert_reached(&answer, Everywhere::CONNECTIONS);
        hers.leave(&ended()).await;
        let again = Dashboard::try_connect(pulso.port(), &signed("/ws", &claims), &[]).await;
        assert_eq!(again.unwrap_err().status, 401, "{name}");
    }
    other.ping().await;
}

#[tokio::test]
async fn a_renewed_token_may_spell_its_user_another_way_and_its_new_names_find_the_connection() {
    let (pulso, _database) = open().await;
    let uuid = "9f1c2b3a-0000-4000-8000-0000000000ff";
    let claims = |id: Value| everything().with("id", id);
    let renew = async |socket: &mut Dashboard, claims: &Claims| {
        socket.send(&json!({ "type": "auth", "token": claims.sign(SECRET) })).await;
    };
    let mut ana = pulso.connect(&claims(json!(uuid.to_uppercase())).with("sub", json!("old"))).await;
    renew(&mut ana, &claims(json!(uuid)).with("sub", json!("new"))).await;
    ana.ping().await;
    let mut luis = pulso.connect(&claims(json!(41))).await;
    renew(&mut luis, &claims(json!("41"))).await;
    luis.ping().await;
    // A name that another has as well makes nobody the same.
    renew(&mut luis, &claims(json!(42)).with("sub", json!(41))).await;
    assert_eq!(luis.closed().await, pulso_harness::Closed { code: 4001, reason: "another user's token".to_owned() });
    assert_reached(&pulso.post("/api/disconnect", r#"{"user":"old"}"#).await, 0);
    assert_reached(&pulso.post("/api/disconnect", r#"{"user":"new"}"#).await, 1);
    assert_eq!(ana.closed().await, ended());
}

#[tokio::test]
async fn an_owner_is_asked_about_by_her_id_alone_however_it_is_spelt() {
    let database = database().await;
    let pulso = pulso(&database.url()).ready().await;
    for spelling in [OWNER.to_uppercase(), format!("{{{OWNER}}}"), OWNER.replace('-', "")] {
        pulso.connect(&Claims::user(&spelling)).await.watch(NEGOCIO).await;
    }
    // Names beside the id end a connection; they open nothing.
    let mut stranger = pulso.connect(&owner().with("id", json!("x")).with("sub", json!(OWNER))).await;
    stranger.subscribe(NEGOCIO).await;
    assert_eq!(stranger.error().await, "not allowed to subscribe to this channel");
}
