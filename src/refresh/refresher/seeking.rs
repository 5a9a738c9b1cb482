//! Who announced a change names the transaction that made it: for her only a read counts that shows it, and nobody else waits.
//!
//! Must not know how a database tells.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Noticed, Reading, Refresher, Unavailable, Unread};
use crate::model::Channel;
use crate::refresh::state::{REMEMBERED_FOR, SOUGHT_FOR};
use crate::store::Sight;

/// Why nobody was handed what shows a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    /// It cannot be read, or the transaction has not ended in time: it is still looked for.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// So many wait for transactions already.
    #[error("too many wait for transactions")]
    TooMany,
    /// Its number lacks its epoch.
    #[error("nobody can say which transaction is meant")]
    TooOld,
    /// The database's transactions have no numbers.
    #[error("transactions have no numbers here")]
    Unknown,
}

type Waiting = oneshot::Receiver<Result<Reading, Unread>>;

impl Refresher {
    /// A change was announced by the transaction that makes it. Returns when every subscriber has been handed what shows it,
    /// or at `deadline`; it is looked for longer than that.
    pub async fn notice_seen(
        self: &Arc<Self>,
        channel: &Channel,
        xid: u64,
        deadline: Instant,
    ) -> Result<Noticed, Unseen> {
        if !self.database.knows_transactions() {
            return Err(Unseen::Unknown);
        }
        self.metrics.notices.inc();
        self.count_transaction(channel);
        let mut waiting = self.seek(channel, xid)?;
        if waiting.is_none() && self.broker.has_others() && self.broker.ring_watchers(channel).await > 0 {
            waiting = Some(self.seek_for_others(channel, xid)?);
        }
        let Some(waiting) = waiting else { return Ok(Noticed::Unwatched) };
        let is_later = self.with_state(channel, |state| state.not_before(Instant::now())).flatten();
        if is_later.is_some_and(|at| at >= deadline) {
            return Ok(Noticed::Later);
        }
        match timeout_at(deadline, waiting).await {
            Ok(Ok(Ok(reading))) => Ok(Noticed::Read(reading)),
            Ok(Ok(Err(Unread::TooOld))) => Err(Unseen::TooOld),
            // Whoever watched has left before.
            Ok(Err(_)) => Ok(Noticed::Unwatched),
            Ok(Ok(Err(Unread::Away | Unread::Failed(_)))) | Err(_) => Err(Unavailable.into()),
        }
    }

    /// `None` where nobody watches: it is remembered for whoever comes.
    fn seek(self: &Arc<Self>, channel: &Channel, xid: u64) -> Result<Option<Waiting>, Unseen> {
        let now = Instant::now();
        let place = self.sought.take(1);
        let mut kept = self.lock();
        let watched = kept.entry(channel);
        if !self.is_watched(channel) {
            match place {
                Some(place) => watched.state.on_unwatched_transaction(xid, now + REMEMBERED_FOR, place, now),
                None => watched.state.on_unwatched_notice(now, self.config.trailing_reread),
            }
            return Ok(None);
        }
        let place = place.ok_or(Unseen::TooMany)?;
        let (waiter, waiting) = oneshot::channel();
        let is_failing = watched.state.is_failing(now);
        let waiter = (!is_failing).then_some(waiter);
        if !watched.state.on_transaction(xid, waiter, (now, now + SOUGHT_FOR), place) {
            return Err(Unseen::TooMany);
        }
        self.ensure_runner(channel, watched);
        if is_failing { Err(Unavailable.into()) } else { Ok(Some(waiting)) }
    }

    /// Nobody watches here, and somebody does elsewhere.
    fn seek_for_others(self: &Arc<Self>, channel: &Channel, xid: u64) -> Result<Waiting, Unseen> {
        let now = Instant::now();
        let place = self.sought.take(1).ok_or(Unseen::TooMany)?;
        let mut kept = self.lock();
        let watched = kept.entry(channel);
        let (waiter, waiting) = oneshot::channel();
        if !watched.state.on_transaction(xid, Some(waiter), (now, now + SOUGHT_FOR), place) {
            return Err(Unseen::TooMany);
        }
        watched.state.read_for_others(now + self.config.trailing_reread);
        self.ensure_runner(channel, watched);
        Ok(waiting)
    }

    /// Asks whether one of the transactions that somebody waits for is over: then it is read.
    pub(super) async fn look(&self, channel: &Channel) {
        let xids = self.with_state(channel, |state| state.xids()).unwrap_or_default();
        let sights = self.database.sights(&xids).await;
        let is_any_over = sights.is_ok_and(|sights| sights.iter().any(|sight| *sight != Sight::Open));
        self.with_state(channel, |state| state.on_look(is_any_over, Instant::now()));
    }
}
