//! How a stream of server-sent events ends, and what keeps it alive until then.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pulso_harness::{ChaosProxy, Event, EventStream, token};
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::{DEVICES, KIOSK, NEGOCIO, cashier, happens, listening, next_table, nurse, path, refused, sales, table};
use crate::business::{self, OTHER_OWNER, owner, pulso};
use crate::feeds::{assert_reached, configured, open};

/// Fails unless the stream was ended for this reason.
fn assert_closed(last: Option<Event>, code: u16, reason: &str) -> Event {
    let last = last.expect("a reason");
    assert_eq!((last.name.as_str(), last.json()), ("close", json!({ "code": code, "reason": reason })));
    last
}

#[tokio::test]
async fn a_stream_ends_when_its_token_does() {
    let (pulso, _database) = open().await;
    let expiry = token::now() + 2;
    let brief = |claims: pulso_harness::Claims| claims.with("exp", json!(expiry));
    let mut streams = [
        listening(&pulso, &path(&format!("negocio:{NEGOCIO}"), &brief(cashier()))).await,
        listening(&pulso, &path("staff_orders", &brief(nurse()))).await,
        listening(&pulso, &path(&format!("canal:{NEGOCIO}:a"), &brief(owner()))).await,
    ];
    for stream in &mut streams {
        assert_closed(stream.last().await, 4001, "token expired");
    }
    assert!(token::now() >= expiry);
    pulso.until_count("pulso_connections", 0).await;
}

#[tokio::test]
async fn a_device_that_is_switched_off_and_a_right_that_is_withdrawn_end_what_is_heard() {
    let (pulso, database) = configured().await;
    database.execute(DEVICES).await;
    let quick = pulso.with("DEVICE_RECHECK", "100ms").with("ACCESS_RECHECK", "100ms").with("ACCESS_CACHE", "0");
    let pulso = quick.ready().await;
    let mut kiosk = listening(&pulso, KIOSK).await;
    let mut figures = listening(&pulso, &path(&format!("estadisticas:{NEGOCIO}"), &owner())).await;
    assert_eq!(figures.message().await["type"], "stats");
    database.execute("UPDATE devices SET is_active = false").await;
    assert_closed(kiosk.last().await, 4001, "unknown or inactive device");
    database.execute(&format!("UPDATE negocios SET admin_negocio_id = '{OTHER_OWNER}' WHERE id = '{NEGOCIO}'")).await;
    assert_eq!(figures.message().await["message"], "access to this channel was withdrawn");
    let answer = pulso.post("/notify/cita", &json!({ "negocio_id": NEGOCIO }).to_string()).await;
    assert_eq!(answer.json()["subscribers"], 0);
}

#[tokio::test]
async fn a_node_that_goes_away_says_so_and_asks_to_come_back_later() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("SHUTDOWN_GRACE", "2s").ready().await;
    let mut streams = [listening(&pulso, &sales()).await, listening(&pulso, &sales()).await];
    happens(&pulso, 0..1).await;
    pulso.signal(Signal::TERM);
    for stream in &mut streams {
        assert_eq!(next_table(stream).await.1, 0);
        let last = assert_closed(stream.last().await, 1001, "going away");
        assert!(last.retry.is_some_and(|wait| wait < 5_000), "{last:?}");
    }
    assert_eq!(pulso.ended().await, 0);
}

#[tokio::test]
async fn a_stream_where_nothing_happens_is_kept_alive_and_outlives_every_timeout_of_a_request() {
    let (pulso, _database) = configured().await;
    let pulso = pulso
        .with("PING_INTERVAL", "1s")
        .with("HTTP_IDLE_TIMEOUT", "1s")
        .with("HANDSHAKE_TIMEOUT", "1s")
        .with("WRITE_TIMEOUT", "1s")
        .ready()
        .await;
    let mut stream = listening(&pulso, &sales()).await;
    for _ in 0..4 {
        let block = stream.next_block().await.expect("the stream goes on");
        assert_eq!((block.comments, block.data.as_str()), (1, ""));
    }
    happens(&pulso, 0..1).await;
    assert_eq!(next_table(&mut stream).await.1, 0);
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_ended_and_others_have_every_sale() {
    let (pulso, _database) = configured().await;
    // What waits is to end it, not how long, on however busy a machine.
    let pulso = pulso.with("WRITE_TIMEOUT", "60s").ready().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1_024).unwrap();
    let line = socket.connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), pulso.port())).await.unwrap();
    let mut slow = EventStream::over(line, pulso.port(), &sales(), &[]).await.unwrap();
    slow.next_block().await;
    let mut quick = listening(&pulso, &sales()).await;
    let nota = "x".repeat(15_000);
    let mut sold = 0;
    loop {
        let sale = table(NEGOCIO, sold).replace('}', &format!(",\"nota\":\"{nota}\"}}"));
        let answer = pulso.post("/notify/mesa", &sale).await;
        assert_eq!(next_table(&mut quick).await.1, sold);
        sold += 1;
        if answer.json()["clients"] == 1 {
            break;
        }
        assert!(sold < 10_000, "never too slow");
    }
    assert!(sold > 256);
    assert_eq!(pulso.count("pulso_slow_closes_total").await, 1);
    pulso.until_count("pulso_connections", 1).await;
    // What was under way comes, in order, and then the end.
    let mut number = 0;
    while let Ok(Some(event)) = timeout(Duration::from_secs(20), slow.next()).await {
        if event.name == "close" {
            assert_closed(Some(event), 1013, "slow consumer");
            break;
        }
        assert_eq!(event.json()["data"]["tableId"], number);
        number += 1;
    }
    assert!(number < sold);
}

#[tokio::test]
async fn while_the_database_is_away_who_has_to_be_looked_up_is_a_503_and_who_listens_stays() {
    let database = business::database().await;
    database.execute(DEVICES).await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso = pulso(&database.url_at(line.port())).with_hook_key().with("DEVICE_RECHECK", "100ms").ready().await;
    let mut kiosk = listening(&pulso, KIOSK).await;
    let mut screen = listening(&pulso, &sales()).await;
    line.refuse().await;
    assert_eq!(refused(&pulso, KIOSK, &[]).await.status, 503);
    assert_eq!(refused(&pulso, &path(&format!("estadisticas:{NEGOCIO}"), &owner()), &[]).await.status, 503);
    // What the token itself says needs no database.
    let mut another = listening(&pulso, &sales()).await;
    assert_reached(&pulso.post("/notify/mesa", &table(NEGOCIO, 1)).await, 2);
    assert_eq!((next_table(&mut screen).await.1, next_table(&mut another).await.1), (1, 1));
    line.restore().await;
    pulso.until_ready().await;
    let body = r#"{"device_id":1,"order_id":1,"status":"READY","from_status":"PLACED","changed_at":"x"}"#;
    assert_reached(&pulso.post("/notify/pedido/estado", body).await, 1);
    assert_eq!(kiosk.message().await["order_id"], 1);
}

#[tokio::test]
async fn streams_take_the_places_of_connections_and_give_them_back() {
    let (pulso, _database) = configured().await;
    let pulso = pulso.with("MAX_CONNECTIONS", "2").ready().await;
    let held = [listening(&pulso, &sales()).await, listening(&pulso, &sales()).await];
    assert_eq!(refused(&pulso, &sales(), &[]).await.status, 503);
    assert_eq!(pulso.get("/ready").await.status, 200);
    drop(held);
    pulso.until_count("pulso_connections", 0).await;
    listening(&pulso, &sales()).await;
}
