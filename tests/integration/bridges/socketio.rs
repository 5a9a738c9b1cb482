//! `@socket.io/redis-emitter`, and a server of the original's with `@socket.io/redis-adapter`.

use pulso_harness::{Packets, Pulso, Redis, Running, Script};
use serde_json::{Value, json};

use super::{came_to, hex, say, until_came_to, until_on_duty};
use crate::live_queries::{Folder, TABLES, result_is, subscribe, waiter};
use crate::restaurant::{OTHER, RESTAURANT, auth, server};

pub fn bridged(redis: &Redis) -> Pulso {
    server().with("REDIS_URL", &redis.url()).with("BRIDGE_SOCKETIO", "socket.io")
}

pub fn room(restaurant: &str) -> String {
    format!("restaurant:{restaurant}")
}

pub fn status(restaurant: &str, number: u32) -> Value {
    json!({ "orderId": format!("o-{number}"), "restaurantId": restaurant, "newStatus": "READY", "total": 45.5 })
}

pub fn told(restaurant: &str, number: u32) -> Value {
    json!({ "rooms": [room(restaurant)], "emit": "order.status.changed", "args": [status(restaurant, number)] })
}

pub async fn producer(redis: &Redis, role: &str) -> Script {
    let mut producer = Script::node("bridge_socketio.mjs", &["--url", &redis.url(), "--as", role]);
    producer.until("ready").await;
    producer
}

/// The next event: its name and its arguments.
pub async fn heard(client: &mut Packets) -> (String, Vec<Value>) {
    let packet = client.expect().await;
    let mut event: Vec<Value> =
        serde_json::from_str(packet.strip_prefix("42").unwrap_or_else(|| panic!("{packet}"))).unwrap();
    let name = event.remove(0);
    (name.as_str().unwrap().to_owned(), event)
}

async fn start(redis: &Redis) -> Running {
    let running = bridged(redis).start().await;
    until_on_duty(&running, "socketio").await;
    running
}

#[tokio::test]
async fn what_an_emitter_or_an_old_server_says_to_a_restaurants_room_is_heard_there_alone() {
    let redis = Redis::start();
    let running = start(&redis).await;
    let mut own = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut other = Packets::connected(running.port(), &auth(OTHER)).await;
    let order = json!({
        "orderId": "o-1", "restaurantId": RESTAURANT, "tableSessionId": 7, "status": "CONFIRMED", "total": 31.25,
        "items": [{ "id": 9_007_199_254_740_991_u64, "notes": null, "name": "Ñandú \"grande\"" }],
        "createdAt": "2024-01-01T00:00:00.000Z",
    });
    let mut dated = order.clone();
    dated["createdAt"] = json!({ "$date": "2024-01-01T00:00:00.000Z" });
    for (round, role) in ["emitter", "server"].into_iter().enumerate() {
        let mut producer = producer(&redis, role).await;
        // An event for one room goes by a channel of its own, one for several by that of all.
        say(&mut producer, &json!({ "rooms": [room(RESTAURANT)], "emit": "order.new", "args": [dated] })).await;
        say(&mut producer, &json!({ "rooms": ["kitchen", room(RESTAURANT)], "emit": "order.new", "args": [order] }))
            .await;
        say(&mut producer, &told(RESTAURANT, 2)).await;
        say(&mut producer, &told(OTHER, 3)).await;
        for _ in 0..2 {
            assert_eq!(heard(&mut own).await, ("order.new".to_owned(), vec![order.clone()]));
        }
        assert_eq!(heard(&mut own).await, ("order.status.changed".to_owned(), vec![status(RESTAURANT, 2)]));
        assert_eq!(heard(&mut other).await, ("order.status.changed".to_owned(), vec![status(OTHER, 3)]));
        until_came_to(&running, "socketio", "Ignored", round as u64 + 1).await;
    }
    assert_eq!(came_to(&running, "socketio", "Published").await, 8);
}

#[tokio::test]
async fn it_hints_live_queries_as_the_hooks_call_does() {
    let redis = Redis::start();
    let (server, database) = crate::feeds::configured().await;
    database.execute(TABLES).await;
    let file = "-- access: claim restaurantId\n-- hints: order/status\nSELECT count(*) AS n FROM pedidos WHERE restaurante = $1\n";
    let folder = Folder::new(&[("pedidos.sql", file)]);
    let server = server.with("QUERIES_DIR", &folder.path()).with("SENTINEL_INTERVAL", "0");
    let running = server.with("REDIS_URL", &redis.url()).with("BRIDGE_SOCKETIO", "socket.io").ready().await;
    until_on_duty(&running, "socketio").await;
    let channel = format!("consulta:pedidos:{RESTAURANT}");
    let mut screen = running.connect(&waiter(RESTAURANT)).await;
    subscribe(&mut screen, &channel).await;
    result_is(&mut screen, &channel, json!({ "n": 0 })).await;
    let order = format!("INSERT INTO pedidos (restaurante, estado) VALUES ('{RESTAURANT}', 'READY')");
    database.execute(&order).await;
    let mut producer = producer(&redis, "emitter").await;
    say(&mut producer, &told(RESTAURANT, 1)).await;
    result_is(&mut screen, &channel, json!({ "n": 1 })).await;
}

