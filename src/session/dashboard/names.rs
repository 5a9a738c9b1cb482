//! A stream of the second version asks for all its names at once: they are judged together, and what happens on their
//! channels is heard from one step on, so that one position is enough for all of them.
//!
//! Must not know sockets nor streams.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::super::enter::named::{begin, hello};
use super::super::identity::Session;
use super::super::subscriptions::Question;
use super::super::words::denial;
use super::super::words::second::{self, Name};
use super::second::{Opens, feed_of};
use super::{Dashboard, own};
use crate::access::grant::{Denial, Grant, Speech};
use crate::access::named::{Right, all_hold};
use crate::access::ownership::Unanswered;
use crate::access::token::Identity;
use crate::hub::history::Since;
use crate::hub::mailbox::Mailbox;
use crate::model::{Channel, ChannelName, Topic};
use crate::session::SessionContext;

/// What a stream asks for, and what it has to show.
#[derive(Debug)]
pub struct Names {
    /// Of its token.
    pub bearer: Grant,
    /// As the client writes them.
    pub names: Vec<String>,
    /// What became of those among them that no token opens.
    pub elsewhere: Vec<(String, Result<Grant, Denial>)>,
}

/// What becomes of a name.
#[derive(Debug)]
enum Judged {
    /// What happens there is heard from the beginning; of an application's own, what it is and whether the database grants it.
    Heard(Channel, Option<(Topic, bool)>),
    /// Subscribed to behind the others: it has no position, or cannot be judged yet.
    Later(ChannelName),
    Refused(Denial),
}

impl Dashboard {
    /// Of a stream that asks for these.
    pub(in crate::session) async fn of_names(
        asked: Names,
        since: Option<Since>,
        context: &Arc<SessionContext>,
        mailbox: &Arc<Mailbox>,
    ) -> Self {
        let Names { mut bearer, names, elsewhere } = asked;
        let mut judged = judge(&bearer, &names, context).await;
        for (name, granted) in elsewhere {
            let became = granted.and_then(|grant| {
                bearer.found_by.extend(grant.found_by);
                grant.channels.into_iter().next().ok_or(Denial::NotAllowed)
            });
            judged.insert(name, became.map_or_else(Judged::Refused, |channel| Judged::Heard(channel, None)));
        }
        let mut dashboard = Self::of_newcomer(None, since, context, mailbox);
        dashboard.begin(bearer, &names, judged);
        dashboard
    }

    /// Joins and answers every name, in the order in which they were asked for.
    fn begin(&mut self, mut grant: Grant, names: &[String], mut judged: HashMap<String, Judged>) {
        let context = Arc::clone(&self.context);
        grant.channels.clear();
        for name in names {
            match &judged[name] {
                Judged::Heard(channel, _) if !grant.channels.contains(channel) => grant.channels.push(channel.clone()),
                Judged::Refused(why) => context.metrics.refuse(why.reason()),
                Judged::Heard(..) | Judged::Later(_) => {}
            }
        }
        let since = self.subscriptions.from();
        let joined = begin(&grant, since, &context, &self.mailbox, |position| {
            let answers = names.iter().filter_map(|name| match &judged[name] {
                Judged::Heard(channel, _) => Some(second::subscribed(channel, position, None)),
                Judged::Refused(why) => Some(second::error((*why).into(), &denial(*why), Some(name), None)),
                Judged::Later(_) => None,
            });
            [hello(&grant, position, None, &context)].into_iter().chain(answers).collect()
        });
        for membership in joined {
            let is_it =
                |became: &Judged| matches!(became, Judged::Heard(channel, Some(_)) if channel == membership.channel());
            let name = names.iter().find(|name| judged.get(*name).is_some_and(is_it));
            match name.and_then(|name| Some((name, judged.remove(name)?))) {
                Some((name, Judged::Heard(_, Some((topic, by_database))))) => {
                    self.subscriptions.adopt_named(topic, name, membership, by_database);
                }
                _ => self.own.push(membership),
            }
        }
        self.own.shrink_to_fit();
        let expires_at = grant.expires_at.unwrap_or_default();
        let Speech::AskByName { identity, opens } = grant.speech else { return };
        for name in names {
            if let (Some(identity), Some(Judged::Later(channel))) = (&identity, judged.remove(name)) {
                self.subscriptions.subscribe(&channel, identity, Some(Box::new(Question::new(name, None, None))));
            }
        }
        self.session = Session::of(identity, expires_at, self.mailbox.wording(), &context);
        self.opens = Opens::new(opens);
    }
}

/// What becomes of each of the names, of which there may be as many as a connection may have.
async fn judge(bearer: &Grant, names: &[String], context: &SessionContext) -> HashMap<String, Judged> {
    let Speech::AskByName { identity, opens } = &bearer.speech else { return HashMap::new() };
    let mut distinct: Vec<&String> = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    let most = context.limits.max_channels;
    let judging = distinct.into_iter().enumerate().map(|(place, name)| async move {
        let became = if place < most {
            judge_one(name, identity.as_ref(), opens, context).await
        } else {
            Judged::Refused(Denial::TooManyChannels)
        };
        (name.clone(), became)
    });
    join_all(judging).await.into_iter().collect()
}

async fn judge_one(name: &str, identity: Option<&Identity>, opens: &[Channel], context: &SessionContext) -> Judged {
    match Name::parse(name) {
        None => Judged::Refused(Denial::NoSuchChannel),
        Some(name) if !context.feeds.has(feed_of(&name)) => Judged::Refused(Denial::SwitchedOff),
        Some(Name::Feed(channel)) => {
            let is_own = || identity.is_some_and(|identity| own(identity, context).contains(&channel));
            if opens.contains(&channel) || is_own() {
                Judged::Heard(channel, None)
            } else {
                Judged::Refused(Denial::NotAllowed)
            }
        }
        Some(Name::Owned(name)) => match identity {
            None => Judged::Refused(Denial::NotAllowed),
            Some(identity) if matches!(name, ChannelName::Canal { .. }) => of_its_own(name, identity, context).await,
            Some(_) => Judged::Later(name),
        },
    }
}

/// Of an application's own channel.
async fn of_its_own(name: ChannelName, identity: &Identity, context: &SessionContext) -> Judged {
    let gate = context.gate();
    let right = gate.topic(&name).and_then(|topic| Ok((gate.right(&topic, identity)?, topic)));
    let (asked, topic) = match right {
        Ok((Right::Token, topic)) => return Judged::Heard(topic.channel(), Some((topic, false))),
        Ok((Right::Database(asked), topic)) => (asked, topic),
        Err(Denial::OwnershipUnchecked) => return Judged::Later(name),
        Err(why) => return Judged::Refused(why),
    };
    match all_hold(&context.access, asked).await {
        Ok(true) => Judged::Heard(topic.channel(), Some((topic, true))),
        Ok(false) => Judged::Refused(Denial::NotAllowed),
        Err(Unanswered::TooMany) => Judged::Refused(Denial::TooManyChecks),
        // Told so there, and tried again.
        Err(Unanswered::CannotCheck) => Judged::Later(name),
    }
}
