//! The actor of one socket in one namespace: carries what waits in its mailbox to the library, and knows when to end.
//!
//! The library's buffer is small and says only that it is full: then the message stays here, and the mailbox behind it
//! fills up like any other client's.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide::extract::SocketRef;
use socketioxide::socket::DisconnectReason;
use socketioxide::{ParserError, SendError, SocketError, TransportType};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, error};

use super::Session;
use super::changes::News;
use super::seat::{Ended, Feed, Seat, Taken};
use crate::client::Environment;
use crate::client::session::Expiry;
use crate::close::CloseReason;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::publication::Publication;
use crate::telemetry::metrics::Close;

/// While the library's buffer is full it is tried again after these, the longer the longer it lasts.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// A session without a namespace may look for another one for this long.
const LINGER: Duration = Duration::from_secs(1);
/// Of a timer that nothing waits for.
const IDLE: Duration = Duration::from_hours(1);

/// Tells a client that it cannot have all that it missed.
const RESYNC: &str = "resync";
const CHANGES_PENDING: &str = "changes:pending";
const ORDERS_PENDING: &str = "orders:pending";
/// After [`CHANGES_PENDING`]: what changes meanwhile is told together.
const REST: Duration = Duration::from_millis(100);

/// How a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The namespace is disconnected: the client does not come back by itself.
    Disconnect(CloseReason),
    /// The session is closed: the client comes back.
    Leave(CloseReason),
    /// The session is closed, and nobody waits for it.
    Cut(CloseReason),
    /// What is written is not taken.
    Lost,
    /// The library said so.
    Over,
}

struct Actor {
    environment: Arc<Environment>,
    socket: SocketRef,
    session: Arc<Session>,
    mailbox: Arc<Mailbox>,
    ended: Arc<Ended>,
    expiry: Option<Expiry>,
    feed: Feed,
    stuck: Option<Box<Stuck>>,
    /// Nothing of the mailbox is sent until then.
    rests_until: Option<Instant>,
    leaves_at: Option<Instant>,
}

/// A message that the library had no room for.
struct Stuck {
    message: Message,
    since: Instant,
    again_at: Instant,
    pause: Duration,
}

/// Something to send.
enum Message {
    Event(Arc<Publication>),
    Resync,
    ChangesPending,
    /// As JSON.
    OrdersPending(String),
}

/// The argument of [`RESYNC`].
#[derive(Serialize)]
struct Resync {
    r#type: &'static str,
}

/// The second argument of an event.
#[derive(Serialize)]
struct Id {
    id: String,
}

/// Starts the actor of a socket that has taken its seat.
pub(super) fn start(socket: SocketRef, environment: Arc<Environment>, tasks: &TaskTracker) {
    let Some(Taken { seat, ended }) = Taken::of(&socket) else { return };
    let Seat { session, mailbox, memberships, expiry, feed } = seat;
    session.on_connected();
    let mut actor = Actor {
        environment,
        socket,
        session,
        mailbox,
        ended,
        expiry,
        feed,
        stuck: None,
        rests_until: None,
        leaves_at: None,
    };
    // A block: the task of an `async fn` has room for its arguments twice.
    tasks.spawn(async move {
        let ending = actor.run().await;
        drop(memberships);
        // Boxed: a task is as large as its largest branch for all of its life, and this one is short.
        Box::pin(actor.farewell(ending)).await;
    });
}

impl Actor {
    async fn run(&mut self) -> Ending {
        if let Feed::Events { has_gap: true, .. } = self.feed {
            self.environment.metrics.resyncs.inc();
            if let Err(ending) = self.send(Message::Resync) {
                return ending;
            }
        }
        let mut timer = pin!(sleep_until(self.next_due()));
        let mut goodbye = pin!(self.environment.goodbye.clone().cancelled_owned());
        loop {
            let due = self.next_due();
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            let has_room = self.stuck.is_none();
            let turn = tokio::select! {
                // In this order: what ends the socket, then what goes out.
                biased;
                () = poll_fn(|cx| self.ended.poll(cx)) => Err(Ending::Over),
                () = &mut goodbye, if self.leaves_at.is_none() => {
                    let spread = self.environment.goodbye_spread.mul_f64(rand::rng().random::<f64>());
                    self.leaves_at = Some(Instant::now() + spread);
                    Ok(())
                }
                next = poll_fn(|cx| self.mailbox.poll_next(cx, has_room && self.rests_until.is_none())) => {
                    self.on_outgoing(next)
                }
                news = next_news(&mut self.feed), if has_room => self.on_news(news),
                () = &mut timer => {
                    let outcome = self.on_time();
                    timer.as_mut().reset(self.next_due());
                    outcome
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
                Err(Ending::Cut(CloseReason::SlowConsumer))
            }
            Next::Dismissed(reason) => Err(Ending::Disconnect(reason)),
            Next::Message(Outgoing::Published(event), _) => match self.feed {
                Feed::Events { .. } => self.send(Message::Event(event)),
                Feed::Sync(_) => self.announce(),
            },
            // Nobody puts answers into this mailbox.
            Next::Message(Outgoing::Answer(_) | Outgoing::Control(_), _) => Ok(()),
        }
    }

    fn on_news(&mut self, news: News) -> Result<(), Ending> {
        match news {
            News::Pending => self.announce(),
            News::Orders(orders) => self.send(Message::OrdersPending(orders)),
        }
    }

    fn announce(&mut self) -> Result<(), Ending> {
        if let Feed::Sync(changes) = &mut self.feed {
            changes.on_announced();
        }
        self.rests_until = Some(Instant::now() + REST);
        self.send(Message::ChangesPending)
    }

    fn send(&mut self, message: Message) -> Result<(), Ending> {
        let now = Instant::now();
        self.try_send(Stuck { message, since: now, again_at: now, pause: FIRST_PAUSE })
    }

    fn try_send(&mut self, mut stuck: Stuck) -> Result<(), Ending> {
        match self.emit(&stuck.message) {
            Ok(()) => {
                self.environment.metrics.deliveries.inc();
            }
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                let now = Instant::now();
                if stuck.since + self.environment.limits.write_timeout <= now {
                    return Err(Ending::Lost);
                }
                stuck.again_at = now + stuck.pause;
                stuck.pause = (stuck.pause * 2).min(LONGEST_PAUSE);
                self.stuck = Some(Box::new(stuck));
            }
            // The reason is said by the library.
            Err(SendError::Socket(SocketError::Closed)) => {}
            Err(SendError::Serialize(error)) => error!(%error, "what was to be sent is no JSON"),
        }
        Ok(())
    }

