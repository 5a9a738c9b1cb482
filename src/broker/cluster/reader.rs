//! Reads the log and does what it says: all nodes in its one order.
//!
//! Must not know who wrote what, but for what this node wrote itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::Rng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::compare::put;
use super::{Cluster, Tidings, lock};
use crate::broker::census::differences;
use crate::broker::entry::{self, Dismissal, Entry, Events, Read, Told, Unreadable};
use crate::broker::kept::{News, Put};
use crate::broker::log::{Born, KEPT_FOR, Line, Logged, Position, Stream, Trouble};
use crate::broker::spoiled::{Rule, is_left_out};
use crate::hub::mailbox::Mailbox;
use crate::model::{Channel, CloseReason};
use crate::telemetry::metrics::{EntryKind, EntryLabel};

/// Entries of each stream that are read at once.
const PAGE: usize = 512;
/// How long a read waits for the first.
const WAIT: Duration = Duration::from_secs(1);
/// How much longer an answer may take.
const MARGIN: Duration = Duration::from_secs(1);
/// Who has read nothing for longer reads all states again.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
/// For who has read nothing for longer the others may not have put anything back.
const WAITED_FOR: Duration = Duration::from_secs(4);
const LONGEST_DIAL: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Those who have to come again are ended over this long.
const SPREAD: Duration = Duration::from_secs(3);
/// So many ids an entry may take that a newer version wrote.
const UNKNOWN_IDS: u64 = 10_000;
/// What waits for the fan-out thread is looked at again after this.
const FULL_PAUSE: Duration = Duration::from_millis(1);

