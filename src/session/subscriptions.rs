//! What one connection is subscribed to, and what it still waits for: a check of access, figures to begin with.
//!
//! Every answer goes through the mailbox. Must not know the socket.

mod entry;
mod recheck;
mod replay;
mod waiting;

use std::future::pending;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::FutureExt as _;
use tokio::time::Instant;

use super::words::{NO_FIGURES, RESYNC, denied, error};
use crate::access::grant::Denial;
use crate::access::named::{self, Right};
use crate::access::ownership::Unanswered;
use crate::access::token::{Identity, Person};
use crate::hub::Membership;
use crate::hub::history::Since;
use crate::hub::mailbox::{Mailbox, Push};
use crate::model::Channel;
use crate::model::ChannelName;
use crate::model::{Ownership, Topic};
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
            recheck_at: next_recheck(&context),
            retry_at: None,
            replay: Replay::new(since),
            context,
        }
    }

    /// A client asks for a channel.
    pub(super) fn subscribe(&mut self, name: ChannelName, identity: &Identity) {
        if let Some(place) = self.find(&name) {
            let entry = &self.entries[place];
            if let Stage::Joined(joined) = &entry.stage {
                let (key, topic) = (entry.key, joined.topic.clone());
                let had = self.mailbox.newest_version(&topic.channel());
                self.request_reading(key, &topic, Some(had));
            }
            return;
        }
        if self.entries.len() >= self.context.limits.max_channels {
            self.deny(Denial::TooManyChannels);
            return;
        }
        let key = self.next_key();
        match self.stage_for(key, name, identity, true) {
            Ok(stage) => {
                if matches!(stage, Stage::Parked(_)) {
                    self.park();
                }
                // Most have one: a vector's own way would be room for four.
                self.entries.reserve_exact(1);
                self.entries.push(Entry { key, stage });
            }
            Err(denial) => self.deny(denial),
        }
    }

    /// Looks after a channel that was granted and joined elsewhere.
    pub(super) fn adopt(&mut self, membership: Membership, by_ownership: bool) {
        let Some(topic) = Topic::of_channel(membership.channel()) else { return };
        let key = self.next_key();
        let stage = self.joined(key, topic, membership, by_ownership);
        self.entries.reserve_exact(1);
        self.entries.push(Entry { key, stage });
    }

    /// A client wants no more of it.
    pub(super) fn unsubscribe(&mut self, name: &ChannelName) {
        if let Some(place) = self.find(name) {
            self.remove(place);
        }
    }

    /// What the token grants may have changed: what it names needs no check, what it no longer names needs one.
    pub(super) fn on_new_token(&mut self, identity: &Identity) {
        let Some(id_type) = self.context.database.id_type() else { return };
        for place in 0..self.entries.len() {
            let (topic, was_named) = match &self.entries[place].stage {
                Stage::Parked(_) => continue,
                Stage::Checking { topic, .. } => (topic.clone(), false),
                Stage::Joined(joined) => (joined.topic.clone(), !joined.by_ownership),
            };
            let is_named = self.context.access.is_granted_by_token(identity, topic.negocio(), id_type);
            match &mut self.entries[place].stage {
                Stage::Joined(joined) if is_named => joined.by_ownership = false,
                Stage::Joined(joined) if was_named => {
                    (joined.by_ownership, joined.is_proven) = (true, false);
                    self.recheck(place, &identity.user);
                }
                Stage::Checking { .. } if is_named => {
                    // A new key: the answer that is under way no longer matters.
                    let key = self.next_key();
                    let stage = self.join(key, topic, false);
                    self.entries[place] = Entry { key, stage };
                }
                Stage::Joined(_) | Stage::Checking { .. } | Stage::Parked(_) => {}
            }
        }
    }

    /// The next thing that is waited for.
    pub(super) fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<Settled> {
        self.waiting.poll_next(cx)
    }

    pub(super) fn on_settled(&mut self, settled: Settled, user: Option<&Person>) {
        match settled {
            Settled::Checked { key, verdict } => self.on_checked(key, verdict, user),
            Settled::Read { key, had, reading } => self.on_read(key, had, reading),
            Settled::Database => {
                self.awaits_database = false;
                if self.retry_at.is_some() {
                    // All parked clients of this node wake up now: spread them a little.
                    self.retry_at = Some(Instant::now() + a_little());
                }
            }
        }
    }

    fn on_checked(&mut self, key: u32, verdict: Result<bool, Unanswered>, user: Option<&Person>) {
        let Some(place) = self.entries.iter().position(|entry| entry.key == key) else { return };
        match (&mut self.entries[place].stage, verdict) {
            (Stage::Checking { topic, .. }, Ok(true)) if user.is_some() => {
                let topic = topic.clone();
                self.entries[place].stage = self.join(key, topic, true);
            }
            (Stage::Checking { .. }, Ok(_)) => {
                self.remove(place);
                self.deny(Denial::NotAllowed);
            }
            (stage @ Stage::Checking { again: true, .. }, Err(_)) => {
                stage.park();
                self.wait_to_retry();
            }
            (stage @ Stage::Checking { again: false, .. }, Err(Unanswered::CannotCheck)) => {
                stage.park();
                self.park();
            }
            (Stage::Checking { again: false, .. }, Err(Unanswered::TooMany)) => {
                self.remove(place);
                self.deny(Denial::TooManyChecks);
            }
            (Stage::Joined(joined), Ok(false)) if joined.by_ownership => self.withdraw(place),
            (Stage::Joined(joined), Err(_)) if joined.by_ownership && !joined.is_proven => {
                // Nothing grants it just now: neither the token any more, nor the database yet.
                self.mailbox.forget_channel(&joined.topic.channel());
                self.entries[place].stage.park();
                self.park();
            }
            (Stage::Joined(joined), verdict) => {
                joined.is_rechecked = false;
                joined.is_proven |= verdict.is_ok();
            }
            (Stage::Parked(_), _) => {}
        }
    }

    fn on_read(&mut self, key: u32, had: Option<u64>, reading: Result<Reading, Unavailable>) {
        if !self.entries.iter().any(|entry| entry.key == key) {
            return;
        }
        if let Ok(reading) = reading {
            let is_known = had == Some(reading.version);
            // A full mailbox is noticed when it is read.
            let push = if is_known { self.mailbox.push_again(&reading) } else { self.mailbox.push(&reading) };
            if push == Push::Sent {
                self.context.metrics.deliveries.inc();
            }
        } else {
            self.context.metrics.refuse(RefusalReason::DatabaseUnavailable);
            self.say(error(&NO_FIGURES));
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
            for place in 0..self.entries.len() {
                if self.entries[place].is_to_be_rechecked() {
                    self.recheck(place, &identity.user);
                }
            }
        }
    }

    fn retry_parked(&mut self, identity: &Identity) {
        let (parked, rest): (Vec<_>, Vec<_>) =
            self.entries.drain(..).partition(|entry| matches!(entry.stage, Stage::Parked(_)));
        self.entries = rest;
        for Entry { key, stage } in parked {
            let Stage::Parked(name) = stage else { continue };
            if self.find(&name).is_some() {
                continue;
            }
            match self.stage_for(key, *name, identity, false) {
                Ok(stage) => self.entries.push(Entry { key, stage }),
                Err(denial) => self.deny(denial),
            }
        }
        if self.entries.iter().any(|entry| matches!(entry.stage, Stage::Parked(_))) {
            self.wait_to_retry();
        }
    }

    /// How a subscription goes on: joined, being checked, parked, or refused.
    fn stage_for(&mut self, key: u32, name: ChannelName, identity: &Identity, is_first: bool) -> Result<Stage, Denial> {
        let Some(id_type) = self.context.database.id_type() else { return Ok(Stage::Parked(Box::new(name))) };
        let context = &self.context;
        match named::ask(&name, identity, id_type, &context.access, &context.hub)? {
            (topic, Right::Token) => Ok(self.join(key, topic, false)),
            (topic, Right::Ownership(verdict)) => {
                self.request_check(key, verdict);
                Ok(Stage::Checking { topic, again: !is_first })
            }
        }
    }

    /// Joins first, then asks for figures: what changes in between arrives by the hub.
    fn join(&mut self, key: u32, topic: Topic, by_ownership: bool) -> Stage {
        let channel = topic.channel();
        let membership = if channel.is_of_states() {
            self.context.hub.join(channel, &self.mailbox)
        } else {
            self.join_events(channel)
        };
        self.joined(key, topic, membership, by_ownership)
    }

    fn joined(&mut self, key: u32, topic: Topic, membership: Membership, by_ownership: bool) -> Stage {
        self.request_reading(key, &topic, None);
        Stage::Joined(Joined {
            topic,
            _membership: membership,
            by_ownership,
            is_proven: by_ownership,
            is_rechecked: false,
        })
    }

    /// A channel of events is replayed once in a connection: who leaves it and comes back had its events.
    fn join_events(&mut self, channel: Channel) -> Membership {
        let most = self.context.limits.max_channels;
        let since = self.replay.as_mut().map_or(Since::Now, |replay| replay.take(&channel, most));
        self.context.hub.join_one_since(channel, &self.mailbox, since, RESYNC)
    }

    fn recheck(&mut self, place: usize, user: &Person) {
        let entry = &mut self.entries[place];
        if let Stage::Joined(joined) = &mut entry.stage {
            joined.is_rechecked = true;
            let asked = Ownership { negocio: joined.topic.negocio().clone(), user: user.spelt().clone() };
            let key = entry.key;
            let verdict = self.context.access.still_owns(asked);
            self.request_check(key, verdict);
        }
    }

    fn request_check(&mut self, key: u32, verdict: impl Future<Output = Result<bool, Unanswered>> + Send + 'static) {
        self.waiting.push(verdict.map(move |verdict| Settled::Checked { key, verdict }));
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

    fn next_key(&mut self) -> u32 {
        self.last_key = self.last_key.wrapping_add(1);
        self.last_key
    }

    /// A subscription to the same channel, however it was spelt.
    fn find(&self, name: &ChannelName) -> Option<usize> {
        let id_type = self.context.database.id_type();
        let topic_of = |name| id_type.and_then(|id_type| Topic::of(name, id_type));
        let topic = topic_of(name);
        self.entries.iter().position(|entry| match &entry.stage {
            Stage::Parked(theirs) => **theirs == *name || (topic.is_some() && topic_of(theirs) == topic),
            Stage::Checking { topic: theirs, .. } | Stage::Joined(Joined { topic: theirs, .. }) => {
                Some(theirs) == topic.as_ref()
            }
        })
    }

    /// Ends a subscription that was live.
    fn withdraw(&mut self, place: usize) {
        self.remove(place);
        self.context.metrics.withdrawn.inc();
        self.say(denied(Denial::Withdrawn));
    }

    fn remove(&mut self, place: usize) {
        let entry = self.entries.swap_remove(place);
        if let Stage::Joined(joined) = entry.stage {
            self.mailbox.forget_channel(&joined.topic.channel());
        }
    }

    /// The client is told once: a retry that fails says nothing new.
    fn park(&mut self) {
        self.wait_to_retry();
        self.deny(Denial::OwnershipUnchecked);
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

    fn deny(&self, denial: Denial) {
        self.context.metrics.refuse(denial.reason());
        self.say(denied(denial));
    }

    fn say(&self, text: impl AsRef<str>) {
        // A full mailbox is noticed when it is read.
        let _ = self.mailbox.push_answer(text);
    }
}