    fn emit(&self, message: &Message) -> Result<(), SendError> {
        if self.socket.transport_type() == TransportType::Polling && !self.session.may_wait() {
            return Err(SendError::Socket(SocketError::InternalChannelFull));
        }
        let event = match message {
            Message::Event(event) => event,
            Message::Resync => return self.socket.emit(RESYNC, &Resync { r#type: RESYNC }),
            // Of no elements: no argument.
            Message::ChangesPending => return self.socket.emit(CHANGES_PENDING, &[(); 0]),
            Message::OrdersPending(orders) => return self.socket.emit(ORDERS_PENDING, json(orders)?),
        };
        let payload = json(event.frame.payload())?;
        match self.feed {
            Feed::Events { with_ids: true, .. } => {
                self.socket.emit(event.event, &(payload, Id { id: event.version.to_string() }))
            }
            _ => self.socket.emit(event.event, payload),
        }
    }

    fn on_time(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if self.leaves_at.is_some_and(|at| at <= now) {
            return Err(Ending::Leave(CloseReason::GoingAway));
        }
        if self.expiry.as_mut().is_some_and(|expiry| expiry.is_over(now, &self.environment)) {
            return Err(Ending::Disconnect(CloseReason::TokenExpired));
        }
        if self.rests_until.is_some_and(|until| until <= now) {
            self.rests_until = None;
        }
        match self.stuck.take_if(|stuck| stuck.again_at <= now) {
            Some(stuck) => self.try_send(*stuck),
            None => Ok(()),
        }
    }

    fn next_due(&self) -> Instant {
        let stuck = self.stuck.as_ref().map(|stuck| stuck.again_at);
        let due = [self.leaves_at, stuck, self.rests_until, self.expiry.as_ref().map(Expiry::due)];
        due.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + IDLE)
    }

    /// The code to count an ending under, as for a plain client.
    fn code_of(&self, ending: Ending) -> u16 {
        use DisconnectReason as Reason;
        match ending {
            Ending::Disconnect(reason) | Ending::Leave(reason) | Ending::Cut(reason) => reason.code(),
            Ending::Lost => 1006,
            Ending::Over => match (self.session.why(), self.ended.reason()) {
                (Some(why), _) => why.code(),
                (None, Some(Reason::TransportClose | Reason::ClientNSDisconnect)) => 1000,
                (None, Some(Reason::PacketParsingError | Reason::MultipleHttpPollingError)) => {
                    CloseReason::Protocol.code()
                }
                (None, _) => 1006,
            },
        }
    }

    async fn farewell(self, ending: Ending) {
        let code = self.code_of(ending);
        self.environment.metrics.closes.get_or_create(&Close { code }).inc();
        debug!(address = %self.session.address, namespace = self.socket.ns(), ?ending, code, "socket ends");
        let (socket, session) = (self.socket, self.session);
        match ending {
            Ending::Disconnect(_) => {
                if socket.disconnect().is_err() {
                    session.cut();
                }
            }
            Ending::Leave(_) => session.leave(),
            Ending::Cut(_) | Ending::Lost => session.cut(),
            Ending::Over => {}
        }
        // Until it is out of the library, or the library is stuck with it.
        let ended = &self.ended;
        let _ = timeout(self.environment.limits.write_timeout, poll_fn(|cx| ended.poll(cx))).await;
        let others = session.on_disconnected();
        let may_come_back = matches!(
            self.ended.reason(),
            Some(DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect)
        );
        if others == 0 && may_come_back {
            tokio::select! {
                () = sleep(LINGER) => {}
                () = self.environment.goodbye.cancelled() => {}
            }
            if session.connected() == 0 {
                session.leave();
            }
        }
    }
}

/// What the database has to say to a back end; nothing to others.
async fn next_news(feed: &mut Feed) -> News {
    match feed {
        Feed::Sync(changes) => poll_fn(|cx| changes.poll_next(cx)).await,
        Feed::Events { .. } => std::future::pending().await,
    }
}

/// As a raw value, so that every digit stays as it came.
fn json(text: &str) -> Result<&RawValue, SendError> {
    serde_json::from_str(text).map_err(|error| SendError::Serialize(ParserError::new(error)))
}
