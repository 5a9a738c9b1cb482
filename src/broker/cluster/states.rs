//! How channels of states stand, as nodes tell each other, and which of them are watched on this node.
//!
//! What could not be told is told when the log is back. Must not know what a state says.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::{Cluster, lock};
use crate::broker::entry::{self, Entry, Told};
use crate::broker::link::Joined;
use crate::broker::log::{Append, Appended, Stream, Trouble};
use crate::broker::spoiled::{Rule, is_left_out};
use crate::model::Channel;

/// For so long a call waits until the others are told.
const TOLD_WITHIN: Duration = Duration::from_millis(500);
/// A node that does not say any more what it watches watches nothing.
const WATCHED_FOR: Duration = Duration::from_mins(3);
/// Channels named at once.
const AT_ONCE: usize = 1_000;
/// What was not told is told so many at a time, and beats come in between.
const UNTOLD_AT_ONCE: usize = 100;
/// Channels that are remembered as not told of; of more, everybody reads all that is watched.
const MOST_UNTOLD: usize = 10_000;
/// Tidings that wait for whoever reads states; then the reader of the log waits.
const MOST_NEWS: usize = 1_024;

/// What the other nodes, or the log itself, tell whoever reads states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tidings {
    /// A node has read how a channel stands. What it says is its feed's; nothing, where everybody has to read.
    State { channel: Channel, said: String },
    /// Something has changed, and one node is to say how the channel stands.
    Bell(Channel),
    /// Anything may have changed.
    Anything,
    /// What [`Cluster::raise`] has come to, by whatever node.
    Raised(u64),
}

#[derive(Debug)]
pub(super) struct States {
    news: mpsc::Sender<Tidings>,
    taken: Mutex<Option<mpsc::Receiver<Tidings>>>,
    watched: Mutex<HashSet<Channel>>,
    untold: Mutex<Untold>,
    has_untold: Notify,
    /// What this node has raised the register to.
    raised: Mutex<u64>,
}

#[derive(Debug, Default)]
struct Untold {
    /// What was to be said of each; `None`: that it has changed.
    channels: HashMap<Channel, Option<String>>,
    /// There were too many.
    anything: bool,
}

impl Default for States {
    fn default() -> Self {
        let (news, taken) = mpsc::channel(MOST_NEWS);
        let (watched, untold, raised) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { news, taken: Mutex::new(Some(taken)), watched, untold, has_untold: Notify::new(), raised }
    }
}

impl States {
    /// Once.
    pub(super) fn take(&self) -> Option<mpsc::Receiver<Tidings>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits while too much waits. Where nobody reads states nobody is told.
    pub(super) async fn hear(&self, news: Tidings) {
        let is_read = self.taken.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        if is_read {
            // Whoever read has ended: the node stops.
            let _ = self.news.send(news).await;
        }
    }

    pub(super) async fn until_untold(&self) {
        self.has_untold.notified().await;
    }

    fn put_off(&self, channel: &Channel, said: Option<String>) {
        let mut untold = lock(&self.untold);
        if untold.channels.len() >= MOST_UNTOLD && !untold.channels.contains_key(channel) {
            *untold = Untold { channels: HashMap::new(), anything: true };
        }
        if !untold.anything {
            untold.channels.insert(channel.clone(), said);
        }
        drop(untold);
        self.has_untold.notify_one();
    }
}

impl Cluster {
    /// The others are to know that this channel is watched here, before it is read.
    pub(in crate::broker) async fn watch(&self, channel: &Channel) {
        lock(&self.states.watched).insert(channel.clone());
        // Without the log it is said when the log is back.
        let Some(joined) = self.link.now() else { return };
        let (topics, node) = ([channel.to_string()], self.node);
        if is_left_out(Rule::RegisterFirst) {
            tokio::spawn(async move {
                sleep(TOLD_WITHIN).await;
                joined.line.watch(&topics, node, WATCHED_FOR).await
            });
            return;
        }
        self.within(&joined, joined.line.watch(&topics, node, WATCHED_FOR)).await;
    }

    pub(in crate::broker) async fn unwatch(&self, channel: &Channel) {
        lock(&self.states.watched).remove(channel);
        let Some(joined) = self.link.now() else { return };
        self.within(&joined, joined.line.unwatch(&[channel.to_string()], self.node)).await;
    }

    /// Something has changed that is not watched here. Returns how many nodes watch it, and are told: 0 also where nobody can
    /// be told now.
    pub(in crate::broker) async fn ring_watchers(&self, channel: &Channel) -> usize {
        let told = Told { channel: channel.clone(), said: None };
        if let Some(joined) = self.link.now()
            && let Some(watching) = self.within(&joined, self.append_told(&joined, told, true)).await
        {
            return watching;
        }
        self.states.put_off(channel, None);
        0
    }

