//! Results that are strange, as clients are sent them: too much, two rows, another order each time, lines within values.

use std::time::Duration;

use pulso_harness::{Pulso, SECRET};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Restaurants, heard, refused, result, result_is, subscribe, waiter};

const UNREAD: &str = "the result is not available right now; it will follow";
/// As many rows as there are orders, where one is meant, or two at most.
const ONE: &str = "-- access: claim restaurantId\nSELECT estado FROM pedidos WHERE restaurante = $1\n";
const TWO: &str = "-- access: claim restaurantId\n-- result: rows\n-- max_rows: 2\nSELECT estado FROM pedidos WHERE restaurante = $1 ORDER BY id\n";
const SHORT: &str = "-- access: claim restaurantId\n-- result: rows\n-- max_bytes: 60\nSELECT estado FROM pedidos WHERE restaurante = $1 ORDER BY id\n";

fn quiet(pulso: Pulso) -> Pulso {
    pulso.with("SENTINEL_INTERVAL", "0")
}

#[tokio::test]
async fn what_is_too_much_or_two_rows_is_told_once_never_a_part_of_it_and_the_result_follows() {
    let files = [("una.sql", ONE), ("dos.sql", TWO), ("corta.sql", SHORT)];
    let restaurants = Restaurants::with(&files, quiet).await;
    let token = waiter("r-1").sign(SECRET);
    for (name, orders, fits) in [
        ("una", 2, json!({ "estado": "PENDING" })),
        ("dos", 3, json!([{ "estado": "PENDING" }])),
        ("corta", 3, json!([{ "estado": "PENDING" }])),
    ] {
        let channel = format!("consulta:{name}:r-1");
        restaurants.database.execute("DELETE FROM pedidos").await;
        restaurants.order("r-1", "PENDING").await;
        let mut screen = restaurants.waiter("r-1").await;
        let mut second = restaurants.pulso.open(&format!("/ws?v=2&token={token}")).await;
        for screen in [&mut screen, &mut second] {
            subscribe(screen, &channel).await;
            while screen.next().await["data"] != fits {}
        }
        for _ in 1..orders {
            restaurants.order("r-1", "PENDING").await;
        }
        for _ in 0..3 {
            let answer = restaurants.announce(&json!({ "name": name, "key": "r-1" })).await;
            assert_eq!(answer.status, 500, "{answer:?}");
        }
        let told: Vec<Value> = heard(&mut screen).await.into_iter().filter(|frame| frame["data"] != fits).collect();
        assert_eq!(told, [json!({ "type": "error", "channel": channel, "message": UNREAD })]);
        loop {
            let frame = second.next().await;
            if frame["type"] == "error" {
                assert_eq!((&frame["code"], &frame["channel"]), (&json!("too_large"), &json!(channel)), "{frame}");
                break;
            }
            assert_eq!(frame["data"], fits);
        }
        let mut newcomer = restaurants.waiter("r-1").await;
        subscribe(&mut newcomer, &channel).await;
        assert_eq!(refused(&mut newcomer, &channel).await, UNREAD);
        restaurants.database.execute("DELETE FROM pedidos WHERE id > (SELECT min(id) FROM pedidos)").await;
        let announced = async || restaurants.announce(&json!({ "name": name, "key": "r-1" })).await.status == 200;
        pulso_harness::wait::until(announced, "it can be read again").await;
        for screen in [&mut screen, &mut newcomer] {
            result_is(screen, &channel, fits.clone()).await;
        }
    }
}

#[tokio::test]
async fn what_is_another_at_each_read_is_sent_once_a_read_and_causes_none() {
    let files = [
        ("azar.sql", "-- access: authenticated\n-- key: none\n-- hints: order/new\nSELECT random() AS n\n"),
        (
            "mezcla.sql",
            "-- access: authenticated\n-- key: none\n-- hints: order/new\n-- result: rows\nSELECT n FROM generate_series(1, 50) AS n ORDER BY random()\n",
        ),
    ];
    let restaurants = Restaurants::with(&files, quiet).await;
    let mut screens = Vec::new();
    for (name, channel) in [("azar", "consulta:azar"), ("mezcla", "consulta:mezcla")] {
        let mut screen = restaurants.waiter("r-1").await;
        subscribe(&mut screen, channel).await;
        result(&mut screen, channel).await;
        screens.push((name, screen));
    }
    let order = r#"{"orderId":"o","restaurantId":"r-1","tableSessionId":"s","status":"CONFIRMED","createdAt":"x"}"#;
    for _ in 0..4 {
        let answer = restaurants.pulso.post("/notify/order/new", order).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        sleep(Duration::from_millis(400)).await;
    }
    sleep(Duration::from_millis(400)).await;
    for (name, screen) in &mut screens {
        let (frames, reads) = (heard(screen).await.len() as u64, restaurants.reads(name).await);
        // A hint, and once more for a late commit.
        assert!((4..reads).contains(&frames) && reads <= 2 * 4 + 2, "{name}: {frames} frames, {reads} reads");
        sleep(Duration::from_secs(1)).await;
        assert_eq!((heard(screen).await.len(), restaurants.reads(name).await), (0, reads), "{name}: nobody hints");
    }
}

#[tokio::test]
async fn lines_within_values_are_no_lines_of_a_stream() {
    let file = "-- access: authenticated\n-- key: none
SELECT E'{\"a\":\\r\\n [1,\\n2],\\r\"b\": \"\\\\n\"}'::json AS j, E'uno\\ndos\\r\\ntres\\u2028\"\\\\\\t'::text AS t\n";
    let restaurants = Restaurants::with(&[("lineas.sql", file)], quiet).await;
    let path = format!("/sse?channel=consulta:lineas&token={}", waiter("r-1").sign(SECRET));
    let mut stream = restaurants.pulso.events(&path).await;
    let wanted = json!({ "j": { "a": [1, 2], "b": "\n" }, "t": "uno\ndos\r\ntres\u{2028}\"\\\t" });
    assert_eq!(stream.message().await["data"], wanted);
    let mut screen = restaurants.waiter("r-1").await;
    subscribe(&mut screen, "consulta:lineas").await;
    let text = screen.text().await;
    assert!(!text.contains(['\n', '\r']) && text.contains(r#""j":{"a":"#), "{text:?}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["data"], wanted);
    // One message was one.
    restaurants.announce(&json!({ "name": "lineas" })).await;
    assert_eq!(stream.message().await["data"], wanted);
}
