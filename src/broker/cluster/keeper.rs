//! Keeps the line that this node writes by: makes it, looks at the log that it leads to, beats, and makes it again.
//!
//! Must not know what is read.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{info, warn};

use super::{AHEAD, Cluster, lock};
use crate::broker::census::{Census, Present, differences};
use crate::broker::entry::{self, Beat, Entry, FORMATS};
use crate::broker::link::{Joined, PATIENCE, State};
use crate::broker::log::{Append, Identity, KEPT_FOR, Line, NodeId, Position, Stream, Trouble};
use crate::model::{Channel, CloseReason, UserId};
use crate::telemetry::log::seldom::Seldom;

const BEAT: Duration = Duration::from_millis(500);
/// How often the others are told how many listen here, in beats.
const COUNT_EVERY: u64 = 4;
/// How often the others are told again what is watched here, in beats.
const WATCH_EVERY: u64 = 120;
/// For how long a line may be in the making.
const LONGEST_DIAL: Duration = Duration::from_secs(1);
/// For how long a log may be looked at, and what it lacks put back.
const LONGEST_LOOK: Duration = Duration::from_secs(15);
/// Who joins the log for longer says what it waits for.
const LONG: Duration = Duration::from_secs(1);
/// A line that was lost sooner is not made again at once.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Between two tries of a line.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// What this node wrote last is looked for again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A node that does not read its own beats reads another log than it writes, or none.
const OWN_BEAT_WITHIN: Duration = Duration::from_secs(4);