    /// This node has read how a channel stands.
    pub(in crate::broker) async fn tell_state(&self, channel: &Channel, said: String) {
        let told = Told { channel: channel.clone(), said: Some(said.clone()) };
        if let Some(joined) = self.link.now()
            && self.within(&joined, self.append_told(&joined, told, false)).await.is_some()
        {
            return;
        }
        self.states.put_off(channel, Some(said));
    }

    /// Something has changed: whoever watches it reads for itself.
    pub(in crate::broker) fn tell_of_change(&self, channel: &Channel) {
        self.states.put_off(channel, Some(String::new()));
    }

    /// Anything may have changed: everybody reads what it watches.
    pub(in crate::broker) fn ring_all(&self) {
        *lock(&self.states.untold) = Untold { channels: HashMap::new(), anything: true };
        self.states.has_untold.notify_one();
    }

    /// Raises the one register that states have in common.
    pub(in crate::broker) async fn raise(&self, value: u64) {
        {
            let mut raised = lock(&self.states.raised);
            *raised = value.max(*raised);
        }
        if let Some(joined) = self.link.now() {
            self.within(&joined, joined.line.raise(REGISTER, value)).await;
        }
    }

    pub(in crate::broker) fn news(&self) -> Option<mpsc::Receiver<Tidings>> {
        self.states.take()
    }

    /// The line was made anew: what the log may have forgotten is said again. `has_lost`: it is another log, or another server
    /// has it.
    pub(super) async fn say_again(&self, joined: &Joined, has_lost: bool) -> Result<(), Trouble> {
        self.renew_watches(joined).await?;
        let ours = *lock(&self.states.raised);
        let raised = joined.line.raise(REGISTER, ours).await?;
        if raised > ours {
            self.states.hear(Tidings::Raised(raised)).await;
        }
        if has_lost {
            self.states.hear(Tidings::Anything).await;
        }
        self.states.has_untold.notify_one();
        Ok(())
    }

    /// To be said more often than a watch lasts.
    pub(super) async fn renew_watches(&self, joined: &Joined) -> Result<(), Trouble> {
        let topics: Vec<String> = lock(&self.states.watched).iter().map(ToString::to_string).collect();
        for some in topics.chunks(AT_ONCE) {
            joined.line.watch(some, self.node, WATCHED_FOR).await?;
        }
        Ok(())
    }

    /// One after the other, each until it is told: this may be given up at any moment.
    pub(super) async fn tell_untold(&self, joined: &Joined) -> Result<(), Trouble> {
        if lock(&self.states.untold).anything {
            self.append_entry_now(joined, &Entry::Anything, None).await?;
            lock(&self.states.untold).anything = false;
        }
        for _ in 0..UNTOLD_AT_ONCE {
            let next =
                lock(&self.states.untold).channels.iter().next().map(|(channel, said)| (channel.clone(), said.clone()));
            let Some((channel, said)) = next else { return Ok(()) };
            self.append_told(joined, Told { channel: channel.clone(), said: said.clone() }, false).await?;
            let mut untold = lock(&self.states.untold);
            if untold.channels.get(&channel) == Some(&said) {
                untold.channels.remove(&channel);
            }
        }
        self.states.has_untold.notify_one();
        Ok(())
    }

    async fn append_told(&self, joined: &Joined, told: Told, counts: bool) -> Result<usize, Trouble> {
        let topic = counts.then(|| told.channel.to_string());
        self.append_entry_now(joined, &Entry::Told(told), topic.as_deref()).await
    }

    async fn append_entry_now(&self, joined: &Joined, entry: &Entry, watched: Option<&str>) -> Result<usize, Trouble> {
        let body = self.written(entry::tag(), entry);
        let (floor, born) = (self.newest(), &joined.born);
        let append = Append { stream: Stream::Now, body: &body, ids: 1, floor, born, call: None, watched };
        match joined.line.append(append).await? {
            Appended::At { watching, .. } => Ok(watching),
            // It came of no call.
            Appended::Repeated(_) => Ok(0),
        }
    }

    /// What came of a question, if anything did in time.
    async fn within<T>(
        &self,
        joined: &std::sync::Arc<Joined>,
        asked: impl Future<Output = Result<T, Trouble>>,
    ) -> Option<T> {
        match timeout(TOLD_WITHIN, asked).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(trouble)) => {
                debug!(%trouble, "the other nodes are told later");
                self.drop_line(joined, &trouble);
                None
            }
            Err(_) => None,
        }
    }
}

/// The greatest era of figures.
const REGISTER: &str = "era";
