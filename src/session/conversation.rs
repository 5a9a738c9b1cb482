//! What is said on a connection, whatever carries it: a dashboard's, one that only listens, or an echo's.
//!
//! Must not know sockets.

use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::dashboard::Dashboard;
use super::echo::Echo;
use super::listener::Listener;
use crate::model::CloseReason;

/// What is said on a connection, by the clock and by what it waits for.
pub trait Talk {
    /// When there is something to do by the clock.
    fn due(&self) -> Option<Instant>;

    fn on_time(&mut self, now: Instant) -> Result<(), CloseReason>;

    /// The connection is asked to end: why it does, unless it can go on.
    fn on_dismissed(&mut self, reason: CloseReason) -> Result<(), CloseReason> {
        Err(reason)
    }

    /// Does the next thing that it waits for, once that has come.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

pub enum Conversation {
    Dashboard(Dashboard),
    Listener(Listener),
    Echo(Echo),
}

impl Conversation {
    /// The client said something.
    pub fn on_text(&mut self, text: &str) -> Result<(), CloseReason> {
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

    pub fn on_binary(&mut self, bytes: &[u8]) {
        match self {
            Self::Dashboard(dashboard) => dashboard.on_binary(),
            Self::Listener(_) => {}
            Self::Echo(echo) => echo.on_binary(bytes),
        }
    }
}

impl Talk for Conversation {
    fn due(&self) -> Option<Instant> {
        match self {
            Self::Dashboard(dashboard) => Some(dashboard.due()),
            Self::Listener(listener) => listener.due(),
            Self::Echo(_) => None,
        }
    }

    fn on_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        match self {
            Self::Dashboard(dashboard) => dashboard.on_time(now),
            Self::Listener(listener) => listener.on_time(now),
            Self::Echo(_) => Ok(()),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Dashboard(dashboard) => {
                let settled = ready!(dashboard.poll_settled(cx));
                dashboard.on_settled(settled);
                Poll::Ready(())
            }
            Self::Listener(_) | Self::Echo(_) => Poll::Pending,
        }
    }
}
