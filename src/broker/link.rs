//! Whether this node can write to the log just now, and by which line.
//!
//! Must not know what is written, nor how a line is made.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::log::{Born, Line, Trouble};

/// For how long a question may go without an answer.
pub(super) const PATIENCE: Duration = Duration::from_millis(1_500);
/// For how long it is said that a key of ours holds something else. A call may go by keys that a beat does not go by, so what is
/// taken meanwhile does not mean that it is gone.
const FOREIGN_FOR: Duration = Duration::from_secs(5);

/// A line, and the log that it leads to, which this node has looked at.
pub(super) struct Joined {
    pub(super) line: Arc<dyn Line>,
    pub(super) born: Born,
}

#[derive(Clone)]
pub(super) enum State {
    /// There was a line until just now, or there is one and the log is being looked at.
    Joining,
    /// Why there is none, as a word of [`Trouble::word`].
    Away(&'static str),
    Up(Arc<Joined>),
}

/// The way to the log, as all who write see it.
#[derive(Debug)]
pub(super) struct Link {
    state: watch::Sender<State>,
    /// What is wrong though there is a line, as a word of [`Trouble::word`], and until when it is said at least.
    wrong: Mutex<Option<(&'static str, Instant)>>,
    /// What a line in the making waits for, for people.
    awaited: Mutex<&'static str>,
}

impl Default for Link {
    fn default() -> Self {
        Self { state: watch::Sender::new(State::Joining), wrong: Mutex::default(), awaited: Mutex::default() }
    }
}

impl Link {
    /// The line; waits for it while it is being made. An error, at once, where it is known that there is none.
    pub(super) async fn up(&self, deadline: Instant) -> Result<Arc<Joined>, &'static str> {
        let mut changes = self.state.subscribe();
        let is_known = |state: &State| !matches!(state, State::Joining);
        let Ok(Ok(state)) = timeout_at(deadline, changes.wait_for(is_known)).await else { return Err("away") };
        match &*state {
            State::Up(joined) => Ok(Arc::clone(joined)),
            State::Away(word) => Err(word),
            State::Joining => Err("away"),
        }
    }

    /// The line, if there is one at this moment.
    pub(super) fn now(&self) -> Option<Arc<Joined>> {
        match &*self.state.borrow() {
            State::Up(joined) => Some(Arc::clone(joined)),
            _ => None,
        }
    }

    /// The log did not take something although there is a line.
    pub(super) fn note(&self, wrong: &Trouble) {
        let lasting = if matches!(wrong, Trouble::Foreign(_)) { FOREIGN_FOR } else { Duration::ZERO };
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some((wrong.word(), Instant::now() + lasting));
    }

    /// The log took something.
    pub(super) fn took(&self) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        *wrong = wrong.filter(|(_, until)| Instant::now() < *until);
    }

    /// What is wrong though there is a line.
    fn wrong(&self) -> Option<&'static str> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).map(|(word, _)| word)
    }

    /// Why the log takes nothing.
    pub(super) fn degraded(&self) -> Option<&'static str> {
        match *self.state.borrow() {
            State::Up(_) => self.wrong(),
            State::Joining => Some("away"),
            State::Away(word) => Some(word),
        }
    }

    /// The line in the making waits for this from now on.
    pub(super) fn awaits(&self, what: &'static str) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    pub(super) fn awaited(&self) -> &'static str {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, state: State) {
        self.state.send_replace(state);
    }

    /// `joined` is of no use any more. Others wait for the next only if this one ended in a way that lets one hope.
    pub(super) fn lost(&self, joined: &Arc<Joined>, why: Option<&Trouble>) {
        let is_new = self.state.send_if_modified(|state| {
            let is_this = matches!(state, State::Up(current) if Arc::ptr_eq(current, joined));
            if is_this {
                *state = match why {
                    Some(Trouble::Refused(_)) => State::Away("refused"),
                    Some(_) => State::Joining,
                    None => State::Away("away"),
                };
            }
            is_this
        });
        if is_new {
            let why = why.map_or_else(|| "no answer in time".to_owned(), ToString::to_string);
            info!(why, "the line to the log between the nodes has ended: another is made");
        }
    }

    /// Returns when `joined` is of no use any more.
    pub(super) async fn until_lost(&self, joined: &Arc<Joined>) {
        let is_other = |state: &State| !matches!(state, State::Up(current) if Arc::ptr_eq(current, joined));
        // The sender is here.
        let _ = self.state.subscribe().wait_for(is_other).await;
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Joining => "Joining",
            Self::Away(word) => word,
            Self::Up(_) => "Up",
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_that_calls_alone_go_by_is_said_to_be_foreign_though_beats_are_taken() {
        let link = Link::default();
        link.note(&Trouble::Foreign("calls".to_owned()));
        link.took();
        assert_eq!(link.wrong(), Some("foreign_key"));
        advance(FOREIGN_FOR).await;
        link.took();
        assert_eq!(link.wrong(), None);
        // Whoever has room has it for everything.
        link.note(&Trouble::Full("maxmemory".to_owned()));
        assert_eq!(link.wrong(), Some("full"));
        link.took();
        assert_eq!(link.wrong(), None);
    }
}
