//! Socket.IO, namespace `/`: the orders of a restaurant, by WebSocket and by polling.

use pulso_harness::{Claims, SECRET};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Scene;
use super::peer::Peer;

pub const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const ORDER: &str = r#"{"orderId":"o-1","restaurantId":"r-1","tableSessionId":"s-1","status":"CONFIRMED","items":[{"id":"i-1","orderId":"o-1","name":"Hamburguesa","qty":2,"unitPrice":"15.50","total": 31.00,"notes":null}],"createdAt":"2024-01-01T00:00:00.000Z"}"#;
pub const STATUS: &str = r#"{"orderId":"o-1","restaurantId":"r-1","previousStatus":"CONFIRMED","newStatus":"READY","updatedAt":"2024-01-01T00:00:00.000Z"}"#;
const ITEM: &str = r#"{"orderId":"o-1","itemId":7,"restaurantId":"r-1","previousStatus":null,"newStatus":"IN_PROGRESS","updatedAt":"2024-01-01T00:00:00.000Z"}"#;

pub fn waiter() -> Claims {
    let claims = Claims::empty().with("userId", json!("ana")).with("role", json!("WAITER"));
    claims.with("restaurantId", json!("r-1")).expiring_in(3_600)
}

impl Scene {
    /// What a client says to enter, with a token that the record calls `name`.
    pub fn auth(&self, name: &str, claims: &Claims) -> Value {
        json!({ "token": self.record.token(name, claims) })
    }

    /// A session of Engine.IO that is a WebSocket from the beginning.
    pub async fn session(&self, name: &str) -> Peer {
        let mut peer = self.socket(name, WEBSOCKET).await;
        peer.packet().await;
        peer
    }

    /// As [`Self::session`], in namespace `/`.
    pub async fn waiter(&self, name: &str, auth: &Value) -> Peer {
        let mut peer = self.session(name).await;
        peer.say(&format!("40{auth}")).await;
        peer.packet().await;
        peer
    }
}

