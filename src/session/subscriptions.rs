//! What one connection is subscribed to, and what it still waits for: a check of access, figures to begin with.
//!
//! Every answer goes through the mailbox. Must not know the socket.

mod entry;
mod recheck;
mod replay;
mod rights;
mod waiting;

use std::future::pending;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::words::{NO_FIGURES, RESYNC, denial, denied, error};
use crate::access::grant::Denial;
use crate::access::named::Right;
use crate::access::token::Identity;
use crate::feeds::queries::words::{NO_RESULT, failed};
use crate::hub::Membership;
use crate::hub::history::Since;
use crate::hub::mailbox::{Mailbox, Push};
use crate::model::{Channel, ChannelName, Topic};
use crate::refresh::{Reading, Unavailable};
use crate::session::SessionContext;
use crate::telemetry::metrics::RefusalReason;

use entry::{Entry, Joined, Stage};
use recheck::{a_little, next_recheck};
use replay::Replay;
pub(super) use waiting::Settled;
use waiting::Waiting;

/// How often a check that could not be made is tried again, at the latest.
const RETRY: Duration = Duration::from_secs(2);

pub(super) struct Subscriptions {
    context: Arc<SessionContext>,
    mailbox: Arc<Mailbox>,
    entries: Vec<Entry>,
    waiting: Waiting,
    last_key: u32,
    /// One of those that are waited for is the database.
    awaits_database: bool,
    /// And one is that live queries change.
    awaits_queries: bool,
    recheck_at: Instant,
    retry_at: Option<Instant>,
    /// `None` for who wants nothing of it.
    replay: Option<Box<Replay>>,
}

impl Subscriptions {
    pub(super) fn new(context: Arc<SessionContext>, mailbox: Arc<Mailbox>, since: Since) -> Self {
        Self {
            mailbox,
            entries: Vec::new(),
            waiting: Waiting::default(),
            last_key: 0,
            awaits_database: false,
            awaits_queries: false,
            recheck_at: next_recheck(&context),
            retry_at: None,
            replay: Replay::new(since),
            context,
        }
    }

    /// A client asks for a channel.
    pub(super) fn subscribe(&mut self, name: &ChannelName, identity: &Identity) {
        if matches!(name, ChannelName::Consulta { .. }) {
            self.await_queries(false);
        }
        if let Some(place) = self.find(name) {
            let entry = &self.entries[place];
            if let Stage::Joined(joined) = &entry.stage {
                let (key, topic) = (entry.key, joined.topic.clone());
                let had = self.mailbox.newest_version(&topic.channel());
                self.request_reading(key, &topic, Some(had));
            }
            return;
        }
        if self.entries.len() >= self.context.limits.max_channels {
            self.deny(name, Denial::TooManyChannels);
            return;
        }
        let key = self.next_key();
        match self.stage_for(key, name, identity, false) {
            Ok(mut stage) => {
                if let Stage::Parked(parked) = &mut stage {
                    parked.is_told = !self.is_to_be_learnt(name);
                    if parked.is_told { self.park(name) } else { self.wait_to_retry() }
                }
                // Most have one: a vector's own way would be room for four.
                self.entries.reserve_exact(1);
                self.entries.push(Entry { key, stage });
            }
            Err(denial) => self.deny(name, denial),
        }
    }

    /// Looks after a channel that was granted and joined elsewhere.
    pub(super) fn adopt(&mut self, topic: Topic, membership: Membership, by_database: bool) {
        if matches!(topic, Topic::Consulta(_)) {
            // Looked at once more: it was joined before.
            self.await_queries(true);
        }
        let key = self.next_key();
        let stage = self.joined(key, topic, membership, by_database);
        self.entries.reserve_exact(1);
        self.entries.push(Entry { key, stage });
    }

    /// A client wants no more of it.
    pub(super) fn unsubscribe(&mut self, name: &ChannelName) {
        if let Some(place) = self.find(name) {
            self.remove(place);
        }
    }

    /// The next thing that is waited for.
    pub(super) fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<Settled> {
        self.waiting.poll_next(cx)
    }

    pub(super) fn on_settled(&mut self, settled: Settled, identity: Option<&Identity>) {
        match settled {
            Settled::Checked { key, verdict } => self.on_checked(key, verdict, identity.is_some()),
            Settled::Read { key, had, reading } => self.on_read(key, had, reading),
            Settled::Database => {
                self.awaits_database = false;
                if self.retry_at.is_some() {
                    // All parked clients of this node wake up now: spread them a little.
                    self.retry_at = Some(Instant::now() + a_little());
                }
            }
            Settled::Queries => {
                self.awaits_queries = false;
                if self.entries.iter().any(|entry| entry.stage.is_of_a_query()) {
                    self.await_queries(false);
                    self.on_queries(identity);
                }
            }
        }
    }

