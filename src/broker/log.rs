//! What several nodes have between them: one log that each appends to and each reads, and the few registers beside it.
//!
//! Every engine passes the one suite of its contract. Must not know what an entry says: of each an engine knows which of
//! the two streams it goes to and how many ids it takes.
//!
//! - Ids are of one count for both streams: the id that an entry gets is greater than all that were given before, than
//!   the engine's clock (µs since the epoch) was a moment ago, and than the appender's floor.
//! - What one line was told is in the log is there for whoever reads after it.
//! - A future that is dropped may have had its effect or not; the line is good for other questions all the same.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// How long an entry of [`Stream::Events`] is kept.
pub const KEPT_FOR: Duration = Duration::from_mins(10);
/// Entries of [`Stream::Events`] that are kept at most, about.
pub const KEPT_EVENTS: u32 = 100_000;
/// Entries of [`Stream::Now`] that are kept at most, about.
pub const KEPT_NOW: u32 = 10_000;

/// A way to a log. Knows where it is, and leads to whoever serves it at this moment.
#[async_trait]
pub trait Engine: fmt::Debug + Send + Sync + 'static {
    /// A new line. A node has two: one that it writes by and asks, one that it reads by.
    async fn dial(&self) -> Result<Arc<dyn Line>, Trouble>;
}

/// A line to the one server that serves the log. It ends with a [`Trouble`] that [ends lines](Trouble::ends_the_line);
/// after it nothing comes of it any more. Many may use it at once, and an answer does not wait for those of others.
#[async_trait]
pub trait Line: Send + Sync {
    /// Which server this is, and which log. A log that there is not yet is born by being asked for.
    async fn identity(&self) -> Result<Identity, Trouble>;

    /// Appends an entry and remembers its call, in one step: all of it or nothing.
    async fn append(&self, append: Append<'_>) -> Result<Appended, Trouble>;

    /// Appends entries of [`Stream::Events`] one behind the other, and remembers their calls, in one step: all of them or
    /// nothing. Returns the first id of each; `None` of who was left out, because its call was remembered before.
    async fn put_back(&self, put_back: PutBack<'_>) -> Result<Vec<Option<u64>>, Trouble>;

    /// Entries behind `after`, up to `most` of each stream, in the order of their ids; waits for the first of them for up
    /// to `wait`. What is no entry of ours is given with an empty body, for its id is behind the reader then too.
    async fn read(&self, after: Position, most: usize, wait: Duration) -> Result<Vec<Logged>, Trouble>;

    /// Which of these first ids of entries of [`Stream::Events`] are not in that stream.
    async fn lacks(&self, ids: &[u64]) -> Result<Vec<u64>, Trouble>;

    /// Remembers whose tokens issued until when (Unix seconds) are no good any more; the later of two counts.
    async fn remember_dismissed(&self, dismissed: &[(String, i64)]) -> Result<(), Trouble>;

    /// All that is remembered of it: the newest [`MAX_DISMISSED`](crate::config::MAX_DISMISSED) at least.
    async fn dismissed(&self) -> Result<Vec<(String, i64)>, Trouble>;

    /// `node` watches these topics for the time being; see [`Append::watched`].
    async fn watch(&self, topics: &[String], node: NodeId, lasting: Duration) -> Result<(), Trouble>;

    /// `node` does not watch these any more.
    async fn unwatch(&self, topics: &[String], node: NodeId) -> Result<(), Trouble>;

    /// How many listen to these channels on `node`: 0 takes one off the list. All of its list is forgotten when nothing was
    /// said of it for `lasting`; an empty list says that it is as it was.
    async fn tell_listeners(&self, node: NodeId, counts: &[(String, u64)], lasting: Duration) -> Result<(), Trouble>;

    /// How many listen to each of these channels, on all nodes but `node`.
    async fn listeners(&self, channels: &[String], except: NodeId) -> Result<Vec<u64>, Trouble>;

    /// Takes or keeps a duty that one node has at a time; it lapses by itself. False if another has it.
    async fn hold(&self, duty: &str, node: NodeId, lasting: Duration) -> Result<bool, Trouble>;

    /// Gives up a duty, if `node` has it.
    async fn release(&self, duty: &str, node: NodeId) -> Result<(), Trouble>;

    /// Forgets what was said of the listeners on `node`: it goes away.
    async fn forget_listeners(&self, node: NodeId) -> Result<(), Trouble>;

    /// Raises a register that never falls to `value`, and returns what it holds then.
    async fn raise(&self, register: &str, value: u64) -> Result<u64, Trouble>;
}

/// A node, drawn when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

/// Sixteen hexadecimal digits.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Which server answers, and which log it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The run of the server: another one may have less of the same log.
    pub server: String,
    /// Drawn when the log was born. A log that was emptied is another log.
    pub born: Born,
    /// The oldest entry of [`Stream::Events`] that is there; 0 without any.
    pub oldest: u64,
    /// The newest id that was given; 0 before the first.
    pub newest: u64,
    /// The engine's clock: µs since the epoch.
    pub now: u64,
}

/// Which log it is. Whoever appends says which it means, so that nothing gets into a log that its node has not looked at.
pub type Born = String;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// What counts: bounded by [`KEPT_FOR`] and [`KEPT_EVENTS`].
    Events,
    /// What is worth nothing later: bounded by [`KEPT_NOW`].
    Now,
}

