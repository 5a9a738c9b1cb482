//! `/ws/kiosk/orders/`: a device that the database knows and that is active has its own orders, and nobody else's.

use pulso_harness::{ChaosProxy, Dashboard};
use serde_json::json;

use super::{DEVICES, IPAD_101, KIOSK, change, closed, device_refused, kiosk_path, of_uid, told_kiosk, turned_away};
use crate::business::{self, pulso};
use crate::feeds::{assert_reached, assert_refused, configured, open};

#[tokio::test]
async fn only_an_active_device_listens_and_the_others_read_4001() {
    let (pulso, database) = open().await;
    database.execute(DEVICES).await;
    for path in KIOSK {
        for query in [
            "",
            "?device_uid=",
            "?device_uid=ipad-room-103",
            "?device_uid=ipad-room-999",
            "?device_uid=IPAD-ROOM-101",
            "?device_uid=ipad-room-101%20",
            "?device_uid=%25",
            "?device_uid=' OR true --",
            "?device_uid=d0000000-0000-4000-8000-000000000101",
            "?device_id=d0000000-0000-4000-8000-000000000101",
            "?uid=ipad-room-101",
            &format!("?device_uid={}", "x".repeat(5_000)),
        ] {
            let path = format!("{path}{}", query.replace(' ', "%20"));
            assert_eq!(turned_away(&pulso, &path, &[]).await, device_refused(), "{path}");
        }
        let mut kiosk = pulso.open(&format!("{path}?device_uid=ipad-room-101")).await;
        kiosk.ping().await;
    }
}

#[tokio::test]
async fn a_kiosk_has_what_becomes_of_its_own_orders_to_the_letter() {
    let (pulso, database) = open().await;
    database.execute(DEVICES).await;
    let mut own = [pulso.open(&kiosk_path("ipad-room-101")).await, pulso.open(&kiosk_path("ipad-room-101")).await];
    let mut other = pulso.open(&kiosk_path("ipad-room-102")).await;
    for kiosk in own.iter_mut().chain([&mut other]) {
        kiosk.ping().await;
    }
    let by_id = |id: &str| change(&format!("\"device_id\":\"{id}\""), 7);
    for (number, body) in [
        (7, of_uid("ipad-room-101", 7)),
        (7, by_id(IPAD_101)),
        (7, by_id(&IPAD_101.to_uppercase())),
        (8, of_uid("ipad-room-101", 8).replace('}', ",\"negocio_id\":\"x\",\"nota\":1}")),
    ] {
        assert_reached(&pulso.post("/notify/pedido/estado", &body).await, 2);
        for kiosk in &mut own {
            assert_eq!(kiosk.text().await, told_kiosk(number));
        }
    }
    for status in ["PLACED", "PREPARING", "DELIVERED", "CANCELLED"] {
        let body = of_uid("ipad-room-101", 9).replace("READY", status);
        assert_reached(&pulso.post("/notify/pedido/estado", &body).await, 2);
        for kiosk in &mut own {
            assert_eq!(kiosk.text().await, told_kiosk(9).replace("READY", status));
        }
    }
    other.ping().await;
    assert_reached(&pulso.post("/notify/pedido/estado", &of_uid("ipad-room-102", 9)).await, 1);
    assert_eq!(other.text().await, told_kiosk(9));
    // It is there and switched off, so that nobody can be listening.
    assert_reached(&pulso.post("/notify/pedido/estado", &of_uid("ipad-room-103", 9)).await, 0);
    // A kiosk says nothing that anybody hears.
    let [one, another] = &mut own;
    for text in ["rubbish", r#"{"type":"order_status_changed","order_id":1}"#, r#"{"type":"auth","token":"x"}"#] {
        one.send_text(text).await;
    }
    one.ping().await;
    another.ping().await;
}

#[tokio::test]
async fn a_device_that_is_switched_off_or_gone_is_disconnected_and_the_others_stay() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.with("DEVICE_RECHECK", "200ms").ready().await;
    let mut off = [pulso.open(&kiosk_path("ipad-room-101")).await, pulso.open(&kiosk_path("ipad-room-101")).await];
    let mut stays = pulso.open(&kiosk_path("ipad-room-102")).await;
    for kiosk in off.iter_mut().chain([&mut stays]) {
        kiosk.ping().await;
    }
    database.execute("UPDATE devices SET is_active = false WHERE device_uid = 'ipad-room-101'").await;
    for kiosk in &mut off {
        assert_eq!(kiosk.text_or_close().await, Err(device_refused()));
    }
    stays.ping().await;
    database.execute("UPDATE devices SET is_active = true").await;
    let mut back = pulso.open(&kiosk_path("ipad-room-101")).await;
    back.ping().await;
    database.execute("DELETE FROM devices WHERE device_uid = 'ipad-room-102'").await;
    assert_eq!(stays.text_or_close().await, Err(device_refused()));
    back.ping().await;
}