    fn on_read(&mut self, key: u32, had: Option<u64>, reading: Result<Reading, Unavailable>) {
        let Some(entry) = self.entries.iter().find(|entry| entry.key == key) else { return };
        if let Ok(reading) = reading {
            let is_known = had == Some(reading.version);
            // A full mailbox is noticed when it is read.
            let push = if is_known { self.mailbox.push_again(&reading) } else { self.mailbox.push(&reading) };
            if push == Push::Sent {
                self.context.metrics.deliveries.inc();
            }
            return;
        }
        self.context.metrics.refuse(RefusalReason::DatabaseUnavailable);
        match entry.stage.defined() {
            Some(defined) => self.say(failed(&Channel::Consulta(defined.consulta().clone()).to_string(), NO_RESULT)),
            None => self.say(error(&NO_FIGURES)),
        }
    }

    /// When there is something to do by the clock.
    pub(super) fn due(&self) -> Option<Instant> {
        let recheck = self.entries.iter().any(Entry::is_to_be_rechecked).then_some(self.recheck_at);
        recheck.into_iter().chain(self.retry_at).min()
    }

    /// Asks again what is due.
    pub(super) fn on_time(&mut self, now: Instant, identity: Option<&Identity>) {
        let Some(identity) = identity else { return };
        if self.retry_at.take_if(|at| *at <= now).is_some() {
            self.retry_parked(identity);
        }
        if self.recheck_at <= now {
            self.recheck_at = next_recheck(&self.context);
            for place in (0..self.entries.len()).rev() {
                if self.entries[place].is_to_be_rechecked() {
                    self.recheck(place, identity);
                }
            }
        }
    }

    fn retry_parked(&mut self, identity: &Identity) {
        let (parked, rest): (Vec<_>, Vec<_>) =
            self.entries.drain(..).partition(|entry| matches!(entry.stage, Stage::Parked(_)));
        self.entries = rest;
        for Entry { key, stage } in parked {
            let Stage::Parked(parked) = stage else { continue };
            if self.find(&parked.name).is_some() {
                continue;
            }
            match self.stage_for(key, &parked.name, identity, parked.is_told) {
                Ok(mut stage) => {
                    if let Stage::Parked(parked) = &mut stage
                        && !parked.is_told
                        && !self.is_to_be_learnt(&parked.name)
                    {
                        parked.is_told = true;
                        self.deny(&parked.name, Denial::OwnershipUnchecked);
                    }
                    self.entries.push(Entry { key, stage });
                }
                Err(denial) => self.deny(&parked.name, denial),
            }
        }
        if self.entries.iter().any(|entry| matches!(entry.stage, Stage::Parked(_))) {
            self.wait_to_retry();
        }
    }

    /// How a subscription goes on: joined, being checked, parked, or refused. `is_told`: the client knows that it could not be
    /// checked.
    fn stage_for(&mut self, key: u32, name: &ChannelName, identity: &Identity, is_told: bool) -> Result<Stage, Denial> {
        let gate = self.context.gate();
        let right = gate.topic(name).and_then(|topic| Ok((gate.right(&topic, identity)?, topic)));
        match right {
            Ok((Right::Token, topic)) => Ok(self.join(key, topic, false)),
            Ok((Right::Database(asked), topic)) => {
                self.check(key, asked, false);
                Ok(Stage::Checking { topic, again: is_told })
            }
            Err(Denial::OwnershipUnchecked) => Ok(Stage::parked(name.clone(), is_told)),
            Err(denial) => Err(denial),
        }
    }

    /// Joins first, then asks for what to begin with: what changes in between arrives by the hub.
    fn join(&mut self, key: u32, topic: Topic, by_database: bool) -> Stage {
        let channel = topic.channel();
        let membership = if let Topic::Consulta(defined) = &topic {
            let (hub, mailbox) = (&self.context.hub, &self.mailbox);
            let joined = self.context.queries.while_defined(defined, || hub.join(channel, mailbox));
            // Defined otherwise since it was asked for: it is judged anew.
            let Some(joined) = joined else { return Stage::parked(topic.name(), false) };
            joined
        } else if channel.is_of_states() {
            self.context.hub.join(channel, &self.mailbox)
        } else {
            self.join_events(channel)
        };
        self.joined(key, topic, membership, by_database)
    }

