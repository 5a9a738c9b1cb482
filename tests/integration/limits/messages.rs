//! What one client may send: how large, in how many pieces, how often, and how much it may watch.

use pulso_harness::{Closed, Dashboard, Running};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER, database, owner, pulso};
use pulso_harness::Claims;

async fn limited(variables: &[(&str, &str)]) -> Running {
    let database = database().await;
    let server = variables.iter().fold(pulso(&database.url()), |server, (name, value)| server.with(name, value));
    server.ready().await
}

fn closed(code: u16, reason: &str) -> Closed {
    Closed { code, reason: reason.to_owned() }
}

/// A message that means nothing, of exactly this length.
fn of_length(bytes: usize) -> String {
    let around = json!({ "type": "x", "filler": "" }).to_string().len();
    json!({ "type": "x", "filler": "f".repeat(bytes - around) }).to_string()
}

fn piece(opcode: OpCode, is_last: bool) -> Message {
    Message::Frame(Frame::message("{", opcode, is_last))
}

#[tokio::test]
async fn a_message_too_big_ends_its_connection_and_no_other() {
    let pulso = limited(&[("MAX_MESSAGE_BYTES", "256")]).await;
    let mut other = pulso.connect(&owner()).await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.send_text(&of_length(256)).await;
    assert_eq!(dashboard.error().await, "unknown message type");
    dashboard.send_text(&of_length(257)).await;
    assert_eq!(dashboard.closed().await, closed(1009, "message too big"));
    assert_eq!(pulso.closed_with(1009).await, 1);

    // In pieces that are small enough by themselves.
    let mut dashboard = pulso.connect(&owner()).await;
    let half = of_length(200);
    let first = Message::Frame(Frame::message(half.clone(), OpCode::Data(Data::Text), false));
    dashboard.send_message(first).await;
    dashboard.send_message(Message::Frame(Frame::message(half, OpCode::Data(Data::Continue), true))).await;
    assert_eq!(dashboard.closed().await, closed(1009, "message too big"));
    other.ping().await;
}

#[tokio::test]
async fn a_message_in_too_many_pieces_ends_its_connection() {
    let pulso = limited(&[("MAX_MESSAGE_FRAGMENTS", "3")]).await;
    let mut dashboard = pulso.connect(&owner()).await;
    for last in [false, true] {
        dashboard.send_message(piece(OpCode::Data(Data::Text), false)).await;
        dashboard.send_message(piece(OpCode::Data(Data::Continue), false)).await;
        // What control frames come between counts for nothing.
        dashboard.send_message(Message::Ping("x".into())).await;
        dashboard.send_message(piece(OpCode::Data(Data::Continue), !last)).await;
        if last {
            dashboard.send_message(piece(OpCode::Data(Data::Continue), true)).await;
            assert_eq!(dashboard.closed().await, closed(1009, "too many fragments"));
        } else {
            assert_eq!(dashboard.error().await, "not a JSON object");
        }
    }
    assert_eq!(pulso.closed_with(1009).await, 1);
}

#[tokio::test]
async fn a_flood_ends_its_connection_whatever_it_is_made_of() {
    let pulso = limited(&[("MESSAGE_BURST", "5"), ("MESSAGE_RATE", "1")]).await;
    let text = Message::text(json!({ "type": "ping" }).to_string());
    let floods = [text, Message::binary("x"), Message::Ping("x".into()), Message::Pong("x".into()), Message::text("x")];
    for (count, message) in (1..).zip(floods) {
        let mut dashboard = pulso.connect(&owner()).await;
        for _ in 0..20 {
            dashboard.send_message(message.clone()).await;
        }
        assert_eq!(dashboard.closed().await, closed(1008, "too many messages"), "{message:?}");
        assert_eq!(pulso.closed_with(1008).await, count);
    }
    // A burst within the allowance is no flood.
    let mut dashboard = pulso.connect(&owner()).await;
    for _ in 0..4 {
        dashboard.ping().await;
    }
}

#[tokio::test]
async fn a_connection_watches_so_many_businesses_and_no_more() {
    let pulso = limited(&[("MAX_CHANNELS", "2")]).await;
    let third = "33333333-3333-4333-8333-333333333333";
    let mut dashboard = pulso.connect(&Claims::naming(OWNER, &[NEGOCIO, OTHER_NEGOCIO, third])).await;
    dashboard.watch(NEGOCIO).await;
    dashboard.watch(OTHER_NEGOCIO).await;
    dashboard.subscribe(third).await;
    assert_eq!(dashboard.error().await, "too many channels on this connection");
    assert_eq!(pulso.refused("Channels").await, 1);
    // Once more to what it has is nothing more.
    dashboard.watch(NEGOCIO).await;
    dashboard.unsubscribe(OTHER_NEGOCIO).await;
    dashboard.watch(third).await;
}

#[tokio::test]
async fn a_token_too_long_is_refused_unread() {
    let pulso = limited(&[("MAX_TOKEN_BYTES", "1024")]).await;
    let long = owner().with("filler", json!("f".repeat(1_024))).sign(pulso_harness::SECRET);
    let refused = Dashboard::try_connect(pulso.port(), &format!("/ws?token={long}"), &[]).await.unwrap_err();
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("too long"), "{refused:?}");
    assert_eq!(pulso.refused("Token").await, 1);
}
