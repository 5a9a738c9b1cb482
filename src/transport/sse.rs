//! A connection that is a stream of server-sent events: nothing comes in, and what goes out is text.
//!
//! Must not know HTTP: it hands over messages that somebody else writes.

mod handover;

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rand::Rng;
use tokio::time::Instant;

use super::websocket::denial::close_reason;
use crate::config::Feed;
use crate::hub::mailbox::{Mailbox, Outgoing};
use crate::model::{CloseReason, Wording};
use crate::publication::{Encoding, Publication};
use crate::session::Admitted;
use crate::session::SessionContext;
use crate::session::conversation::Conversation;
use crate::session::life::{self, Carried, Carrier, Ending, Life};
use crate::session::words::second::closing;
use crate::telemetry::log::connection::Connection;
use crate::telemetry::metrics::Counted;

pub use handover::{Giver, Gone, Taker, handover};

/// A comment, so that proxies and the peer see that the line lives.
const KEEP_ALIVE: &[u8] = b":\n\n";
/// After a goodbye peers come back within this many milliseconds, each at a moment of its own.
const COME_BACK_MS: u32 = 5_000;

pub struct Stream {
    _counted: Counted,
    out: Giver,
    wording: Wording,
    /// What there is no room for yet.
    waiting: Option<Waiting>,
    written: Instant,
}

struct Waiting {
    since: Instant,
    message: Bytes,
    /// What it says, if that is counted.
    publication: Option<Arc<Publication>>,
}

/// The stream of who was admitted; `None` after ending one that may not stay.
pub fn enter(
    out: Giver,
    connection: Connection,
    admitted: Admitted,
    wording: Wording,
    context: Arc<SessionContext>,
) -> impl Future<Output = Option<Carried<Stream>>> + Send {
    let encoding = match wording {
        Wording::First => Encoding::Lines,
        Wording::Second => Encoding::NamedLines,
    };
    let mailbox = Arc::new(Mailbox::new(context.limits.outbound_buffer, encoding));
    let counted = context.metrics.clients.enter("sse", admitted.feed.map(Feed::word));
    let stream = Stream { _counted: counted, out, wording, waiting: None, written: Instant::now() };
    life::enter(stream, mailbox, connection, admitted, close_reason, context)
}

impl Carrier for Stream {
    type Conversation = Conversation;

    fn name(&self) -> &'static str {
        "stream"
    }

    /// The head goes out at once: a browser's stream is open when it has something.
    fn begin(&mut self, life: &mut Life<Conversation>) -> Result<(), Ending> {
        if let Some(next) = life.mailbox.try_next() {
            return match life.take(next)? {
                Some((message, sent)) => self.send(message, sent, life),
                None => Ok(()),
            };
        }
        self.write(Bytes::from_static(KEEP_ALIVE), None);
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.waiting.is_none()
    }

    fn send(&mut self, outgoing: Outgoing, _: usize, life: &mut Life<Conversation>) -> Result<(), Ending> {
        let message = life.mailbox.bytes_of_outgoing(&outgoing).clone();
        let publication = match outgoing {
            Outgoing::Published(publication) => Some(publication),
            _ => None,
        };
        self.write(message, publication);
        Ok(())
    }

    fn poll_out(&mut self, cx: &mut Context<'_>, life: &mut Life<Conversation>) -> Poll<Result<(), Ending>> {
        if self.waiting.is_none() {
            return self.out.poll_gone(cx).map(|Gone| Err(Ending::Lost));
        }
        let ready = ready!(self.out.poll_ready(cx));
        Poll::Ready(match (ready, self.waiting.take()) {
            (Ok(()), Some(Waiting { message, publication, .. })) => {
                self.out.give(message);
                self.written = Instant::now();
                if let Some(publication) = publication {
                    life.on_delivered(&publication);
                }
                Ok(())
            }
            _ => Err(Ending::Lost),
        })
    }

    fn poll_in(&mut self, _: &mut Context<'_>, _: &mut Life<Conversation>) -> Poll<Result<(), Ending>> {
        Poll::Pending
    }

    fn due(&self, context: &SessionContext) -> Option<Instant> {
        let limits = &context.limits;
        Some(match &self.waiting {
            Some(waiting) => waiting.since + limits.write_timeout,
            None => self.written + limits.ping_interval,
        })
    }

    fn on_time(&mut self, now: Instant, life: &mut Life<Conversation>) -> Result<(), Ending> {
        if self.due(&life.context).is_none_or(|due| due > now) {
            return Ok(());
        }
        if self.waiting.is_some() {
            return Err(Ending::Lost);
        }
        self.write(Bytes::from_static(KEEP_ALIVE), None);
        Ok(())
    }

    async fn farewell(self, ending: Ending, _: &SessionContext) {
        if let Ending::Close(reason) = ending {
            // Whether there is room for the reason is the peer's affair.
            self.out.give(farewell(reason, self.wording));
        }
    }
}

impl Stream {
    fn write(&mut self, message: Bytes, publication: Option<Arc<Publication>>) {
        self.waiting = Some(Waiting { since: Instant::now(), message, publication });
    }
}

/// Why it ends, as an event of its own name: a stream has no close code.
fn farewell(reason: CloseReason, wording: Wording) -> Bytes {
    let (code, text) = (reason.code(), reason.text());
    let retry = match reason {
        CloseReason::GoingAway => format!("retry: {}\n", rand::rng().random_range(0..COME_BACK_MS)),
        _ => String::new(),
    };
    let said = match wording {
        Wording::First => format!("{{\"code\":{code},\"reason\":\"{text}\"}}"),
        Wording::Second => closing(reason),
    };
    format!("{retry}event: close\ndata: {said}\n\n").into()
}
