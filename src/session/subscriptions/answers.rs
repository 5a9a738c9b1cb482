//! What is said of subscriptions, in the words that the client asked for.
//!
//! Must not know what becomes of them.

use super::super::code::Code;
use super::super::words::second::{self, Left};
use super::super::words::{NO_FIGURES, denial, denied, error};
use super::Subscriptions;
use super::entry::{Joined, Pending, Stage};
use super::question::{Question, each};
use crate::access::grant::Denial;
use crate::feeds::queries::words::{NO_RESULT, failed};
use crate::hub::Standing;
use crate::model::{Channel, ChannelName, QueryName, Topic, Wording};

impl Subscriptions {
    pub(super) fn is_second(&self) -> bool {
        self.mailbox.wording() == Wording::Second
    }

    pub(super) fn deny(&self, name: &ChannelName, why: Denial, question: Option<&Question>) {
        self.context.metrics.refuse(why.reason());
        self.say_denied(name, why, question);
    }

    pub(super) fn say_denied(&self, name: &ChannelName, why: Denial, question: Option<&Question>) {
        match name {
            _ if self.is_second() => self.say_wrong(why.into(), &denial(why), name, question),
            ChannelName::Consulta { .. } => self.say(failed(&name.to_string(), &denial(why))),
            ChannelName::Estadisticas(_) | ChannelName::Canal { .. } => self.say(denied(why)),
        }
    }

    /// Who waits to be let in is not. Of who was in before the rights have ended.
    pub(super) fn turn_away(&self, name: &ChannelName, why: Denial, left: Left, pending: &Pending) {
        if pending.was_in && why == Denial::NotAllowed {
            self.say_withdrawn(name, left, pending.question.as_deref());
        } else {
            self.deny(name, why, pending.question.as_deref());
        }
    }

    /// The rights to what was heard have ended, or it is a live query that is there no more.
    pub(super) fn say_withdrawn(&self, name: &ChannelName, left: Left, question: Option<&Question>) {
        self.context.metrics.withdrawn.inc();
        if self.is_second() && self.is_removed(name) {
            self.say_wrong(Code::Removed, &denial(Denial::Withdrawn), name, question);
        } else {
            self.say_denied(name, Denial::Withdrawn, question);
        }
        self.say_left(&name.to_string(), left, None);
    }

    fn is_removed(&self, name: &ChannelName) -> bool {
        let ChannelName::Consulta { query, .. } = name else { return false };
        QueryName::parse(query).is_none_or(|query| self.context.queries.find(&query).is_none())
    }

    /// What there is to begin with cannot be read just now.
    pub(super) fn say_unread(&self, stage: &Stage) {
        match stage {
            Stage::Joined(Joined { topic, question, .. }) if self.is_second() => {
                let message = if matches!(topic, Topic::Consulta(_)) { NO_RESULT } else { NO_FIGURES };
                self.say_wrong(Code::Unavailable, message, &topic.name(), question.as_deref());
            }
            // It is known to be unchecked.
            Stage::Parked(_) | Stage::Checking { .. } if self.is_second() => {}
            stage => match stage.defined() {
                Some(defined) => {
                    self.say(failed(&Channel::Consulta(defined.consulta().clone()).to_string(), NO_RESULT));
                }
                None => self.say(error(&NO_FIGURES)),
            },
        }
    }

    fn say_wrong(&self, code: Code, message: &str, name: &ChannelName, question: Option<&Question>) {
        let spelling = question.map_or_else(|| name.to_string(), |question| question.spelling.to_string());
        each(question, |reference| self.say(second::error(code, message, Some(&spelling), reference)));
    }

    /// Said in the step in which it is joined, before anything is heard of it.
    pub(super) fn say_joined(&self, channel: &Channel, standing: &Standing, question: Option<&Question>) {
        each(question, |reference| self.say(second::subscribed(channel, standing.position, reference)));
        if !standing.holes.is_empty() {
            self.say(second::resync(&standing.holes, standing.position));
        }
    }

    /// Said to who is subscribed already.
    pub(super) fn say_subscribed(&self, channel: &Channel, question: Option<&Question>) {
        self.context.hub.tell_position(|position| {
            each(question, |reference| self.say(second::subscribed(channel, position, reference)));
        });
    }

    pub(super) fn say_left(&self, channel: &str, why: Left, reference: Option<&str>) {
        if self.is_second() {
            self.say(second::unsubscribed(channel, why, reference));
        }
    }

    pub(super) fn say(&self, text: impl AsRef<str>) {
        // A full mailbox is noticed when it is read.
        let _ = self.mailbox.push_answer(text);
    }
}
