//! The core layer of Django's `channels_redis`: who is a member of a group has its messages put before its door.
//!
//! A message stays there until it is published, so that none is lost with its node; its tag keeps it from being published
//! twice. Must not know who listens to what.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use redis::Value;
use tokio::time::{Instant, sleep};

use super::counts::Counts;
use super::duty::Duty;
use super::{Bridges, Told, django};
use crate::broker::log::Trouble;
use crate::broker::redis::Beside;
use crate::config::{Bridge, DjangoBridge, DjangoLayer};

/// Looked for while nothing is there. Producers let a hundred wait, and leave out what comes behind them.
const LOOKED_FOR: Duration = Duration::from_millis(10);
/// Before what could not be published is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// Messages taken at once.
const BATCH: usize = 100;
/// What could not be published for so long is lost, as it is to a member that is away.
const WORTH: Duration = Duration::from_mins(1);
/// How often it is looked who listens to what.
const LOOKED_AT_LISTENERS: Duration = Duration::from_secs(1);
/// Members are forgotten after a day that do not say again that they are.
const JOINED_EVERY: Duration = Duration::from_hours(1);
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// Members of a group at once, in one question.
const AT_ONCE: usize = 500;

impl Bridges {
    /// Keeps this node's listeners members of their groups. Every node does, whoever has the duty.
    pub(super) async fn join_groups(&self, beside: &Beside<'_>, bridge: &Bridge) -> Trouble {
        let Bridge::Django(django) = bridge else { return std::future::pending().await };
        if django.layer != DjangoLayer::Core {
            return std::future::pending().await;
        }
        let relay = django::relay(&self.redis.prefix);
        let mut joined: HashMap<String, Instant> = HashMap::new();
        loop {
            if let Err(trouble) = self.join_each(beside, django, &relay, &mut joined).await {
                return trouble;
            }
            sleep(LOOKED_AT_LISTENERS).await;
        }
    }

    async fn join_each(
        &self,
        beside: &Beside<'_>,
        django: &DjangoBridge,
        relay: &str,
        joined: &mut HashMap<String, Instant>,
    ) -> Result<(), Trouble> {
        // Whoever has emptied Redis has emptied it of this, too.
        if let Some(group) = self.groups.fixed.first().filter(|group| joined.contains_key(**group)) {
            let mut question = redis::cmd("ZSCORE");
            question.arg(django::members_key(django, group)).arg(format!("{relay}{group}"));
            if beside.ask(&question).await? == Value::Nil {
                joined.clear();
            }
        }
        joined.retain(|_, since| since.elapsed() < JOINED_EVERY);
        let watched = self.hub.watched();
        let fixed = self.groups.fixed.iter().map(|group| (*group).to_owned());
        let missing: Vec<String> =
            fixed.chain(self.groups.of(&watched)).filter(|group| !joined.contains_key(group)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let now = seconds(&beside.ask(&redis::cmd("TIME")).await?);
        for group in missing.into_iter().take(AT_ONCE) {
            let key = django::members_key(django, &group);
            beside.ask(redis::cmd("ZADD").arg(&key).arg(now).arg(format!("{relay}{group}"))).await?;
            beside.ask(redis::cmd("EXPIRE").arg(&key).arg(FORGOTTEN_AFTER.as_secs())).await?;
            joined.insert(group, Instant::now());
        }
        Ok(())
    }

    /// Publishes what is put before the door, until there is trouble.
    pub(super) async fn take_waiting(
        &self,
        beside: &Beside<'_>,
        django: &DjangoBridge,
        duty: &Duty,
        counts: &Counts,
    ) -> Trouble {
        let relay = django::relay(&self.redis.prefix);
        let door = format!("{}{relay}", django.prefix);
        counts.on_duty();
        // Since when what could not be published is tried.
        let mut tried: HashMap<Vec<u8>, Instant> = HashMap::new();
        loop {
            let waiting = match beside.ask(redis::cmd("ZRANGE").arg(&door).arg(0).arg(BATCH - 1)).await {
                Ok(waiting) => members(waiting),
                Err(trouble) => return trouble,
            };
            tried.retain(|message, _| waiting.contains(message));
            let mut held_up: HashSet<String> = HashSet::new();
            for message in &waiting {
                if !duty.is_held() {
                    return Trouble::Moved("this duty was not renewed in time".to_owned());
                }
                let first = tried.get(message).copied();
                let is_done = self.take(django, &relay, message, first, &mut held_up, counts).await;
                if !is_done {
                    tried.entry(message.clone()).or_insert_with(Instant::now);
                } else if let Err(trouble) = beside.ask(redis::cmd("ZREM").arg(&door).arg(message.as_slice())).await {
                    return trouble;
                }
            }
            if waiting.is_empty() {
                sleep(LOOKED_FOR).await;
            } else if tried.len() == waiting.len() {
                sleep(AGAIN).await;
            }
        }
    }

    /// Whether a message is done with. Behind one that is not, others of its group wait too; `first`: when it was tried first.
    async fn take(
        &self,
        django: &DjangoBridge,
        relay: &str,
        message: &[u8],
        first: Option<Instant>,
        held_up: &mut HashSet<String>,
        counts: &Counts,
    ) -> bool {
        let told = match django::read_waiting(django, relay, message, self.most) {
            Ok(told) => told,
            Err(not_heard) => {
                not_heard.note(counts);
                return true;
            }
        };
        let mut is_done = true;
        for told in told {
            let Told { place, .. } = &told;
            let place = place.clone();
            let heard = if held_up.contains(&place) {
                Err("others of its group wait before it".to_owned())
            } else {
                self.hear(told, counts).await
            };
            match heard {
                Ok(()) => {}
                Err(why) if first.is_some_and(|first| first.elapsed() > WORTH) => counts.lost(&why),
                Err(_) => {
                    held_up.insert(place);
                    is_done = false;
                }
            }
        }
        is_done
    }
}

fn members(found: Value) -> Vec<Vec<u8>> {
    let Value::Array(members) = found else { return Vec::new() };
    let bytes = |member| if let Value::BulkString(bytes) = member { Some(bytes) } else { None };
    members.into_iter().filter_map(bytes).collect()
}

/// Seconds since the epoch, by the server's clock.
fn seconds(time: &Value) -> u64 {
    let Value::Array(parts) = time else { return 0 };
    let Some(Value::BulkString(seconds)) = parts.first() else { return 0 };
    str::from_utf8(seconds).ok().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}