#[tokio::test]
async fn a_kiosk_whose_name_was_replaced_or_given_to_another_device_is_disconnected() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.with("DEVICE_RECHECK", "200ms").ready().await;
    let mut replaced = pulso.open(&kiosk_path("ipad-room-101")).await;
    let mut stream = pulso.events("/sse?channel=device&device_uid=ipad-room-101").await;
    let mut stays = pulso.open(&kiosk_path("ipad-room-102")).await;
    replaced.ping().await;
    stays.ping().await;
    database.execute("UPDATE devices SET device_uid = 'ipad-new-101' WHERE device_uid = 'ipad-room-101'").await;
    assert_eq!(replaced.text_or_close().await, Err(device_refused()));
    assert_eq!(stream.last().await.unwrap().name, "close");
    let mut new = pulso.open(&kiosk_path("ipad-new-101")).await;
    new.ping().await;
    stays.ping().await;
    // Its name is good, and means another room by now.
    database
        .execute(
            "UPDATE devices SET device_uid = 'x' WHERE device_uid = 'ipad-room-102';
             UPDATE devices SET device_uid = 'ipad-room-102', is_active = true WHERE device_uid = 'ipad-room-103'",
        )
        .await;
    assert_eq!(stays.text_or_close().await, Err(device_refused()));
    let mut back = pulso.open(&kiosk_path("ipad-room-102")).await;
    back.ping().await;
    let by_id = change("\"device_id\":\"d0000000-0000-4000-8000-000000000103\"", 9);
    assert_reached(&pulso.post("/notify/pedido/estado", &by_id).await, 1);
    assert_eq!(back.text().await, told_kiosk(9));
    new.ping().await;
}

#[tokio::test]
async fn while_the_database_is_away_a_new_kiosk_is_told_to_come_back_and_the_others_stay() {
    let database = business::database().await;
    database.execute(DEVICES).await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso = pulso(&database.url_at(line.port())).with_hook_key().with("DEVICE_RECHECK", "100ms").ready().await;
    let mut stays = pulso.open(&kiosk_path("ipad-room-101")).await;
    stays.ping().await;

    line.refuse().await;
    for uid in ["ipad-room-101", "ipad-room-103", "ipad-room-999"] {
        let away = closed(1013, "cannot be checked right now");
        assert_eq!(turned_away(&pulso, &kiosk_path(uid), &[]).await, away, "{uid}");
    }
    // Whoever says nothing at all is told the truth even now.
    assert_eq!(turned_away(&pulso, KIOSK[0], &[]).await, device_refused());
    let answer = pulso.post("/notify/pedido/estado", &of_uid("ipad-room-101", 7)).await;
    assert_refused(&answer, 503, "the database does not answer");
    stays.expect_silence().await;
    stays.ping().await;

    line.restore().await;
    pulso.until_ready().await;
    assert_reached(&pulso.post("/notify/pedido/estado", &of_uid("ipad-room-101", 7)).await, 1);
    assert_eq!(stays.text().await, told_kiosk(7));
    pulso.open(&kiosk_path("ipad-room-102")).await.ping().await;
}

#[tokio::test]
async fn too_many_bad_device_ids_from_an_address_are_a_429_and_other_addresses_are_served() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.with("BAD_DEVICES_PER_MINUTE", "3").with("TRUSTED_PROXIES", "127.0.0.1/32").ready().await;
    let from = |address: &'static str| [("x-forwarded-for", address)];
    for uid in ["ipad-room-999", "ipad-room-103", ""] {
        assert_eq!(turned_away(&pulso, &kiosk_path(uid), &from("203.0.113.7")).await, device_refused());
    }
    for uid in ["ipad-room-998", "ipad-room-101"] {
        for address in ["203.0.113.7", "198.51.100.1, 203.0.113.7"] {
            let refused = Dashboard::try_connect(pulso.port(), &kiosk_path(uid), &from(address)).await.unwrap_err();
            assert_eq!(refused.status, 429, "{uid} from {address}");
            assert!(refused.body.contains("too_many_devices"), "{refused:?}");
        }
    }
    for address in ["203.0.113.8", "203.0.113.7, 203.0.113.9"] {
        let path = kiosk_path("ipad-room-101");
        Dashboard::connect(pulso.port(), &path, &from(address)).await.ping().await;
    }
    pulso.open(&kiosk_path("ipad-room-101")).await.ping().await;
    // Good ones count for nothing, and staff and screens are no devices.
    let screen = crate::feeds::signed("/ws", &business::owner());
    Dashboard::connect(pulso.port(), &screen, &from("203.0.113.7")).await.ping().await;
    let staff = crate::feeds::signed(super::STAFF[0], &super::nurse());
    Dashboard::connect(pulso.port(), &staff, &from("203.0.113.7")).await.ping().await;
}

#[tokio::test]
async fn a_stranger_cannot_spend_another_addresses_attempts() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let pulso = pulso.with("BAD_DEVICES_PER_MINUTE", "2").ready().await;
    for address in ["203.0.113.7", "203.0.113.8"] {
        let headers = [("x-forwarded-for", address)];
        assert_eq!(turned_away(&pulso, &kiosk_path("x"), &headers).await, device_refused());
    }
    let headers = [("x-forwarded-for", "203.0.113.9")];
    let refused = Dashboard::try_connect(pulso.port(), &kiosk_path("ipad-room-101"), &headers).await.unwrap_err();
    assert_eq!(refused.status, 429);
    assert_eq!(json!(pulso.refused("Device").await), json!(3));
}

#[tokio::test]
async fn a_missing_kiosks_table_is_not_called_an_outage() {
    let database = business::database().await;
    database.execute("DROP TABLE IF EXISTS devices").await;
    let pulso = pulso(&database.url()).with_hook_key().ready().await;
    let answer = pulso.post("/notify/pedido/estado", &of_uid("ipad-room-101", 7)).await;
    assert_refused(&answer, 503, "the database refuses to be asked this");
}
