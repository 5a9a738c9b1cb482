//! What becomes of subscriptions as rights come and go: by a newer token, by what the database says, by live queries that are
//! defined otherwise.
//!
//! Must not know how a subscription begins, nor what is heard by it.

use std::sync::Arc;

use futures_util::future::FutureExt as _;
use tokio::time::Instant;

use super::entry::{Entry, Joined, Pending, Stage};
use super::question::Question;
use super::recheck::a_little;
use super::{Left, Settled, Subscriptions};
use crate::access::grant::Denial;
use crate::access::named::{Right, all_hold, all_still_hold};
use crate::access::ownership::{Asked, Unanswered, Verdict};
use crate::access::token::Identity;
use crate::hub::history::Since;
use crate::model::Topic;

impl Subscriptions {
    /// What the token grants may have changed: what it is enough for needs no check, what it was enough for needs one, and what
    /// it forbids has ended.
    pub(in crate::session) fn on_new_token(&mut self, identity: &Identity) {
        // From the end: whatever takes the place of one that is removed has been looked at.
        for place in (0..self.entries.len()).rev() {
            let (topic, was_enough) = match &self.entries[place].stage {
                Stage::Parked(_) => continue,
                Stage::Checking { topic, .. } => (topic.clone(), false),
                Stage::Joined(joined) => (joined.topic.clone(), !joined.by_database),
            };
            let right = self.context.gate().right(&topic, identity);
            match (&mut self.entries[place].stage, right) {
                (Stage::Joined(joined), Ok(Right::Token)) => joined.by_database = false,
                (Stage::Joined(joined), Ok(Right::Database(_))) if was_enough => {
                    (joined.by_database, joined.is_proven) = (true, false);
                    self.recheck(place, identity);
                }
                (Stage::Joined(_), Err(Denial::OwnershipUnchecked)) => self.take_back(place),
                (Stage::Joined(_), Err(_)) => self.withdraw(place, Left::User),
                (Stage::Checking { pending, .. }, Ok(Right::Token)) => {
                    let pending = std::mem::take(pending);
                    // A new key: the answer that is under way no longer matters.
                    let key = self.next_key();
                    let stage = self.join(key, topic, false, pending);
                    self.entries[place] = Entry { key, stage };
                }
                (Stage::Checking { pending, .. }, Ok(Right::Database(asked)))
                    if matches!(topic, Topic::Consulta(_)) =>
                {
                    // Of several rules the token may say less than before, or more.
                    let pending = std::mem::take(pending);
                    let key = self.next_key();
                    self.check(key, asked, false);
                    self.entries[place] = Entry { key, stage: Stage::Checking { topic, pending } };
                }
                (Stage::Checking { .. }, Err(denial)) if denial != Denial::OwnershipUnchecked => {
                    let pending = self.remove(place).into_pending();
                    self.turn_away(&topic.name(), denial, Left::User, &pending);
                }
                (Stage::Joined(_) | Stage::Checking { .. } | Stage::Parked(_), _) => {}
            }
        }
    }

    /// Live queries are defined otherwise, or stand otherwise. Since they were defined nothing of what changed was heard.
    pub(super) fn on_queries(&mut self, identity: Option<&Identity>) {
        let Some(identity) = identity else { return };
        for place in (0..self.entries.len()).rev() {
            let Some(defined) = self.entries[place].stage.defined() else { continue };
            let live = self.context.queries.find(defined.consulta().query());
            match live.map(|live| live.edition) {
                Some(edition) if edition == defined.edition() => {}
                None => self.withdraw(place, Left::Withdrawn),
                Some(_) => {
                    let name = Topic::Consulta(defined.clone()).name();
                    let pending = self.remove(place).into_pending();
                    // A new key: whatever is under way no longer matters.
                    let key = self.next_key();
                    match self.stage_for(key, &name, identity, pending) {
                        Ok(stage) => self.entries.push(Entry { key, stage }),
                        Err((denial, pending)) => self.turn_away(&name, denial, Left::Withdrawn, &pending),
                    }
                }
            }
        }
        if self.entries.iter().any(|entry| matches!(entry.stage, Stage::Parked(_))) {
            let soon = Instant::now() + a_little();
            self.retry_at = Some(self.retry_at.map_or(soon, |at| at.min(soon)));
        }
    }