impl Cluster {
    pub(super) async fn keep_line(&self) {
        let mut looked_at: Option<Identity> = None;
        let mut pause = SHORTEST_PAUSE;
        let (mut is_told, refused) = (false, Seldom::default());
        loop {
            match self.say_if_long(self.make_line(&mut looked_at)).await {
                Ok(joined) => {
                    if std::mem::take(&mut is_told) {
                        info!("the log between the nodes is back");
                    }
                    self.link.set(State::Up(Arc::clone(&joined)));
                    self.hub.allow_ahead(AHEAD);
                    self.metrics.broker.up.set(1);
                    let begun = Instant::now();
                    self.use_line(&joined).await;
                    self.metrics.broker.up.set(0);
                    // What others have read meanwhile cannot be known.
                    self.hub.allow_ahead(0);
                    if begun.elapsed() >= GOOD_FOR {
                        pause = SHORTEST_PAUSE;
                        continue;
                    }
                }
                Err(trouble) => {
                    let is_due = refused.due().is_some();
                    if !std::mem::replace(&mut is_told, true) || is_due {
                        warn!(%trouble, "the log between the nodes cannot be used: events are refused until it can");
                    }
                    self.link.set(State::Away(trouble.word()));
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What comes of it; where that takes long, an operator is told what this node waits for.
    async fn say_if_long<T>(&self, making: impl Future<Output = T>) -> T {
        let mut making = pin!(making);
        loop {
            if let Ok(made) = timeout(LONG, &mut making).await {
                return made;
            }
            if self.waits.due().is_some() {
                let waits_for = self.link.awaited();
                warn!(waits_for, "this node has not joined the log yet: no event is taken until it has");
            }
        }
    }

    /// What this waits for is said where it takes long, and where it is given up.
    async fn await_for<T>(
        &self,
        awaited: &'static str,
        within: Duration,
        asked: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        self.link.awaits(awaited);
        let given_up = |_| Err(Trouble::Away(format!("no answer within {within:?}: {}", self.link.awaited())));
        timeout(within, asked).await.unwrap_or_else(given_up)
    }

    async fn make_line(&self, looked_at: &mut Option<Identity>) -> Result<Arc<Joined>, Trouble> {
        let dialled = async {
            let line = self.several.engine.dial().await?;
            let identity = line.identity().await?;
            Ok((line, identity))
        };
        let (line, identity) = self.await_for("a line to the log", LONGEST_DIAL, dialled).await?;
        // Who calls now may wait.
        self.link.set(State::Joining);
        let look = self.look_at(&line, &identity, looked_at.as_ref());
        self.await_for("its beat to be taken", LONGEST_LOOK, look).await?;
        let joined = Arc::new(Joined { line, born: identity.born.clone() });
        let has_lost = looked_at.as_ref().is_some_and(|before| is_another(before, &identity));
        self.await_for("what is watched here to be told", PATIENCE, self.say_again(&joined, has_lost)).await?;
        *looked_at = Some(identity);
        Ok(joined)
    }

    /// Compares the log with what this node knows, before anything is written to it.
    async fn look_at(
        &self,
        line: &Arc<dyn Line>,
        identity: &Identity,
        before: Option<&Identity>,
    ) -> Result<(), Trouble> {
        self.saw(identity.newest);
        match before {
            None => {
                let kept_since = identity.now.saturating_sub(u64::try_from(KEPT_FOR.as_micros()).unwrap_or_default());
                // Of a log that has never given an id nobody knows what was before it: a position from then is no position.
                let newest = if identity.newest == 0 { identity.now.saturating_sub(1) } else { identity.newest };
                let oldest = if identity.oldest == 0 { newest } else { identity.oldest - 1 };
                let from = Position { events: oldest.max(kept_since.min(newest)), now: identity.newest };
                self.hub.begin_after(from.events);
                self.begun.store(from.events, Ordering::Relaxed);
                *lock(&self.position) = from;
            }
            Some(before) if is_another(before, identity) => {
                // The line that is read by may still lead elsewhere: what it found there would move this node past what is here.
                self.begin.send_replace(None);
                drop(self.reading.lock().await);
                // So that what anybody appends from now on is behind what this node has read.
                self.beat(line, &identity.born).await?;
                lock(&self.counts).forget();
                self.compare(line, identity, before.born != identity.born).await?;
            }
            Some(_) => {}
        }
        self.beat(line, &identity.born).await?;
        self.link.awaits("who was dismissed elsewhere");
        self.exchange_dismissed(line).await?;
        self.begin.send_replace(Some(self.position()));
        for channel in self.hub.watched() {
            // They may have been rung for meanwhile.
            if let Channel::Sync(tenant) = channel {
                self.doorbells.ring(tenant);
            }
        }
        Ok(())
    }

    /// Until the line is of no use any more.
    async fn use_line(&self, joined: &Arc<Joined>) {
        lock(&self.beats).read = Instant::now();
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticked: u64 = 0;
        loop {
            let asked = tokio::select! {
                () = self.link.until_lost(joined) => return,
                () = self.has_pending.notified() => timeout(PATIENCE, self.tell_pending(joined)).await,
                () = self.states.until_untold() => timeout(PATIENCE, self.tell_untold(joined)).await,
                _ = ticks.tick() => {
                    if lock(&self.beats).read.elapsed() > OWN_BEAT_WITHIN {
                        warn!("this node does not read what it writes to the log: it looks for it again");
                        self.link.lost(joined, None);
                        return;
                    }
                    ticked += 1;
                    let counts = ticked % COUNT_EVERY == 1;
                    let watches = ticked.is_multiple_of(WATCH_EVERY);
                    timeout(PATIENCE, async {
                        self.beat(&joined.line, &joined.born).await?;
                        if watches {
                            self.renew_watches(joined).await?;
                        }
                        if counts { self.tell_counts(joined).await } else { Ok(()) }
                    }).await
                }
            };
            match asked {
                Ok(Ok(())) => {
                    self.link.took();
                    self.metrics.broker.nodes.set(1 + i64::try_from(self.peers_there()).unwrap_or(i64::MAX));
                }
                Ok(Err(trouble)) => self.drop_line(joined, &trouble),
                Err(_) => self.link.lost(joined, None),
            }
        }
    }

    fn own_beat(&self, count: u64) -> Beat {
        let lag = lock(&self.beats).lag;
        Beat {
            name: self.several.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            format: *FORMATS.end(),
            count,
            since: self.since,
            clients: self.several.clients.len() as u64,
            position: self.position(),
            lag: u64::try_from(lag.as_micros()).unwrap_or(u64::MAX),
            fingerprints: self.several.fingerprints,
        }
    }

    /// The nodes that are there, this one first.
    pub(in crate::broker) fn census(&self) -> Census {
        let own = self.own_beat(0);
        let mut nodes = vec![present(self.node, &own, own.fingerprints)];
        nodes.extend(lock(&self.peers).others(self.node).map(|(node, beat)| present(node, beat, own.fingerprints)));
        nodes[1..].sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Census { degraded: self.degraded(), nodes }
    }

    fn peers_there(&self) -> usize {
        lock(&self.peers).others(self.node).count()
    }

    pub(super) async fn beat(&self, line: &Arc<dyn Line>, born: &String) -> Result<(), Trouble> {
        let count = {
            let mut beats = lock(&self.beats);
            beats.count += 1;
            beats.sent = Instant::now();
            beats.count
        };
        let beat = Entry::Beat(self.own_beat(count));
        self.append_now(line, born, &self.written(entry::tag(), &beat)).await
    }

    async fn append_now(&self, line: &Arc<dyn Line>, born: &String, body: &Bytes) -> Result<(), Trouble> {
        let floor = self.newest();
        let append = Append { stream: Stream::Now, body, ids: 1, floor, born, call: None, watched: None };
        line.append(append).await.map(|_| ())
    }

    async fn tell_pending(&self, joined: &Joined) -> Result<(), Trouble> {
        let tenants: Vec<_> = lock(&self.pending).drain().collect();
        for tenant in tenants {
            let body = self.written(entry::tag(), &Entry::Pending(tenant.clone()));
            if let Err(trouble) = self.append_now(&joined.line, &joined.born, &body).await {
                lock(&self.pending).insert(tenant);
                return Err(trouble);
            }
        }
        Ok(())
    }

    /// Who was dismissed where the log was not to be had is dismissed everywhere now.
    async fn exchange_dismissed(&self, line: &Arc<dyn Line>) -> Result<(), Trouble> {
        let known: HashMap<String, i64> = self.dismissed.all().into_iter().collect();
        let theirs: HashMap<String, i64> = line.dismissed().await?.into_iter().collect();
        let is_in = |there: &HashMap<String, i64>, user: &str, at: i64| there.get(user).is_some_and(|then| *then >= at);
        let only_ours = known.iter().filter(|(user, at)| !is_in(&theirs, user, **at));
        let only_ours: Vec<_> = only_ours.map(|(user, at)| (user.clone(), *at)).collect();
        if !only_ours.is_empty() {
            line.remember_dismissed(&only_ours).await?;
        }
        for (user, at) in theirs.iter().filter(|(user, at)| !is_in(&known, user, **at)) {
            self.dismissed.add(UserId::new(user), *at);
            self.hub.dismiss(&Channel::User(UserId::new(user)), CloseReason::SessionEnded);
        }
        Ok(())
    }

    /// Until this node has read all that it wrote, or `deadline`.
    pub(in crate::broker) async fn until_read(&self, deadline: Instant) {
        while lock(&self.kept).has_unread() && Instant::now() < deadline {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// This node goes away: nobody waits for it, nor counts who listens here.
    pub(in crate::broker) async fn leave(&self) {
        let Some(joined) = self.link.now() else { return };
        let body = self.written(entry::tag(), &Entry::Leave);
        let left = async {
            self.append_now(&joined.line, &joined.born, &body).await?;
            joined.line.forget_listeners(self.node).await
        };
        if !matches!(timeout(PATIENCE, left).await, Ok(Ok(()))) {
            warn!("the other nodes will notice by themselves that this one is gone");
        }
    }
}

fn present(node: NodeId, beat: &Beat, own: [u64; 3]) -> Present {
    Present {
        id: node.to_string(),
        name: beat.name.clone(),
        version: beat.version.clone(),
        since: beat.since,
        clients: beat.clients,
        lag: Duration::from_micros(beat.lag),
        differs: differences(own, beat.fingerprints),
    }
}

fn is_another(before: &Identity, identity: &Identity) -> bool {
    before.server != identity.server || before.born != identity.born
}