    fn joined(&mut self, key: u32, topic: Topic, membership: Membership, by_database: bool) -> Stage {
        self.request_reading(key, &topic, None);
        Stage::Joined(Joined {
            topic,
            _membership: membership,
            by_database,
            is_proven: by_database,
            is_rechecked: false,
        })
    }

    /// A channel of events is replayed once in a connection: who leaves it and comes back had its events.
    fn join_events(&mut self, channel: Channel) -> Membership {
        let most = self.context.limits.max_channels;
        let since = self.replay.as_mut().map_or(Since::Now, |replay| replay.take(&channel, most));
        self.context.hub.join_one_since(channel, &self.mailbox, since, RESYNC)
    }

    /// Figures to begin with; a channel of events has none.
    fn request_reading(&mut self, key: u32, topic: &Topic, had: Option<u64>) {
        let channel = topic.channel();
        if !channel.is_of_states() {
            return;
        }
        let refresher = Arc::clone(&self.context.refresher);
        self.waiting.push(async move {
            let reading = match had {
                Some(_) => refresher.snapshot_again(&channel).await,
                None => refresher.snapshot(&channel).await,
            };
            Settled::Read { key, had, reading }
        });
    }

    /// Whether it is a matter of a moment until more is known: nothing to tell anybody.
    fn is_to_be_learnt(&self, name: &ChannelName) -> bool {
        !self.context.database.is_down() && self.context.gate().is_to_be_learnt(name)
    }

    fn next_key(&mut self) -> u32 {
        self.last_key = self.last_key.wrapping_add(1);
        self.last_key
    }

    /// A subscription to the same channel, however it was spelt.
    fn find(&self, name: &ChannelName) -> Option<usize> {
        let gate = self.context.gate();
        let topic = gate.meaning(name).ok();
        self.entries.iter().position(|entry| match &entry.stage {
            Stage::Parked(parked) => {
                parked.name == *name || (topic.is_some() && gate.meaning(&parked.name).ok() == topic)
            }
            Stage::Checking { topic: theirs, .. } | Stage::Joined(Joined { topic: theirs, .. }) => {
                Some(theirs) == topic.as_ref()
            }
        })
    }

    fn remove(&mut self, place: usize) -> Stage {
        let entry = self.entries.swap_remove(place);
        if let Stage::Joined(joined) = &entry.stage {
            self.mailbox.forget_channel(&joined.topic.channel());
        }
        entry.stage
    }

    /// The client is told once: a retry that fails says nothing new.
    fn park(&mut self, name: &ChannelName) {
        self.wait_to_retry();
        self.deny(name, Denial::OwnershipUnchecked);
    }

    /// `at_once`: as if they had just changed.
    fn await_queries(&mut self, at_once: bool) {
        if !std::mem::replace(&mut self.awaits_queries, true) {
            let mut changes = self.context.queries.changes();
            if at_once {
                changes.mark_changed();
            }
            self.waiting.push(async move {
                // Without a registry nothing changes.
                if changes.changed().await.is_err() {
                    pending::<()>().await;
                }
                Settled::Queries
            });
        }
    }

    /// A retry is due when the database comes back, and after a while anyway.
    fn wait_to_retry(&mut self) {
        self.retry_at.get_or_insert(Instant::now() + RETRY);
        if !std::mem::replace(&mut self.awaits_database, true) {
            let mut state = self.context.database.state();
            self.waiting.push(async move {
                // Without one that reports there is nobody to come back.
                while state.changed().await.is_ok() {
                    if state.borrow_and_update().down.is_none() {
                        return Settled::Database;
                    }
                }
                pending().await
            });
        }
    }

    fn deny(&self, name: &ChannelName, why: Denial) {
        self.context.metrics.refuse(why.reason());
        self.say_denied(name, why);
    }

    fn say_denied(&self, name: &ChannelName, why: Denial) {
        match name {
            ChannelName::Consulta { .. } => self.say(failed(&name.to_string(), &denial(why))),
            ChannelName::Estadisticas(_) | ChannelName::Canal { .. } => self.say(denied(why)),
        }
    }

    fn say(&self, text: impl AsRef<str>) {
        // A full mailbox is noticed when it is read.
        let _ = self.mailbox.push_answer(text);
    }
}
