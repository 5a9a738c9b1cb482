//! What comes to a client, message by message: its talk until it is served, then what is counted and checked.
//!
//! Must not wait for anything.

use std::time::Instant;

use rustix::event::epoll;

use super::Swarm;
use super::connection::Stage;
use super::seat::{Framing, Manner};
use super::{frame, polling};

impl Swarm {
    pub(super) fn on_bytes(&mut self, index: usize, count: usize) {
        let now = Instant::now();
        let connection = &mut self.connections[index];
        let buffer = std::mem::take(&mut self.buffer);
        // Almost always a whole number of messages: they are read where they lie.
        let rest = std::mem::take(&mut connection.rest);
        let whole;
        let bytes = if rest.is_empty() {
            &buffer[..count]
        } else {
            whole = [&rest[..], &buffer[..count]].concat();
            &whole
        };
        let is_alive = self.on_messages(index, bytes, now);
        self.buffer = buffer;
        if !is_alive {
            self.on_end(index);
        }
    }

    /// Every whole message in `bytes`; false when the connection is over.
    fn on_messages(&mut self, index: usize, mut bytes: &[u8], now: Instant) -> bool {
        let connection = &mut self.connections[index];
        let framing = connection.seat.script.framing;
        if connection.stage == Stage::Greeted && framing == Framing::Polling {
            // Its first answer is an answer like all others.
            connection.stage = Stage::Talking(0);
        }
        if connection.stage == Stage::Greeted {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                connection.rest = bytes.to_vec();
                return true;
            };
            if !(bytes.starts_with(b"HTTP/1.1 101") || bytes.starts_with(b"HTTP/1.1 200")) {
                return false;
            }
            bytes = &bytes[end + 4..];
            connection.stage = Stage::Talking(0);
            if !self.talk(index) {
                return false;
            }
        }
        loop {
            let next = match framing {
                Framing::Chunks => frame::parse_chunk(bytes),
                Framing::WebSocket | Framing::SocketIo => frame::parse(bytes),
                Framing::Polling => polling::parse(bytes),
            };
            let Some(next) = next else { break };
            bytes = &bytes[next.length..];
            let is_alive = match framing {
                Framing::Polling => self.on_answer(index, &next, now),
                _ => self.on_message(index, &next, now),
            };
            if !is_alive {
                return false;
            }
        }
        if !bytes.is_empty() {
            self.connections[index].rest = bytes.to_vec();
        }
        true
    }

    pub(super) fn on_message(&mut self, index: usize, message: &frame::Frame<'_>, now: Instant) -> bool {
        let connection = &mut self.connections[index];
        let script = &connection.seat.script;
        let text = message.payload;
        match message.opcode {
            frame::CLOSE => return false,
            frame::PING => return connection.say(&frame::client(frame::PONG, text)),
            frame::TEXT | frame::BINARY => {}
            _ => return true,
        }
        if script.framing == Framing::SocketIo && text == b"2" {
            return connection.say(&frame::client(frame::TEXT, b"3"));
        }
        let says = |what: &str| match script.framing {
            Framing::Chunks => text.windows(what.len()).any(|part| part == what.as_bytes()),
            Framing::WebSocket | Framing::SocketIo | Framing::Polling => text.starts_with(what.as_bytes()),
        };
        if says("{\"type\":\"error\"") || says("[\"error\"") {
            self.counts.errors += 1;
        }
        let number = if script.number.is_empty() {
            None
        } else {
            frame::number_behind(script.number.as_bytes(), text, &mut self.place)
        };
        if let Stage::Talking(turn) = connection.stage {
            if !says(script.until[turn]) {
                return true;
            }
            connection.newest = number.unwrap_or(0);
            connection.keep(text, now);
            connection.stage = Stage::Talking(turn + 1);
            return self.talk(index);
        }
        if !says(script.message) {
            return true;
        }
        self.counts.delivered += 1;
        let lengths = self.counts.lengths.get_or_insert((message.length, message.length));
        *lengths = (lengths.0.min(message.length), lengths.1.max(message.length));
        if let Some(number) = number {
            self.counts.disordered += u64::from(number <= connection.newest);
            connection.newest = number;
            let numbers = self.round.numbers.get_or_insert((number, number));
            *numbers = (numbers.0.min(number), numbers.1.max(number));
        }
        connection.keep(text, now);
        self.round.receipts.push(u32::try_from((now - self.marked).as_micros()).unwrap_or(u32::MAX));
        true
    }

    /// Says what comes next, or is served.
    fn talk(&mut self, index: usize) -> bool {
        let connection = &mut self.connections[index];
        let Stage::Talking(turn) = connection.stage else { return true };
        if turn < connection.seat.script.until.len() {
            return connection.say_turn(turn);
        }
        connection.stage = Stage::Served;
        self.under_way -= 1;
        self.counts.served += 1;
        if connection.seat.manner == Manner::Stalls {
            epoll::delete(&self.epoll, connection.stream.as_ref().expect("a live connection"))
                .expect("a known descriptor");
        }
        true
    }
}
