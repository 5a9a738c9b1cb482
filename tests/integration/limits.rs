//! Every limit: what happens beyond it, that everybody else is served all the same, and which metric tells.

mod addresses;
mod connections;
mod connects;
mod defaults;
mod descriptors;
mod heartbeat;
mod hooks;
mod idle;
mod messages;
mod newcomers;
pub mod slow_readers;
mod time;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use pulso_harness::{Claims, SECRET};
use tokio::net::{TcpSocket, TcpStream};

use crate::business::owner;

/// The path of `/ws` with the owner's token.
fn signed_path() -> String {
    signed(&owner())
}

fn signed(claims: &Claims) -> String {
    format!("/ws?token={}", claims.sign(SECRET))
}

/// A handshake as a head to be sent by hand.
fn upgrade(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\nconnection: Upgrade, close\nupgrade: websocket\nsec-websocket-version: 13\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
    )
}

/// A connection from one of this machine's own addresses.
async fn from_address(address: [u8; 4], port: u16) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::from(address), 0)).unwrap();
    socket.connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).await.unwrap()
}