/// What is to be appended.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    pub stream: Stream,
    pub body: &'a Bytes,
    /// How many ids it takes, one behind the other: at least 1.
    pub ids: u64,
    /// Its first id is greater than this.
    pub floor: u64,
    /// The log that is meant; nothing is appended to another.
    pub born: &'a Born,
    /// The call that it is of. If that was remembered before, nothing is appended.
    pub call: Option<Call<'a>>,
    /// A topic of which is to be known how many nodes watch it at the moment of the appending: who begins to watch either is
    /// counted, or reads after this entry.
    pub watched: Option<&'a str>,
}

/// A call that has its effect once: remembered for [`REMEMBERED_FOR`](crate::idempotency::REMEMBERED_FOR), and the newest
/// [`REMEMBERED`](crate::idempotency::REMEMBERED) of all.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its name: up to 64 letters and digits.
    pub name: &'a str,
    /// What every repetition is given.
    pub answer: &'a Bytes,
}

/// What is to be appended at once, in this order.
#[derive(Clone, Copy, Debug)]
pub struct PutBack<'a> {
    /// The log that is meant; nothing is appended to another.
    pub born: &'a Born,
    /// Their ids are greater than this.
    pub floor: u64,
    pub lost: &'a [Lost<'a>],
}

/// An entry that a log has lost.
#[derive(Clone, Copy, Debug)]
pub struct Lost<'a> {
    pub body: &'a Bytes,
    /// How many ids it takes, one behind the other: at least 1.
    pub ids: u64,
    pub call: Call<'a>,
}

/// What became of an [`Append`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log.
    At {
        /// The first of its ids.
        first: u64,
        /// How many nodes watch [`Append::watched`]; 0 where that was not asked.
        watching: usize,
    },
    /// Its call had its effect before, and was answered so.
    Repeated(Bytes),
}

/// Up to where somebody has read: the first ids of the last entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub events: u64,
    pub now: u64,
}

impl Position {
    /// Where who has read `logged` is.
    #[must_use]
    pub fn behind(self, logged: &Logged) -> Self {
        match logged.stream {
            Stream::Events => Self { events: logged.id, ..self },
            Stream::Now => Self { now: logged.id, ..self },
        }
    }
}

/// An entry as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub stream: Stream,
    /// The first of its ids.
    pub id: u64,
    /// Empty if it is none of ours.
    pub body: Bytes,
}

/// Why a question has no answer, by what the asker can do about it. The texts are for the log and for operators only; no
/// password is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nobody is there, or the line had ended before it was asked: there was no effect.
    #[error("not to be reached: {0}")]
    Away(String),
    /// It was asked, and the line ended before it answered: there was an effect or not.
    #[error("the line ended before the answer: {0}")]
    Unanswered(String),
    /// There is no room: there was no effect.
    #[error("no room: {0}")]
    Full(String),
    /// User, password, rights, certificate or version: there was no effect, and an operator has to mend it.
    #[error("refused: {0}")]
    Refused(String),
    /// A key of ours holds something else: there was no effect, and an operator has to mend it.
    #[error("a key of ours holds something else: {0}")]
    Foreign(String),
    /// Another server serves the log now: there was no effect.
    #[error("served elsewhere now: {0}")]
    Moved(String),
    /// The log is not the one that was meant: there was no effect.
    #[error("the log was born anew")]
    Reborn,
}

impl Trouble {
    /// Whether the line is of no use any more.
    pub fn ends_the_line(&self) -> bool {
        match self {
            Self::Away(_) | Self::Unanswered(_) | Self::Refused(_) | Self::Moved(_) => true,
            Self::Full(_) | Self::Foreign(_) | Self::Reborn => false,
        }
    }

    /// For `/ready` and the metrics, of a fixed list.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Away(_) | Self::Unanswered(_) | Self::Moved(_) | Self::Reborn => "away",
            Self::Full(_) => "full",
            Self::Refused(_) => "refused",
            Self::Foreign(_) => "foreign_key",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_goes_on_in_each_stream_by_itself() {
        let logged = |stream, id| Logged { stream, id, body: Bytes::new() };
        let position = Position::default().behind(&logged(Stream::Events, 7)).behind(&logged(Stream::Now, 9));
        assert_eq!(position.behind(&logged(Stream::Events, 12)), Position { events: 12, now: 9 });
    }
}
