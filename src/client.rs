//! The actor of one connection: owns its socket, its mailbox, its conversation and its heartbeat.
//!
//! Whatever happens to it, everything it held is given back when it is dropped. Must not know HTTP or SQL.

pub mod allowance;
mod conversation;
mod dashboard;
mod door;
mod echo;
pub mod fragments;
mod listener;
mod reader;
pub mod session;
mod socket;
mod stream;
mod subscriptions;
mod transport;

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rand::Rng;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::auth::access::Access;
use crate::auth::attempts::Attempts;
use crate::auth::token::TokenVerifier;
use crate::clock::Clock;
use crate::close::CloseReason;
use crate::config::{ClientLimits, Feeds};
use crate::database::Database;
use crate::hub::Hub;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::hub::outlet::Outlet;
use crate::publication::Frame;
use crate::stats::Refresher;
use crate::telemetry::metrics::{Close, Metrics};

use allowance::Allowance;
use conversation::Conversation;
pub use door::{Admitted, Purpose, kiosk_channel, staff_channels};
use socket::{Event, LineLost, Socket};
pub use stream::stream;
pub use transport::Transport;

/// What every client works with.
#[derive(Debug)]
pub struct Environment {
    pub hub: Arc<Hub>,
    pub refresher: Arc<Refresher>,
    pub access: Arc<Access>,
    pub database: Arc<Database>,
    pub tokens: TokenVerifier,
    pub clock: Clock,
    pub feeds: Feeds,
    /// Point-of-sale events name no business and go to every token.
    pub single_business: bool,
    /// Device ids that were not good.
    pub bad_devices: Attempts,
    pub limits: ClientLimits,
    /// How often a live subscription's ownership is asked again.
    pub recheck: Duration,
    /// When this node began; rechecks are counted from here, so that they come in batches.
    pub since: Instant,
    /// Cancelled when the node goes away.
    pub goodbye: CancellationToken,
    /// Over how long the goodbyes are spread.
    pub goodbye_spread: Duration,
    pub metrics: Arc<Metrics>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Pulso closes it.
    Close(CloseReason),
    /// Pulso closes it because what comes in is not WebSocket.
    Breach(CloseReason),
    /// The peer closed it.
    ByPeer,
    /// The line is gone, or the peer is, or it does not take what is written.
    Lost,
}

/// One connection and all that it holds.
pub struct Client<S> {
    environment: Arc<Environment>,
    _counted: Counted,
    address: IpAddr,
    socket: Socket<S>,
    mailbox: Arc<Mailbox>,
    conversation: Conversation,
    messages: Allowance,
    /// Since when the socket has not taken a message whole.
    writing: Option<Instant>,
    heard: Instant,
    asked: Option<Instant>,
    leaves_at: Option<Instant>,
}

/// Serves one connection until it ends. `held`: what is given back then.
///
/// No `async fn`, which would keep its arguments twice: this is what every idle connection costs.
#[expect(clippy::manual_async_fn, reason = "said above")]
pub fn serve<S>(mut client: Client<S>, held: impl Send) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    async move {
        let ending = client.run().await;
        // Boxed, for a task is as large as its largest branch for all of its life.
        Box::pin(client.leave(ending)).await;
        drop(held);
    }
}

/// The client of an admitted connection; `None` after closing one that may not stay.
/// `early`: bytes that came right behind the handshake.
pub async fn enter(
    stream: TcpStream,
    early: Vec<u8>,
    admitted: Admitted,
    environment: Arc<Environment>,
) -> Option<Client<Transport>> {
    let (capacity, wants_ids) = (environment.limits.outbound_buffer, admitted.since.is_some());
    let mailbox = Arc::new(Mailbox::with_outlet(capacity, Outlet::new(stream), wants_ids));
    enter_with(Transport::new(Arc::clone(&mailbox)), mailbox, early, admitted, environment).await
}

/// As [`enter`], over any stream. Without an outlet in the mailbox the client's task writes everything itself.
async fn enter_with<S>(
    stream: S,
    mailbox: Arc<Mailbox>,
    early: Vec<u8>,
    admitted: Admitted,
    environment: Arc<Environment>,
) -> Option<Client<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let counted = Counted::new(&environment.metrics);
    let Admitted { purpose, since, address } = admitted;
    let socket = Socket::new(stream, early, Arc::clone(&mailbox), &environment.limits);
    let conversation = match door::open(purpose, since, address, &environment, &mailbox).await {
        Ok(conversation) => conversation,
        Err(reason) => {
            debug!(%address, ?reason, "connection refused");
            farewell(socket, Ending::Close(reason), &environment.metrics).await;
            return None;
        }
    };
    Some(Client {
        _counted: counted,
        address,
        socket,
        conversation,
        messages: Allowance::default(),
        writing: None,
        heard: Instant::now(),
        asked: None,
        leaves_at: None,
        mailbox,
        environment,
    })
}

