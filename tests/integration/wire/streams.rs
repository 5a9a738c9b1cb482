//! `/sse`, for every kind of channel: heads, positions, events, goodbyes, refusals.

use pulso_harness::{Claims, SECRET};
use rustix::process::Signal;

use super::peer::Peer;
use super::plain::cita;
use super::{CLOUD_KEY, IPAD, Scene, cashier, new_order, nurse, order_status, owner, published, table};
use crate::business::{NEGOCIO, OTHER_NEGOCIO};

impl Scene {
    /// The address of a stream, for a token that the record calls `name`.
    fn of(&self, channel: &str, name: &str, claims: &Claims) -> String {
        format!("{}&channel={channel}", self.signed("/sse", name, claims))
    }

    fn sales(&self) -> String {
        self.of(&format!("negocio:{NEGOCIO}"), "of the cashier", &cashier())
    }
}

/// The id that a chunk begins with.
fn id_of(chunk: &str) -> String {
    let rest = chunk.strip_prefix("id: ").unwrap_or_else(|| panic!("no id in front: {chunk}"));
    rest.split('\n').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_kind_of_channel_is_streamed_as_it_always_was() {
    let scene = Scene::new("streams", &[]).await;
    let canal = format!("canal:{NEGOCIO}:caja");
    for (title, path, hook, body) in [
        ("The point of sale", scene.sales(), "/notify/mesa", table(7)),
        (
            "A channel of an application",
            scene.of(&canal, "of the owner", &owner()),
            "/api/publish",
            published("caja", "[1,\n \"ñ\"]"),
        ),
        ("A clinic's orders", scene.of("staff_orders", "of a nurse", &nurse()), "/notify/pedido", new_order(1)),
        (
            "A kiosk's orders",
            format!("/sse?channel=device&device_uid={IPAD}"),
            "/notify/pedido/estado",
            order_status(1),
        ),
    ] {
        scene.title(title);
        let mut first = scene.stream("first", &path, &[]).await;
        let position = id_of(&first.chunk().await);
        scene.call(hook, &body).await;
        first.chunk().await;
        scene.call(hook, &body).await;
        first.chunk().await;
        let mut back = scene.stream("back", &path, &[&format!("last-event-id: {position}")]).await;
        back.chunk().await;
        back.chunk().await;
        let mut by_query = scene.stream("by query", &format!("{path}&since=7&lastEventId={position}"), &[]).await;
        by_query.chunk().await;
        by_query.chunk().await;
        let mut lost = scene.stream("lost", &path, &["last-event-id: 1"]).await;
        lost.chunk().await;
        lost.chunk().await;
    }
    scene.title("Figures");
    let path = scene.of(&format!("estadisticas:{NEGOCIO}"), "of the owner", &owner());
    let mut figures = scene.stream("figures", &path, &["last-event-id: 1"]).await;
    figures.chunk().await;
    figures.chunk().await;
    scene.database.execute(&cita(1, "pendiente")).await;
    scene.call("/notify/cita", &format!(r#"{{"negocio_id":"{NEGOCIO}"}}"#)).await;
    figures.chunk().await;
    scene.title("The one business");
    let scene = scene.beside(&[("POS_SINGLE_BUSINESS", "true"), ("PING_INTERVAL", "1s")]).await;
    let mut one = scene.stream("one", &scene.of("negocio", "of anybody", &Claims::user("cualquiera")), &[]).await;
    one.chunk().await;
    scene.call("/notify/mesa", r#"{"tableId":7,"action":"x"}"#).await;
    one.chunk().await;
    scene.title("Silence");
    one.chunk().await;
    scene.record.compare();
}

#[tokio::test]
async fn a_stream_ends_as_it_always_did() {
    let scene = Scene::new("streams-end", &[("DEVICE_RECHECK", "100ms"), ("SHUTDOWN_GRACE", "2s")]).await;
    scene.title("A token ends");
    let brief = cashier().expiring_in(2);
    let mut ends = scene.stream("ends", &scene.of(&format!("negocio:{NEGOCIO}"), "that ends", &brief), &[]).await;
    ends.chunks().await;
    scene.title("A user is dismissed, and a device switched off");
    let mut dismissed = scene.stream("dismissed", &scene.of("staff_orders", "of a nurse", &nurse()), &[]).await;
    let mut off = scene.stream("off", &format!("/sse?channel=device&device_uid={IPAD}"), &[]).await;
    dismissed.chunk().await;
    off.chunk().await;
    scene.call("/api/disconnect", r#"{"user":"enfermera"}"#).await;
    dismissed.chunks().await;
    scene.database.execute("UPDATE devices SET is_active = 0").await;
    off.chunks().await;
    scene.title("The server goes");
    let mut last = scene.stream("last", &scene.sales(), &[]).await;
    last.chunk().await;
    scene.pulso.signal(Signal::TERM);
    last.chunks().await;
    scene.record.compare();
}

#[tokio::test]
async fn whoever_may_not_have_a_stream_is_refused_as_always() {
    let settings = [("WS_ALLOWED_ORIGINS", "https://panel.example.com"), ("BAD_DEVICES_PER_MINUTE", "2")];
    let scene = Scene::new("streams-refused", &settings).await;
    scene.title("Channels that are none");
    let signed = scene.signed("/sse", "of the owner", &owner());
    for channel in
        ["", "&channel=", "&channel=x", "&channel=negocio:", "&channel=device&channel=device", "&channel=%00"]
    {
        scene.stream("peer", &format!("{signed}{channel}"), &[]).await;
    }
    scene.title("Tokens that are none");
    let sales = format!("/sse?channel=negocio:{NEGOCIO}");
    let token = scene.record.token("expired", &owner().expiring_in(-60));
    for query in [String::new(), "&token=".into(), "&token=x".into(), format!("&token={token}")] {
        scene.stream("peer", &format!("{sales}{query}"), &[]).await;
    }
    let header = format!("authorization: Bearer {}", owner().sign(SECRET));
    scene.record.label(header.rsplit(' ').next().unwrap(), "of the owner");
    let differs = scene.record.token("of the cashier", &cashier());
    scene.stream("peer", &format!("{sales}&token={differs}"), &[&header]).await;
    scene.title("Who may not");
    for channel in [
        format!("negocio:{NEGOCIO}"),
        format!("estadisticas:{OTHER_NEGOCIO}"),
        "canal:x:y".into(),
        "staff_orders".into(),
        "negocio".into(),
    ] {
        scene.stream("peer", &format!("{signed}&channel={channel}"), &[]).await;
    }
    scene.title("Origins");
    let kiosk = format!("/sse?channel=device&device_uid={IPAD}");
    scene.stream("peer", &kiosk, &["origin: https://evil.example"]).await;
    let mut granted = scene.stream("peer", &kiosk, &["origin: https://panel.example.com"]).await;
    granted.chunk().await;
    let mut asks = Peer::new(&scene.record, "peer", scene.pulso.port()).await;
    let headers = [
        "origin: https://panel.example.com",
        "access-control-request-method: GET",
        "access-control-request-headers: authorization",
    ];
    asks.ask("OPTIONS", &kiosk, &headers, "").await;
    asks.ask("POST", &kiosk, &["content-length: 0"], "").await;
    scene.title("Devices");
    for uid in ["", "&device_uid=d-103", "&device_uid=d-999", "&device_uid=d-998"] {
        scene.stream("peer", &format!("/sse?channel=device{uid}"), &[]).await;
    }
    scene.title("Feeds that are off, and a server without tokens");
    let scene = scene.beside(&[("FEEDS", "sync"), ("CLOUD_API_KEY", CLOUD_KEY)]).await;
    scene.stream("peer", &kiosk, &[]).await;
    let scene = scene.beside(&[("FEEDS", "pos,sync"), ("JWT_SECRET", "")]).await;
    scene.stream("peer", &sales, &[]).await;
    scene.record.compare();
}
