//! The beginning of a subscription that is allowed: joined, replayed, and given what there is to begin with.
//!
//! Must not know who allowed it.

use std::slice;
use std::sync::Arc;

use super::super::words::RESYNC;
use super::entry::{Joined, Pending, Stage};
use super::question::Question;
use super::{Settled, Subscriptions};
use crate::hub::history::Since;
use crate::hub::{Membership, Standing};
use crate::model::{Channel, Topic, Wording};

impl Subscriptions {
    /// Joins first, then asks for what to begin with: what changes in between arrives by the hub.
    pub(super) fn join(&mut self, key: u32, topic: Topic, by_database: bool, pending: Pending) -> Stage {
        let (channel, question) = (topic.channel(), &pending.question);
        let since = self.since(&channel, question.as_deref());
        let join = || match self.mailbox.wording() {
            Wording::Second => {
                let told = |standing: &Standing| self.say_joined(&channel, standing, question.as_deref());
                let channels = slice::from_ref(&channel);
                self.context.hub.join_telling(channels, &self.mailbox, since, told).pop()
            }
            Wording::First if channel.is_of_states() => Some(self.context.hub.join(channel.clone(), &self.mailbox)),
            Wording::First => Some(self.context.hub.join_one_since(channel.clone(), &self.mailbox, since, RESYNC)),
        };
        let membership = match &topic {
            Topic::Consulta(defined) => self.context.queries.while_defined(defined, join).flatten(),
            Topic::Estadisticas(_) | Topic::Canal(_) => join(),
        };
        // Defined otherwise since it was asked for: it is judged anew.
        let Some(membership) = membership else {
            return Stage::parked(topic.name(), Pending { is_told: false, ..pending });
        };
        self.joined(key, topic, membership, by_database, pending.question)
    }

    pub(super) fn joined(
        &mut self,
        key: u32,
        topic: Topic,
        membership: Membership,
        by_database: bool,
        question: Option<Box<Question>>,
    ) -> Stage {
        self.request_reading(key, &topic, None);
        let question = kept(&topic, question);
        Stage::Joined(Joined {
            topic,
            _membership: membership,
            by_database,
            is_proven: by_database,
            is_rechecked: false,
            question,
        })
    }

    /// From where a channel is replayed: once in a connection, for who leaves it and comes back had its events, unless the
    /// client says otherwise. Of states the newest is enough.
    fn since(&mut self, channel: &Channel, question: Option<&Question>) -> Since {
        if channel.is_of_states() {
            return Since::Now;
        }
        let replayed = self.replayed(channel);
        question.and_then(|question| question.since).unwrap_or(replayed)
    }

    /// From where a channel of events is replayed that is joined now, as the client said when it came: once.
    pub(in crate::session) fn replayed(&mut self, channel: &Channel) -> Since {
        let most = self.context.limits.max_channels;
        self.replay.as_mut().map_or(Since::Now, |replay| replay.take(channel, most))
    }

    /// Figures to begin with; a channel of events has none.
    pub(super) fn request_reading(&mut self, key: u32, topic: &Topic, had: Option<u64>) {
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
}

/// What is left of a question once its channel is joined: of states there is something to begin with, which may be answered
/// otherwise.
pub(super) fn kept(topic: &Topic, question: Option<Box<Question>>) -> Option<Box<Question>> {
    question.and_then(|question| {
        if topic.channel().is_of_states() { Some(question) } else { question.answered(&topic.name().to_string()) }
    })
}
