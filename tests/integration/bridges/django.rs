//! `channels_redis`, its core layer and its pub/sub layer.

use pulso_harness::{Dashboard, Database, Pulso, Redis, Running, Script, token};
use serde_json::{Value, json};

use super::{came_to, hex, say, until_came_to, until_on_duty};
use crate::clinic::{DEVICES, IPAD_101, STAFF, TOLD_STAFF, kiosk_path, nurse, told_kiosk};
use crate::feeds::{configured, signed};

pub struct Clinic {
    pub redis: Redis,
    pub pulso: Pulso,
    _database: Database,
}

pub async fn clinic(layer: &str, serializer: &str) -> Clinic {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let redis = Redis::start();
    let pulso =
        pulso.with("REDIS_URL", &redis.url()).with("BRIDGE_DJANGO", layer).with("BRIDGE_DJANGO_SERIALIZER", serializer);
    Clinic { redis, pulso, _database: database }
}

impl Clinic {
    async fn start(&self) -> Running {
        let running = self.pulso.ready().await;
        until_on_duty(&running, "django").await;
        running
    }

    pub fn producer(&self, layer: &str, serializer: &str) -> Script {
        let url = self.redis.url();
        Script::python("bridge_django.py", &["--url", &url, "--layer", layer, "--serializer", serializer])
    }

    /// Until the core layer knows that somebody hears this group.
    pub async fn until_joined(&self, group: &str) {
        let key = format!("asgi:group:{group}");
        pulso_harness::wait::until(async || self.redis.say(&["ZCARD", &key]) == "1", "the group has a member").await;
    }
}

pub fn order() -> Value {
    serde_json::from_str(TOLD_STAFF).unwrap()
}

pub fn numbered(number: u64) -> Value {
    let mut order = order();
    order["order_id"] = json!(number);
    order
}

pub fn to_staff(messages: &[Value]) -> Value {
    json!({ "group": "staff_orders", "messages": messages })
}

pub fn device(id: &str) -> String {
    format!("device_{id}")
}

fn change(order: u64) -> Value {
    serde_json::from_str(&told_kiosk(order)).unwrap()
}

pub async fn staff(running: &Running) -> Dashboard {
    let mut staff = running.open(&signed(STAFF[0], &nurse())).await;
    staff.ping().await;
    staff
}

async fn is_heard(layer: &str, serializer: &str) {
    let clinic = clinic(layer, serializer).await;
    let running = clinic.start().await;
    let mut staff = staff(&running).await;
    let mut kiosk = running.open(&kiosk_path("ipad-room-101")).await;
    let mut other = running.open(&kiosk_path("ipad-room-102")).await;
    kiosk.ping().await;
    other.ping().await;
    if layer == "core" {
        clinic.until_joined("staff_orders").await;
        clinic.until_joined(&device(IPAD_101)).await;
    }
    let mut producer = clinic.producer(layer, serializer);
    say(&mut producer, &to_staff(&[order()])).await;
    assert_eq!(staff.text().await, TOLD_STAFF);
    // What a message says of a device counts for nothing: the group says which it is.
    let mut more = change(7);
    more["device_uid"] = json!("ipad-room-102");
    say(&mut producer, &json!({ "group": device(IPAD_101), "messages": [more, change(8)] })).await;
    assert_eq!(kiosk.text().await, told_kiosk(7));
    assert_eq!(kiosk.text().await, told_kiosk(8));
    // As their dispatcher reads it.
    let mut dotted = order();
    dotted["type"] = json!("new.order");
    let many: Vec<Value> = (1..=50).map(numbered).chain([dotted]).collect();
    say(&mut producer, &to_staff(&many)).await;
    for number in 1..=50 {
        assert_eq!(staff.next().await["order_id"], number);
    }
    assert_eq!(staff.text().await, TOLD_STAFF);
    other.expect_silence().await;
    assert_eq!(came_to(&running, "django", "Published").await, 54);
}

#[tokio::test]
async fn what_the_core_layer_sends_to_staff_and_to_a_device_is_heard_there_alone_and_in_order() {
    is_heard("core", "msgpack").await;
}