#[tokio::test]
async fn it_has_an_id_and_is_said_again_to_who_was_away() {
    let redis = Redis::start();
    let running = start(&redis).await;
    let mut producer = producer(&redis, "emitter").await;
    let with = |since: &str| {
        let mut auth = auth(RESTAURANT);
        auth["since"] = json!(since);
        auth
    };
    let mut first = Packets::connected(running.port(), &with("")).await;
    say(&mut producer, &told(RESTAURANT, 1)).await;
    let (_, arguments) = heard(&mut first).await;
    let id = arguments[1]["id"].as_str().unwrap().to_owned();
    drop(first);
    say(&mut producer, &told(RESTAURANT, 2)).await;
    until_came_to(&running, "socketio", "Published", 2).await;
    let mut back = Packets::connected(running.port(), &with(&id)).await;
    assert_eq!(heard(&mut back).await.1[0], status(RESTAURANT, 2));
}

#[tokio::test]
async fn what_is_wrong_or_for_others_is_counted_and_what_comes_behind_it_is_heard() {
    let redis = Redis::start();
    let running = start(&redis).await;
    let mut client = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    let mut producer = producer(&redis, "emitter").await;
    let event =
        |rooms: &[&str], name: &str, arguments: Value| json!({ "rooms": rooms, "emit": name, "args": arguments });
    let (here, good) = (room(RESTAURANT), status(RESTAURANT, 1));
    let ignored = [
        event(&[], "order.status.changed", json!([good])),
        event(&["kitchen"], "order.status.changed", json!([good])),
        event(&[&here], "order.paid", json!([good])),
        event(&[&here], "order.status.changed", json!([good, good])),
        event(&[&here], "order.status.changed", json!([])),
        json!({ "rooms": [here], "except": ["x"], "emit": "order.status.changed", "args": [good] }),
    ];
    let refused = [
        event(&[&here], "order.status.changed", json!([status(OTHER, 1)])),
        event(&[&here], "order.status.changed", json!([{ "orderId": "o-1", "restaurantId": RESTAURANT }])),
        event(&[&here], "order.status.changed", json!(["text"])),
        event(&[&here], "order.status.changed", json!([{ "orderId": { "$bytes": "00" } }])),
        event(&[&here], "order.new", json!([good])),
        event(&[&here], "order.status.changed", json!([{ "note": "x".repeat(20_000) }])),
    ];
    let channel = "socket.io#/#";
    let rubbish = [
        vec![],
        b"rubbish".to_vec(),
        vec![0xff; 100],
        vec![0x91; 10_000],
        b"\x93\xdd\xff\xff\xff\xff".to_vec(),
        b"\x93\xa1u\x82\xa4type\x02\xa4data\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x80".to_vec(),
        b"\x93\xa1u\x81\x01\x02\x80".to_vec(),
        vec![b'x'; 2_000_000],
    ];
    // That of another namespace comes by a channel that nobody listens to.
    let elsewhere = json!({ "rooms": [here], "of": "/admin", "emit": "order.status.changed", "args": [good] });
    for what in ignored.iter().chain(&refused).chain([&elsewhere]) {
        say(&mut producer, what).await;
    }
    for bytes in &rubbish {
        say(&mut producer, &json!({ "channel": channel, "bytes": hex(bytes) })).await;
    }
    say(&mut producer, &json!({ "disconnect": [here] })).await;
    say(&mut producer, &told(RESTAURANT, 2)).await;
    assert_eq!(heard(&mut client).await.1, [status(RESTAURANT, 2)]);
    until_came_to(&running, "socketio", "Ignored", ignored.len() as u64).await;
    until_came_to(&running, "socketio", "Refused", (refused.len() + rubbish.len()) as u64).await;
    assert_eq!(came_to(&running, "socketio", "Published").await, 1);
    let said = "a message of this producer is refused";
    running.until_logged(said).await;
    let lines = running.log().iter().filter(|line| line.contains(said)).count();
    assert_eq!(lines, 1, "{:#?}", running.log());
}

#[tokio::test]
async fn a_redis_that_was_away_is_listened_to_again_and_who_is_connected_stays() {
    let mut redis = Redis::start();
    let running = start(&redis).await;
    let mut client = Packets::connected(running.port(), &auth(RESTAURANT)).await;
    redis.kill();
    running.until_logged("this producer is not listened to just now").await;
    redis.revive();
    until_on_duty(&running, "socketio").await;
    let mut producer = producer(&redis, "emitter").await;
    say(&mut producer, &told(RESTAURANT, 1)).await;
    assert_eq!(heard(&mut client).await.1, [status(RESTAURANT, 1)]);
    // It hears nothing for a while, and nobody tells it so.
    redis.freeze();
    pulso_harness::wait::until(async || !super::is_on_duty(&running, "socketio").await, "the line is given up").await;
    redis.thaw();
    until_on_duty(&running, "socketio").await;
    say(&mut producer, &told(RESTAURANT, 2)).await;
    assert_eq!(heard(&mut client).await.1, [status(RESTAURANT, 2)]);
}
