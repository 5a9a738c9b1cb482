//! The limit: a server that does nothing but what it cannot do without, one `write()` for each subscriber.
//!
//! One thread, epoll, the peers' wire. It checks nobody and asks nothing; the handshake has one answer, for the one key
//! that our clients send. Who does not read loses the message, and the line if that cuts a frame in two.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use socket2::{Domain, Socket, Type};

use crate::swarm::frame;
use crate::swarm::seat::ACCEPT;
use crate::wire::stats;

/// As Pulso listens.
const BACKLOG: i32 = 4_096;
const LISTENER: u64 = u64::MAX;

struct Floor {
    epoll: OwnedFd,
    clients: Vec<Option<Client>>,
    /// Places of clients that have left.
    free: Vec<usize>,
    channels: HashMap<String, Vec<usize>>,
    seq: u64,
}

struct Client {
    stream: TcpStream,
    is_upgraded: bool,
    channel: Option<String>,
}

/// Serves until it is killed; says `ready` when it listens.
pub fn serve(port: u16) -> ! {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.set_reuse_address(true).expect("a socket");
    listener.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).expect("a free port");
    listener.listen(BACKLOG).expect("a bound socket");
    listener.set_nonblocking(true).expect("a socket");
    let epoll = epoll::create(CreateFlags::CLOEXEC).expect("an epoll instance");
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN).expect("room in epoll");
    let mut floor = Floor { epoll, clients: Vec::new(), free: Vec::new(), channels: HashMap::new(), seq: 0 };
    let listener = std::net::TcpListener::from(listener);
    println!("ready");
    let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 256];
    loop {
        let Ok(count) = epoll::wait(&floor.epoll, &mut events, None) else { continue };
        for event in &events[..count] {
            match event.data.u64() {
                LISTENER => {
                    while let Ok((stream, _)) = listener.accept() {
                        floor.admit(stream);
                    }
                }
                index => floor.on_readable(usize::try_from(index).unwrap_or(usize::MAX)),
            }
        }
    }
}

impl Floor {
    fn admit(&mut self, stream: TcpStream) {
        stream.set_nonblocking(true).expect("a socket");
        stream.set_nodelay(true).expect("a TCP socket");
        let index = self.free.pop().unwrap_or_else(|| {
            self.clients.push(None);
            self.clients.len() - 1
        });
        epoll::add(&self.epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN).expect("room in epoll");
        self.clients[index] = Some(Client { stream, is_upgraded: false, channel: None });
    }

    /// What our clients send comes whole: they are on the same machine and wait for each answer.
    fn on_readable(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else { return };
        let mut buffer = [0; 4096];
        match client.stream.read(&mut buffer) {
            Ok(count) if count > 0 && client.is_upgraded => self.on_frame(index, &buffer[..count]),
            Ok(count) if count > 0 && buffer.starts_with(b"GET /ws ") => {
                client.is_upgraded = true;
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
                );
                self.write(index, answer.as_bytes());
            }
            Ok(count) if count > 0 => self.on_notice(index, &String::from_utf8_lossy(&buffer[..count])),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            _ => self.leave(index),
        }
    }

    /// A subscribe: masked with zeros, so its text stands there.
    fn on_frame(&mut self, index: usize, bytes: &[u8]) {
        if bytes[0] & 0x0f != frame::TEXT {
            return self.leave(index);
        }
        let Some(negocio) = between(&String::from_utf8_lossy(bytes), "\"estadisticas:").map(str::to_owned) else {
            return;
        };
        self.channels.entry(negocio.clone()).or_default().push(index);
        let figures = frame::server(&stats(&negocio, self.seq));
        if let Some(client) = self.clients[index].as_mut() {
            client.channel = Some(negocio);
        }
        self.write(index, &figures);
    }

    fn on_notice(&mut self, index: usize, request: &str) {
        let Some(negocio) = between(request, "\"negocio_id\":\"") else { return self.leave(index) };
        self.seq += 1;
        let frame = frame::server(&stats(negocio, self.seq));
        let body = format!("{{\"seq\":{}}}", self.seq);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let subscribers = self.channels.get_mut(negocio).map(std::mem::take).unwrap_or_default();
        for &subscriber in &subscribers {
            self.write(subscriber, &frame);
        }
        if let Some(channel) = self.channels.get_mut(negocio) {
            *channel = subscribers;
        }
        self.write(index, answer.as_bytes());
    }

    fn write(&mut self, index: usize, bytes: &[u8]) {
        let Some(client) = self.clients[index].as_mut() else { return };
        match client.stream.write(bytes) {
            Ok(count) if count == bytes.len() => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The reader sees the end; who walks a list of subscribers does not lose its place.
            _ => drop(client.stream.shutdown(std::net::Shutdown::Both)),
        }
    }

    fn leave(&mut self, index: usize) {
        let Some(client) = self.clients[index].take() else { return };
        self.free.push(index);
        if let Some(subscribers) = client.channel.and_then(|channel| self.channels.get_mut(&channel)) {
            subscribers.retain(|&subscriber| subscriber != index);
        }
    }
}

/// What stands behind `before`, up to the next quotation mark.
fn between<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(before)?;
    Some(behind.split_once('"')?.0)
}
