//! The actor of one stream of server-sent events: as a WebSocket's, but nothing comes in.
//!
//! Must not know HTTP: it fills a channel of bytes that somebody else writes.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use rand::Rng;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::conversation::Conversation;
use super::{Admitted, Counted, Ending, Environment, code_of, door};
use crate::close::CloseReason;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::publication::{Kind, Publication};
use crate::telemetry::metrics::Close;

/// A comment, so that proxies and the peer see that the line lives.
const KEEP_ALIVE: &[u8] = b":\n\n";
/// After a goodbye peers come back within this many milliseconds, each at a moment of its own.
const COME_BACK_MS: u32 = 5_000;

struct Stream {
    environment: Arc<Environment>,
    mailbox: Arc<Mailbox>,
    conversation: Conversation,
    out: Sender<Bytes>,
    /// What the writer has no room for.
    waiting: Option<(Instant, Bytes)>,
    written: Instant,
    leaves_at: Option<Instant>,
}

/// Serves one stream until it ends. `out` should hold a message or two: what waits beyond that waits in the mailbox.
pub async fn stream(admitted: Admitted, out: Sender<Bytes>, environment: Arc<Environment>) {
    let metrics = Arc::clone(&environment.metrics);
    let _counted = Counted::new(&metrics);
    let Admitted { purpose, since, address } = admitted;
    let mailbox = Arc::new(Mailbox::new(environment.limits.outbound_buffer));
    let opened = Box::pin(door::open(purpose, since, address, &environment, &mailbox)).await;
    let ending = match opened {
        Ok(conversation) => {
            let written = Instant::now();
            let (waiting, leaves_at) = (None, None);
            Stream { environment, mailbox, conversation, out, waiting, written, leaves_at }.run().await
        }
        Err(reason) => Ending::Close(reason),
    };
    metrics.closes.get_or_create(&Close { code: code_of(ending) }).inc();
    debug!(%address, ?ending, "stream ends");
}

impl Stream {
    async fn run(mut self) -> Ending {
        // The head goes out at once: a browser's stream is open when it has something.
        self.waiting = Some((Instant::now(), Bytes::from_static(KEEP_ALIVE)));
        let ending = self.serve().await;
        if let Ending::Close(reason) = ending {
            // Whether there is room for the reason is the peer's affair.
            let _ = self.out.try_send(farewell(reason));
        }
        ending
    }

    async fn serve(&mut self) -> Ending {
        let out = self.out.clone();
        let mut goodbye = pin!(self.environment.goodbye.clone().cancelled_owned());
        let mut timer = pin!(sleep_until(self.next_due()));
        loop {
            timer.as_mut().reset(self.next_due());
            let turn = tokio::select! {
                biased;
                () = &mut goodbye, if self.leaves_at.is_none() => {
                    let spread = self.environment.goodbye_spread;
                    self.leaves_at = Some(Instant::now() + spread.mul_f64(rand::rng().random::<f64>()));
                    Ok(())
                }
                room = out.reserve(), if self.waiting.is_some() => match (room, self.waiting.take()) {
                    (Ok(room), Some((_, message))) => {
                        room.send(message);
                        self.written = Instant::now();
                        Ok(())
                    }
                    _ => Err(Ending::Lost),
                },
                next = poll_fn(|cx| self.mailbox.poll_next(cx, self.waiting.is_none())) => self.on_outgoing(next),
                () = out.closed(), if self.waiting.is_none() => Err(Ending::Lost),
                () = &mut timer => self.on_time(),
                settled = self.conversation.settled() => {
                    self.conversation.on_settled(settled);
                    Ok(())
                }
            };
            if let Err(ending) = turn {
                return ending;
            }
        }
    }

    fn on_outgoing(&mut self, next: Next) -> Result<(), Ending> {
        match next {
            Next::Overflowed => {
                self.environment.metrics.slow_closes.inc();
                return Err(Ending::Close(CloseReason::SlowConsumer));
            }
            Next::Dismissed(reason) => return Err(Ending::Close(reason)),
            Next::Message(Outgoing::Answer(frame) | Outgoing::Control(frame), _) => {
                self.write(message(frame.payload(), None));
            }
            Next::Message(Outgoing::Published(one), _) => {
                self.environment.metrics.deliveries.inc();
                self.write(message(one.frame.payload(), id_of(&one)));
            }
        }
        Ok(())
    }

    fn write(&mut self, message: Bytes) {
        self.waiting = Some((Instant::now(), message));
    }

    fn on_time(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if self.leaves_at.is_some_and(|at| at <= now) {
            return Err(Ending::Close(CloseReason::GoingAway));
        }
        match &self.waiting {
            Some((since, _)) if *since + self.environment.limits.write_timeout <= now => return Err(Ending::Lost),
            None if self.written + self.environment.limits.ping_interval <= now => {
                self.write(Bytes::from_static(KEEP_ALIVE));
            }
            _ => {}
        }
        self.conversation.on_time(now).map_err(Ending::Close)
    }

    fn next_due(&self) -> Instant {
        let limits = &self.environment.limits;
        let silence = match &self.waiting {
            Some((since, _)) => *since + limits.write_timeout,
            None => self.written + limits.ping_interval,
        };
        self.leaves_at.into_iter().chain(self.conversation.due()).fold(silence, Instant::min)
    }
}

fn id_of(publication: &Publication) -> Option<u64> {
    (publication.kind == Kind::Event).then_some(publication.version)
}

/// One event. What was sent to a hook with line breaks in it is several lines of one event.
fn message(payload: &str, id: Option<u64>) -> Bytes {
    let mut out = String::with_capacity(payload.len() + 40);
    if let Some(id) = id {
        out.push_str("id: ");
        out.push_str(&id.to_string());
        out.push('\n');
    }
    for line in payload.split(['\n', '\r']) {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out.into()
}

/// Why it ends, as an event of its own name: a stream has no close code.
fn farewell(reason: CloseReason) -> Bytes {
    let (code, text) = (reason.code(), reason.text());
    let retry = match reason {
        CloseReason::GoingAway => format!("retry: {}\n", rand::rng().random_range(0..COME_BACK_MS)),
        _ => String::new(),
    };
    format!("{retry}event: close\ndata: {{\"code\":{code},\"reason\":\"{text}\"}}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_in_a_payload_do_not_end_the_event() {
        assert_eq!(message("{\"a\":\n\r 1}", Some(7)), "id: 7\ndata: {\"a\":\ndata: \ndata:  1}\n\n");
        assert_eq!(message("{}", None), "data: {}\n\n");
    }
}
