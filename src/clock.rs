//! Wall-clock time and the business's calendar. The only place that asks the system what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A wall clock in the business's zone.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Milliseconds since the epoch, moved by a test.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    pub fn system(zone: TimeZone) -> Self {
        Self { zone, source: Source::System }
    }

    /// A clock that stands still until the returned handle (milliseconds since the epoch) is written.
    pub fn manual(zone: TimeZone, start: Timestamp) -> (Self, Arc<AtomicI64>) {
        let handle = Arc::new(AtomicI64::new(start.as_millisecond()));
        (Self { zone, source: Source::Manual(handle.clone()) }, handle)
    }

    pub fn now(&self) -> Timestamp {
        match &self.source {
            #[expect(clippy::disallowed_methods, reason = "this is the wall clock")]
            Source::System => Timestamp::now(),
            Source::Manual(millis) => Timestamp::from_millisecond(millis.load(Ordering::SeqCst)).unwrap_or_default(),
        }
    }

    /// Unix seconds.
    pub fn unix(&self) -> i64 {
        self.now().as_second()
    }

    /// The business's calendar day at `at`.
    pub fn day_of(&self, at: Timestamp) -> Date {
        self.day_in(&self.zone, at)
    }

    /// The calendar day at `at` where another zone is.
    pub fn day_in(&self, zone: &TimeZone, at: Timestamp) -> Date {
        at.to_zoned(zone.clone()).date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(zone: &str, at: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let clock = Clock::system(zone);
        clock.day_of(at.parse().unwrap()).to_string()
    }

    #[test]
    fn today_is_the_business_day_not_the_database_day() {
        assert_eq!(day("America/Guayaquil", "2026-03-02T01:30:00Z"), "2026-03-01");
        assert_eq!(day("America/Guayaquil", "2026-03-02T05:00:00Z"), "2026-03-02");
    }

    #[test]
    fn a_day_begins_where_daylight_saving_skips_midnight() {
        // Santiago jumps from 24:00 to 01:00 on 2026-09-06, local.
        assert_eq!(day("America/Santiago", "2026-09-06T03:59:59Z"), "2026-09-05");
        assert_eq!(day("America/Santiago", "2026-09-06T04:00:00Z"), "2026-09-06");
    }
}
