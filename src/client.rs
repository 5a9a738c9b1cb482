//! The actor of one connection: owns its socket, its mailbox, its subscriptions, its token's life and its heartbeat.
//!
//! Whatever happens to it, everything it held is given back when it is dropped. Must not know HTTP or SQL.

mod allowance;
mod fragments;
mod session;
mod socket;
mod subscriptions;

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
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
use crate::dialect::stats::{self as words, ClientMessage, Denial, Misunderstood};
use crate::hub::Hub;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::publication::Frame;
use crate::stats::Refresher;
use crate::telemetry::metrics::{Close, Metrics, RefusalReason};

use allowance::Allowance;
use session::Session;
use socket::{Incoming, Socket, WriteFailed};
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
    heard: Instant,
    asked: Option<Instant>,
    leaves_at: Option<Instant>,
}

/// Serves one connection until it ends.
/// `early`: bytes that came right behind the handshake.
pub async fn serve<S>(stream: S, early: &[u8], admitted: Admitted, environment: Arc<Environment>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let metrics = Arc::clone(&environment.metrics);
    let _counted = Counted::new(&metrics);
    let address = admitted.address;
    let limits = &environment.limits;
    let mailbox = Arc::new(Mailbox::new(limits.outbound_buffer));
    let client = Client {
        socket: Socket::new(stream, early, limits).await,
        subscriptions: Subscriptions::new(Arc::clone(&environment), Arc::clone(&mailbox)),
        session: Session::new(admitted, &environment),
        messages: Allowance::new(limits.message_burst, limits.message_rate),
        heard: Instant::now(),
        asked: None,
        leaves_at: None,
        address,
        mailbox,
        environment,
    };
    let ending = client.run().await;
    debug!(%address, ?ending, "connection ended");
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn run(mut self) -> Ending {
        let ending = loop {
            if let Err(ending) = self.turn().await {
                break ending;
            }
        };
        let Self { socket, subscriptions, environment, mailbox, .. } = self;
        if ending == Ending::Lost && mailbox.has_overflowed() {
            // Too slow to be told so.
            environment.metrics.slow_closes.inc();
        }
        // Out of the hub before the farewell, which may take a while.
        drop(subscriptions);
        environment.metrics.closes.get_or_create(&Close { code: code_of(ending) }).inc();
        match ending {
            Ending::Close(reason) => socket.close(reason).await,
            Ending::Breach(reason) => socket.close_after_breach(reason).await,
            Ending::ByPeer => socket.finish().await,
            Ending::Lost => {}
        }
        ending
    }

    /// Waits for whatever comes first and deals with it.
    async fn turn(&mut self) -> Result<(), Ending> {
        let due = self.next_due();
        let is_leaving = self.leaves_at.is_some();
        tokio::select! {
            // In this order: what ends the connection, then what goes out, then what comes in.
            biased;
            () = self.environment.goodbye.cancelled(), if !is_leaving => {
                let spread = self.environment.goodbye_spread;
                self.leaves_at = Some(Instant::now() + spread.mul_f64(rand::rng().random::<f64>()));
                Ok(())
            }
            next = poll_fn(|cx| self.mailbox.poll_next(cx)) => self.on_outgoing(next).await,
            () = sleep_until(due) => self.on_time().await,
            settled = self.subscriptions.settled() => {
                self.subscriptions.on_settled(settled, self.session.user());
                Ok(())
            }
            incoming = self.socket.next() => self.on_incoming(incoming).await,
        }
    }

    async fn on_outgoing(&mut self, next: Next) -> Result<(), Ending> {
        let metrics = &self.environment.metrics;
        match next {
            Next::Overflowed => {
                metrics.slow_closes.inc();
                Err(Ending::Close(CloseReason::SlowConsumer))
            }
            Next::Message(Outgoing::Answer(frame)) => Ok(self.socket.write(&frame).await?),
            Next::Message(Outgoing::State(publication)) => {
                self.socket.write(&publication.frame).await?;
                metrics.deliveries.inc();
                if let Some(noticed) = publication.take_noticed() {
                    metrics.notice_to_socket_seconds.observe(noticed.elapsed().as_secs_f64());
                }
                Ok(())
            }
        }
    }

    async fn on_incoming(&mut self, incoming: Incoming) -> Result<(), Ending> {
        self.heard = Instant::now();
        self.asked = None;
        match incoming {
            Incoming::Close => Err(Ending::ByPeer),
            Incoming::Breach(reason) => Err(Ending::Breach(reason)),
            Incoming::Lost => Err(Ending::Lost),
            Incoming::Text(_) | Incoming::Binary | Incoming::Control if !self.messages.take() => {
                Err(Ending::Close(CloseReason::TooManyMessages))
            }
            Incoming::Control => Ok(self.socket.flush().await?),
            Incoming::Binary => {
                self.misunderstood(Misunderstood::Binary);
                Ok(())
            }
            Incoming::Text(text) => self.on_text(&text),
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
            (ClientMessage::Unsubscribe(negocio), Some(_)) => self.subscriptions.unsubscribe(&negocio),
            (ClientMessage::Subscribe(negocio), Some(identity)) => self.subscriptions.subscribe(negocio, identity),
        }
        Ok(())
    }

    fn on_auth(&mut self, token: &str) -> Result<(), Ending> {
        match self.environment.tokens.verify(token, self.environment.clock.now()) {
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

    async fn on_time(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if self.leaves_at.is_some_and(|at| at <= now) {
            return Err(Ending::Close(CloseReason::GoingAway));
        }
        if let Some(reason) = self.session.is_over(now) {
            return Err(Ending::Close(reason));
        }
        self.subscriptions.on_time(now, self.session.identity());
        let limits = &self.environment.limits;
        match self.asked {
            Some(asked) if asked + limits.pong_timeout <= now => return Err(Ending::Lost),
            None if self.heard + limits.ping_interval <= now => {
                self.asked = Some(now);
                self.socket.write(&Frame::ping()).await?;
            }
            _ => {}
        }
        Ok(())
    }

    fn next_due(&self) -> Instant {
        let limits = &self.environment.limits;
        let heartbeat = match self.asked {
            Some(asked) => asked + limits.pong_timeout,
            None => self.heard + limits.ping_interval,
        };
        let optional = self.leaves_at.into_iter().chain(self.subscriptions.due());
        optional.fold(heartbeat.min(self.session.due()), Instant::min)
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

impl From<WriteFailed> for Ending {
    fn from(_: WriteFailed) -> Self {
        Self::Lost
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
