//! How each server is spoken to: what a client says until it has figures, and the call that makes the server broadcast.
//!
//! Must not know sockets, nor which server is behind a wire.

use std::sync::Arc;

use pulso_harness::{Claims, HOOK_KEY, SECRET};
use serde_json::json;

use crate::swarm::{Framing, Script, Seat};
use crate::town;

/// The key of the back ends that synchronise.
pub const CLOUD_KEY: &str = "clave-de-la-nube-para-el-banco-de-pruebas";
/// A stats frame of Pulso's, its head included; the peers send the same.
pub const FRAME_BYTES: usize = 212;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Figures on Pulso's `/ws`, with a token that names the business.
    Figures,
    /// The same with a token that names the user alone, so that the database is asked who may see what.
    FiguresOfOwners,
    /// The same messages without tokens, as the peers speak them.
    Plain,
    Nchan,
    /// The peer on Socket.IO.
    SocketIo,
    SocketIoPolling,
    /// Pulso's other feeds.
    Sales,
    Staff,
    Restaurant,
    RestaurantPolling,
    Sync,
    SyncPolling,
    Stream,
}

impl Wire {
    /// Seats `numbers`, spread over `channels` businesses.
    pub fn seats(self, numbers: std::ops::Range<u32>, channels: u32) -> Vec<Seat> {
        let script = Arc::new(self.script());
        numbers.map(|number| self.seat(&script, number, number % channels)).collect()
    }

