//! How many lines of one kind there may be: a stranger who can cause a line can cause it without end. A kind is the place
//! in the source where the line comes from, so that one that floods hides no other; what is left out is said.
//!
//! What an operator asks for by `debug` or `trace` is not limited.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, error, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines of one kind at once.
pub const BURST: u32 = 50;
/// Until there may be one more.
pub const ONE_MORE: Duration = Duration::from_secs(1);
/// How often it is said what was left out.
const SAY: Duration = Duration::from_secs(10);
/// So much of a line's message tells which lines were left out.
const LONGEST_EXAMPLE: usize = 200;

/// The lines so far, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Limit(Arc<Mutex<HashMap<Identifier, Kind>>>);

#[derive(Debug)]
struct Kind {
    level: Level,
    target: &'static str,
    /// The message of the last line that was let through.
    example: String,
    free: u32,
    /// When `free` was last reckoned.
    since: Instant,
    left_out: u64,
}

/// Lines that were not written.
#[derive(Debug, PartialEq, Eq)]
struct LeftOut {
    level: Level,
    target: &'static str,
    example: String,
    count: u64,
}

impl Limit {
    /// Whether one more line may be written.
    fn lets_through(&self, event: &Event<'_>) -> bool {
        let metadata = event.metadata();
        let now = Instant::now();
        let mut kinds = self.lock();
        let kind = kinds.entry(metadata.callsite()).or_insert_with(|| Kind {
            level: *metadata.level(),
            target: metadata.target(),
            example: String::new(),
            free: BURST,
            since: now,
            left_out: 0,
        });
        kind.refill(now);
        if kind.free == 0 {
            kind.left_out += 1;
            return false;
        }
        kind.free -= 1;
        drop(kinds);
        // Not under the lock: what is formatted here is not ours to trust.
        let mut example = Example::default();
        event.record(&mut example);
        if let Some(kind) = self.lock().get_mut(&metadata.callsite()) {
            kind.example = example.0;
        }
        true
    }

    fn take_left_out(&self) -> Vec<LeftOut> {
        let mut kinds = self.lock();
        let mut left_out = Vec::new();
        for kind in kinds.values_mut().filter(|kind| kind.left_out > 0) {
            let Kind { level, target, .. } = *kind;
            let (example, count) = (kind.example.clone(), std::mem::take(&mut kind.left_out));
            left_out.push(LeftOut { level, target, example, count });
        }
        left_out
    }

    /// Says of each kind how many lines were left out since this was said last.
    pub(super) fn say_left_out(&self) {
        for LeftOut { level, target, example, count } in self.take_left_out() {
            if level == Level::ERROR {
                error!(like = ?example, of = target, "and {count} more");
            } else if level == Level::WARN {
                warn!(like = ?example, of = target, "and {count} more");
            } else {
                info!(like = ?example, of = target, "and {count} more");
            }
        }
    }

    /// Says it now and then, until stopped.
    pub(super) async fn keep_saying(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(SAY) => self.say_left_out(),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Identifier, Kind>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    fn refill(&mut self, now: Instant) {
        let due = now.saturating_duration_since(self.since).as_nanos() / ONE_MORE.as_nanos();
        let more = u32::try_from(due).unwrap_or(BURST).min(BURST);
        self.free = (self.free + more).min(BURST);
        self.since = if self.free == BURST { now } else { self.since + ONE_MORE * more };
    }
}

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        *event.metadata().level() > Level::INFO || self.lets_through(event)
    }
}

/// A message, cut to what is worth keeping.
#[derive(Default)]
struct Example(String);

impl Visit for Example {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let mut room = Room { text: &mut self.0, left: LONGEST_EXAMPLE };
            // It ends by an error where the room does.
            let _ = write!(room, "{value:?}");
        }
    }
}

struct Room<'a> {
    text: &'a mut String,
    left: usize,
}

impl fmt::Write for Room<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            self.left = self.left.checked_sub(letter.len_utf8()).ok_or(fmt::Error)?;
            self.text.push(letter);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing::debug;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Counts what is let through, by message.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl Seen {
        fn count(&self, of: &str) -> u32 {
            u32::try_from(self.0.lock().unwrap().iter().filter(|message| message.contains(of)).count()).unwrap()
        }
    }

    impl<S: Subscriber> Layer<S> for Seen {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut example = Example::default();
            event.record(&mut example);
            self.0.lock().unwrap().push(example.0);
        }
    }

    fn flood(lines: u32) {
        for number in 0..lines {
            info!("refused {number}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_and_says_how_many_more_there_were_and_hides_nothing_else() {
        let (limit, seen) = (Limit::default(), Seen::default());
        let subscriber = tracing_subscriber::registry().with(seen.clone()).with(limit.clone());
        let _guard = tracing::subscriber::set_default(subscriber);
        flood(1_000);
        warn!("of importance");
        for _ in 0..1_000 {
            debug!("asked for");
        }
        assert_eq!((seen.count("refused"), seen.count("of importance"), seen.count("asked for")), (BURST, 1, 1_000));

        tokio::time::advance(ONE_MORE * 3).await;
        flood(1_000);
        assert_eq!(seen.count("refused"), BURST + 3);
        let said = limit.take_left_out();
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!((said[0].count, said[0].level), (2_000 - u64::from(BURST) - 3, Level::INFO));
        assert!(said[0].example.starts_with("refused "), "{said:?}");
        assert!(limit.take_left_out().is_empty(), "once");

        flood(7);
        limit.say_left_out();
        assert_eq!(seen.count("and 7 more"), 1);

        tokio::time::advance(ONE_MORE * 1_000).await;
        flood(1_000);
        assert_eq!(seen.count("refused"), BURST * 2 + 3, "no more than the burst, however long it was quiet");
    }

    #[test]
    fn an_example_is_cut_between_two_letters() {
        let mut text = String::new();
        let mut room = Room { text: &mut text, left: 4 };
        assert!(room.write_str("áéí").is_err());
        assert_eq!(text, "áé");
    }
}
