//! Which live queries fail by themselves, and which key is tried next.
//!
//! One key that fails says nothing of its query; several in a row, and none that works between them, say that it is the query.
//! Then one key is tried at a time, until one works. Pure.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Channel, QueryName};

/// So many keys in a row are no accident.
const IN_A_ROW: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Whoever was to be tried and is not heard of has been left by all who watched.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// Of all queries; those that work are not in it.
#[derive(Debug, Default)]
pub(super) struct Health {
    ailing: HashMap<QueryName, Ailing>,
}

#[derive(Debug, Default)]
struct Ailing {
    /// The keys that have failed since one worked; not more than are needed to tell.
    failed: Vec<Channel>,
    out: Option<Out>,
}

/// It is the query that fails.
#[derive(Debug)]
struct Out {
    due: Instant,
    pause: Duration,
    /// The key that is tried just now, and since when.
    tried: Option<(Channel, Instant)>,
}

impl Health {
    /// Whether a key may be read now.
    pub(super) fn may_read(&mut self, query: &QueryName, channel: &Channel, now: Instant) -> bool {
        let Some(out) = self.ailing.get_mut(query).and_then(|ailing| ailing.out.as_mut()) else { return true };
        match &out.tried {
            Some((tried, since)) if tried != channel && *since + FORGOTTEN_AFTER > now => false,
            None if out.due > now => false,
            _ => {
                out.tried = Some((channel.clone(), now));
                true
            }
        }
    }

    /// A key was read. True where its query did not work until now: all of its keys are to be read.
    pub(super) fn on_success(&mut self, query: &QueryName) -> bool {
        self.ailing.remove(query).is_some_and(|ailing| ailing.out.is_some())
    }

    /// A key's read failed by itself.
    pub(super) fn on_failure(&mut self, query: &QueryName, channel: &Channel, now: Instant) {
        let ailing = self.ailing.entry(query.clone()).or_default();
        if let Some(out) = &mut ailing.out {
            if out.tried.as_ref().is_some_and(|(tried, _)| tried == channel) {
                out.pause = (out.pause * 2).min(LONGEST_PAUSE);
                (out.due, out.tried) = (now + out.pause, None);
            }
            return;
        }
        if !ailing.failed.contains(channel) {
            ailing.failed.push(channel.clone());
        }
        if ailing.failed.len() >= IN_A_ROW {
            ailing.out = Some(Out { due: now + FIRST_PAUSE, pause: FIRST_PAUSE, tried: None });
        }
    }

    /// A key was answered, though not with what could be sent: that is no fault of the query, and the next key is tried.
    pub(super) fn on_answer(&mut self, query: &QueryName, channel: &Channel) {
        match self.ailing.get_mut(query) {
            Some(Ailing { out: Some(_), .. }) => self.on_nothing(query, channel),
            _ => drop(self.ailing.remove(query)),
        }
    }

    /// A read that was to be made was not, for another reason than its query.
    pub(super) fn on_nothing(&mut self, query: &QueryName, channel: &Channel) {
        if let Some(out) = self.ailing.get_mut(query).and_then(|ailing| ailing.out.as_mut()) {
            out.tried.take_if(|(tried, _)| tried == channel);
        }
    }

    /// The database was away.
    pub(super) fn forget_all(&mut self) {
        self.ailing.clear();
    }

    /// It is another query now, or none.
    pub(super) fn forget(&mut self, query: &QueryName) {
        self.ailing.remove(query);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Consulta;

    fn query() -> QueryName {
        QueryName::parse("cocina").unwrap()
    }

    fn key(name: &str) -> Channel {
        Channel::Consulta(Consulta::new(query(), Some(name)))
    }

    #[test]
    fn a_key_that_fails_alone_keeps_no_other_from_being_read() {
        let (mut health, now) = (Health::default(), Instant::now());
        for _ in 0..10 {
            health.on_failure(&query(), &key("bad"), now);
        }
        health.on_failure(&query(), &key("worse"), now);
        assert!(health.may_read(&query(), &key("good"), now));
        assert!(!health.on_success(&query()));
    }

    #[test]
    fn a_query_that_fails_is_tried_on_one_key_at_a_time_and_ever_more_seldom() {
        let (mut health, mut now) = (Health::default(), Instant::now());
        for name in ["a", "b", "c"] {
            assert!(health.may_read(&query(), &key(name), now));
            health.on_failure(&query(), &key(name), now);
        }
        for pause in [2, 4, 8, 16, 30, 30] {
            assert!(!health.may_read(&query(), &key("a"), now + Duration::from_millis(pause * 1_000 - 1)));
            now += Duration::from_secs(pause);
            assert!(health.may_read(&query(), &key("a"), now));
            assert!(!health.may_read(&query(), &key("b"), now), "one at a time");
            // It was under way.
            health.on_failure(&query(), &key("b"), now);
            assert!(!health.may_read(&query(), &key("b"), now));
            health.on_failure(&query(), &key("a"), now);
        }
        now += Duration::from_secs(30);
        assert!(health.may_read(&query(), &key("b"), now));
        health.on_nothing(&query(), &key("b"));
        assert!(health.may_read(&query(), &key("a"), now), "the other one came to nothing");
        assert!(health.on_success(&query()), "all are read again");
        assert!(health.may_read(&query(), &key("b"), now) && !health.on_success(&query()));
    }
}
