//! Live queries in the second version: what is said of one that cannot be sent, is removed, or may not be watched any more.

use pulso::feeds::queries::words::NO_RESULT;
use pulso_harness::{Claims, Dashboard, Running, SECRET};
use serde_json::{Value, json};

use super::socket::{greeted, say, subscribe};
use crate::feeds::signed;
use crate::live_queries::{KITCHEN, OPEN, Restaurants, WITHDRAWN, waiter};

const OPEN_ORDERS: &str = "consulta:abiertos:r-1";
const KITCHEN_OF_ONE: &str = "consulta:cocina:r-1";

async fn screen(pulso: &Running, claims: &Claims) -> Dashboard {
    greeted(pulso, &signed("/ws", claims)).await.0
}

/// A screen on one channel, which has its first result.
async fn watching(pulso: &Running, channel: &str) -> Dashboard {
    let mut screen = screen(pulso, &waiter("r-1")).await;
    let joined = subscribe(&mut screen, channel, "r").await;
    assert_eq!((&joined["type"], &joined["channel"]), (&json!("subscribed"), &json!(channel)));
    assert_eq!(screen.next().await["type"], "consulta");
    screen
}

/// The next frame that is no result.
async fn said(screen: &mut Dashboard) -> Value {
    loop {
        let frame = screen.next().await;
        if frame["type"] != "consulta" {
            return frame;
        }
    }
}

fn withdrawn(code: &str) -> Value {
    json!({ "type": "error", "code": code, "message": WITHDRAWN, "channel": KITCHEN_OF_ONE, "retry": false })
}

fn left(reason: &str) -> Value {
    json!({ "type": "unsubscribed", "channel": KITCHEN_OF_ONE, "reason": reason })
}

#[tokio::test]
async fn a_result_that_is_too_large_is_told_as_such_and_a_smaller_one_follows() {
    let few = OPEN.replace("-- result: rows", "-- result: rows\n-- max_rows: 2");
    let restaurants = Restaurants::with(&[("abiertos.sql", &few)], |pulso| pulso).await;
    let mut watches = watching(&restaurants.pulso, OPEN_ORDERS).await;
    for _ in 0..3 {
        restaurants.order("r-1", "PENDING").await;
    }
    let announced = json!({ "name": "abiertos", "key": "r-1" });
    restaurants.announce(&announced).await;
    let too_large =
        json!({ "type": "error", "code": "too_large", "message": NO_RESULT, "channel": OPEN_ORDERS, "retry": true });
    assert_eq!(said(&mut watches).await, too_large);
    // Who comes now is told so too, behind its answer.
    let mut comes = screen(&restaurants.pulso, &waiter("r-1")).await;
    assert_eq!(subscribe(&mut comes, OPEN_ORDERS, "r").await["type"], "subscribed");
    assert_eq!(said(&mut comes).await, too_large);
    restaurants.database.execute("DELETE FROM pedidos").await;
    restaurants.announce(&announced).await;
    for screen in [&mut watches, &mut comes] {
        let result = screen.next().await;
        assert_eq!(
            (&result["type"], &result["channel"], &result["data"]),
            (&json!("consulta"), &json!(OPEN_ORDERS), &json!([]))
        );
    }
}

#[tokio::test]
async fn who_watches_a_query_that_is_removed_is_told_so_and_has_left() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await;
    let mut screen = watching(&restaurants.pulso, KITCHEN_OF_ONE).await;
    restaurants.folder.remove("cocina.sql");
    restaurants.reload().await;
    assert_eq!(said(&mut screen).await, withdrawn("removed"));
    assert_eq!(said(&mut screen).await, left("withdrawn"));
    assert_eq!(subscribe(&mut screen, KITCHEN_OF_ONE, "r").await["code"], "forbidden");
}

#[tokio::test]
async fn who_does_not_pass_what_a_query_asks_for_now_is_told_so_and_has_left() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await;
    let mut screen = watching(&restaurants.pulso, KITCHEN_OF_ONE).await;
    let narrow = KITCHEN.replace("claim restaurantId", "claim restaurantId, claim role=chef");
    restaurants.folder.write("cocina.sql", &narrow);
    restaurants.reload().await;
    assert_eq!(said(&mut screen).await, withdrawn("withdrawn"));
    assert_eq!(said(&mut screen).await, left("withdrawn"));
}

#[tokio::test]
async fn what_a_newer_token_opens_no_more_is_left_because_of_its_user() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await;
    let mut screen = watching(&restaurants.pulso, KITCHEN_OF_ONE).await;
    say(&mut screen, json!({ "type": "auth", "token": waiter("r-2").sign(SECRET), "ref": "t" })).await;
    assert_eq!(said(&mut screen).await["type"], "authenticated");
    assert_eq!(said(&mut screen).await, withdrawn("withdrawn"));
    assert_eq!(said(&mut screen).await, left("user"));
}