    pub(super) fn on_checked(&mut self, key: u32, verdict: Verdict, is_known: bool) {
        let Some(place) = self.entries.iter().position(|entry| entry.key == key) else { return };
        match (&mut self.entries[place].stage, verdict) {
            (Stage::Checking { topic, pending }, Ok(true)) if is_known => {
                let (topic, pending) = (topic.clone(), std::mem::take(pending));
                self.entries[place].stage = self.join(key, topic, true, pending);
            }
            (Stage::Checking { topic, .. }, Ok(_)) => {
                let name = topic.name();
                let pending = self.remove(place).into_pending();
                self.turn_away(&name, Denial::NotAllowed, Left::Withdrawn, &pending);
            }
            (stage @ Stage::Checking { pending: Pending { is_told: true, .. }, .. }, Err(_)) => {
                stage.park();
                self.wait_to_retry();
            }
            // Who was in did not ask: it is not for her to ask again.
            (Stage::Checking { pending: Pending { was_in: true, .. }, .. }, Err(_))
            | (Stage::Checking { .. }, Err(Unanswered::CannotCheck)) => self.take_back(place),
            (Stage::Checking { topic, .. }, Err(Unanswered::TooMany)) => {
                let name = topic.name();
                let pending = self.remove(place).into_pending();
                self.turn_away(&name, Denial::TooManyChecks, Left::Withdrawn, &pending);
            }
            (Stage::Joined(joined), Ok(false)) if joined.by_database => self.withdraw(place, Left::Withdrawn),
            // Nothing grants it just now: neither the token any more, nor the database yet.
            (Stage::Joined(joined), Err(_)) if joined.by_database && !joined.is_proven => self.take_back(place),
            (Stage::Joined(joined), verdict) => {
                joined.is_rechecked = false;
                joined.is_proven |= verdict.is_ok();
            }
            (Stage::Parked(_), _) => {}
        }
    }

    pub(super) fn recheck(&mut self, place: usize, identity: &Identity) {
        let entry = &mut self.entries[place];
        let key = entry.key;
        let Stage::Joined(joined) = &mut entry.stage else { return };
        match self.context.gate().right(&joined.topic, identity) {
            Ok(Right::Token) => joined.by_database = false,
            Ok(Right::Database(asked)) => {
                joined.is_rechecked = true;
                self.check(key, asked, true);
            }
            Err(Denial::OwnershipUnchecked) => self.on_checked(key, Err(Unanswered::CannotCheck), true),
            Err(_) => self.withdraw(place, Left::Withdrawn),
        }
    }

    /// Asks the database. `again`: of what it granted before.
    pub(super) fn check(&mut self, key: u32, mut asked: Vec<Asked>, again: bool) {
        let access = Arc::clone(&self.context.access);
        let settled = move |verdict| Settled::Checked { key, verdict };
        // Nearly all ask one thing, and all connections of a node wait for theirs together.
        match (asked.len(), asked.pop()) {
            (1, Some(only)) if again => self.waiting.push(access.still_holds(only).map(settled)),
            (1, Some(only)) => self.waiting.push(access.holds(only).map(settled)),
            (_, last) => {
                asked.extend(last);
                if again {
                    self.waiting.push(all_still_hold(&access, asked).map(settled));
                } else {
                    self.waiting.push(all_hold(&access, asked).map(settled));
                }
            }
        }
    }

    /// Ends a subscription, or one that is to be checked.
    fn withdraw(&mut self, place: usize, why: Left) {
        let stage = self.remove(place);
        let (Stage::Joined(Joined { topic, .. }) | Stage::Checking { topic, .. }) = &stage else { return };
        let name = topic.name();
        // It has left by now: nothing is heard behind the word.
        let pending = stage.into_pending();
        self.turn_away(&name, Denial::NotAllowed, why, &pending);
    }

    /// Nothing says any more, or yet, whether it may be heard.
    fn take_back(&mut self, place: usize) {
        let is_second = self.is_second();
        let stage = &mut self.entries[place].stage;
        if let Stage::Joined(joined) = stage {
            let channel = joined.topic.channel();
            if is_second && channel.is_of_events() {
                // It goes on from here when it may be heard again.
                let since = Since::After(self.mailbox.newest_version(&channel));
                let spelling = joined.topic.name().to_string();
                let question = joined.question.get_or_insert_with(|| Box::new(Question::new(&spelling, None, None)));
                question.since = Some(since);
            }
            self.mailbox.forget_channel(&channel);
        }
        stage.park();
        if let Stage::Parked(parked) = stage {
            let (name, question) = (parked.name.clone(), parked.pending.question.take());
            self.park(&name, question.as_deref());
            *self.entries[place].stage.question() = question;
        }
    }
}
