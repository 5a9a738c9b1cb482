//! Producers that have written to the same Redis for servers of their own before there was Pulso: what they tell those
//! servers' clients, Pulso's clients hear too.
//!
//! What arrives is given to the node, which checks and publishes it once. One node at a time listens to each producer; its
//! promise is at most once, and stays that. Must not know any feed, nor what a message is about.

mod counts;
mod django;
mod duty;
mod groups;
pub mod inspect;
mod listening;
pub mod msgpack;
mod relay;
mod socketio;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::log::Trouble;
use super::redis::{Beside, Redis};
use crate::config::{Bridge, DjangoLayer, RedisConfig};
use crate::hub::Hub;
use crate::telemetry::metrics::{BridgeOutcome, Metrics};

use counts::Counts;
use duty::Duty;

pub use groups::{GroupOf, Groups};

/// Between two attempts to have a line.
const AGAIN: Duration = Duration::from_secs(1);
/// For giving up a duty, when a node stops.
const RELEASED_WITHIN: Duration = Duration::from_millis(500);

/// Whose clients hear it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    Django,
    SocketIo,
}

/// What a producer says to some clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub producer: Producer,
    /// The group or room of those clients.
    pub place: String,
    /// What it calls the event.
    pub name: String,
    /// JSON.
    pub body: Bytes,
    /// By what this is known from everything else, if the producer says so: letters and digits.
    pub key: Option<String>,
}

/// What the node made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Published,
    /// Nobody here hears such an event.
    Unknown,
    /// As the hook of that name would have refused it, and why.
    Refused(String),
    /// It cannot be checked or published just now, and why.
    NotNow(String),
}

/// Why something was not given to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NotHeard {
    /// It is for others.
    Ignored,
    /// It cannot be read, and why.
    Bad(String),
}

/// What checks and publishes.
pub type Ear = Arc<dyn Fn(Told) -> BoxFuture<'static, Heard> + Send + Sync>;

/// The bridges, and what they work with.
#[derive(Clone)]
pub struct Bridges {
    /// Those that are on.
    pub on: Vec<Bridge>,
    pub redis: RedisConfig,
    pub hub: Arc<Hub>,
    pub groups: Groups,
    pub ear: Ear,
    /// Longest body, in bytes.
    pub most: usize,
    pub metrics: Arc<Metrics>,
}

impl fmt::Debug for Bridges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridges").finish_non_exhaustive()
    }
}

impl Bridges {
    /// Keeps one bridge until `stop`, through whatever becomes of Redis.
    pub async fn keep(self, bridge: Bridge, stop: CancellationToken) {
        let (redis, duty) = (Redis::new(self.redis.clone()), Duty::new(bridge.word()));
        let counts = Counts::new(bridge.word(), &self.metrics);
        loop {
            let trouble = self.cross(&redis, &bridge, &duty, &counts, &stop).await;
            counts.away();
            let Some(trouble) = trouble else { return };
            counts.troubled(&trouble);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(AGAIN) => {}
            }
        }
    }

    /// Until there is trouble, or `stop`.
    async fn cross(
        &self,
        redis: &Redis,
        bridge: &Bridge,
        duty: &Duty,
        counts: &Counts,
        stop: &CancellationToken,
    ) -> Option<Trouble> {
        let beside = tokio::select! {
            () = stop.cancelled() => return None,
            beside = redis.beside() => beside,
        };
        let beside = match beside {
            Ok(beside) => beside,
            Err(trouble) => return Some(trouble),
        };
        let trouble = tokio::select! {
            () = stop.cancelled() => None,
            trouble = self.join_groups(&beside, bridge) => Some(trouble),
            trouble = self.listen_on_duty(&beside, bridge, duty, counts) => Some(trouble),
        };
        // Another node takes over at once. A line that has ended says so, and then it takes over when this one's time is up.
        let _ = timeout(RELEASED_WITHIN, duty.release(&beside)).await;
        trouble
    }

    async fn listen_on_duty(&self, beside: &Beside<'_>, bridge: &Bridge, duty: &Duty, counts: &Counts) -> Trouble {
        if let Err(trouble) = duty.take(beside).await {
            return trouble;
        }
        tokio::select! {
            trouble = duty.keep(beside) => trouble,
            trouble = async {
                match bridge {
                    Bridge::Django(django) if django.layer == DjangoLayer::Core => {
                        self.take_waiting(beside, django, duty, counts).await
                    }
                    _ => self.listen(beside, bridge, duty, counts).await,
                }
            } => trouble,
        }
    }

    /// Gives it to the node. `Err` if it is worth being said again later.
    async fn hear(&self, told: Told, counts: &Counts) -> Result<(), String> {
        match (self.ear)(told).await {
            Heard::Published => counts.count(BridgeOutcome::Published),
            Heard::Unknown => counts.count(BridgeOutcome::Ignored),
            Heard::Refused(why) => counts.refused(&why),
            Heard::NotNow(why) => return Err(why),
        }
        Ok(())
    }
}

impl NotHeard {
    fn note(self, counts: &Counts) {
        match self {
            Self::Ignored => counts.count(BridgeOutcome::Ignored),
            Self::Bad(why) => counts.refused(&why),
        }
    }
}
