//! Producers that publish by pub/sub: what is said while nobody listens is lost, and a line may be deaf without an end.
//!
//! Must not know what is in a message.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::counts::Counts;
use super::duty::Duty;
use super::{Bridges, Groups, NotHeard, Told, django, socketio};
use crate::broker::log::Trouble;
use crate::broker::redis::{Beside, Published};
use crate::config::{Bridge, MAX_BRIDGE_WAITING};

/// How often it is tried whether the line hears.
const PROBED_EVERY: Duration = Duration::from_secs(1);
/// A line that has not heard itself for so long is deaf.
const DEAF_AFTER: Duration = Duration::from_secs(3);

impl Bridges {
    /// Hears what is published until the line fails.
    pub(super) async fn listen(&self, beside: &Beside<'_>, bridge: &Bridge, duty: &Duty, counts: &Counts) -> Trouble {
        let (queue, waiting) = channel(MAX_BRIDGE_WAITING);
        tokio::select! {
            trouble = self.collect(beside, bridge, queue, counts) => trouble,
            trouble = self.hear_each(bridge, waiting, duty, counts) => trouble,
        }
    }

    /// Takes from the line whatever comes, so that Redis has nobody to wait for.
    async fn collect(
        &self,
        beside: &Beside<'_>,
        bridge: &Bridge,
        queue: Sender<Published>,
        counts: &Counts,
    ) -> Trouble {
        let (probe, others) = (probe(&self.redis.prefix), probe_channels(&self.redis.prefix));
        let mut wanted = patterns(&self.groups, bridge);
        wanted.push(probes(&self.redis.prefix));
        let mut messages = match beside.listen(&wanted).await {
            Ok(messages) => messages,
            Err(trouble) => return trouble,
        };
        counts.on_duty();
        let mut heard = Instant::now();
        let mut ticks = interval(PROBED_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    None => return Trouble::Away("the line for what is published has ended".to_owned()),
                    Some((channel, _)) if channel == probe => heard = Instant::now(),
                    Some((channel, _)) if channel.starts_with(&others) => {}
                    Some(message) => if queue.try_send(message).is_err() {
                        counts.lost("too many wait to be published");
                    },
                },
                _ = ticks.tick() => {
                    if heard.elapsed() > DEAF_AFTER {
                        return Trouble::Away("the line for what is published hears nothing".to_owned());
                    }
                    if let Err(trouble) = beside.ask(redis::cmd("PUBLISH").arg(&probe).arg("")).await {
                        return trouble;
                    }
                }
            }
        }
    }

    async fn hear_each(
        &self,
        bridge: &Bridge,
        mut waiting: Receiver<Published>,
        duty: &Duty,
        counts: &Counts,
    ) -> Trouble {
        while let Some((channel, message)) = waiting.recv().await {
            // Who listens by now has heard it, too.
            if !duty.is_held() {
                return Trouble::Moved("this duty was not renewed in time".to_owned());
            }
            match self.read_published(bridge, &channel, &message) {
                Err(not_heard) => not_heard.note(counts),
                Ok(told) => {
                    for told in told {
                        if let Err(why) = self.hear(told, counts).await {
                            counts.lost(&why);
                        }
                    }
                }
            }
        }
        Trouble::Away("the line for what is published has ended".to_owned())
    }

    fn read_published(&self, bridge: &Bridge, channel: &str, message: &[u8]) -> Result<Vec<Told>, NotHeard> {
        match bridge {
            Bridge::SocketIo(_) => socketio::read(message, self.most),
            Bridge::Django(django) => {
                let group = django::group_of_channel(django, channel).ok_or(NotHeard::Ignored)?;
                django::read_published(django, group, message, self.most)
            }
        }
    }
}

/// What is listened to. Redis compares it to the letter with what its user may listen to.
pub(super) fn patterns(groups: &Groups, bridge: &Bridge) -> Vec<String> {
    match bridge {
        Bridge::SocketIo(key) => vec![format!("{}*", escaped(&socketio::channels(key)))],
        Bridge::Django(django) => {
            let fixed = groups.fixed.iter().map(|group| escaped(&django::group_channel(django, group)));
            let others = groups.others.iter().map(|(beginning, _)| beginning);
            let others = others.map(|beginning| format!("{}*", escaped(&django::group_channel(django, beginning))));
            fixed.chain(others).collect()
        }
    }
}

/// By what a line hears itself.
pub(super) fn probe(prefix: &str) -> String {
    format!("{}{:016x}", probe_channels(prefix), rand::random::<u64>())
}

/// What that of every line is listened to by.
pub(super) fn probes(prefix: &str) -> String {
    format!("{}*", escaped(&probe_channels(prefix)))
}

fn probe_channels(prefix: &str) -> String {
    format!("{{{prefix}}}:bridge:")
}

/// A pattern that only this text matches.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '^' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_with_letters_of_patterns_means_itself() {
        assert_eq!(escaped(r"a*[b]?\c#/#"), r"a\*\[b\]\?\\c#/#");
    }
}