    /// A whole HTTP request on a kept connection: the `number`th notice, for business `channel`.
    pub fn notice(self, channel: u32, number: u64) -> Vec<u8> {
        let negocio = town::negocio(channel);
        let (path, body) = match self {
            Self::Figures
            | Self::FiguresOfOwners
            | Self::Plain
            | Self::SocketIo
            | Self::SocketIoPolling
            | Self::Stream => {
                ("/notify/cita".to_owned(), json!({ "negocio_id": negocio, "action": "updated" }).to_string())
            }
            Self::Nchan => (format!("/pub/{negocio}"), stats(&negocio, number)),
            Self::Sales => {
                let sale = json!({ "negocio_id": negocio, "saleId": number, "tableId": 5, "total": "45.50",
                    "timestamp": "2025-07-20T10:30:00Z" });
                ("/notify/venta".to_owned(), sale.to_string())
            }
            Self::Staff => {
                let order = json!({ "order_id": number, "room_code": "101", "device_uid": "ipad-room-101",
                    "placed_at": "2025-01-15T14:30:00.000Z" });
                ("/notify/pedido".to_owned(), order.to_string())
            }
            Self::Restaurant | Self::RestaurantPolling => {
                let status = json!({ "orderId": format!("o-{number}"), "restaurantId": negocio,
                    "previousStatus": "CONFIRMED", "newStatus": "READY", "updatedAt": "2024-01-01T00:00:00.000Z" });
                ("/notify/order/status".to_owned(), status.to_string())
            }
            Self::Sync | Self::SyncPolling => {
                let change =
                    json!({ "entity": "order", "id": "o-1", "payload": { "number": number, "total": "31.00" } });
                ("/notify/sync".to_owned(), change.to_string())
            }
        };
        format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-API-Key: {HOOK_KEY}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    fn script(self) -> Script {
        let framing = if self.polls() { Framing::Polling } else { Framing::SocketIo };
        let (framing, until, message, number): (_, &[&'static str], _, _) = match self {
            Self::Figures | Self::FiguresOfOwners | Self::Plain => {
                (Framing::WebSocket, &["{\"type\":\"stats\""], "{\"type\":\"stats\"", "\"seq\":")
            }
            Self::Nchan => (Framing::WebSocket, &[], "{\"type\":\"stats\"", "\"seq\":"),
            Self::SocketIo | Self::SocketIoPolling => {
                (framing, &["0{", "40", "42[\"stats\""], "42[\"stats\"", "\"seq\":")
            }
            // Nobody is greeted there: whoever is answered a ping is connected.
            Self::Sales => (Framing::WebSocket, &["{\"type\":\"pong\""], "{\"type\":\"newSale\"", "\"saleId\":"),
            Self::Staff => (Framing::WebSocket, &["{\"type\":\"pong\""], "{\"type\":\"new_order\"", "\"order_id\":"),
            Self::Restaurant | Self::RestaurantPolling => {
                (framing, &["0{", "40{"], "42[\"order.status.changed\"", "\"orderId\":\"o-")
            }
            Self::Sync | Self::SyncPolling => (framing, &["0{", "40/sync,{"], "42/sync,[\"changes:pending\"", ""),
            Self::Stream => (Framing::Chunks, &["\"type\":\"stats\""], "\"type\":\"stats\"", "\"seq\":"),
        };
        Script { framing, until: until.to_vec(), message, number }
    }

    /// Whether its notices are merged, so that nobody can say which one a message answers.
    pub fn merges(self) -> bool {
        matches!(self, Self::Sync | Self::SyncPolling)
    }

    fn polls(self) -> bool {
        matches!(self, Self::SocketIoPolling | Self::RestaurantPolling | Self::SyncPolling)
    }

    fn seat(self, script: &Arc<Script>, number: u32, channel: u32) -> Seat {
        let (negocio, user) = (town::negocio(channel), town::user(number));
        let naming = || Claims::naming(&user, &[&negocio]);
        let engine = |says: &[&str]| {
            if self.polls() {
                return Seat::polling(script, says, channel);
            }
            Seat::web_socket(script, "/socket.io/?EIO=4&transport=websocket", says, channel)
        };
        match self {
            Self::Figures | Self::FiguresOfOwners => {
                let claims = if self == Self::Figures { naming() } else { Claims::user(&user) };
                let subscribe = format!(r#"{{"type":"subscribe","data":{{"channel":"estadisticas:{negocio}"}}}}"#);
                Seat::web_socket(script, &format!("/ws?token={}", claims.sign(SECRET)), &[&subscribe], channel)
            }
            Self::Plain => {
                let subscribe = format!(r#"{{"type":"subscribe","channel":"estadisticas:{negocio}"}}"#);
                Seat::web_socket(script, "/ws", &[&subscribe], channel)
            }
            Self::Nchan => Seat::web_socket(script, &format!("/sub/{negocio}"), &[], channel),
            Self::SocketIo | Self::SocketIoPolling => {
                let subscribe = format!(r#"42["subscribe","estadisticas:{negocio}"]"#);
                engine(&["", "40", &subscribe])
            }
            Self::Sales => {
                let path = format!("/ws?token={}", naming().sign(SECRET));
                Seat::web_socket(script, &path, &[r#"{"type":"ping"}"#], channel)
            }
            Self::Staff => {
                let token = Claims::user(&user).with("role", json!("STAFF")).sign(SECRET);
                let path = format!("/ws/staff/orders/?token={token}");
                Seat::web_socket(script, &path, &[r#"{"type":"ping"}"#], channel)
            }
            Self::Restaurant | Self::RestaurantPolling => {
                let claims = Claims::empty().with("userId", json!(user)).with("role", json!("waiter"));
                let token = claims.with("restaurantId", json!(negocio)).expiring_in(3_600).sign(SECRET);
                engine(&["", &format!("40{}", json!({ "token": token }))])
            }
            Self::Sync | Self::SyncPolling => engine(&["", &format!("40/sync,{}", json!({ "apiKey": CLOUD_KEY }))]),
            Self::Stream => {
                let token = naming().sign(SECRET);
                Seat::stream(script, &format!("/sse?channel=estadisticas:{negocio}&token={token}"), channel)
            }
        }
    }
}

/// The text of a stats message as long as Pulso's.
pub fn stats(negocio: &str, seq: u64) -> String {
    const HEAD_BYTES: usize = 4;
    let seq = seq.to_string();
    let text = |filling: usize| {
        format!(
            r#"{{"type":"stats","data":{{"negocio_id":"{negocio}","citas_hoy":1,"total_citas":156,"citas_completadas":142,"citas_canceladas":8,"timestamp":1764000000}},"id":"{}","seq":{seq}}}"#,
            "0".repeat(filling)
        )
    };
    let bare = text(0).len() + HEAD_BYTES;
    text(FRAME_BYTES.saturating_sub(bare))
}
