//! What goes wrong while somebody listens: who does not read, rights that end, what cannot be asked; and a session that
//! changes its transport.

use pulso_harness::Claims;
use serde_json::json;

use super::peer::Peer;
use super::restaurant::{Poller, STATUS, WEBSOCKET, waiter};
use super::{IPAD, Scene, cashier, owner, published};
use crate::business::{NEGOCIO, OTHER_NEGOCIO};

/// Messages after which whoever reads nothing must have been cut.
const MANY: usize = 5_000;

fn subscribe(channel: &str) -> String {
    json!({ "type": "subscribe", "channel": channel }).to_string()
}

/// Calls a hook, off the record, until it reaches nobody any more.
async fn until_nobody_is_reached(scene: &Scene, hook: &str, body: &str) {
    for _ in 0..MANY {
        let answer = scene.pulso.post(hook, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        if answer.json()["clients"] == 0 {
            return;
        }
    }
    panic!("it is never cut");
}

#[tokio::test]
async fn who_does_not_read_is_cut_as_always() {
    // What waits is to end it, not how long, on however busy a machine.
    let scene = Scene::new("slow-readers", &[("WRITE_TIMEOUT", "60s"), ("OUTBOUND_BUFFER", "3")]).await;
    let much = published("caja", &json!("x".repeat(15_000)).to_string());
    scene.title("A dashboard");
    let mut slow = scene.socket("slow", &scene.signed("/ws", "of the owner", &owner())).await;
    slow.say(&subscribe(&format!("canal:{NEGOCIO}:caja"))).await;
    scene.until_subscribed(1).await;
    until_nobody_is_reached(&scene, "/api/publish", &much).await;
    slow.hear_past(|_| false).await;
    slow.hear().await;
    scene.title("A restaurant");
    let mut slow = scene.waiter("slow", &scene.auth("of a waiter", &waiter())).await;
    let much = STATUS.replace('{', &format!(r#"{{"nota":"{}","#, "x".repeat(15_000)));
    until_nobody_is_reached(&scene, "/notify/order/status", &much).await;
    slow.hear_past(|_| false).await;
    scene.record.compare();
}

#[tokio::test]
async fn rights_that_end_are_told_as_always() {
    let scene = Scene::new("withdrawn", &[("ACCESS_RECHECK", "100ms"), ("ACCESS_CACHE", "0")]).await;
    let canal = format!("canal:{NEGOCIO}:caja");
    scene.title("On a dashboard and a stream");
    let mut dashboard = scene.socket("owner", &scene.signed("/ws", "of the owner", &owner())).await;
    dashboard.say(&subscribe(&canal)).await;
    scene.until_subscribed(1).await;
    let path = format!("{}&channel={canal}", scene.signed("/sse", "of the owner", &owner()));
    let mut stream = scene.stream("stream", &path, &[]).await;
    stream.chunk().await;
    scene.database.execute("UPDATE negocios SET admin_negocio_id = 'otra'").await;
    dashboard.hear().await;
    stream.chunk().await;
    scene.until_subscribed(0).await;
    scene.title("Whom it is gone for hears no more");
    scene.call("/api/publish", &published("caja", "1")).await;
    dashboard.ping().await;
    scene.title("By a newer token of the same user, which names another business");
    let mut cashier = scene.socket("cashier", &scene.signed("/ws", "of the cashier", &cashier())).await;
    cashier.ping().await;
    let elsewhere = Claims::user("cajera").with("negocio_id", json!(OTHER_NEGOCIO));
    let token = scene.record.token("of the cashier, elsewhere", &elsewhere);
    cashier.say(&json!({ "type": "auth", "token": token }).to_string()).await;
    cashier.ping().await;
    scene.call("/notify/mesa", &super::table(1)).await;
    scene.call("/notify/mesa", &super::table(2).replace(NEGOCIO, OTHER_NEGOCIO)).await;
    cashier.hear().await;
    scene.record.compare();
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_as_always() {
    let scene = Scene::new("unchecked", &[("ACCESS_CACHE", "0")]).await;
    scene.title("Whose a business is");
    let mut owner = scene.socket("owner", &scene.signed("/ws", "of the owner", &owner())).await;
    scene.database.execute("ALTER TABLE negocios RENAME TO lejos").await;
    owner.say(&subscribe(&format!("estadisticas:{NEGOCIO}"))).await;
    owner.hear().await;
    let path = format!("{}&channel=estadisticas:{NEGOCIO}", scene.signed("/sse", "of the owner", &super::owner()));
    scene.stream("stream", &path, &[]).await;
    scene.title("And then it can");
    scene.database.execute("ALTER TABLE lejos RENAME TO negocios").await;
    owner.hear().await;
    scene.title("The result of a live query");
    scene.database.execute("ALTER TABLE citas RENAME TO lejos").await;
    owner.say(&subscribe("consulta:abiertas")).await;
    owner.hear().await;
    scene.database.execute("ALTER TABLE lejos RENAME TO citas").await;
    owner.hear().await;
    scene.title("A device");
    scene.database.execute("ALTER TABLE devices RENAME TO lejos").await;
    scene.socket("kiosk", &format!("/ws/kiosk/orders/?device_uid={IPAD}")).await.ended().await;
    scene.stream("kiosk", &format!("/sse?channel=device&device_uid={IPAD}"), &[]).await;
    scene.title("More than a user may ask");
    let scene = scene.beside(&[("OWNERSHIP_BURST", "1"), ("OWNERSHIP_RATE", "1")]).await;
    let mut owner = scene.socket("owner", &scene.signed("/ws", "of the owner", &super::owner())).await;
    let nobodys = |number: usize| subscribe(&format!("estadisticas:99999999-0000-4000-8000-{number:012}"));
    for number in 0..30 {
        owner.say(&nobodys(number)).await;
    }
    owner.hear_past(|text| text.contains("too many")).await;
    scene.record.compare();
}

#[tokio::test]
async fn a_session_that_becomes_a_websocket_goes_on_as_it_always_did() {
    let scene = Scene::new("restaurant-upgrade", &[]).await;
    scene.title("It polls");
    let auth = scene.auth("of a waiter", &waiter());
    let mut poller = Poller::open(&scene, "poller").await;
    poller.say(&format!("40{auth}")).await;
    poller.packets(1).await;
    scene.call("/notify/order/status", STATUS).await;
    poller.packets(1).await;
    scene.title("And becomes a WebSocket");
    let sid = poller.path.rsplit("sid=").next().unwrap();
    let mut socket = scene.socket("socket", &format!("{WEBSOCKET}&sid={sid}")).await;
    socket.say("2probe").await;
    socket.packet().await;
    socket.say("5").await;
    scene.call("/notify/order/status", STATUS).await;
    socket.packet().await;
    scene.title("It polls no more");
    let mut late = Peer::new(&scene.record, "poller", scene.pulso.port()).await;
    late.ask("GET", &poller.path, &[], "").await;
    socket.say("1").await;
    socket.session_ended().await;
    scene.record.compare();
}
