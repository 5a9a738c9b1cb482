//! A connection that is a WebSocket: its frames, its heartbeat, and how much its peer may say.
//!
//! Must not know HTTP or SQL, nor what the messages mean.

pub mod denial;
pub mod fragments;
pub(super) mod reader;
pub(super) mod socket;
mod stream;

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::config::Feed;
use crate::hub::mailbox::{Mailbox, Outgoing};
use crate::hub::outlet::Outlet;
use crate::model::{CloseReason, Wording};
use crate::publication::{Encoding, frame};
use crate::rate_limit::RateLimit;
use crate::session::Admitted;
use crate::session::SessionContext;
use crate::session::conversation::Conversation;
use crate::session::life::{self, Carried, Carrier, Ending, Life};
use crate::telemetry::log::connection::Connection;
use crate::telemetry::metrics::Counted;

use denial::close_reason;
use socket::{Event, LineLost, Socket};
pub use stream::Transport;

pub struct WebSocket<S> {
    _counted: Counted,
    socket: Socket<S>,
    messages: RateLimit,
    /// Since when the socket has not taken a message whole.
    writing: Option<Instant>,
    /// Since when the peer has been silent, or has owed the answer to a ping.
    silent_since: Instant,
    is_asked: bool,
    /// Pings of ours whose answer has not come: it is not the client's own message.
    unanswered: u8,
}

/// The client of an admitted connection; `None` after closing one that may not stay.
/// `early`: bytes that came right behind the handshake.
pub fn enter(
    stream: TcpStream,
    early: Vec<u8>,
    connection: Connection,
    admitted: Admitted,
    wording: Wording,
    context: Arc<SessionContext>,
) -> impl Future<Output = Option<Carried<WebSocket<Transport>>>> + Send {
    let (capacity, wants_ids) = (context.limits.outbound_buffer, admitted.since.is_some());
    let encoding = match wording {
        Wording::First => Encoding::Frames { with_ids: wants_ids },
        Wording::Second => Encoding::NamedFrames,
    };
    let mailbox = Arc::new(Mailbox::with_outlet(capacity, Outlet::new(stream), encoding));
    enter_with(Transport::new(Arc::clone(&mailbox)), mailbox, early, connection, admitted, context)
}

/// As [`enter`], over any stream. Without an outlet in the mailbox the client's task writes everything itself.
fn enter_with<S>(
    stream: S,
    mailbox: Arc<Mailbox>,
    early: Vec<u8>,
    connection: Connection,
    admitted: Admitted,
    context: Arc<SessionContext>,
) -> impl Future<Output = Option<Carried<WebSocket<S>>>> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let socket = WebSocket {
        _counted: context.metrics.clients.enter("websocket", admitted.feed.map(Feed::word)),
        socket: Socket::new(stream, early, Arc::clone(&mailbox), &context.limits),
        messages: RateLimit::default(),
        writing: None,
        silent_since: Instant::now(),
        is_asked: false,
        unanswered: 0,
    };
    life::enter(socket, mailbox, connection, admitted, close_reason, context)
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Carrier for WebSocket<S> {
    type Conversation = Conversation;

    fn name(&self) -> &'static str {
        "websocket"
    }

    fn has_room(&self) -> bool {
        self.writing.is_none()
    }

    /// Writes at once what the socket takes; the rest, if any, as it takes more.
    fn send(&mut self, message: Outgoing, sent: usize, life: &mut Life<Conversation>) -> Result<(), Ending> {
        match self.socket.begin(message, sent) {
            Poll::Ready(Ok(message)) => life.on_sent(&message),
            Poll::Ready(Err(LineLost)) => return Err(Ending::Lost),
            Poll::Pending => self.writing = Some(Instant::now()),
        }
        Ok(())
    }

    /// What is being written goes on here: what a peer says decides what becomes of it.
    fn poll_in(&mut self, cx: &mut Context<'_>, life: &mut Life<Conversation>) -> Poll<Result<(), Ending>> {
        let event = ready!(self.socket.poll_event(cx));
        Poll::Ready(self.on_event(event, life))
    }

    fn due(&self, context: &SessionContext) -> Option<Instant> {
        Some(self.silence_due(context))
    }

    fn on_time(&mut self, now: Instant, life: &mut Life<Conversation>) -> Result<(), Ending> {
        if self.silence_due(&life.context) > now {
            return Ok(());
        }
        if self.writing.is_some() || self.is_asked {
            return Err(Ending::Lost);
        }
        (self.silent_since, self.is_asked) = (now, true);
        self.unanswered = self.unanswered.saturating_add(1);
        // A full mailbox is noticed when it is read.
        let _ = life.mailbox.push_control(frame::ping());
        Ok(())
    }

    async fn farewell(self, ending: Ending, _: &SessionContext) {
        self.socket.end(ending).await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    fn on_event(&mut self, event: Event, life: &mut Life<Conversation>) -> Result<(), Ending> {
        if let Event::Written(message) = event {
            self.writing = None;
            life.on_sent(&message);
            return Ok(());
        }
        (self.silent_since, self.is_asked) = (Instant::now(), false);
        match event {
            Event::Close => Err(Ending::ByPeer),
            Event::Breach(reason) => Err(Ending::Breach(reason)),
            Event::Lost => Err(Ending::Lost),
            Event::Pong if self.unanswered > 0 => {
                self.unanswered -= 1;
                Ok(())
            }
            Event::Text(_) | Event::Binary(_) | Event::Ping | Event::Pong if !self.may_say_more(&life.context) => {
                Err(Ending::Close(CloseReason::TooManyMessages))
            }
            // The library answers pings by itself.
            Event::Ping | Event::Pong | Event::Written(_) => Ok(()),
            Event::Binary(bytes) => {
                life.conversation.on_binary(&bytes);
                Ok(())
            }
            Event::Text(text) => life.conversation.on_text(&text).map_err(Ending::Close),
        }
    }

    fn may_say_more(&mut self, context: &SessionContext) -> bool {
        self.messages.take(context.limits.message_burst, context.limits.message_rate)
    }

    /// Until when the peer may keep silent: not take what is being written, not answer a ping, not say anything.
    fn silence_due(&self, context: &SessionContext) -> Instant {
        let limits = &context.limits;
        match (self.writing, self.is_asked) {
            (Some(since), _) => since + limits.write_timeout,
            (None, true) => self.silent_since + limits.pong_timeout,
            (None, false) => self.silent_since + limits.ping_interval,
        }
    }
}

#[cfg(test)]
mod tests;
