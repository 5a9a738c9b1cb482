//! When a session is asked whether its client is there, and for how long the answer may take.
//!
//! The client counts along: it is told both times when the session opens, and leaves when nobody asks. Must not know what
//! carries the question.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::ClientLimits;

#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    /// When the client is asked, or when its answer is too late.
    due: Instant,
    is_asked: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Ask,
    /// No answer came in time.
    Dead,
    /// It is too early for either.
    Wait,
}

impl Heartbeat {
    /// Of a session that has just opened: it is asked after the interval, for the first time too.
    pub(super) fn new(now: Instant, interval: Duration) -> Self {
        Self { due: now + interval, is_asked: false }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The client has answered. False if nobody had asked.
    pub(super) fn on_answer(&mut self, now: Instant, interval: Duration) -> bool {
        let was_asked = self.is_asked;
        if was_asked {
            *self = Self::new(now, interval);
        }
        was_asked
    }

    pub(super) fn on_time(&mut self, now: Instant, limits: &ClientLimits) -> Beat {
        match (self.due <= now, self.is_asked) {
            (false, _) => Beat::Wait,
            (true, true) => Beat::Dead,
            (true, false) => {
                *self = Self { due: now + limits.pong_timeout, is_asked: true };
                Beat::Ask
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_is_asked_after_each_interval_and_has_until_the_time_out_to_answer() {
        let limits = ClientLimits::default();
        let (interval, patience) = (limits.ping_interval, limits.pong_timeout);
        let now = Instant::now();
        let mut heartbeat = Heartbeat::new(now, interval);
        let moment = Duration::from_millis(1);
        assert_eq!(heartbeat.on_time(now + interval - moment, &limits), Beat::Wait);
        assert!(!heartbeat.on_answer(now, interval), "nobody has asked");
        assert_eq!(heartbeat.due(), now + interval, "an answer that nobody asked for moves nothing");
        assert_eq!(heartbeat.on_time(now + interval, &limits), Beat::Ask);
        assert_eq!(heartbeat.on_time(now + interval + patience - moment, &limits), Beat::Wait);
        let answered = now + interval + patience - moment;
        assert!(heartbeat.on_answer(answered, interval));
        assert!(!heartbeat.on_answer(answered, interval), "one answer to one question");
        assert_eq!(heartbeat.on_time(answered + interval, &limits), Beat::Ask);
        assert_eq!(heartbeat.on_time(answered + interval + patience, &limits), Beat::Dead, "late by nothing is late");
    }
}
