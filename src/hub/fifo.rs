//! What waits to be handed out: bounded, and in order.
//!
//! Must not know who hands it out, nor to whom.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::publication::{Kind, Publication};

/// Publications that may wait.
pub const MAX_WAITING: usize = 4_096;
/// Bytes of those that may wait.
pub const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// The queue in front of the fan-out thread.
#[derive(Debug, Default)]
pub(super) struct Fifo {
    line: Mutex<Line>,
    news: Condvar,
    /// Said whenever all has been handed out.
    idle: Notify,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Arc<Publication>>,
    bytes: usize,
    /// Those that wait or are being handed out.
    events: usize,
    /// The id of the event that is being handed out.
    leaving: Option<u64>,
    unfinished: usize,
    is_closed: bool,
}

/// No more events can be taken just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Fifo {
    /// Takes a state. Where there is no room it takes the place of an older one of its channel, so that at most one a
    /// channel exceeds the bounds. True if it did.
    pub(super) fn push_state(&self, state: &Arc<Publication>) -> bool {
        let mut line = self.lock();
        if line.is_full() {
            let is_older = |one: &&mut Arc<Publication>| one.kind == Kind::State && one.channel == state.channel;
            if let Some(older) = line.waiting.iter_mut().find(is_older) {
                let freed = size(older);
                *older = Arc::clone(state);
                line.bytes = line.bytes - freed + size(state);
                return true;
            }
        }
        self.append(line, state);
        false
    }

    /// Takes an event, room or not: see [`Self::has_room`].
    pub(super) fn push_event(&self, event: &Arc<Publication>) {
        let mut line = self.lock();
        line.events += 1;
        self.append(line, event);
    }

    fn append(&self, mut line: MutexGuard<'_, Line>, publication: &Arc<Publication>) {
        line.bytes += size(publication);
        line.unfinished += 1;
        line.waiting.push_back(Arc::clone(publication));
        drop(line);
        self.news.notify_one();
    }

    /// Whether more events may come.
    pub(super) fn has_room(&self) -> bool {
        !self.lock().is_full()
    }

    /// How many wait, and how many bytes of them.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let line = self.lock();
        (line.waiting.len(), line.bytes)
    }

    /// Whether an event waits or is being handed out.
    pub(super) fn has_events(&self) -> bool {
        self.lock().events > 0
    }

    /// The id of the oldest event that waits or is being handed out.
    pub(super) fn oldest_event(&self) -> Option<u64> {
        let line = self.lock();
        if line.events == 0 {
            return None;
        }
        let mut waiting = line.waiting.iter().filter(|one| one.kind == Kind::Event);
        line.leaving.or_else(|| waiting.next().map(|event| event.version))
    }

    /// The next publication; waits for it. `None` once it is closed and all are taken.
    pub(super) fn next(&self) -> Option<Arc<Publication>> {
        let mut line = self.lock();
        loop {
            if let Some(next) = line.pop() {
                return Some(next);
            }
            if line.is_closed {
                return None;
            }
            line = self.news.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What [`Self::next`] gave has been handed out.
    pub(super) fn done(&self, publication: &Publication) {
        let mut line = self.lock();
        line.unfinished -= 1;
        if publication.kind == Kind::Event {
            line.events -= 1;
            line.leaving = None;
        }
        if line.unfinished == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Waits until all has been handed out.
    pub(super) async fn until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            // Listening before looking.
            idle.as_mut().enable();
            if self.lock().unfinished == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Nobody will push any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.news.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING || self.bytes >= MAX_WAITING_BYTES
    }

    fn pop(&mut self) -> Option<Arc<Publication>> {
        let next = self.waiting.pop_front()?;
        self.bytes -= size(&next);
        if next.kind == Kind::Event {
            self.leaving = Some(next.version);
        }
        Some(next)
    }
}

fn size(publication: &Publication) -> usize {
    publication.payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Channel;

    fn state(channel: &Channel, version: u64) -> Arc<Publication> {
        Arc::new(Publication::state(channel.clone(), version, "{}", None))
    }

    fn event(id: u64) -> Arc<Publication> {
        Arc::new(Publication::event(Channel::StaffOrders(None), id, "", "{}"))
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_states_give_way_to_newer_ones_only_then() {
        let (fifo, channel) = (Fifo::default(), Channel::Negocio(None));
        for version in 0..MAX_WAITING as u64 {
            assert!(fifo.has_room());
            assert!(!fifo.push_state(&state(&channel, version)));
        }
        assert!(!fifo.has_room());
        assert!(fifo.push_state(&state(&channel, u64::MAX)), "it takes an older one's place");
        assert!(!fifo.push_state(&state(&Channel::User(crate::model::UserId::new("ana")), 1)), "nothing older waits");
        let versions: Vec<_> = (0..=MAX_WAITING).filter_map(|_| fifo.next()).map(|state| state.version).collect();
        assert_eq!((versions[0], versions[1], versions[MAX_WAITING]), (u64::MAX, 1, 1));
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let fifo = Fifo::default();
        let big = "x".repeat(1 << 20);
        let mut taken = 0;
        while fifo.has_room() {
            taken += 1;
            fifo.push_event(&Arc::new(Publication::event(Channel::Negocio(None), taken, "", big.as_str())));
        }
        assert_eq!(taken, MAX_WAITING_BYTES as u64 >> 20);
        assert!(fifo.next().is_some());
        assert!(fifo.has_room());
    }

    #[tokio::test]
    async fn it_is_idle_when_what_was_taken_is_done_and_not_before() {
        let fifo = Arc::new(Fifo::default());
        fifo.push_event(&event(1));
        let taken = fifo.next().unwrap();
        assert_eq!(fifo.oldest_event(), Some(1));
        let waiting = tokio::spawn({
            let fifo = Arc::clone(&fifo);
            async move { fifo.until_idle().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished() && fifo.has_events());
        fifo.done(&taken);
        waiting.await.unwrap();
        assert!(!fifo.has_events() && fifo.oldest_event().is_none());
        fifo.close();
        assert!(fifo.next().is_none());
    }
}
