//! A session that is carried by a WebSocket: one packet a frame.
//!
//! Must not know what the packets say.

use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::session::Session;
use crate::hub::mailbox::Outgoing;
use crate::session::SessionContext;
use crate::session::life::{Carrier, Ending, Life};
use crate::transport::websocket::socket::{Event, LineLost, Socket};

pub(super) struct Line<S> {
    socket: Socket<S>,
    /// Since when the socket has not taken a message whole.
    writing: Option<Instant>,
}

impl<S> Line<S> {
    pub(super) fn new(socket: Socket<S>) -> Self {
        Self { socket, writing: None }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Carrier for Line<S> {
    type Conversation = Session;

    fn name(&self) -> &'static str {
        "socket.io"
    }

    fn has_room(&self) -> bool {
        self.writing.is_none()
    }

    /// Writes at once what the socket takes; the rest, if any, as it takes more.
    fn send(&mut self, message: Outgoing, sent: usize, life: &mut Life<Session>) -> Result<(), Ending> {
        match self.socket.begin(message, sent) {
            Poll::Ready(Ok(message)) => life.on_sent(&message),
            Poll::Ready(Err(LineLost)) => return Err(Ending::Lost),
            Poll::Pending => self.writing = Some(Instant::now()),
        }
        Ok(())
    }

    fn poll_in(&mut self, cx: &mut Context<'_>, life: &mut Life<Session>) -> Poll<Result<(), Ending>> {
        let session = &mut life.conversation;
        Poll::Ready(match ready!(self.socket.poll_event(cx)) {
            Event::Written(message) => {
                self.writing = None;
                life.on_sent(&message);
                Ok(())
            }
            Event::Text(packet) => session.on_packet(&packet),
            Event::Binary(_) => session.on_binary(),
            // Of the WebSocket itself: answered, and counted.
            Event::Ping | Event::Pong => session.count(),
            Event::Close => Err(Ending::ByPeer),
            Event::Breach(reason) => Err(Ending::Breach(reason)),
            Event::Lost => Err(Ending::Lost),
        })
    }

    fn due(&self, context: &SessionContext) -> Option<Instant> {
        self.writing.map(|since| since + context.limits.write_timeout)
    }

    fn on_time(&mut self, now: Instant, life: &mut Life<Session>) -> Result<(), Ending> {
        if self.due(&life.context).is_some_and(|due| due <= now) {
            return Err(Ending::Lost);
        }
        life.conversation.on_clock(now)
    }

    async fn farewell(self, ending: Ending, _: &SessionContext) {
        self.socket.end(ending).await;
    }
}
