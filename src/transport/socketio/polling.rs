//! A session that is carried by HTTP requests: one is held until there is something to give, others bring packets.
//!
//! Must not know HTTP, nor what the packets say.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::oneshot::Sender;
use tokio::time::Instant;

use super::farewell;
use super::inbox::{Answer, Asked, Inbox};
use super::packet::NOOP;
use super::payload::{self, Payload};
use super::polls::Polls;
use super::session::Session;
use super::upgrade::Upgraded;
use crate::hub::mailbox::{Mailbox, Outgoing};
use crate::model::CloseReason;
use crate::publication::frame;
use crate::session::SessionContext;
use crate::session::life::{Carrier, Ending, Life};

pub(super) struct Polling {
    mailbox: Arc<Mailbox>,
    inbox: Arc<Inbox>,
    polls: Polls<Sender<Answer>>,
    /// Requests whose packets have been carried out and whose answers are not on their way yet: what the packets led to comes
    /// behind these.
    unanswered: usize,
    /// What the held request will be given.
    payload: Payload,
    /// Since when something waits and nobody asks for it.
    unread: Option<Instant>,
    /// The WebSocket that takes over.
    upgraded: Option<Box<Upgraded>>,
}

impl Polling {
    pub(super) fn new(mailbox: Arc<Mailbox>, inbox: Arc<Inbox>) -> Self {
        let (polls, payload) = (Polls::new(), Payload::default());
        Self { mailbox, inbox, polls, payload, unanswered: 0, unread: None, upgraded: None }
    }

    /// The WebSocket that has taken over, if one has.
    pub(super) fn take_upgraded(&mut self) -> Option<Box<Upgraded>> {
        self.upgraded.take()
    }

    /// Answers the held request with what there is for it.
    fn give(&mut self) -> Result<(), Ending> {
        let body = self.take_payload().into_body();
        let answered = self.polls.take().map(|get| get.send(Answer::Packets(body)));
        if matches!(answered, Some(Ok(()))) { Ok(()) } else { Err(Ending::Lost) }
    }

    fn on_asked(&mut self, asked: Asked, session: &mut Session) -> Result<(), Ending> {
        let now = Instant::now();
        match asked {
            Asked::Get(get) => {
                self.unread = None;
                self.polls.hold(get, now).map_err(|second| {
                    // Whether it still waits is its own affair.
                    let _ = second.send(Answer::Overlap);
                    Ending::Close(CloseReason::Protocol)
                })
            }
            Asked::Post(body, post) => {
                self.unanswered += 1;
                let outcome = carry_out(&body, session);
                let answer = match outcome {
                    Err(Ending::Close(CloseReason::Protocol)) => Answer::Malformed,
                    _ => Answer::Done,
                };
                let _ = post.send(answer);
                if outcome == Err(Ending::ByPeer) {
                    end_with(self.polls.take(), NOOP);
                }
                outcome
            }
            Asked::Answered => {
                self.unanswered = self.unanswered.saturating_sub(1);
                Ok(())
            }
            Asked::Probed => {
                end_with(self.polls.on_probe(now), NOOP);
                Ok(())
            }
            Asked::NotUpgraded => {
                self.polls.on_probe_failed();
                Ok(())
            }
            Asked::Upgraded(upgraded) => {
                end_with(self.polls.take(), NOOP);
                self.upgraded = Some(upgraded);
                Err(Ending::ByPeer)
            }
            Asked::End(ending) => Err(ending),
        }
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Nothing takes the session over any more.
    pub(super) fn end_upgrade(&self) {
        self.inbox.end_upgrade();
    }

    /// The request that is held.
    pub(super) fn take_held(&mut self) -> Option<Sender<Answer>> {
        self.polls.take()
    }

    /// What has been taken for it.
    pub(super) fn take_payload(&mut self) -> Payload {
        mem::take(&mut self.payload)
    }

    /// The next request for what waits, after the session's end.
    pub(super) fn poll_get(&mut self, cx: &mut Context<'_>) -> Poll<Sender<Answer>> {
        if let Some(get) = self.polls.take() {
            return Poll::Ready(get);
        }
        loop {
            match ready!(self.inbox.poll_next(cx)) {
                Asked::Get(get) => return Poll::Ready(get),
                // It means nothing any more, and is not lost to a client that reads why.
                Asked::Post(_, post) => drop(post.send(Answer::Done)),
                Asked::Answered | Asked::Probed | Asked::Upgraded(_) | Asked::NotUpgraded | Asked::End(_) => {}
            }
        }
    }
}

impl Carrier for Polling {
    type Conversation = Session;

    fn name(&self) -> &'static str {
        "socket.io polling"
    }

    fn has_room(&self) -> bool {
        self.polls.is_held() && self.unanswered == 0 && self.payload.has_room()
    }

    /// For the held request.
    fn send(&mut self, message: Outgoing, _: usize, life: &mut Life<Session>) -> Result<(), Ending> {
        self.payload.push(frame::payload(self.mailbox.bytes_of_outgoing(&message)));
        life.on_sent(&message);
        Ok(())
    }

    fn poll_in(&mut self, cx: &mut Context<'_>, life: &mut Life<Session>) -> Poll<Result<(), Ending>> {
        if !self.payload.is_empty() {
            // The mailbox has no more for it.
            return Poll::Ready(self.give());
        }
        if let Some(held) = self.polls.held() {
            // Nobody waits for the answer any more: whatever was given to it would be lost.
            if held.poll_closed(cx).is_ready() {
                return Poll::Ready(Err(Ending::Lost));
            }
        } else if self.unread.is_none() && self.mailbox.is_waiting() {
            self.unread = Some(Instant::now());
            // For whoever keeps the time.
            return Poll::Ready(Ok(()));
        }
        let asked = ready!(self.inbox.poll_next(cx));
        Poll::Ready(self.on_asked(asked, &mut life.conversation))
    }

    fn due(&self, context: &SessionContext) -> Option<Instant> {
        let unread = self.unread.map(|since| since + context.limits.write_timeout);
        self.polls.due().into_iter().chain(unread).min()
    }

    fn on_time(&mut self, now: Instant, life: &mut Life<Session>) -> Result<(), Ending> {
        // What there is for a request ends it as well.
        if !self.payload.is_empty() {
            self.give()?;
        }
        end_with(self.polls.on_time(now), NOOP);
        if self.unread.is_some_and(|since| since + life.context.limits.write_timeout <= now) {
            return Err(Ending::Lost);
        }
        life.conversation.on_clock(now)
    }

    async fn farewell(self, ending: Ending, _: &SessionContext) {
        farewell::say(ending, self).await;
    }
}

/// Carries out the packets of a body, in their order.
fn carry_out(body: &Bytes, session: &mut Session) -> Result<(), Ending> {
    let packets = payload::split(body).map_err(|_| Ending::Close(CloseReason::Protocol))?;
    packets.into_iter().try_for_each(|packet| session.on_packet(packet))
}

/// Whether anybody still waits for it is nobody's affair here: it says nothing.
fn end_with(get: Option<Sender<Answer>>, packet: &str) {
    if let Some(get) = get {
        let _ = get.send(Answer::Packets(packet.to_owned()));
    }
}
