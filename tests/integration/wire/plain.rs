//! `/ws`: figures, the point of sale, an application's own channels, and what is answered to a client's own words.

use serde_json::json;

use super::peer::{BINARY_FRAME, PING_FRAME, PONG_FRAME};
use super::{Scene, cashier, owner, published, table};
use crate::business::{NEGOCIO, OTHER_NEGOCIO};
use pulso_harness::{Claims, SECRET};

fn subscribe(channel: &str) -> String {
    json!({ "type": "subscribe", "data": { "channel": channel } }).to_string()
}

fn figures() -> String {
    format!("estadisticas:{NEGOCIO}")
}

/// A row of an appointment, of no day that could be today.
pub fn cita(id: u32, estado: &str) -> String {
    format!(
        "INSERT INTO citas (id, cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
         VALUES ('{id}', 'c', '{NEGOCIO}', 's', '2020-01-01', '10:00', '10:30', '{estado}')"
    )
}

fn notice() -> String {
    format!(r#"{{"negocio_id":"{NEGOCIO}","action":"created"}}"#)
}

#[tokio::test]
async fn figures_reach_a_dashboard_as_they_always_did() {
    let scene = Scene::new("figures", &[]).await;
    scene.title("Nobody watches");
    scene.call("/notify/cita", &notice()).await;
    scene.title("The figures come at once, and when they change");
    let mut owner = scene.socket("owner", &scene.signed("/ws", "of the owner", &owner())).await;
    owner.say(&subscribe(&figures())).await;
    owner.hear().await;
    scene.database.execute(&cita(1, "atendida")).await;
    scene.call("/notify/cita", &notice()).await;
    owner.hear().await;
    scene.title("Another, with the channel in the other place, by a header, who asks for ids: figures have none");
    let token = format!("authorization: Bearer {}", scene.record.token("of the owner", &super::owner()));
    let mut other =
        super::Peer::upgrade(&scene.record, "other", scene.pulso.port(), "/ws?since=", &[token.as_str()]).await;
    other.say(&json!({ "type": "subscribe", "channel": figures() }).to_string()).await;
    other.hear().await;
    scene.database.execute(&cita(2, "cancelada")).await;
    scene.call("/notify/cita", &notice()).await;
    owner.hear().await;
    other.hear().await;
    scene.title("Who leaves hears no more");
    other.say(&json!({ "type": "unsubscribe", "channel": figures() }).to_string()).await;
    other.ping().await;
    scene.database.execute(&cita(3, "pendiente")).await;
    scene.call("/notify/cita", &notice()).await;
    owner.hear().await;
    other.ping().await;
    scene.record.compare();
}

#[tokio::test]
async fn live_queries_are_told_as_their_contract_says() {
    let scene = Scene::new("live-queries", &[]).await;
    scene.title("A result comes at once, and after each announcement");
    let mut owner = scene.socket("owner", &scene.signed("/ws", "of the owner", &owner())).await;
    let channel = format!("consulta:cocina:{NEGOCIO}");
    owner.say(&subscribe(&channel)).await;
    owner.hear().await;
    scene.database.execute(&cita(1, "pendiente")).await;
    scene.call("/notify/consulta", &format!(r#"{{"name":"cocina","key":"{NEGOCIO}"}}"#)).await;
    owner.hear().await;
    scene.title("Of a query without a key, and again");
    owner.say(&subscribe("consulta:abiertas")).await;
    owner.hear().await;
    owner.say(&subscribe("consulta:abiertas")).await;
    owner.hear().await;
    scene.title("What there is not");
    for channel in ["consulta:nada", "consulta:cocina", "consulta:abiertas:x", "consulta:A:b", "consulta:"] {
        owner.say(&subscribe(channel)).await;
        owner.hear().await;
    }
    scene.title("Who leaves hears no more");
    owner.say(&json!({ "type": "unsubscribe", "channel": channel }).to_string()).await;
    owner.ping().await;
    scene.call("/notify/consulta", &format!(r#"{{"names":["cocina"],"keys":["{NEGOCIO}","x"]}}"#)).await;
    owner.ping().await;
    scene.record.compare();
}

#[tokio::test]
async fn a_dashboard_is_answered_as_it_always_was() {
    let scene = Scene::new("answers", &[]).await;
    scene.title("Pings");
    let mut owner = scene.socket("owner", &scene.signed("/ws", "of the owner", &owner())).await;
    owner.ping().await;
    owner.say_frame("(ping) x", PING_FRAME, b"x").await;
    owner.hear().await;
    owner.say_frame("(pong) y", PONG_FRAME, b"y").await;
    owner.ping().await;
    scene.title("What is not understood");
    for text in [
        "x",
        "[]",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"x"}"#,
        r#"{"type":"subscribe"}"#,
        r#"{"type":"unsubscribe"}"#,
        r#"{"type":"subscribe","channel":7}"#,
        r#"{"type":"subscribe","channel":"estadisticas:a","data":{"channel":"estadisticas:b"}}"#,
        r#"{"type":"subscribe","channel":"estadisticas:"}"#,
        r#"{"type":"subscribe","channel":"canal:a"}"#,
        r#"{"type":"subscribe","channel":"negocio:a"}"#,
        r#"{"type":"auth"}"#,
        r#"{"type":"auth","token":7}"#,
        r#"{"type":"auth","token":"a","data":{"token":"b"}}"#,
    ] {
        owner.say(text).await;
        owner.hear().await;
    }
    owner.say_frame("(binary) {}", BINARY_FRAME, b"{}").await;
    owner.hear().await;
    scene.title("What is not allowed");
    for channel in [format!("estadisticas:{OTHER_NEGOCIO}"), "estadisticas:nowhere".into(), "canal:nowhere:caja".into()]
    {
        owner.say(&subscribe(&channel)).await;
        owner.hear().await;
    }
    scene.title("Tokens that are none");
    let claims = super::owner();
    for (name, token) in [
        ("empty", String::new()),
        ("malformed", "a.b.c".to_owned()),
        ("of another signature", claims.sign("another secret, longer than 32 bytes")),
        ("expired", claims.clone().expiring_in(-60).sign(SECRET)),
        ("without exp", claims.clone().without("exp").sign(SECRET)),
        ("not valid yet", claims.clone().with("nbf", json!(pulso_harness::token::now() + 600)).sign(SECRET)),
        ("for too long", claims.clone().expiring_in(400 * 86_400).sign(SECRET)),
        ("of nobody", claims.clone().without("id").sign(SECRET)),
        ("too long", "x".repeat(9_000)),
    ] {
        scene.record.label(&token, name);
        owner.say(&json!({ "type": "auth", "token": token }).to_string()).await;
        owner.hear().await;
    }
    owner.ping().await;
    scene.record.compare();
}

#[tokio::test]
async fn what_cannot_be_done_is_said_as_it_always_was() {
    let scene = Scene::new("denials", &[("MAX_CHANNELS", "1")]).await;
    scene.title("One channel more than may be");
    let mut owner = scene.socket("owner", &scene.signed("/ws", "of the owner", &owner())).await;
    owner.say(&subscribe(&figures())).await;
    owner.hear().await;
    owner.say(&subscribe(&format!("canal:{NEGOCIO}:caja"))).await;
    owner.hear().await;
    scene.title("A right that is withdrawn");
    let scene = scene.beside(&[("ACCESS_RECHECK", "100ms"), ("ACCESS_CACHE", "0")]).await;
    let mut owner = scene.socket("owner", &scene.signed("/ws", "of the owner", &super::owner())).await;
    owner.say(&subscribe(&figures())).await;
    owner.hear().await;
    scene.database.execute("UPDATE negocios SET admin_negocio_id = 'otra'").await;
    owner.hear().await;
    scene.title("What cannot be read now, and then can");
    let scene = scene.beside(&[("FEEDS", "stats")]).await;
    let mut owner = scene.socket("owner", &scene.signed("/ws", "of the owner", &super::owner())).await;
    owner.say(&subscribe(&format!("canal:{NEGOCIO}:caja"))).await;
    owner.hear().await;
    scene.database.execute("ALTER TABLE citas RENAME TO lejos").await;
    owner.say(&subscribe(&figures())).await;
    owner.hear().await;
    scene.call("/notify/cita", &notice()).await;
    scene.database.execute("ALTER TABLE lejos RENAME TO citas").await;
    owner.hear().await;
    scene.record.compare();
}

#[tokio::test]
async fn sales_reach_screens_as_they_always_did() {
    let scene = Scene::new("sales", &[]).await;
    let path = scene.signed("/ws", "of the cashier", &cashier());
    scene.title("Every event, with ids for who asks for them");
    let mut plain = scene.socket("plain", &path).await;
    let mut asking = scene.socket("asking", &format!("{path}&since=")).await;
    plain.ping().await;
    asking.ping().await;
    let mut ids = Vec::new();
    for (hook, body) in [
        (
            "/notify/venta",
            r#"{"negocio_id":"N","saleId":123,"tableId":5,"total": 45.50,"timestamp":"2025-07-20T10:30:00Z","x":1e2}"#,
        ),
        ("/notify/venta", r#"{"saleId":"v-1","tableId":null,"total":"12.00","timestamp":"","negocio_id":"N"}"#),
        ("/notify/producto", r#"{"negocio_id":"N","productId":456,"action":"stock_updated","newStock":25}"#),
        ("/notify/promocion", "{\"negocio_id\":\"N\",\n \"promotionId\":789,\"action\":\"ñ\",\"enabled\":true}"),
        ("/notify/mesa", r#"{"negocio_id":"N","tableId":12,"action":"status_changed","status":"occupied"}"#),
    ] {
        scene.call(hook, &body.replace("\"N\"", &format!("\"{NEGOCIO}\""))).await;
        plain.hear().await;
        ids.push(id_of(&asking.hear().await));
    }
    scene.title("Who comes back with its last id");
    let mut back = scene.socket("back", &format!("{path}&since={}", ids[2])).await;
    back.hear().await;
    back.hear().await;
    back.ping().await;
    scene.title("By the other name of it");
    let mut back = scene.socket("back", &format!("{path}&lastEventId={}", ids[3])).await;
    back.hear().await;
    back.ping().await;
    scene.title("With an id that is none of ours");
    let mut lost = scene.socket("lost", &format!("{path}&since=1")).await;
    lost.hear().await;
    scene.call("/notify/mesa", &table(7)).await;
    lost.hear().await;
    scene.title("Where there is one business alone");
    let scene = scene.beside(&[("POS_SINGLE_BUSINESS", "true")]).await;
    let path = scene.signed("/ws", "of anybody", &Claims::user("cualquiera"));
    let mut anybody = scene.socket("anybody", &path).await;
    anybody.ping().await;
    scene.call("/notify/mesa", r#"{"tableId":null,"action":"x"}"#).await;
    anybody.hear().await;
    scene.record.compare();
}

#[tokio::test]
async fn channels_of_an_application_are_heard_as_they_always_were() {
    let scene = Scene::new("channels", &[]).await;
    let path = scene.signed("/ws", "of the owner", &owner());
    let subscribe = subscribe(&format!("canal:{NEGOCIO}:caja"));
    scene.title("One message, and a batch");
    let mut plain = scene.socket("plain", &path).await;
    plain.say(&subscribe).await;
    scene.until_subscribed(1).await;
    let mut asking = scene.socket("asking", &format!("{path}&since=")).await;
    asking.say(&subscribe).await;
    scene.until_subscribed(2).await;
    scene.call("/api/publish", &published("caja", r#"{"por": "Ana", "total": 45.50, "mitad": "\ud83d"}"#)).await;
    plain.hear().await;
    let id = id_of(&asking.hear().await);
    let batch = [published("caja", "null"), published("cocina", "1"), published("caja", "[ 1.0 ]")].join(",");
    scene.call("/api/publish", &format!("[{batch}]")).await;
    for _ in 0..2 {
        plain.hear().await;
        asking.hear().await;
    }
    scene.title("Who comes back");
    let mut back = scene.socket("back", &format!("{path}&since={id}")).await;
    back.say(&subscribe).await;
    back.hear().await;
    back.hear().await;
    back.ping().await;
    scene.title("With an id that is none of ours");
    let mut lost = scene.socket("lost", &format!("{path}&since=x")).await;
    lost.hear().await;
    lost.say(&subscribe).await;
    lost.hear().await;
    lost.ping().await;
    scene.record.compare();
}

#[tokio::test]
async fn who_signs_in_by_message_is_answered_as_always() {
    let scene = Scene::new("signing-in", &[]).await;
    scene.title("Before, and then");
    let mut unknown = scene.socket("unknown", "/ws?since=1").await;
    unknown.say(r#"{"type":"ping"}"#).await;
    unknown.hear().await;
    unknown.say(&subscribe(&figures())).await;
    unknown.hear().await;
    let auth = |token: String| json!({ "type": "auth", "token": token }).to_string();
    unknown.say(&auth(scene.record.token("of the cashier", &cashier()))).await;
    unknown.hear().await;
    unknown.ping().await;
    scene.call("/notify/mesa", &table(7)).await;
    unknown.hear().await;
    scene.title("Again, and then as somebody else");
    unknown.say(&auth(scene.record.token("of the cashier, anew", &cashier().expiring_in(60)))).await;
    unknown.ping().await;
    unknown.say(&auth(scene.record.token("of the owner", &owner()))).await;
    unknown.ended().await;
    scene.record.compare();
}

/// The id in front of an event.
pub fn id_of(text: &str) -> String {
    let rest = text.strip_prefix("{\"id\":\"").unwrap_or_else(|| panic!("no id in front: {text}"));
    rest.split('"').next().unwrap().to_owned()
}
