//! How calls append: within a call's patience, and with an answer that says what became of it.
//!
//! Must not know how a line is made.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::{Cluster, answer_bytes, answer_of, call_name, lock};
use crate::broker::Refused;
use crate::broker::entry::{self, Dismissal, Entry, Events, Keyed};
use crate::broker::kept::{CallName, Put};
use crate::broker::link::{Joined, PATIENCE};
use crate::broker::log::{Append, Appended, Call, Stream, Trouble};
use crate::model::Answered;

/// Within this a call is answered, whatever becomes of the log.
const ANSWERED_WITHIN: Duration = Duration::from_millis(1_900);

/// What became of events.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::broker) enum Written {
    /// They are in the log.
    There,
    /// Their call had its effect before.
    Repeated(Answered),
}

impl Cluster {
    /// Appends events of one call, which came at `begun`: all of them or none.
    pub(in crate::broker) async fn append_events(&self, events: Events, begun: Instant) -> Result<Written, Refused> {
        let ids = events.ids();
        let call = events.call.as_ref();
        let call = call.map(|Keyed { path, key, answered }| (call_name(path, key), answer_bytes(answered)));
        self.append(&Entry::Events(events), ids, call, begun + ANSWERED_WITHIN).await
    }

    /// Appends that somebody's connections end, and lets nodes that start later know of it.
    pub(in crate::broker) async fn append_dismissal(
        &self,
        dismissal: Dismissal,
        call: Option<Keyed>,
    ) -> Result<Written, Refused> {
        let deadline = Instant::now() + ANSWERED_WITHIN;
        if let Dismissal::User { user, at } = &dismissal {
            let joined = self.link.up(deadline).await.map_err(|_| Refused::Away)?;
            let dismissed = [(user.as_str().to_owned(), *at)];
            let patience = deadline.min(Instant::now() + PATIENCE);
            match timeout_at(patience, joined.line.remember_dismissed(&dismissed)).await {
                Ok(Ok(())) => {}
                Ok(Err(trouble)) => {
                    self.drop_line(&joined, &trouble);
                    return Err(Refused::Away);
                }
                Err(_) => {
                    self.link.lost(&joined, None);
                    return Err(Refused::Unknown);
                }
            }
        }
        let call = call.map(|Keyed { path, key, answered }| (call_name(&path, &key), answer_bytes(&answered)));
        self.append(&Entry::Dismissed(dismissal), 1, call, deadline).await
    }

    async fn append(
        &self,
        entry: &Entry,
        ids: u64,
        call: Option<(CallName, Bytes)>,
        deadline: Instant,
    ) -> Result<Written, Refused> {
        let (stream, tag) = (Stream::Events, entry::tag());
        let body = self.written(tag, entry);
        let mut may_be_there = false;
        loop {
            let refused = if may_be_there { Refused::Unknown } else { Refused::Away };
            let joined = self.link.up(deadline).await.map_err(|_| refused)?;
            let named = call.as_ref().map(|(name, answer)| Call { name, answer });
            let floor = self.newest();
            let append = Append { stream, body: &body, ids, floor, born: &joined.born, call: named, watched: None };
            let patience = deadline.min(Instant::now() + PATIENCE);
            let Ok(appended) = timeout_at(patience, joined.line.append(append)).await else {
                self.link.lost(&joined, None);
                return Err(Refused::Unknown);
            };
            match appended {
                Ok(Appended::At { first, .. }) => {
                    self.saw(first + ids - 1);
                    lock(&self.kept).written(Put { tag, first, body, ids, call });
                    self.metrics.broker.appended.inc();
                    return Ok(Written::There);
                }
                // Whoever wrote nonsense under this name wrote it instead of an effect.
                Ok(Appended::Repeated(bytes)) => {
                    return answer_of(&bytes).map(Written::Repeated).ok_or(Refused::Away);
                }
                Err(trouble) => {
                    debug!(%trouble, "not appended");
                    self.drop_line(&joined, &trouble);
                    match trouble {
                        // With a key it is asked again, and the log says what became of it.
                        Trouble::Unanswered(_) if call.is_none() => return Err(Refused::Unknown),
                        Trouble::Unanswered(_) => may_be_there = true,
                        Trouble::Full(_) => return Err(Refused::NoRoom),
                        Trouble::Foreign(_) => return Err(Refused::Away),
                        Trouble::Away(_) | Trouble::Refused(_) | Trouble::Moved(_) | Trouble::Reborn => {}
                    }
                }
            }
        }
    }

    /// What a line answered may say that it is of no use any more.
    pub(super) fn drop_line(&self, joined: &Arc<Joined>, trouble: &Trouble) {
        if trouble.ends_the_line() || *trouble == Trouble::Reborn {
            self.link.lost(joined, Some(trouble));
        } else {
            self.link.note(trouble);
            if let Some(left_out) = self.refused.due() {
                warn!(%trouble, left_out, "the log between the nodes did not take something");
            }
        }
    }
}