async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(socket: Socket<S>, ending: Ending, metrics: &Metrics) {
    metrics.closes.get_or_create(&Close { code: code_of(ending) }).inc();
    match ending {
        Ending::Close(reason) => socket.close(reason).await,
        Ending::Breach(reason) => socket.close_after_breach(reason).await,
        Ending::ByPeer => socket.finish().await,
        Ending::Lost => {}
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn run(&mut self) -> Ending {
        // Both live as long as the connection: arming a timer and waiting in line for the goodbye cost more than the
        // rest of a turn.
        let mut timer = pin!(sleep_until(self.next_due()));
        let mut goodbye = pin!(self.environment.goodbye.clone().cancelled_owned());
        loop {
            let due = self.next_due();
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            let turn = tokio::select! {
                // In this order: what ends the connection, then what goes out, then what comes in.
                biased;
                () = &mut goodbye, if self.leaves_at.is_none() => {
                    self.on_goodbye();
                    Ok(())
                }
                next = poll_fn(|cx| self.mailbox.poll_next(cx, self.writing.is_none())) => self.on_outgoing(next),
                () = &mut timer => {
                    let outcome = self.on_time();
                    timer.as_mut().reset(self.next_due());
                    outcome
                }
                settled = self.conversation.settled() => {
                    self.conversation.on_settled(settled);
                    Ok(())
                }
                event = self.socket.event() => self.on_event(event),
            };
            if let Err(ending) = turn {
                return ending;
            }
        }
    }

    async fn leave(self, ending: Ending) {
        let Self { socket, conversation, environment, address, _counted, .. } = self;
        // Out of the hub before the farewell, which may take a while.
        drop(conversation);
        debug!(%address, ?ending, "connection ends");
        farewell(socket, ending, &environment.metrics).await;
    }

    fn on_goodbye(&mut self) {
        let spread = self.environment.goodbye_spread;
        self.leaves_at = Some(Instant::now() + spread.mul_f64(rand::rng().random::<f64>()));
    }

    fn on_outgoing(&mut self, next: Next) -> Result<(), Ending> {
        match next {
            Next::Overflowed => {
                self.environment.metrics.slow_closes.inc();
                Err(Ending::Close(CloseReason::SlowConsumer))
            }
            Next::Dismissed(reason) => Err(Ending::Close(reason)),
            Next::Message(message, written) => self.write(message, written),
        }
    }

    /// Writes at once what the socket takes; the rest, if any, as it takes more.
    fn write(&mut self, message: Outgoing, from: usize) -> Result<(), Ending> {
        match self.socket.begin(message, from) {
            Poll::Ready(Ok(message)) => self.on_written(&message),
            Poll::Ready(Err(LineLost)) => return Err(Ending::Lost),
            Poll::Pending => self.writing = Some(Instant::now()),
        }
        Ok(())
    }

    fn on_written(&self, message: &Outgoing) {
        let Outgoing::Published(publication) = message else { return };
        let metrics = &self.environment.metrics;
        metrics.deliveries.inc();
        if let Some(noticed) = publication.take_noticed() {
            metrics.notice_to_socket_seconds.observe(noticed.elapsed().as_secs_f64());
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), Ending> {
        if let Event::Written(message) = event {
            self.writing = None;
            self.on_written(&message);
            return Ok(());
        }
        self.heard = Instant::now();
        self.asked = None;
        match event {
            Event::Close => Err(Ending::ByPeer),
            Event::Breach(reason) => Err(Ending::Breach(reason)),
            Event::Lost => Err(Ending::Lost),
            Event::Text(_) | Event::Binary(_) | Event::Control if !self.may_say_more() => {
                Err(Ending::Close(CloseReason::TooManyMessages))
            }
            // The library answers pings by itself.
            Event::Control | Event::Written(_) => Ok(()),
            Event::Binary(bytes) => {
                self.conversation.on_binary(&bytes);
                Ok(())
            }
            Event::Text(text) => self.conversation.on_text(&text).map_err(Ending::Close),
        }
    }

    fn may_say_more(&mut self) -> bool {
        let limits = &self.environment.limits;
        self.messages.take(limits.message_burst, limits.message_rate)
    }

    fn on_time(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if self.leaves_at.is_some_and(|at| at <= now) {
            return Err(Ending::Close(CloseReason::GoingAway));
        }
        if self.silence_due() <= now {
            if self.writing.is_some() || self.asked.is_some() {
                return Err(Ending::Lost);
            }
            self.asked = Some(now);
            // A full mailbox is noticed when it is read.
            let _ = self.mailbox.push_control(Frame::ping());
        }
        self.conversation.on_time(now).map_err(Ending::Close)
    }

    fn next_due(&self) -> Instant {
        let optional = self.leaves_at.into_iter().chain(self.conversation.due());
        optional.fold(self.silence_due(), Instant::min)
    }

    /// Until when the peer may keep silent: not take what is being written, not answer a ping, not say anything.
    fn silence_due(&self) -> Instant {
        let limits = &self.environment.limits;
        match (&self.writing, self.asked) {
            (Some(since), _) => *since + limits.write_timeout,
            (None, Some(asked)) => asked + limits.pong_timeout,
            (None, None) => self.heard + limits.ping_interval,
        }
    }
}

/// The code to count an ending under: 1000 for the peer's own, 1006 for a line that is gone.
fn code_of(ending: Ending) -> u16 {
    match ending {
        Ending::Close(reason) | Ending::Breach(reason) => reason.code(),
        Ending::ByPeer => 1000,
        Ending::Lost => 1006,
    }
}

/// Counts a connection while it lives.
struct Counted(Arc<Metrics>);

impl Counted {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.connections.inc();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

#[cfg(test)]
mod tests;
