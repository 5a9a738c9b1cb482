//! One Engine.IO session, whatever it is carried by: what it occupies, what it may still say, and how it is ended.
//!
//! The library keeps it for as long as it keeps the session. Must not know what is said.

use std::any::Any;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use socketioxide::socket::Sid;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::{Core, POLL_WINDOW, polling};
use crate::client::allowance::Allowance;
use crate::close::CloseReason;

/// Something that is given back by being dropped.
pub type Held = Box<dyn Any + Send + Sync>;

const OPEN: u8 = 0;
/// Nothing is read any more; what waits is written, then the WebSocket is closed.
const LEAVING: u8 = 1;
/// Nothing is written either.
const CUT: u8 = 2;

#[derive(Debug)]
pub struct Session {
    core: Weak<Core>,
    pub(super) address: IpAddr,
    /// The token in the header of its first request.
    pub(super) bearer: Option<String>,
    held: Mutex<Option<Held>>,
    unauthenticated: Mutex<Option<OwnedSemaphorePermit>>,
    messages: Mutex<Allowance>,
    /// Known of those that begin by polling.
    sid: OnceLock<Sid>,
    has_line: AtomicBool,
    state: AtomicU8,
    why: OnceLock<CloseReason>,
    reader: AtomicWaker,
    writer: AtomicWaker,
    /// Namespaces that it is connected to.
    connected: AtomicUsize,
    /// Events that wait for the next request, if it polls.
    waiting: AtomicUsize,
}

impl Session {
    pub(super) fn new(
        core: Weak<Core>,
        address: IpAddr,
        bearer: Option<String>,
        held: Held,
        unauthenticated: OwnedSemaphorePermit,
    ) -> Self {
        if let Some(core) = core.upgrade() {
            core.environment.metrics.connections.inc();
            core.environment.metrics.unauthenticated.inc();
        }
        Self {
            core,
            address,
            bearer,
            held: Mutex::new(Some(held)),
            unauthenticated: Mutex::new(Some(unauthenticated)),
            messages: Mutex::new(Allowance::default()),
            sid: OnceLock::new(),
            has_line: AtomicBool::new(false),
            state: AtomicU8::new(OPEN),
            why: OnceLock::new(),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            connected: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(super) fn sid(&self) -> Option<Sid> {
        self.sid.get().copied()
    }

    /// It has begun by polling.
    pub(super) fn set_sid(self: &Arc<Self>, sid: Sid) {
        if let Some(core) = self.core.upgrade()
            && self.sid.set(sid).is_ok()
        {
            core.polling.insert(sid, Arc::downgrade(self));
        }
    }

    /// Whether it may have a WebSocket: it may once.
    pub(super) fn claim_line(&self) -> bool {
        !self.has_line.swap(true, Ordering::Relaxed)
    }

    /// `more` messages came in. False if that is too many: then it is ended.
    pub(super) fn may_say(&self, more: usize) -> bool {
        let limits = self.core.upgrade().map_or((1, 1), |core| {
            let limits = &core.environment.limits;
            (limits.message_burst, limits.message_rate)
        });
        let mut messages = lock(&self.messages);
        let may = (0..more).all(|_| messages.take(limits.0, limits.1));
        if !may {
            let _ = self.why.set(CloseReason::TooManyMessages);
        }
        may
    }

    /// Why it was ended, if it was.
    pub(super) fn why(&self) -> Option<CloseReason> {
        self.why.get().copied()
    }

    pub(super) fn set_why(&self, why: CloseReason) {
        let _ = self.why.set(why);
    }

    /// A namespace is connected: somebody has shown who it is.
    pub(super) fn on_connected(&self) {
        self.connected.fetch_add(1, Ordering::Relaxed);
        self.give_back_unauthenticated();
    }

    /// A namespace is not connected any more; returns how many still are.
    pub(super) fn on_disconnected(&self) -> usize {
        self.connected.fetch_sub(1, Ordering::Relaxed).saturating_sub(1)
    }

    pub(super) fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    /// Whether a polling client may be given one more event; then it counts.
    pub(super) fn may_wait(&self) -> bool {
        let room = |waiting: usize| (waiting < POLL_WINDOW).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    /// A polling client has fetched so many.
    pub(super) fn on_fetched(&self, events: usize) {
        let left = |waiting: usize| Some(waiting.saturating_sub(events));
        let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }

    /// Ends it as soon as what waits has been written.
    pub(super) fn leave(&self) {
        self.end(LEAVING);
    }

    /// Ends it at once, whatever waits and whoever does not read.
    pub(super) fn cut(&self) {
        self.end(CUT);
    }

    fn end(&self, state: u8) {
        self.state.fetch_max(state, Ordering::AcqRel);
        self.reader.wake();
        self.writer.wake();
        self.close_polling();
    }

    /// Whether its line may still be read. `waker` is woken when that changes.
    pub(super) fn is_readable(&self, waker: &Waker) -> bool {
        self.reader.register(waker);
        self.state.load(Ordering::Acquire) == OPEN
    }

    /// Whether its line may still be written to. `waker` is woken when that changes.
    pub(super) fn is_writable(&self, waker: &Waker) -> bool {
        self.writer.register(waker);
        self.state.load(Ordering::Acquire) < CUT
    }

    /// Its WebSocket is gone, and with it the session, whatever the library thinks of one that failed to take over.
    pub(super) fn on_line_gone(&self) {
        // The library keeps one that has not connected for as long as it might have.
        self.give_back();
        self.give_back_unauthenticated();
        self.close_polling();
    }

    /// The library has no way to close a session from outside but the client's own.
    fn close_polling(&self) {
        let (Some(sid), Some(core), Ok(runtime)) = (self.sid(), self.core.upgrade(), Handle::try_current()) else {
            return;
        };
        core.tasks.spawn_on(polling::close(&core.library, sid), &runtime);
    }

    fn give_back(&self) {
        if lock(&self.held).take().is_some()
            && let Some(core) = self.core.upgrade()
        {
            core.environment.metrics.connections.dec();
        }
    }

    fn give_back_unauthenticated(&self) {
        if lock(&self.unauthenticated).take().is_some()
            && let Some(core) = self.core.upgrade()
        {
            core.environment.metrics.unauthenticated.dec();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.give_back();
        self.give_back_unauthenticated();
        if let (Some(sid), Some(core)) = (self.sid(), self.core.upgrade()) {
            core.polling.remove(&sid);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
