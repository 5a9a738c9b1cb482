//! What a feed says of itself, so that nobody else has to list it.
//!
//! Must not know any feed.

use tokio_util::sync::CancellationToken;

use super::call::{Answering, Call, CallContext};
use super::hearing::Hearing;
use super::listening::{Socket, Stream};
use crate::config::{ClinicConfig, ListenSource};
use crate::node::Node;
use crate::workers::Workers;

/// The path of the WebSocket that several feeds share.
pub const DASHBOARDS: &str = "/ws";

/// One feed. All of it has to be said; what a feed does not have is empty.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// As an operator writes it in `FEEDS`, and as the log calls it.
    pub word: &'static str,
    /// What it was called in `FEEDS` before.
    pub older_words: &'static [&'static str],
    /// For `--help`: one sentence without its full stop.
    pub about: &'static str,
    /// Without which settings it answers 503, in the order in which they are asked for.
    pub needs: &'static [Need],
    /// What it asks of the database.
    pub tables: &'static [Table],
    pub hooks: &'static [Hook],
    /// What it hears of other producers, as by its hooks.
    pub hears: &'static [Hearing],
    /// What it says on the wire (`type`, or the name of an event), which nobody may publish on channels of their own.
    pub types: &'static [&'static str],
    /// Whether it is listened to on [`DASHBOARDS`], where one connection of a user hears all that she may.
    pub is_on_dashboards: bool,
    /// Whether it is asked for by name there, in the second version.
    pub is_named_on_dashboards: bool,
    /// Its own WebSockets.
    pub sockets: &'static [Socket],
    /// Its namespaces of Socket.IO.
    pub namespaces: &'static [&'static str],
    /// Its streams of `/sse`.
    pub streams: &'static [Stream],
    /// Starts what has to run for as long as the server does.
    pub start: fn(&Start<'_>),
}

/// A setting that a feed cannot work without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `JWT_SECRET`: its listeners have tokens.
    Tokens,
    /// `NOTIFY_API_KEY`: its calls carry data.
    HookKey,
    /// `CLOUD_API_KEY` or `CLOUD_API_KEYS`.
    CloudKeys,
}

impl Need {
    /// The variable to set.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Tokens => "JWT_SECRET",
            Self::HookKey => "NOTIFY_API_KEY",
            Self::CloudKeys => "CLOUD_API_KEY",
        }
    }
}

/// Tables that a feed asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The appointments, and who owns their businesses.
    Figures,
    /// The kiosks.
    Devices,
    /// Pulso's own, which `pulso migrate` makes.
    Outbox,
}

/// A path that the REST API calls.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    pub path: &'static str,
    /// The field of a call that says what it is about, to live queries that name this hook in their `hints`.
    pub id: Option<&'static str>,
    /// Whether those whom it reaches have tokens: without a secret for these it reaches nobody.
    pub reaches_tokens: bool,
    pub key: Key,
    pub repetition: Repetition,
    pub answer: Answer,
}

/// Has the effect of a call.
pub type Answer = for<'a> fn(&'a mut Call) -> Answering<'a>;

/// When a call must carry the hook key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Always: it carries data.
    Always,
    /// Where there is one and `NOTIFY_CITA_OPEN` is not set: it is a mere hint.
    Hint,
}

/// What becomes of a call that is repeated.
#[derive(Clone, Copy, Debug)]
pub enum Repetition {
    /// It has its effect again, which does no harm: `Idempotency-Key` is not looked at.
    Harmless,
    /// With the same `Idempotency-Key` it is answered as the first was and has no effect.
    Remembered,
    /// As remembered, and something is done all the same, for what the first call announced may have been lost with its
    /// answer. Given the repetition's body, which nobody has looked at.
    Announced(fn(&CallContext, &[u8])),
}

/// What a feed's workers are started with.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    pub workers: &'a Workers,
    /// Cancelled when they have to end.
    pub stop: &'a CancellationToken,
    pub node: &'a Node,
    pub clinic: &'a ClinicConfig,
    pub listen: Option<&'a ListenSource>,
    /// Where triggers tell of live queries, if any may be defined.
    pub hints: Option<&'a ListenSource>,
}
