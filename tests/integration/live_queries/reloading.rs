//! What a reload does to who watches: whoever watches what has changed passes its `access` anew before hearing anything.

use pulso_harness::{Claims, Dashboard, SECRET};
use serde_json::{Value, json};

use super::{KITCHEN, NOT_ALLOWED, Restaurants, TOTAL, WITHDRAWN, heard, refused, result, subscribe, waiter};

const CHANNEL: &str = "consulta:cocina:r-1";

/// Up to an error, and with it.
async fn heard_until_an_error(screen: &mut Dashboard) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        heard.push(screen.next().await);
        if heard.last().is_some_and(|frame| frame["type"] == "error") {
            return heard;
        }
    }
}

#[tokio::test]
async fn watchers_of_a_changed_query_get_its_result_and_of_a_removed_one_an_error() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN), ("total.sql", TOTAL)], |pulso| pulso).await;
    let mut screen = restaurants.waiter("r-1").await;
    for channel in [CHANNEL, "consulta:total"] {
        subscribe(&mut screen, channel).await;
        result(&mut screen, channel).await;
    }
    let other = KITCHEN.replace("AS todos", "AS pedidos");
    restaurants.folder.write("cocina.sql", &other);
    restaurants.reload().await;
    assert_eq!(result(&mut screen, CHANNEL).await, json!({ "pendientes": 0, "pedidos": 0 }));
    restaurants.folder.remove("cocina.sql");
    restaurants.reload().await;
    let said = heard_until_an_error(&mut screen).await;
    let (error, before) = said.split_last().unwrap();
    assert_eq!(*error, json!({ "type": "error", "channel": CHANNEL, "message": WITHDRAWN }));
    assert!(before.iter().all(|frame| frame["channel"] == CHANNEL), "the other one is as it was: {before:?}");
    assert_eq!(restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await.status, 400);
    restaurants.announce(&json!({ "name": "total" })).await;
    result(&mut screen, "consulta:total").await;
    restaurants.folder.write("cocina.sql", KITCHEN);
    restaurants.reload().await;
    assert!(heard(&mut screen).await.iter().all(|frame| frame["channel"] != CHANNEL));
    subscribe(&mut screen, CHANNEL).await;
    result(&mut screen, CHANNEL).await;
}

#[tokio::test]
async fn nothing_is_sent_to_who_does_not_pass_the_new_access() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await;
    let chef = waiter("r-1").with("role", json!("chef"));
    let (mut stays, mut goes) = (restaurants.pulso.connect(&chef).await, restaurants.waiter("r-1").await);
    for screen in [&mut stays, &mut goes] {
        subscribe(screen, CHANNEL).await;
        result(screen, CHANNEL).await;
    }
    let path = format!("/sse?channel={CHANNEL}&token={}", waiter("r-1").sign(SECRET));
    let mut stream = restaurants.pulso.events(&path).await;
    stream.message().await;
    let narrow = KITCHEN.replace("claim restaurantId", "claim restaurantId, claim role=chef");
    restaurants.folder.write("cocina.sql", &narrow);
    restaurants.reload().await;
    restaurants.order("r-1", "PENDING").await;
    let mut announced = 0;
    while announced == 0 {
        announced = restaurants.announce(&json!({ "name": "cocina", "key": "r-1" })).await.json()["subscribers"]
            .as_u64()
            .unwrap();
    }
    // Whoever is judged anew is refused like who was never let in.
    assert!([WITHDRAWN, NOT_ALLOWED].contains(&refused(&mut goes, CHANNEL).await.as_str()));
    let said = stream.message().await;
    assert_eq!((&said["type"], &said["channel"]), (&json!("error"), &json!(CHANNEL)), "{said}");
    while result(&mut stays, CHANNEL).await["todos"] != 1 {}
    let wide = KITCHEN.replace("claim restaurantId", "authenticated");
    restaurants.folder.write("cocina.sql", &wide);
    restaurants.reload().await;
    result(&mut stays, CHANNEL).await;
    assert_eq!(heard(&mut goes).await, Vec::<Value>::new());
    subscribe(&mut goes, CHANNEL).await;
    result(&mut goes, CHANNEL).await;
}

#[tokio::test]
async fn an_access_that_asks_for_another_claim_finds_it_in_tokens_that_came_before() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await;
    let claims = Claims::user("u").with("restaurantId", json!("r-1")).with("local", json!({ "id": "r-1" }));
    let mut screen = restaurants.pulso.connect(&claims).await;
    subscribe(&mut screen, CHANNEL).await;
    result(&mut screen, CHANNEL).await;
    restaurants.folder.write("cocina.sql", &KITCHEN.replace("claim restaurantId", "claim local.id"));
    restaurants.reload().await;
    result(&mut screen, CHANNEL).await;
}

#[tokio::test]
async fn a_folder_with_a_mistake_changes_nothing() {
    let restaurants = Restaurants::with(&[("cocina.sql", KITCHEN)], |pulso| pulso).await;
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, CHANNEL).await;
    result(&mut screen, CHANNEL).await;
    restaurants.folder.write("cocina.sql", &KITCHEN.replace("claim restaurantId", "authenticated"));
    restaurants.folder.write("mala.sql", "-- access: nobody\nSELECT 1\n");
    restaurants.pulso.signal(rustix::process::Signal::HUP);
    restaurants.pulso.until_logged("stay as they were").await;
    assert!(heard(&mut screen).await.iter().all(|frame| frame["type"] == "consulta"));
    let mut stranger = restaurants.waiter("r-2").await;
    subscribe(&mut stranger, CHANNEL).await;
    refused(&mut stranger, CHANNEL).await;
}
