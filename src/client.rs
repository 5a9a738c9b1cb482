//! The actor of one connection: owns its socket, its mailbox, its subscriptions, its token's life and its heartbeat.
//!
//! Whatever happens to it, everything it held is given back when it is dropped. Must not know HTTP or SQL.

mod allowance;
mod fragments;
mod line;
mod session;
mod socket;
mod subscriptions;

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rand::Rng;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::auth::access::Access;
use crate::auth::token::{Identity, TokenVerifier};
use crate::clock::Clock;
use crate::close::CloseReason;
use crate::config::ClientLimits;
use crate::database::Database;
use crate::dialect::stats::{self as words, ChannelName, ClientMessage, Denial, Misunderstood};
use crate::hub::Hub;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::publication::{Frame, Publication};
use crate::stats::Refresher;
use crate::telemetry::metrics::{Close, Metrics, RefusalReason};

use allowance::Allowance;
use session::Session;
use socket::{Event, LineLost, Socket};
use subscriptions::Subscriptions;

/// What every client works with.
#[derive(Debug)]
pub struct Environment {
    pub hub: Arc<Hub>,
    pub refresher: Arc<Refresher>,
    pub access: Arc<Access>,
    pub database: Arc<Database>,
    pub tokens: TokenVerifier,
    pub clock: Clock,
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

/// What a connection brings along from its handshake.
#[derive(Debug)]
pub struct Admitted {
    pub identity: Option<Identity>,
    /// One of the few places for connections without a token; given back once there is one.
    pub unauthenticated: Option<OwnedSemaphorePermit>,
    /// For the log.
    pub address: IpAddr,
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

struct Client<S> {
    environment: Arc<Environment>,
    address: IpAddr,
    socket: Socket<S>,
    mailbox: Arc<Mailbox>,
    session: Session,
    subscriptions: Subscriptions,
    messages: Allowance,
    writing: Option<Writing>,
    heard: Instant,
    asked: Option<Instant>,
    leaves_at: Option<Instant>,
}

/// The message that the socket has not taken whole.
struct Writing {
    since: Instant,
    state: Option<Arc<Publication>>,
}

/// Serves one connection until it ends.
/// `early`: bytes that came right behind the handshake.
pub async fn serve<S>(stream: S, early: Vec<u8>, admitted: Admitted, environment: Arc<Environment>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let metrics = Arc::clone(&environment.metrics);
    let _counted = Counted::new(&metrics);
    let address = admitted.address;
    let limits = &environment.limits;
    let mailbox = Arc::new(Mailbox::new(limits.outbound_buffer));
    let mut client = Client {
        socket: Socket::new(stream, early, limits).await,
        subscriptions: Subscriptions::new(Arc::clone(&environment), Arc::clone(&mailbox)),
        session: Session::new(admitted, &environment),
        messages: Allowance::new(limits.message_burst, limits.message_rate),
        writing: None,
        heard: Instant::now(),
        asked: None,
        leaves_at: None,
        address,
        mailbox,
        environment,
    };
    let ending = client.run().await;
    let Client { socket, subscriptions, .. } = client;
    // Out of the hub before the farewell, which may take a while.
    drop(subscriptions);
    metrics.closes.get_or_create(&Close { code: code_of(ending) }).inc();
    debug!(%address, ?ending, "connection ends");
    // Boxed: a task is as large as its largest branch for all of its life, and this one is short.
    Box::pin(farewell(socket, ending)).await;
}

async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(socket: Socket<S>, ending: Ending) {
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
                settled = self.subscriptions.settled() => {
                    self.subscriptions.on_settled(settled, self.session.user());
                    Ok(())
                }
                event = self.socket.event() => self.on_event(event),
            };
            if let Err(ending) = turn {
                return ending;
            }
        }
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
            Next::Message(Outgoing::Answer(frame)) => self.write(frame, None),
            Next::Message(Outgoing::Published(state)) => self.write(state.frame.clone(), Some(state)),
            Next::Dismissed(reason) => Err(Ending::Close(reason)),
        }
    }

    /// Writes at once what the socket takes; the rest, if any, as it takes more.
    fn write(&mut self, frame: Frame, state: Option<Arc<Publication>>) -> Result<(), Ending> {
        match self.socket.begin(frame) {
            Poll::Ready(Ok(())) => self.on_written(state.as_deref()),
            Poll::Ready(Err(LineLost)) => return Err(Ending::Lost),
            Poll::Pending => self.writing = Some(Writing { since: Instant::now(), state }),
        }
        Ok(())
    }

    fn on_written(&self, state: Option<&Publication>) {
        let Some(state) = state else { return };
        let metrics = &self.environment.metrics;
        metrics.deliveries.inc();
        if let Some(noticed) = state.take_noticed() {
            metrics.notice_to_socket_seconds.observe(noticed.elapsed().as_secs_f64());
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), Ending> {
        if matches!(event, Event::Written) {
            let state = self.writing.take().and_then(|writing| writing.state);
            self.on_written(state.as_deref());
            return Ok(());
        }
        self.heard = Instant::now();
        self.asked = None;
        match event {
            Event::Close => Err(Ending::ByPeer),
            Event::Breach(reason) => Err(Ending::Breach(reason)),
            Event::Lost => Err(Ending::Lost),
            Event::Text(_) | Event::Binary | Event::Control if !self.messages.take() => {
                Err(Ending::Close(CloseReason::TooManyMessages))
            }
            // The library answers pings by itself.
            Event::Control | Event::Written => Ok(()),
            Event::Binary => {
                self.misunderstood(Misunderstood::Binary);
                Ok(())
            }
            Event::Text(text) => self.on_text(&text),
        }
    }

    fn on_text(&mut self, text: &str) -> Result<(), Ending> {
        let message = match ClientMessage::decode(text) {
            Ok(message) => message,
            Err(misunderstood) => {
                self.misunderstood(misunderstood);
                return Ok(());
            }
        };
        match (message, self.session.identity()) {
            (ClientMessage::Auth(token), _) => return self.on_auth(&token),
            (_, None) => self.answer(words::error(&Denial::NotAuthenticated)),
            (ClientMessage::Ping, Some(_)) => self.answer(words::pong()),
            (ClientMessage::Unsubscribe(ChannelName::Estadisticas(negocio)), Some(_)) => {
                self.subscriptions.unsubscribe(&negocio);
            }
            (ClientMessage::Subscribe(ChannelName::Estadisticas(negocio)), Some(identity)) => {
                self.subscriptions.subscribe(negocio, identity);
            }
            (ClientMessage::Subscribe(_) | ClientMessage::Unsubscribe(_), Some(_)) => {
                self.misunderstood(Misunderstood::UnknownChannel);
            }
        }
        Ok(())
    }

    fn on_auth(&mut self, token: &str) -> Result<(), Ending> {
        let (tokens, now) = (&self.environment.tokens, self.environment.clock.now());
        let verified = match self.session.identity() {
            Some(_) => tokens.verify_renewal(token, now),
            // The first message stands in for the handshake's token.
            None => tokens.verify(token, now),
        };
        match verified {
            Ok(identity) => {
                if !self.session.renew(identity) {
                    return Err(Ending::Close(CloseReason::AnotherUser));
                }
                if let Some(identity) = self.session.identity() {
                    self.subscriptions.on_new_token(identity);
                }
            }
            Err(refused) => {
                self.environment.metrics.refuse(RefusalReason::Token);
                info!(address = %self.address, "{refused}");
                self.answer(words::error(&refused));
            }
        }
        Ok(())
    }

    fn on_time(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if self.leaves_at.is_some_and(|at| at <= now) {
            return Err(Ending::Close(CloseReason::GoingAway));
        }
        if let Some(reason) = self.session.is_over(now) {
            return Err(Ending::Close(reason));
        }
        if self.silence_due() <= now {
            if self.writing.is_some() || self.asked.is_some() {
                return Err(Ending::Lost);
            }
            self.asked = Some(now);
            self.write(Frame::ping(), None)?;
        }
        self.subscriptions.on_time(now, self.session.identity());
        Ok(())
    }

    fn next_due(&self) -> Instant {
        let optional = self.leaves_at.into_iter().chain(self.subscriptions.due());
        optional.fold(self.silence_due().min(self.session.due()), Instant::min)
    }

    /// Until when the peer may keep silent: not take what is being written, not answer a ping, not say anything.
    fn silence_due(&self) -> Instant {
        let limits = &self.environment.limits;
        match (&self.writing, self.asked) {
            (Some(writing), _) => writing.since + limits.write_timeout,
            (None, Some(asked)) => asked + limits.pong_timeout,
            (None, None) => self.heard + limits.ping_interval,
        }
    }

    fn misunderstood(&self, why: Misunderstood) {
        self.environment.metrics.refuse(RefusalReason::Message);
        self.answer(words::error(&why));
    }

    fn answer(&self, frame: Frame) {
        // A full mailbox is noticed when it is read.
        let _ = self.mailbox.push_answer(frame);
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
struct Counted<'a>(&'a Metrics);

impl<'a> Counted<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.connections.inc();
        Self(metrics)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

#[cfg(test)]
mod tests;
