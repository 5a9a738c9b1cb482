//! `/ws/staff/orders/` and `/ws/kiosk/orders/`: orders, their states, and how those are turned away who may not listen.

use pulso_harness::Claims;
use serde_json::json;

use super::plain::id_of;
use super::{IPAD, OTHER_IPAD, Scene, new_order, nurse, order_status};
use crate::business::NEGOCIO;

const STAFF: &str = "/ws/staff/orders/";
const KIOSK: &str = "/ws/kiosk/orders/";

#[tokio::test]
async fn staff_and_kiosks_are_told_of_orders_as_they_always_were() {
    let scene = Scene::new("clinic", &[]).await;
    let nurses = scene.signed(STAFF, "of a nurse", &nurse());
    scene.title("New orders");
    let mut plain = scene.socket("nurse", &nurses).await;
    let mut asking = scene.socket("asking", &format!("{nurses}&since=")).await;
    let of_clinic = nurse().with("negocio_id", json!(NEGOCIO));
    let mut of_clinic =
        scene.socket("of a clinic", &scene.signed("/ws/staff/orders", "of a clinic's", &of_clinic)).await;
    for peer in [&mut plain, &mut asking, &mut of_clinic] {
        peer.ping().await;
    }
    scene.call("/notify/pedido", &new_order(1)).await;
    plain.hear().await;
    let id = id_of(&asking.hear().await);
    scene.call("/notify/pedido", r#"{"order_id":-2,"device_uid":"x","placed_at":"\u00f1"}"#).await;
    plain.hear().await;
    asking.hear().await;
    scene.call("/notify/pedido", &new_order(3).replace('{', &format!(r#"{{"negocio_id":"{NEGOCIO}","#))).await;
    of_clinic.hear().await;
    for peer in [&mut plain, &mut asking, &mut of_clinic] {
        peer.ping().await;
    }
    scene.title("Nurses who come back");
    let mut back = scene.socket("back", &format!("{nurses}&since={id}")).await;
    back.hear().await;
    back.ping().await;
    let mut lost = scene.socket("lost", &format!("{nurses}&since=1")).await;
    lost.hear().await;
    lost.ping().await;

    scene.title("What becomes of an order");
    let path = format!("{KIOSK}?device_uid={IPAD}");
    let mut kiosk = scene.socket("kiosk", &path).await;
    let mut asking = scene.socket("asking", &format!("{path}&since=")).await;
    let mut other = scene.socket("other", &format!("/ws/kiosk/orders?device_uid={OTHER_IPAD}")).await;
    for peer in [&mut kiosk, &mut asking, &mut other] {
        peer.ping().await;
    }
    scene.call("/notify/pedido/estado", &order_status(1)).await;
    kiosk.hear().await;
    let id = id_of(&asking.hear().await);
    scene
        .call("/notify/pedido/estado", &order_status(2).replace("\"device_uid\":\"d-101\"", "\"device_id\":101"))
        .await;
    kiosk.hear().await;
    asking.hear().await;
    scene.call("/notify/pedido/estado", &order_status(3).replace(IPAD, "d-103")).await;
    scene.call("/notify/pedido/estado", &order_status(3).replace(IPAD, "d-999")).await;
    kiosk.say("rubbish").await;
    for peer in [&mut kiosk, &mut asking, &mut other] {
        peer.ping().await;
    }
    scene.title("Kiosks that come back");
    let mut back = scene.socket("back", &format!("{path}&since={id}")).await;
    back.hear().await;
    back.ping().await;
    let mut lost = scene.socket("lost", &format!("{path}&since=x")).await;
    lost.hear().await;
    lost.ping().await;
    scene.record.compare();
}

#[tokio::test]
async fn whoever_may_not_listen_to_a_clinic_is_turned_away_as_always() {
    let settings = [("DEVICE_RECHECK", "100ms"), ("BAD_DEVICES_PER_MINUTE", "4")];
    let scene = Scene::new("clinic-turned-away", &settings).await;
    scene.title("Staff");
    scene.socket("without", STAFF).await.ended().await;
    scene.socket("empty", &format!("{STAFF}?token=")).await.ended().await;
    scene.socket("malformed", &format!("{STAFF}?token=x")).await.ended().await;
    scene.socket("user", &scene.signed(STAFF, "of a user", &Claims::user("ana"))).await.ended().await;
    let mut brief = scene.socket("brief", &scene.signed(STAFF, "that ends", &nurse().expiring_in(2))).await;
    brief.ended().await;
    scene.title("A user is dismissed");
    let issued = nurse().with("iat", json!(pulso_harness::token::now()));
    let path = scene.signed(STAFF, "of a nurse", &issued);
    let mut dismissed = scene.socket("dismissed", &path).await;
    dismissed.ping().await;
    scene.call("/api/disconnect", r#"{"user":"enfermera"}"#).await;
    dismissed.ended().await;
    scene.socket("again", &path).await.ended().await;
    scene.title("A device is switched off, and a device's connections are ended");
    let mut off = scene.socket("kiosk", &format!("{KIOSK}?device_uid={IPAD}")).await;
    let mut ended = scene.socket("ended", &format!("{KIOSK}?device_uid={OTHER_IPAD}")).await;
    off.ping().await;
    ended.ping().await;
    scene.call("/api/disconnect", r#"{"device_uid":"d-102"}"#).await;
    ended.ended().await;
    scene.database.execute("UPDATE devices SET is_active = 0 WHERE id = 101").await;
    off.ended().await;
    scene.title("Devices that are none, and too many of them");
    for query in ["", "?device_uid=", "?device_uid=d-103", "?device_uid=d-999"] {
        scene.socket("kiosk", &format!("{KIOSK}{query}")).await.ended().await;
    }
    scene.socket("kiosk", &format!("{KIOSK}?device_uid=d-102")).await;
    scene.title("What needs to be configured");
    let scene = scene.beside(&[("FEEDS", "stats")]).await;
    scene.socket("nurse", &format!("{STAFF}?token={}", scene.record.token("of a nurse", &nurse()))).await;
    scene.socket("kiosk", KIOSK).await;
    scene.record.compare();
}
