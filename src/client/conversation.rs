//! What is said on a connection, whatever carries it: a dashboard's, one that only listens, or an echo's.
//!
//! Must not know sockets.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::dashboard::Dashboard;
use super::echo::Echo;
use super::listener::Listener;
use super::subscriptions::Settled;
use crate::close::CloseReason;

#[expect(clippy::large_enum_variant, reason = "nearly all are dashboards, and each lies in its task")]
pub(super) enum Conversation {
    Dashboard(Dashboard),
    Listener(Listener),
    Echo(Echo),
}

impl Conversation {
    /// The client said something.
    pub(super) fn on_text(&mut self, text: &str) -> Result<(), CloseReason> {
        match self {
            Self::Dashboard(dashboard) => dashboard.on_text(text),
            Self::Listener(listener) => {
                listener.on_text(text);
                Ok(())
            }
            Self::Echo(echo) => {
                echo.on_text(text);
                Ok(())
            }
        }
    }

    pub(super) fn on_binary(&mut self, bytes: &[u8]) {
        match self {
            Self::Dashboard(dashboard) => dashboard.on_binary(),
            Self::Listener(_) => {}
            Self::Echo(echo) => echo.on_binary(bytes),
        }
    }

    /// Waits for the next thing that the conversation waits for; for ever if there is none.
    pub(super) fn settled(&mut self) -> impl Future<Output = Settled> {
        poll_fn(|cx| self.poll_settled(cx))
    }

    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<Settled> {
        match self {
            Self::Dashboard(dashboard) => dashboard.poll_settled(cx),
            Self::Listener(_) | Self::Echo(_) => Poll::Pending,
        }
    }

    pub(super) fn on_settled(&mut self, settled: Settled) {
        if let Self::Dashboard(dashboard) = self {
            dashboard.on_settled(settled);
        }
    }

    /// When there is something to do by the clock.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Dashboard(dashboard) => Some(dashboard.due()),
            Self::Listener(listener) => listener.due(),
            Self::Echo(_) => None,
        }
    }

    pub(super) fn on_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        match self {
            Self::Dashboard(dashboard) => dashboard.on_time(now),
            Self::Listener(listener) => listener.on_time(now),
            Self::Echo(_) => Ok(()),
        }
    }
}
