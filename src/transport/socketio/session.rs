//! One session of Engine.IO, whatever carries it: what its packets do, how much it may say, and its heartbeat.
//!
//! Must not know what carries it.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::time::Instant;

use super::heartbeat::{Beat, Heartbeat};
use super::packet::Packet;
use super::talk::Talk;
use crate::hub::mailbox::Mailbox;
use crate::model::CloseReason;
use crate::rate_limit::RateLimit;
use crate::session::SessionContext;
use crate::session::conversation::Talk as Conversing;
use crate::session::life::Ending;

/// Asks whether the client is there: the packet in its frame.
const PING: Bytes = Bytes::from_static(b"\x81\x012");

pub(super) struct Session {
    context: Arc<SessionContext>,
    mailbox: Arc<Mailbox>,
    talk: Talk,
    heartbeat: Heartbeat,
    messages: RateLimit,
}

impl Session {
    pub(super) fn new(context: Arc<SessionContext>, mailbox: Arc<Mailbox>, talk: Talk) -> Self {
        let heartbeat = Heartbeat::new(Instant::now(), context.limits.ping_interval);
        Self { context, mailbox, talk, heartbeat, messages: RateLimit::default() }
    }

    /// One packet of the client's.
    pub(super) fn on_packet(&mut self, text: &str) -> Result<(), Ending> {
        let packet = Packet::parse(text);
        if packet == Ok(Packet::Pong) && self.heartbeat.on_answer(Instant::now(), self.context.limits.ping_interval) {
            // The answer to a question of ours is not its own message.
            return Ok(());
        }
        self.count()?;
        match packet {
            Ok(Packet::Message(message)) => self.talk.on_text(message),
            Ok(Packet::Binary) => self.talk.on_binary(),
            Ok(Packet::Close) => Err(Ending::ByPeer),
            Ok(Packet::Pong | Packet::Upgrade | Packet::Nothing) => Ok(()),
            Ok(Packet::Probe) | Err(_) => Err(Ending::Close(CloseReason::Protocol)),
        }
    }

    /// A binary message of the client's.
    pub(super) fn on_binary(&mut self) -> Result<(), Ending> {
        self.count()?;
        self.talk.on_binary()
    }

    /// One more thing that the client says.
    pub(super) fn count(&mut self) -> Result<(), Ending> {
        let limits = &self.context.limits;
        let may = self.messages.take(limits.message_burst, limits.message_rate);
        if may { Ok(()) } else { Err(Ending::Close(CloseReason::TooManyMessages)) }
    }

    /// What the heartbeat and the talk have to do by the clock.
    pub(super) fn on_clock(&mut self, now: Instant) -> Result<(), Ending> {
        match self.heartbeat.on_time(now, &self.context.limits) {
            Beat::Dead => return Err(Ending::Lost),
            Beat::Ask => {
                // A full mailbox is noticed when it is read.
                let _ = self.mailbox.push_control(PING);
            }
            Beat::Wait => {}
        }
        self.talk.on_time(now)
    }
}

impl Conversing for Session {
    fn due(&self) -> Option<Instant> {
        Some(self.talk.due().into_iter().fold(self.heartbeat.due(), Instant::min))
    }

    /// [`Session::on_clock`] does it: an end may be of another kind than these.
    fn on_time(&mut self, _: Instant) -> Result<(), CloseReason> {
        Ok(())
    }

    fn on_dismissed(&mut self, reason: CloseReason) -> Result<(), CloseReason> {
        self.talk.on_dismissed(reason)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let news = ready!(self.talk.poll_news(cx));
        self.talk.on_news(news);
        Poll::Ready(())
    }
}
