//! What one connection is subscribed to, and what it still waits for: a check of access, figures to begin with.
//!
//! Every answer goes through the mailbox. Must not know the socket.

mod answers;
mod entry;
mod joining;
mod question;
mod recheck;
mod replay;
mod rights;
mod waiting;

use std::future::pending;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::words::second::Left;
use crate::access::grant::Denial;
use crate::access::named::Right;
use crate::access::token::Identity;
use crate::hub::Membership;
use crate::hub::history::Since;
use crate::hub::mailbox::{Mailbox, Push};
use crate::model::{ChannelName, Topic};
use crate::refresh::{Reading, Unavailable};
use crate::session::SessionContext;
use crate::telemetry::metrics::RefusalReason;

use entry::{Entry, Joined, Parked, Pending, Stage};
use joining::kept;
pub(super) use question::Question;
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

    /// A client asks for a channel. `question`: who is to be answered, in the second version.
    pub(super) fn subscribe(&mut self, name: &ChannelName, identity: &Identity, question: Option<Box<Question>>) {
        if matches!(name, ChannelName::Consulta { .. }) {
            self.await_queries(false);
        }
        if let Some(place) = self.find(name) {
            self.subscribe_again(place, name, question);
            return;
        }
        if self.entries.len() >= self.context.limits.max_channels {
            self.deny(name, Denial::TooManyChannels, question.as_deref());
            return;
        }
        let key = self.next_key();
        match self.stage_for(key, name, identity, Pending { question, ..Pending::default() }) {
            Ok(mut stage) => {
                if let Stage::Parked(parked) = &mut stage {
                    let pending = &mut parked.pending;
                    pending.is_told = !self.is_to_be_learnt(name);
                    if pending.is_told { self.park(name, pending.question.as_deref()) } else { self.wait_to_retry() }
                }
                // Most have one: a vector's own way would be room for four.
                self.entries.reserve_exact(1);
                self.entries.push(Entry { key, stage });
            }
            Err((denial, pending)) => self.turn_away(name, denial, Left::Withdrawn, &pending),
        }
    }

    fn subscribe_again(&mut self, place: usize, name: &ChannelName, question: Option<Box<Question>>) {
        let entry = &mut self.entries[place];
        let (key, is_joined) = (entry.key, matches!(entry.stage, Stage::Joined(_)));
        let waits = entry.stage.question();
        let refused = match question {
            Some(question) if !is_joined && waits.is_some() => {
                waits.as_mut().and_then(|waits| waits.join(*question).err())
            }
            Some(question) => {
                *waits = Some(question);
                None
            }
            None => None,
        };
        if let Some(refused) = refused {
            self.say_denied(name, Denial::OwnershipUnchecked, Some(&refused));
        }
        let Stage::Joined(joined) = &mut self.entries[place].stage else { return };
        let (topic, question) = (joined.topic.clone(), joined.question.take());
        let channel = topic.channel();
        if self.is_second() {
            self.say_subscribed(&channel, question.as_deref());
        }
        *self.entries[place].stage.question() = kept(&topic, question);
        let had = self.mailbox.newest_version(&channel);
        self.request_reading(key, &topic, Some(had));
    }

    /// Looks after a channel that was granted and joined elsewhere.
    pub(super) fn adopt(&mut self, topic: Topic, membership: Membership, by_database: bool) {
        if matches!(topic, Topic::Consulta(_)) {
            // Looked at once more: it was joined before.
            self.await_queries(true);
        }
        let key = self.next_key();
        let stage = self.joined(key, topic, membership, by_database, None);
        self.entries.reserve_exact(1);
        self.entries.push(Entry { key, stage });
    }

    /// As [`Self::adopt`], of what was replayed when it was joined. `spelling`: as the client writes it.
    pub(super) fn adopt_named(&mut self, topic: Topic, spelling: &str, membership: Membership, by_database: bool) {
        if let Some(replay) = &mut self.replay {
            replay.take(&topic.channel(), self.context.limits.max_channels);
        }
        let question = Box::new(Question::new(spelling, None, None)).answered(&topic.name().to_string());
        let key = self.next_key();
        let stage = self.joined(key, topic, membership, by_database, question);
        self.entries.push(Entry { key, stage });
    }

    /// A client wants no more of it.
    pub(super) fn unsubscribe(&mut self, name: &ChannelName, reference: Option<&str>) {
        if let Some(place) = self.find(name) {
            self.remove(place);
        }
        if self.is_second() {
            let spelt =
                self.context.gate().meaning(name).map_or_else(|_| name.to_string(), |topic| topic.name().to_string());
            self.say_left(&spelt, Left::Asked, reference);
        }
    }

    /// From where the connection goes on, as its client said.
    pub(super) fn from(&self) -> Since {
        self.replay.as_ref().map_or(Since::Now, |replay| replay.since())
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
        let Some(place) = self.entries.iter().position(|entry| entry.key == key) else { return };
        if let Ok(reading) = reading {
            self.entries[place].stage.on_answered();
            let is_known = had == Some(reading.version);
            // A full mailbox is noticed when it is read.
            let push = if is_known { self.mailbox.push_again(&reading) } else { self.mailbox.push(&reading) };
            if push == Push::Sent {
                self.context.metrics.deliveries.inc();
            }
            return;
        }
        self.context.metrics.refuse(RefusalReason::DatabaseUnavailable);
        self.say_unread(&self.entries[place].stage);
        self.entries[place].stage.on_answered();
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
            let Parked { name, pending } = *parked;
            match self.stage_for(key, &name, identity, pending) {
                Ok(mut stage) => {
                    if let Stage::Parked(parked) = &mut stage
                        && !parked.pending.is_told
                        && !self.is_to_be_learnt(&parked.name)
                    {
                        parked.pending.is_told = true;
                        self.deny(&parked.name, Denial::OwnershipUnchecked, parked.pending.question.as_deref());
                    }
                    self.entries.push(Entry { key, stage });
                }
                Err((denial, pending)) => self.turn_away(&name, denial, Left::Withdrawn, &pending),
            }
        }
        if self.entries.iter().any(|entry| matches!(entry.stage, Stage::Parked(_))) {
            self.wait_to_retry();
        }
    }

    /// How a subscription goes on: joined, being checked, parked, or refused.
    fn stage_for(
        &mut self,
        key: u32,
        name: &ChannelName,
        identity: &Identity,
        pending: Pending,
    ) -> Result<Stage, (Denial, Pending)> {
        let gate = self.context.gate();
        let right = gate.topic(name).and_then(|topic| Ok((gate.right(&topic, identity)?, topic)));
        match right {
            Ok((Right::Token, topic)) => Ok(self.join(key, topic, false, pending)),
            Ok((Right::Database(asked), topic)) => {
                self.check(key, asked, false);
                Ok(Stage::Checking { topic, pending })
            }
            Err(Denial::OwnershipUnchecked) => Ok(Stage::parked(name.clone(), pending)),
            Err(denial) => Err((denial, pending)),
        }
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
    fn park(&mut self, name: &ChannelName, question: Option<&Question>) {
        self.wait_to_retry();
        self.deny(name, Denial::OwnershipUnchecked, question);
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
}