impl Cluster {
    pub(super) async fn read_on(&self) {
        let mut begin = self.begin.subscribe();
        let mut pause = SHORTEST_PAUSE;
        loop {
            // The sender is here.
            let _ = begin.wait_for(Option::is_some).await;
            let read = {
                let _reading = self.reading.lock().await;
                if begin.borrow_and_update().is_none() {
                    continue;
                }
                self.read_line(&mut begin, &mut pause).await
            };
            if let Err(trouble) = read {
                debug!(%trouble, "the log is not read");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Reads by one line, until it is of no use any more or the other one was made anew: then this may lead elsewhere.
    async fn read_line(
        &self,
        begin: &mut watch::Receiver<Option<Position>>,
        pause: &mut Duration,
    ) -> Result<(), Trouble> {
        let dialled = async {
            let line = answered(LONGEST_DIAL, self.several.engine.dial()).await?;
            let born = self.check_forgotten(&line).await?;
            Ok((line, born))
        };
        let (line, mut born) = tokio::select! {
            _ = begin.changed() => return Ok(()),
            dialled = dialled => dialled?,
        };
        let mut may_lag = false;
        loop {
            if std::mem::take(&mut may_lag) {
                born = self.check_forgotten(&line).await?;
            }
            let wait = if *self.is_level.borrow() { WAIT } else { Duration::ZERO };
            // Nothing else may be given up half-way: what is known is not handed out again.
            let page = tokio::select! {
                _ = begin.changed() => return Ok(()),
                page = answered(wait + MARGIN, line.read(self.position(), PAGE, wait)) => page?,
            };
            *pause = SHORTEST_PAUSE;
            let events = page.iter().filter(|logged| logged.stream == Stream::Events).count();
            for logged in &page {
                self.take(logged).await;
                let mut position = lock(&self.position);
                *position = position.behind(logged);
                self.saw(logged.id);
            }
            if events > 0 || lock(&self.read_from).is_none() {
                // Until then its position is one in the log before.
                *lock(&self.read_from) = Some(born.clone());
            }
            may_lag = events >= PAGE;
            if !may_lag {
                if lock(&self.peers).silence() > LONGEST_SILENCE {
                    // Of what is worth nothing later the log may have forgotten some.
                    self.states.hear(Tidings::Anything).await;
                }
                lock(&self.peers).listened(Instant::now());
                self.become_level();
            }
        }
    }

    /// Whether the log has forgotten what this node has not read; which log that is.
    async fn check_forgotten(&self, line: &Arc<dyn Line>) -> Result<Born, Trouble> {
        let position = self.position().events;
        let asked = async {
            let identity = line.identity().await?;
            let has_gone = identity.oldest > position && !line.lacks(&[position]).await?.is_empty();
            Ok((identity, has_gone))
        };
        let (identity, has_gone) = answered(MARGIN, asked).await?;
        let is_reborn = lock(&self.read_from).as_ref().is_some_and(|before| *before != identity.born);
        // Of a log that began anew nobody puts back what all who were there have: it has not forgotten that.
        let has_all = is_reborn && lock(&self.peers).silence() < WAITED_FOR;
        let kept = u64::try_from(KEPT_FOR.as_micros()).unwrap_or(u64::MAX);
        // An entry that is as old as that has to be gone; it was the last that this node read, and nothing need have followed.
        let is_young = identity.now.saturating_sub(position) < kept;
        let was_away = lock(&self.peers).silence() > KEPT_FOR;
        if has_gone && !has_all && position > 0 && (is_young || was_away) && *self.is_level.borrow() {
            warn!("the log between the nodes has forgotten what this node has not read: listeners come again");
            self.metrics.broker.gaps.inc();
            self.hub.forget_until(identity.oldest - 1);
            self.let_listeners_come_again();
        }
        Ok(identity.born)
    }

    fn become_level(&self) {
        let was_level = self.is_level.send_replace(true);
        if !was_level && self.is_open.load(Ordering::Relaxed) {
            // They came before anything was known here.
            self.let_listeners_come_again();
        }
    }

    /// They are told of the gap when they come with their position.
    fn let_listeners_come_again(&self) {
        for mailbox in self.hub.listeners_of_events() {
            tokio::spawn(end_some_time(mailbox));
        }
    }

    async fn take(&self, logged: &Logged) {
        let read = match entry::read(&logged.body, &self.several.names) {
            Ok(read) => read,
            Err(unreadable) => return self.skip(logged, unreadable),
        };
        let kind = match &read.entry {
            Entry::Events(_) => EntryKind::Events,
            Entry::Dismissed(_) => EntryKind::Dismissed,
            Entry::Pending(_) => EntryKind::Pending,
            Entry::Told(_) | Entry::Anything => EntryKind::State,
            Entry::Beat(_) => EntryKind::Beat,
            Entry::Leave => EntryKind::Leave,
        };
        self.metrics.broker.entries.get_or_create(&EntryLabel { kind }).inc();
        if logged.stream == Stream::Events && !self.is_news(logged, &read) {
            return;
        }
        let Read { node, entry, .. } = read;
        match entry {
            Entry::Events(events) => self.hand_out(logged.id, events).await,
            Entry::Dismissed(Dismissal::User { user, at }) => {
                self.dismissed.add(user.clone(), at);
                self.hub.dismiss(&Channel::User(user), CloseReason::SessionEnded);
            }
            Entry::Dismissed(Dismissal::Listeners(channel)) => {
                self.hub.dismiss(&channel, CloseReason::SessionEnded);
            }
            // Its own bells it has rung itself.
            Entry::Pending(tenant) if node != self.node => self.doorbells.ring(tenant),
            Entry::Pending(_) => {}
            // What it says itself it knows.
            Entry::Told(_) | Entry::Anything if node == self.node => {}
            Entry::Told(Told { channel, said: Some(said) }) => self.states.hear(Tidings::State { channel, said }).await,
            Entry::Told(Told { channel, said: None }) => self.states.hear(Tidings::Bell(channel)).await,
            Entry::Anything => self.states.hear(Tidings::Anything).await,
            Entry::Beat(beat) => {
                if node == self.node {
                    self.hear_itself(beat.count);
                }
                let differs = differences(self.several.fingerprints, beat.fingerprints);
                let name = beat.name.clone();
                let is_new = lock(&self.peers).heard(node, beat, Instant::now());
                if is_new && !differs.is_empty() {
                    warn!(name, ?differs, "a node has other settings than this one: is it of this installation?");
                }
                if is_new && node != self.node && name == self.several.name {
                    warn!(name, "another node has this one's name");
                }
            }
            Entry::Leave => lock(&self.peers).left(node),
        }
    }

    /// Whether an entry of events was not read before, under whatever id.
    fn is_news(&self, logged: &Logged, read: &Read) -> bool {
        let mut put = put(logged, read);
        if is_left_out(Rule::FirstIds) {
            put = Put { tag: entry::tag(), first: logged.id, ..put };
        }
        // Also of what others append: an id of it is not to be given again by a log that began anew with an older clock.
        self.saw(logged.id.saturating_add(put.ids - 1));
        let first = put.first;
        let news = lock(&self.kept).read(logged.id, put);
        if first < logged.id {
            // On some nodes it came as what it was first, on others it comes now.
            self.doubt(first - 1, logged.id - 1);
        }
        if let News::Repeated(earlier) = news {
            self.doubt(earlier - 1, logged.id - 1);
        } else if let Entry::Events(Events { call: Some(call), .. }) = &read.entry {
            self.answers.note(&call.path, &call.key, &call.answered);
        }
        news == News::New
    }

    async fn hand_out(&self, id: u64, events: Events) {
        let mut sequence = loop {
            // The backlog stays in the log.
            if let Ok(sequence) = self.hub.sequence() {
                break sequence;
            }
            sleep(FULL_PAUSE).await;
        };
        let is_level = *self.is_level.borrow();
        for (id, draft) in (id..).zip(events.drafts) {
            // Somebody else's entries may claim any id.
            if id <= sequence.last_id() {
                continue;
            }
            let event = draft.with_id(id);
            if is_level {
                sequence.deliver(event);
            } else {
                sequence.keep(event);
            }
        }
    }

    fn hear_itself(&self, count: u64) {
        let mut beats = lock(&self.beats);
        beats.read = Instant::now();
        if beats.count == count {
            beats.lag = beats.sent.elapsed();
            self.metrics.broker.lag_seconds.observe(beats.lag.as_secs_f64());
        }
    }

    fn skip(&self, logged: &Logged, unreadable: Unreadable) {
        let kind = match unreadable {
            Unreadable::Unknown => EntryKind::Unknown,
            Unreadable::Garbage => EntryKind::Garbage,
        };
        self.metrics.broker.entries.get_or_create(&EntryLabel { kind }).inc();
        if logged.stream == Stream::Events && unreadable == Unreadable::Unknown {
            self.saw(logged.id.saturating_add(UNKNOWN_IDS));
        }
        if let Some(left_out) = self.skipped.due() {
            warn!(id = logged.id, left_out, "an entry of the log between the nodes cannot be read, and is skipped");
        }
    }
}

async fn answered<T>(patience: Duration, asked: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(patience, asked).await.unwrap_or_else(|_| Err(Trouble::Unanswered("no answer in time".to_owned())))
}

async fn end_some_time(mailbox: Arc<Mailbox>) {
    let pause = rand::rng().random_range(Duration::ZERO..SPREAD);
    sleep(pause).await;
    mailbox.dismiss(CloseReason::ComeAgain);
}