#[tokio::test]
async fn what_the_pub_sub_layer_sends_to_staff_and_to_a_device_is_heard_there_alone_and_in_order() {
    is_heard("pubsub", "msgpack").await;
}

#[tokio::test]
async fn either_layer_may_write_json() {
    is_heard("core", "json").await;
    is_heard("pubsub", "json").await;
}

#[tokio::test]
async fn what_waited_in_the_core_layer_while_no_node_was_there_is_published_when_one_is() {
    let clinic = clinic("core", "msgpack").await;
    let running = clinic.start().await;
    clinic.until_joined("staff_orders").await;
    running.signal(rustix::process::Signal::KILL);
    running.ended().await;
    let mut producer = clinic.producer("core", "msgpack");
    say(&mut producer, &to_staff(&[numbered(1), numbered(2), numbered(3)])).await;
    let running = clinic.start().await;
    until_came_to(&running, "django", "Published", 3).await;
    assert_eq!(clinic.redis.say(&["EXISTS", "asgispecific.pulso!"]), "0");
}

#[tokio::test]
async fn who_was_away_has_what_came_by_the_bridge_and_a_group_that_somebody_emptied_is_joined_again() {
    let clinic = clinic("core", "msgpack").await;
    let running = clinic.start().await;
    clinic.until_joined("staff_orders").await;
    let mut producer = clinic.producer("core", "msgpack");
    let path = |since: &str| format!("{}&since={since}", signed(STAFF[0], &nurse()));
    let mut staff = running.open(&path("")).await;
    staff.ping().await;
    say(&mut producer, &to_staff(&[numbered(1)])).await;
    let first = staff.next().await;
    let id = first["id"].as_str().unwrap_or_else(|| panic!("no id: {first}")).to_owned();
    drop(staff);
    clinic.redis.say(&["DEL", "asgi:group:staff_orders"]);
    clinic.until_joined("staff_orders").await;
    say(&mut producer, &to_staff(&[numbered(2)])).await;
    until_came_to(&running, "django", "Published", 2).await;
    let mut back = running.open(&path(&id)).await;
    assert_eq!(back.next().await["order_id"], 2);
}

#[tokio::test]
async fn what_the_hook_would_refuse_or_nobody_can_read_is_counted_and_what_comes_behind_it_is_heard() {
    let clinic = clinic("core", "msgpack").await;
    let running = clinic.start().await;
    clinic.until_joined("staff_orders").await;
    let mut staff = staff(&running).await;
    let mut producer = clinic.producer("core", "msgpack");
    let without = |name: &str| {
        let mut order = order();
        order.as_object_mut().unwrap().remove(name);
        order
    };
    let mut unknown = order();
    unknown["type"] = json!("order_paid");
    let mut long = order();
    long["patient"] = json!("x".repeat(20_000));
    let refused = [without("order_id"), without("placed_at"), without("type"), long];
    say(&mut producer, &to_staff(&refused)).await;
    say(&mut producer, &to_staff(&[unknown])).await;
    let door = "asgispecific.pulso!";
    let rubbish: [&[u8]; 6] = [
        b"",
        b"short",
        b"0123456789ab",
        b"0123456789ab\xc1",
        b"0123456789abgAAAAABnEncrypted",
        b"0123456789ab\xdf\xff\xff\xff\xff",
    ];
    // Django takes away what is older than a minute.
    let now = token::now().to_string();
    for bytes in rubbish {
        let command = [&b"ZADD"[..], door.as_bytes(), now.as_bytes(), bytes].map(hex);
        say(&mut producer, &json!({ "redis": command })).await;
    }
    say(&mut producer, &to_staff(&[order()])).await;
    assert_eq!(staff.text().await, TOLD_STAFF);
    until_came_to(&running, "django", "Refused", (refused.len() + rubbish.len()) as u64).await;
    until_came_to(&running, "django", "Ignored", 1).await;
    // A key of another type is somebody's mistake, and mended when it is gone.
    clinic.redis.say(&["SET", door, "x"]);
    running.until_logged("this producer is not listened to just now").await;
    clinic.redis.say(&["DEL", door]);
    until_on_duty(&running, "django").await;
    say(&mut producer, &to_staff(&[numbered(9)])).await;
    assert_eq!(staff.next().await["order_id"], 9);
}
