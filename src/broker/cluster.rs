//! A node among several: what it has in common with them goes by the log.
//!
//! Here is what its parts share: the keeper makes the line and compares logs, the reader hands out what it reads, the writer
//! appends. Must not know which engine keeps the log.

mod compare;
mod counts;
mod keeper;
mod reader;
mod states;
mod turns;
mod writer;

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::doorbells::Doorbells;
use super::entry::{self, Entry, FORMATS};
use super::kept::{CallName, Kept};
use super::link::Link;
use super::log::{Born, Engine, NodeId, Position};
use super::peers::Peers;
use super::spoiled::{Rule, is_left_out};
use crate::access::token::Dismissed;
use crate::clock::Clock;
use crate::hub::Hub;
use crate::idempotency::Answers;
use crate::model::{Answered, Tenant};
use crate::telemetry::log::seldom::Seldom;
use crate::telemetry::metrics::Metrics;

use counts::Counts;
use states::States;

pub use states::Tidings;
pub(super) use writer::Written;

/// By how much a client may have read ahead elsewhere, in ids: µs.
const AHEAD: u64 = 10_000_000;

/// How a node among several is known, and by what it reaches the others.
#[derive(Debug)]
pub struct Several {
    pub engine: Arc<dyn Engine>,
    /// For people.
    pub name: String,
    /// Of the secret, the zone and the database: nodes that do not have the same are told of.
    pub fingerprints: [u64; 3],
    /// What events may be called.
    pub names: Vec<&'static str>,
    /// The tasks of all clients.
    pub clients: TaskTracker,
}

#[derive(Debug)]
pub(super) struct Cluster {
    node: NodeId,
    several: Several,
    hub: Arc<Hub>,
    dismissed: Arc<Dismissed>,
    answers: Arc<Answers>,
    doorbells: Arc<Doorbells>,
    metrics: Arc<Metrics>,
    since: i64,
    link: Link,
    kept: Mutex<Kept>,
    peers: Mutex<Peers>,
    counts: Mutex<Counts>,
    states: States,
    /// Said of entries that cannot be read.
    skipped: Seldom,
    /// Said of what the log does not take although there is a line to it.
    refused: Seldom,
    /// Said of what this node waits for before it can write.
    waits: Seldom,
    /// The newest id that this node has seen.
    newest: AtomicU64,
    /// Behind which of the log's events it began.
    begun: AtomicU64,
    /// What it has read.
    position: Mutex<Position>,
    /// Which log its position is one in.
    read_from: Mutex<Option<Born>>,
    /// Where the reader begins, once a log was found; told again at every line that is made. `None` while it must not read.
    begin: watch::Sender<Option<Position>>,
    /// Held by the reader while it reads.
    reading: tokio::sync::Mutex<()>,
    /// Whether all that the log had when this node came was read.
    is_level: watch::Sender<bool>,
    /// Clients were let in before that.
    is_open: AtomicBool,
    /// Beats of this node: the newest sent and when, and when one was read last.
    beats: Mutex<Beats>,
    /// Tenants of whom other nodes are to hear.
    pending: Mutex<HashSet<Tenant>>,
    has_pending: Notify,
}

#[derive(Debug)]
struct Beats {
    count: u64,
    sent: Instant,
    read: Instant,
    /// How long the newest took to come back.
    lag: Duration,
}

impl Cluster {
    pub(super) fn new(
        several: Several,
        (hub, doorbells): (Arc<Hub>, Arc<Doorbells>),
        dismissed: Arc<Dismissed>,
        answers: Arc<Answers>,
        clock: &Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let now = Instant::now();
        // This one.
        metrics.broker.nodes.set(1);
        Self {
            node: NodeId(rand::random()),
            several,
            hub,
            dismissed,
            answers,
            doorbells,
            since: clock.unix(),
            metrics,
            link: Link::default(),
            kept: Mutex::default(),
            peers: Mutex::new(Peers::new(now)),
            counts: Mutex::default(),
            states: States::default(),
            skipped: Seldom::default(),
            refused: Seldom::default(),
            waits: Seldom::default(),
            newest: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            position: Mutex::default(),
            read_from: Mutex::default(),
            begin: watch::Sender::new(None),
            reading: tokio::sync::Mutex::default(),
            is_level: watch::Sender::new(false),
            is_open: AtomicBool::new(false),
            beats: Mutex::new(Beats { count: 0, sent: now, read: now, lag: Duration::ZERO }),
            pending: Mutex::default(),
            has_pending: Notify::new(),
        }
    }

    /// Keeps the line to the log and reads it, until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep_line() => {}
            () = self.read_on() => {}
        }
    }

    /// Returns when all that the log had when this node came is here.
    pub(super) async fn until_level(&self) {
        // The sender is here.
        let _ = self.is_level.subscribe().wait_for(|is_level| *is_level).await;
    }

    /// Clients are let in from now on, level or not.
    pub(super) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// Why there is no log just now: a word of a fixed list.
    pub(super) fn degraded(&self) -> Option<&'static str> {
        self.link.degraded()
    }

    /// Other nodes are to tell this tenant that changes are pending.
    pub(super) fn ring(&self, tenant: Tenant) {
        if lock(&self.pending).insert(tenant) {
            self.has_pending.notify_one();
        }
    }

    /// Of who comes with a position after the one and up to the other nobody knows what it has.
    fn doubt(&self, after: u64, up_to: u64) {
        if !is_left_out(Rule::Doubt) {
            self.hub.doubt(after, up_to);
        }
    }

    fn saw(&self, id: u64) {
        self.newest.fetch_max(id, Ordering::Relaxed);
    }

    fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    fn position(&self) -> Position {
        *lock(&self.position)
    }

    /// An entry as all who are there can read it.
    fn written(&self, tag: u64, entry: &Entry) -> Bytes {
        let format = lock(&self.peers).format(self.node, &FORMATS);
        entry::write(format, self.node, tag, entry)
    }
}

/// How a log knows a call: everybody gives it the same name.
fn call_name(path: &str, key: &str) -> CallName {
    let digest = Sha256::new().chain_update(path).chain_update([0]).chain_update(key).finalize();
    let mut name = String::with_capacity(64);
    for byte in digest {
        // A text takes everything.
        let _ = write!(name, "{byte:02x}");
    }
    name.into()
}

/// An answer as a log remembers it.
fn answer_bytes(answered: &Answered) -> Bytes {
    format!("{} {}", answered.status, answered.body).into()
}

fn answer_of(bytes: &Bytes) -> Option<Answered> {
    let (status, body) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
    Some(Answered { status: status.parse().ok()?, body: body.to_owned() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
