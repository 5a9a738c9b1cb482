//! The life of a connection, whatever carries it: what ends it, what goes out and what comes in, in this order; its
//! goodbye; what is counted of it.
//!
//! Whatever happens to a connection, everything it held is given back when it is dropped. Must not know sockets nor
//! protocols: how a message travels is its [`Carrier`]'s.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rand::Rng;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::debug;

use super::conversation::{Conversation, Talk};
use super::opening::{self, Admitted};
use crate::access::grant::Denial;
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::model::CloseReason;
use crate::publication::Publication;
use crate::session::SessionContext;
use crate::telemetry::log::connection::Connection;
use crate::telemetry::metrics::Close;

/// Of a timer that nothing waits for.
const IDLE: Duration = Duration::from_hours(1);

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Pulso closes it.
    Close(CloseReason),
    /// Pulso closes it because of what comes in, of which nothing more is read.
    Breach(CloseReason),
    /// The peer closed it.
    ByPeer,
    /// The line is gone, or the peer is, or it does not take what is written.
    Lost,
}

/// How a connection's messages travel, and what only this way of travelling needs: a heartbeat, for instance.
pub trait Carrier: Sized + Send {
    type Conversation: Talk + Send;

    /// What it is, for the log.
    fn name(&self) -> &str;

    /// Before anything else.
    fn begin(&mut self, _: &mut Life<Self::Conversation>) -> Result<(), Ending> {
        Ok(())
    }

    /// Whether it takes a message of the mailbox now.
    fn has_room(&self) -> bool;

    /// Takes a message of the mailbox, of which the first `sent` bytes are out. Says by [`Life::on_sent`] when it is.
    fn send(&mut self, message: Outgoing, sent: usize, life: &mut Life<Self::Conversation>) -> Result<(), Ending>;

    /// What ends it, and what it has taken and not sent yet: comes before the mailbox.
    fn poll_out(&mut self, _: &mut Context<'_>, _: &mut Life<Self::Conversation>) -> Poll<Result<(), Ending>> {
        Poll::Pending
    }

    /// What comes in: comes after everything else.
    fn poll_in(&mut self, cx: &mut Context<'_>, life: &mut Life<Self::Conversation>) -> Poll<Result<(), Ending>>;

    /// When it has something to do by the clock.
    fn due(&self, context: &SessionContext) -> Option<Instant>;

    fn on_time(&mut self, now: Instant, life: &mut Life<Self::Conversation>) -> Result<(), Ending>;

    /// Says how it ends, in its own words, and gives the line back.
    fn farewell(self, ending: Ending, context: &SessionContext) -> impl Future<Output = ()> + Send;
}

/// What every connection has, whatever carries it.
pub struct Life<V> {
    pub context: Arc<SessionContext>,
    pub mailbox: Arc<Mailbox>,
    pub conversation: V,
    connection: Connection,
    leaves_at: Option<Instant>,
}

/// A connection that has entered, and what carries it.
pub struct Carried<C: Carrier> {
    life: Life<C::Conversation>,
    carrier: C,
}

/// The connection of who was admitted; `None` after closing one that was denied what it came for, for the reason that its
/// carrier has for that.
pub async fn enter<C: Carrier<Conversation = Conversation>>(
    carrier: C,
    mailbox: Arc<Mailbox>,
    connection: Connection,
    admitted: Admitted,
    close_reason: fn(Denial) -> CloseReason,
    context: Arc<SessionContext>,
) -> Option<Carried<C>> {
    let Admitted { purpose, since, .. } = admitted;
    match opening::open(purpose, since, &context, &mailbox).await {
        Ok(conversation) => Some(Carried::new(carrier, mailbox, connection, conversation, context)),
        Err(denial) => {
            debug!(?denial, "connection denied");
            // Boxed, for most may stay.
            Box::pin(end(carrier, Ending::Close(close_reason(denial)), &context)).await;
            None
        }
    }
}

async fn end<C: Carrier>(carrier: C, ending: Ending, context: &SessionContext) {
    let code = ending.code();
    context.metrics.closes.get_or_create(&Close { code }).inc();
    debug!(carrier = carrier.name(), ?ending, code, "connection ends");
    carrier.farewell(ending, context).await;
}

impl<C: Carrier> Carried<C> {
    pub fn new(
        carrier: C,
        mailbox: Arc<Mailbox>,
        connection: Connection,
        conversation: C::Conversation,
        context: Arc<SessionContext>,
    ) -> Self {
        Self { life: Life { context, mailbox, conversation, connection, leaves_at: None }, carrier }
    }

    /// Serves the connection until it ends. `held`: what is given back then.
    ///
    /// No `async fn`, which would keep its arguments twice: this is what every idle connection costs.
    #[expect(clippy::manual_async_fn, reason = "said above")]
    pub fn serve(mut self, held: impl Send) -> impl Future<Output = ()> + Send {
        async move {
            let ending = self.run().await;
            let connection = self.life.connection;
            // Boxed, for a task is as large as its largest branch for all of its life.
            Box::pin(connection.scope(self.leave(ending))).await;
            drop(held);
        }
    }

