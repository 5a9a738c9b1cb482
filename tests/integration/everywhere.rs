//! One connection of each kind, all by one token that opens everything of [`NEGOCIO`] and of the restaurant `r-1`.

use pulso_harness::{Closed, Dashboard, EventStream, Packets, Poller, Running};
use serde_json::json;

use crate::business::NEGOCIO;

pub fn ended() -> Closed {
    Closed { code: 4001, reason: "session ended".to_owned() }
}

pub struct Everywhere {
    sockets: Vec<Dashboard>,
    streams: Vec<EventStream>,
    packets: Packets,
    poller: Poller,
}

impl Everywhere {
    pub const CONNECTIONS: usize = 9;

    /// `token`: it names the business and the restaurant, and a user who is staff.
    pub async fn enter(pulso: &Running, token: &str) -> Self {
        let mut sockets = vec![
            pulso.open(&format!("/ws?token={token}")).await,
            pulso.open("/ws").await,
            pulso.open(&format!("/ws/staff/orders/?token={token}")).await,
        ];
        sockets[1].send(&json!({ "type": "auth", "token": token })).await;
        for socket in &mut sockets {
            socket.ping().await;
        }
        let mut streams = Vec::new();
        for channel in [
            format!("negocio:{NEGOCIO}"),
            format!("estadisticas:{NEGOCIO}"),
            format!("canal:{NEGOCIO}:caja"),
            "staff_orders".to_owned(),
        ] {
            let mut stream = pulso.events(&format!("/sse?token={token}&channel={channel}")).await;
            stream.next_block().await.unwrap();
            streams.push(stream);
        }
        let auth = json!({ "token": token });
        let packets = Packets::connected(pulso.port(), &auth).await;
        let mut poller = Poller::open(pulso.port(), "").await;
        assert!(poller.connect(&auth).await.starts_with("40{"));
        Self { sockets, streams, packets, poller }
    }

    /// Every one has ended, and says so as it can.
    pub async fn leave(mut self, closed: &Closed) {
        for socket in &mut self.sockets {
            assert_eq!(socket.closed().await, *closed);
        }
        for stream in &mut self.streams {
            let last = stream.last().await.unwrap();
            assert_eq!(last.name, "close");
            assert_eq!(last.json(), json!({ "code": closed.code, "reason": closed.reason }));
        }
        assert_eq!(self.packets.expect().await, "41");
        assert_eq!(self.poller.next().await, "41");
    }
}