/// The id behind an event.
fn id_of(packet: &str) -> String {
    let (_, rest) = packet.rsplit_once(r#"{"id":""#).unwrap_or_else(|| panic!("no id behind: {packet}"));
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn orders_reach_a_restaurant_as_they_always_did() {
    let scene = Scene::new("restaurant", &[]).await;
    let auth = scene.auth("of a waiter", &waiter());
    scene.title("Every event, by WebSocket and by polling, with ids for who asks for them");
    let mut plain = scene.waiter("waiter", &auth).await;
    let mut asking_auth = auth.clone();
    asking_auth["since"] = json!("");
    let mut asking = scene.waiter("asking", &asking_auth).await;
    let mut poller = Poller::open(&scene, "poller").await;
    poller.say(&format!("40{auth}")).await;
    poller.packets(1).await;
    let mut first = String::new();
    for (hook, body, events) in
        [("/notify/order/new", ORDER, 2), ("/notify/order/status", STATUS, 1), ("/notify/order/item-status", ITEM, 1)]
    {
        scene.call(hook, body).await;
        for _ in 0..events {
            plain.packet().await;
            let id = id_of(&asking.packet().await);
            if first.is_empty() {
                first = id;
            }
        }
        poller.packets(events).await;
    }
    scene.title("Who comes back");
    asking_auth["since"] = json!(first);
    let mut back = scene.waiter("back", &asking_auth).await;
    for _ in 0..3 {
        back.packet().await;
    }
    scene.title("With an id that is none of ours");
    asking_auth["since"] = json!(77);
    let mut lost = scene.waiter("lost", &asking_auth).await;
    lost.packet().await;
    scene.title("Who leaves the namespace, and the session");
    plain.say("41").await;
    plain.session_ended().await;
    asking.say("1").await;
    asking.session_ended().await;
    scene.record.compare();
}

#[tokio::test]
async fn who_may_not_enter_is_told_so_as_always() {
    let scene = Scene::new("restaurant-refused", &[]).await;
    for (title, auth) in [
        ("No token", json!({})),
        ("An empty one", json!({ "token": "" })),
        ("One that is no text", json!({ "token": 7 })),
        ("A malformed one", json!({ "token": "a.b.c" })),
        ("One that has expired", scene.auth("expired", &waiter().expiring_in(-60))),
        ("Of no restaurant", scene.auth("of no restaurant", &waiter().without("restaurantId"))),
    ] {
        scene.title(title);
        scene.waiter("peer", &auth).await;
    }
    scene.title("A namespace that is none");
    let mut peer = scene.session("peer").await;
    peer.say("40/otra,{}").await;
    peer.packet().await;
    scene.title("Requests that are none");
    for (method, path) in [
        ("GET", "/socket.io/?EIO=3&transport=polling"),
        ("GET", "/socket.io/?transport=polling"),
        ("GET", "/socket.io/?EIO=4&transport=x"),
        ("GET", "/socket.io/?EIO=4&transport=polling&sid=abcdefghijklmnop"),
        ("PUT", POLLING),
        ("GET", WEBSOCKET),
    ] {
        Peer::new(&scene.record, "peer", scene.pulso.port()).await.ask(method, path, &[], "").await;
    }
    scene.socket("peer", &format!("{WEBSOCKET}&sid=abcdefghijklmnop")).await;
    scene.title("Origins");
    let evil = ["origin: https://evil.example"];
    Peer::upgrade(&scene.record, "peer", scene.pulso.port(), WEBSOCKET, &evil).await;
    Peer::new(&scene.record, "peer", scene.pulso.port()).await.ask("GET", POLLING, &evil, "").await;
    scene.title("A server without tokens, and one without Socket.IO");
    let scene = scene.beside(&[("FEEDS", "restaurant,sync"), ("JWT_SECRET", "")]).await;
    scene.waiter("peer", &json!({ "token": waiter().sign(SECRET).len() })).await;
    let scene = scene.beside(&[("FEEDS", "stats")]).await;
    scene.socket("peer", WEBSOCKET).await;
    scene.record.compare();
}

#[tokio::test]
async fn a_session_ends_as_it_always_did() {
    let scene = Scene::new("restaurant-ends", &[("SHUTDOWN_GRACE", "2s")]).await;
    scene.title("A token ends");
    scene.waiter("ends", &scene.auth("that ends", &waiter().expiring_in(2))).await.session_ended().await;
    scene.title("A user is dismissed, by either transport");
    let auth = scene.auth("of a waiter", &waiter());
    let mut dismissed = scene.waiter("dismissed", &auth).await;
    let mut poller = Poller::open(&scene, "poller").await;
    poller.say(&format!("40{auth}")).await;
    poller.packets(1).await;
    scene.call("/api/disconnect", r#"{"user":"ana"}"#).await;
    poller.packets(1).await;
    dismissed.session_ended().await;
    scene.title("The server goes");
    let mut last = scene.waiter("last", &scene.auth("of another", &waiter().with("userId", json!("luis")))).await;
    scene.pulso.signal(Signal::TERM);
    last.session_ended().await;
    scene.record.compare();
}

/// A session that polls, each request on a connection of its own.
pub struct Poller<'s> {
    scene: &'s Scene,
    name: &'static str,
    pub path: String,
    waiting: Vec<String>,
}

impl<'s> Poller<'s> {
    pub async fn open(scene: &'s Scene, name: &'static str) -> Self {
        let opened = Peer::new(&scene.record, name, scene.pulso.port()).await.ask("GET", POLLING, &[], "").await;
        let opened: Value = serde_json::from_str(&opened[1..]).expect("the packet that opens a session");
        let path = format!("{POLLING}&sid={}", opened["sid"].as_str().expect("its id"));
        Self { scene, name, path, waiting: Vec::new() }
    }

    pub async fn say(&mut self, packet: &str) {
        let mut peer = Peer::new(&self.scene.record, self.name, self.scene.pulso.port()).await;
        peer.ask("POST", &self.path, &["content-type: text/plain;charset=UTF-8"], packet).await;
    }

    /// Writes so many packets down, however many answers they come in. Pings are answered.
    pub async fn packets(&mut self, count: usize) {
        for _ in 0..count {
            while self.waiting.is_empty() {
                let answer = self.scene.pulso.get(&self.path).await;
                assert_eq!(answer.status, 200, "the session is over: {answer:?}");
                for packet in answer.body.split('\u{1e}') {
                    if packet == "2" {
                        let head = format!("POST {} HTTP/1.1", self.path);
                        self.scene.pulso.exchange(&head, "3").await;
                    } else {
                        self.waiting.push(packet.to_owned());
                    }
                }
            }
            self.scene.record.given(self.name, &self.waiting.remove(0));
        }
    }
}