    /// As [`Self::serve`], up to the end: it may go on with another carrier.
    pub async fn run(&mut self) -> Ending {
        // Both live as long as the connection: arming a timer and waiting in line for the goodbye cost more than the
        // rest of a turn.
        let mut timer = pin!(sleep_until(self.next_due()));
        let mut goodbye = pin!(self.life.context.goodbye.clone().cancelled_owned());
        let connection = self.life.connection;
        if let Err(ending) = connection.during(|| self.carrier.begin(&mut self.life)) {
            return ending;
        }
        poll_fn(move |cx| {
            self.life.connection.during(|| {
                loop {
                    if let Err(ending) = ready!(self.poll_turn(cx, timer.as_mut(), goodbye.as_mut())) {
                        return Poll::Ready(ending);
                    }
                }
            })
        })
        .await
    }

    /// One thing that happens: first what ends the connection, then what goes out, then what comes in.
    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        goodbye: Pin<&mut WaitForCancellationFutureOwned>,
    ) -> Poll<Result<(), Ending>> {
        if !has_budget_remaining() {
            // Others have their turn before a connection that always has something to do.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let due = self.next_due();
        if due < timer.deadline() {
            timer.as_mut().reset(due);
        }
        let Self { life, carrier } = self;
        if life.leaves_at.is_none() && goodbye.poll(cx).is_ready() {
            life.on_goodbye();
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(done) = carrier.poll_out(cx, life) {
            return Poll::Ready(done);
        }
        if let Poll::Ready(next) = life.mailbox.poll_next(cx, carrier.has_room()) {
            let taken = life.take(next);
            return Poll::Ready(taken.and_then(|taken| match taken {
                Some((message, sent)) => carrier.send(message, sent, life),
                None => Ok(()),
            }));
        }
        if timer.as_mut().poll(cx).is_ready() {
            let outcome = self.on_time();
            timer.reset(self.next_due());
            return Poll::Ready(outcome);
        }
        if life.conversation.poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        carrier.poll_in(cx, life)
    }

    fn on_time(&mut self) -> Result<(), Ending> {
        let (now, life) = (Instant::now(), &mut self.life);
        if life.leaves_at.is_some_and(|at| at <= now) {
            return Err(Ending::Close(CloseReason::GoingAway));
        }
        self.carrier.on_time(now, life)?;
        life.conversation.on_time(now).map_err(Ending::Close)
    }

    fn next_due(&self) -> Instant {
        let Life { context, conversation, leaves_at, .. } = &self.life;
        let due = [*leaves_at, self.carrier.due(context), conversation.due()];
        due.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + IDLE)
    }

    pub fn carrier(&mut self) -> &mut C {
        &mut self.carrier
    }

    /// What goes on with another carrier.
    pub fn into_conversation(self) -> (C::Conversation, Arc<Mailbox>) {
        (self.life.conversation, self.life.mailbox)
    }

    /// After [`Self::run`]: the farewell.
    pub async fn leave(self, ending: Ending) {
        let Self { life: Life { context, conversation, .. }, carrier } = self;
        // Out of the hub before the farewell, which may take a while.
        drop(conversation);
        end(carrier, ending, &context).await;
    }
}

impl<V: Talk> Life<V> {
    /// What was found in the mailbox: a message and how many of its bytes are out, an end, or nothing after all.
    pub fn take(&mut self, next: Next) -> Result<Option<(Outgoing, usize)>, Ending> {
        match next {
            Next::Overflowed => {
                self.context.metrics.slow_closes.inc();
                Err(Ending::Close(CloseReason::SlowConsumer))
            }
            Next::Dismissed(reason) => {
                self.conversation.on_dismissed(reason).map_err(Ending::Close)?;
                Ok(None)
            }
            Next::Message(message, sent) => Ok(Some((message, sent))),
        }
    }
}

impl<V> Life<V> {
    /// A message is on its way to the peer.
    pub fn on_sent(&self, message: &Outgoing) {
        if let Outgoing::Published(publication) = message {
            self.on_delivered(publication);
        }
    }

    /// A publication is on its way to the peer.
    pub fn on_delivered(&self, publication: &Publication) {
        let metrics = &self.context.metrics;
        metrics.deliveries.inc();
        publication.on_sent(metrics);
    }

    fn on_goodbye(&mut self) {
        let spread = self.context.goodbye_spread;
        self.leaves_at = Some(Instant::now() + spread.mul_f64(rand::rng().random::<f64>()));
    }
}

impl Ending {
    /// The code to count it under: 1000 for the peer's own, 1006 for a line that is gone.
    pub fn code(self) -> u16 {
        match self {
            Self::Close(reason) | Self::Breach(reason) => reason.code(),
            Self::ByPeer => 1000,
            Self::Lost => 1006,
        }
    }
}
