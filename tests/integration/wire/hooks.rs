//! The answers to hooks: what is accepted, what is refused, and in which words.

use pulso_harness::HOOK_KEY;

use super::peer::Peer;
use super::{CLOUD_KEY, Scene, new_order, order_status, published, table};
use crate::business::NEGOCIO;

const JSON: &str = "content-type: application/json";

impl Scene {
    /// A request that says for itself who it is.
    async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) {
        Peer::new(&self.record, "api", self.pulso.port()).await.ask(method, path, headers, body).await;
    }
}

/// A good body for each hook.
fn good() -> Vec<(&'static str, String)> {
    vec![
        ("/notify/cita", format!(r#"{{"negocio_id":"{NEGOCIO}","action":null}}"#)),
        (
            "/notify/venta",
            format!(r#"{{"negocio_id":"{NEGOCIO}","saleId":1,"tableId":null,"total":"1","timestamp":"x"}}"#),
        ),
        ("/notify/producto", format!(r#"{{"negocio_id":"{NEGOCIO}","productId":1,"action":"x"}}"#)),
        ("/notify/promocion", format!(r#"{{"negocio_id":"{NEGOCIO}","promotionId":1,"action":"x"}}"#)),
        ("/notify/mesa", table(1)),
        (
            "/notify/order/new",
            r#"{"orderId":1,"restaurantId":2,"tableSessionId":3,"status":"x","createdAt":"y"}"#.into(),
        ),
        ("/notify/order/status", r#"{"orderId":1,"restaurantId":2,"newStatus":"x"}"#.into()),
        ("/notify/order/item-status", r#"{"orderId":1,"itemId":4,"restaurantId":2,"newStatus":"x"}"#.into()),
        ("/notify/pedido", new_order(1)),
        ("/notify/pedido/estado", order_status(1)),
        ("/notify/sync", r#"{"entity":"order","id":1,"payload":{}}"#.into()),
        ("/notify/consulta", r#"{"name":"abiertas"}"#.into()),
        ("/api/publish", published("caja", "1")),
        ("/api/disconnect", r#"{"user":"nadie"}"#.into()),
    ]
}

#[tokio::test]
async fn every_hook_answers_as_it_always_did() {
    let scene = Scene::new("hooks", &[]).await;
    let key = format!("x-api-key: {HOOK_KEY}");
    let bearer = format!("authorization: Bearer {HOOK_KEY}");
    for (path, body) in good() {
        scene.title(path);
        scene.ask("POST", path, &[&key, JSON], &body).await;
        scene
            .ask("POST", &format!("{path}/"), &[&bearer, "content-type: application/x+json;charset=utf-8"], &body)
            .await;
        scene.ask("POST", path, &[JSON], &body).await;
        scene.ask("GET", path, &[&key], "").await;
        scene.ask("POST", path, &[&key], &body).await;
        scene.ask("POST", path, &[&key, JSON], "[]").await;
        scene.ask("POST", path, &[&key, JSON], "{}").await;
        scene.ask("POST", path, &[&key, JSON], "{").await;
        scene.ask("POST", path, &[&key, JSON], r#"{"a":1,"a":2}"#).await;
        scene.ask("POST", path, &[&key, JSON, "content-encoding: gzip"], &body).await;
        scene.ask("POST", path, &[&key, JSON, "idempotency-key: uno"], &body).await;
        scene.ask("POST", path, &[&key, JSON, "idempotency-key: uno"], "{}").await;
        scene.ask("POST", path, &[&key, JSON, "idempotency-key:"], &body).await;
    }
    scene.record.compare();
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said_as_it_always_was() {
    let scene = Scene::new("hooks-refused", &[("HOOK_MAX_BODY_BYTES", "400"), ("MAX_PUBLISH_BATCH", "2")]).await;
    scene.title("Bodies of any hook");
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    for body in
        ["", " ", "null", "7", "{} {}", "{\"a\":01}", "{\"a\":1e999}", "{\"a\":\"\u{7}\"}", &deep, &"x".repeat(401)]
    {
        scene.call("/notify/mesa", body).await;
    }
    let fields: [(&str, &[(&str, &str)]); 11] = [
        ("/notify/cita", &[("\"action\":null", "\"action\":\"x\""), (NEGOCIO, ""), (NEGOCIO, "\\u0007")]),
        (
            "/notify/venta",
            &[
                ("\"saleId\":1", "\"saleId\":1.5"),
                ("null", "true"),
                ("\"1\"", "\"1.\""),
                ("\"x\"", "7"),
                (NEGOCIO, " "),
            ],
        ),
        (
            "/notify/producto",
            &[("\"productId\":1", "\"productId\":\"\""), ("\"x\"", "null"), ("{", "{\"newStock\":\"7\",")],
        ),
        ("/notify/promocion", &[("\"promotionId\"", "\"promo\""), ("{", "{\"enabled\":0,")]),
        ("/notify/mesa", &[("\"tableId\":1", "\"tableId\":[]"), ("\"occupied\"", "7")]),
        (
            "/notify/order/new",
            &[("\"orderId\":1", "\"orderId\":null"), ("{", "{\"items\":[{},7],"), ("\"status\"", "\"estado\"")],
        ),
        ("/notify/order/item-status", &[("\"itemId\":4", "\"itemId\":{}"), ("\"newStatus\"", "\"new\"")]),
        ("/notify/pedido", &[("\"order_id\":1", "\"order_id\":\"1\""), ("\"101\"", "101"), ("{", "{\"type\":\"x\",")]),
        (
            "/notify/pedido/estado",
            &[
                ("\"READY\"", "\"ready\""),
                ("{", "{\"device_id\":1,"),
                ("d-101", "d-999"),
                ("\"device_uid\":\"d-101\",", ""),
            ],
        ),
        ("/notify/sync", &[("\"order\"", "\"pedido\""), ("{}", "[]"), ("{\"e", "{\"tenant\":\"x\",\"e")]),
        (
            "/notify/consulta",
            &[
                ("abiertas", "nada"),
                ("}", ",\"key\":\"n\"}"),
                ("abiertas", "cocina"),
                ("\"name\":\"abiertas\"", "\"name\":\"cocina\",\"key\":7"),
                ("\"name\":\"abiertas\"", "\"names\":[]"),
                ("}", ",\"xid\":\"12x\"}"),
                ("}", ",\"xid\":9}"),
            ],
        ),
    ];
    for (path, changes) in fields {
        scene.title(path);
        let (_, body) = good().into_iter().find(|(known, _)| *known == path).expect("a hook");
        for (old, new) in changes {
            assert!(body.contains(old), "{old}: {body}");
            scene.call(path, &body.replacen(old, new, 1)).await;
        }
    }
    scene.title("/api/publish");
    let one = published("caja", "1");
    for body in [
        one.replace("canal:", "negocio:"),
        one.replace(":caja", ":"),
        one.replace("turno:abierto", "stats"),
        one.replace("turno:abierto", "ñ"),
        one.replace(",\"data\":1", ""),
        "[]".to_owned(),
        format!("[{0},{0},{0}]", r#"{"channel":"canal:a:b","type":"x","data":1}"#),
        r#"{"messages":[],"type":"x"}"#.to_owned(),
    ] {
        scene.call("/api/publish", &body).await;
    }
    scene.title("/api/disconnect");
    for body in
        [r#"{"user":"a","device_id":1}"#, r#"{"device_uid":"d-999"}"#, r#"{"device_id":101}"#, r#"{"user":1.5}"#]
    {
        scene.call("/api/disconnect", body).await;
    }
    scene.title("Keys of idempotency");
    scene.call_with("/notify/mesa", &["idempotency-key: a", "idempotency-key: b"], &table(1)).await;
    scene.call_with("/notify/mesa", &[&format!("idempotency-key: {}", "x".repeat(256))], &table(1)).await;
    scene.record.compare();
}

#[tokio::test]
async fn what_is_not_configured_is_said_as_it_always_was() {
    let scene = Scene::new("hooks-not-configured", &[("NOTIFY_API_KEY", "")]).await;
    scene.title("No key for hooks");
    for (path, body) in good() {
        scene.call(path, &body).await;
    }
    scene.title("No secret of tokens, and feeds that are off");
    let scene = scene.beside(&[("FEEDS", "pos,sync,clinic"), ("JWT_SECRET", "")]).await;
    for (path, body) in good() {
        scene.call(path, &body).await;
    }
    scene.title("Several tenants, one business, an open hook");
    let keys = format!("uno:{CLOUD_KEY}");
    let settings = [
        ("CLOUD_API_KEY", ""),
        ("CLOUD_API_KEYS", &keys),
        ("POS_SINGLE_BUSINESS", "true"),
        ("NOTIFY_CITA_OPEN", "true"),
    ];
    let scene = scene.beside(&settings).await;
    scene.ask("POST", "/notify/cita", &[JSON], &format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#)).await;
    scene.call("/notify/mesa", &table(1)).await;
    for tenant in [r#""tenant":"uno","#, r#""tenant":"dos","#, ""] {
        scene.call("/notify/sync", &format!(r#"{{{tenant}"entity":"order","id":1,"payload":{{}}}}"#)).await;
    }
    scene.title("What is nowhere");
    for (method, path) in
        [("GET", "/notify"), ("POST", "/notify/x"), ("GET", "/health"), ("POST", "/health"), ("GET", "/ready")]
    {
        scene.ask(method, path, &["content-length: 0"], "").await;
    }
    scene.record.compare();
}
