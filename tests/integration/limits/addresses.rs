//! Whose connection it is: an IPv6 network of 64 bits is one customer, and what a proxy writes around an address is no
//! part of it. Who cannot be told from others locks nobody out.

use pulso_harness::{Dashboard, Database, Refused, Running, wait};

use super::signed_path;
use crate::business::{NEGOCIO, database, pulso};

const DEVICES: &str = "
    CREATE TABLE devices (id uuid PRIMARY KEY, device_uid text UNIQUE NOT NULL, is_active boolean NOT NULL);
    INSERT INTO devices VALUES ('d0000000-0000-4000-8000-000000000101', 'ipad-room-101', true);";

fn kiosk(uid: &str) -> String {
    format!("/ws/kiosk/orders/?device_uid={uid}")
}

/// One that believes its proxy; `share`: connections of an address, and bad devices a minute.
async fn behind_a_proxy(share: u32) -> (Running, Database) {
    let database = database().await;
    database.execute(DEVICES).await;
    let share = share.to_string();
    let pulso = pulso(&database.url())
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .with("MAX_CONNECTIONS_PER_ADDRESS", &share)
        .with("BAD_DEVICES_PER_MINUTE", &share);
    (pulso.ready().await, database)
}

async fn from(pulso: &Running, path: &str, address: &str) -> Result<Dashboard, Refused> {
    Dashboard::try_connect(pulso.port(), path, &[("x-forwarded-for", address)]).await
}

#[tokio::test]
async fn one_ipv6_customer_has_one_share_whatever_address_of_its_network_it_uses() {
    let (pulso, _database) = behind_a_proxy(2).await;
    let from = async |path: &str, address: &str| from(&pulso, path, address).await;
    let (screen, kiosk) = (signed_path(), kiosk("nobody"));
    let _first = from(&screen, "2001:db8:1:2::1").await.unwrap();
    let _second = from(&screen, "[2001:db8:1:2:a:b:c:d]:443").await.unwrap();
    assert_eq!(from(&screen, "2001:db8:1:2::3").await.unwrap_err().status, 503);
    from(&screen, "2001:db8:1:3::1").await.unwrap().watch(NEGOCIO).await;

    for address in ["2001:db8:9:9::1", "2001:db8:9:9:1::1"] {
        from(&kiosk, address).await.unwrap().closed().await;
    }
    assert_eq!(from(&kiosk, "2001:db8:9:9::3").await.unwrap_err().status, 429);
    from(&kiosk, "2001:db8:9:a::1").await.unwrap().closed().await;
}

#[tokio::test]
async fn an_address_with_a_port_is_the_address_and_one_client_locks_no_other_out() {
    let (pulso, _database) = behind_a_proxy(2).await;
    let from = async |path: &str, address: &str| from(&pulso, path, address).await;
    let mut open = Vec::new();
    for port in [50_001, 50_002] {
        open.push(from(&signed_path(), &format!("198.51.100.1:{port}")).await.unwrap());
    }
    assert_eq!(from(&signed_path(), "198.51.100.1:50003").await.unwrap_err().status, 503);

    for port in [50_004, 50_005] {
        from(&kiosk("nobody"), &format!("203.0.113.17:{port}")).await.unwrap().closed().await;
    }
    assert_eq!(from(&kiosk("nobody"), "203.0.113.17:50006").await.unwrap_err().status, 429);
    from(&kiosk("ipad-room-101"), "203.0.113.18:50007").await.unwrap().ping().await;
}

#[tokio::test]
async fn clients_that_a_proxy_does_not_name_are_counted_said_once_and_lock_nobody_out() {
    let (pulso, _database) = behind_a_proxy(1).await;
    let nameless = [("x-forwarded-for", "unknown")];
    for _ in 0..4 {
        Dashboard::connect(pulso.port(), &kiosk("nobody"), &nameless).await.closed().await;
    }
    let mut kiosks = Vec::new();
    for _ in 0..3 {
        kiosks.push(Dashboard::connect(pulso.port(), &kiosk("ipad-room-101"), &nameless).await);
    }
    for kiosk in &mut kiosks {
        kiosk.ping().await;
    }
    // Nor the proxy itself, and who it does name.
    pulso.open(&kiosk("ipad-room-101")).await.ping().await;
    assert!(pulso.count("pulso_unreadable_addresses_total").await >= 7);
    let said = || pulso.log().iter().filter(|line| line.contains("X-Forwarded-For has no address")).count();
    wait::until(async || said() > 0, "a line of the log").await;
    assert_eq!(said(), 1);
}
