//! The circuit breaker: after a few failures to connect in a row, nobody but a probe is let through.
//!
//! Counts failures to connect only; an SQL error or a slow query says nothing about whether the database is there.

use super::Urgency;

/// Failures to connect, in a row, that open the breaker.
const OPENS_AFTER: u32 = 3;

#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    probing: bool,
}

/// How a question got past the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Free,
    /// The one question that tries whether the database is back.
    Probe,
}

impl Breaker {
    /// May a question pass? A probe must be ended with [`Self::probe_ended`].
    pub(super) fn pass(&mut self, urgency: Urgency) -> Option<Verdict> {
        if !self.is_open() {
            return Some(Verdict::Free);
        }
        if urgency == Urgency::Background || self.probing {
            return None;
        }
        self.probing = true;
        Some(Verdict::Probe)
    }

    pub(super) fn probe_ended(&mut self) {
        self.probing = false;
    }

    /// True when this failure opened it.
    pub(super) fn count_failure(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures == OPENS_AFTER
    }

    /// True when it was open.
    pub(super) fn close(&mut self) -> bool {
        let was_open = self.is_open();
        self.failures = 0;
        was_open
    }

    fn is_open(&self) -> bool {
        self.failures >= OPENS_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 1..OPENS_AFTER {
            assert!(!breaker.count_failure());
            assert_eq!(breaker.pass(Urgency::Background), Some(Verdict::Free));
        }
        assert!(breaker.count_failure());
        breaker
    }

    #[test]
    fn an_open_breaker_refuses_the_background_and_lets_one_live_call_probe() {
        let mut breaker = open();
        assert_eq!(breaker.pass(Urgency::Background), None);
        assert_eq!(breaker.pass(Urgency::Live), Some(Verdict::Probe));
        assert_eq!(breaker.pass(Urgency::Live), None);
        breaker.probe_ended();
        assert_eq!(breaker.pass(Urgency::Live), Some(Verdict::Probe));
    }

    #[test]
    fn any_answer_closes_it() {
        let mut breaker = open();
        assert!(breaker.close());
        assert_eq!(breaker.pass(Urgency::Background), Some(Verdict::Free));
        assert!(!breaker.close());
    }
}
