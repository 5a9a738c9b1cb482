//! What time it is for the businesses, and which day: whoever opens them says.
//!
//! Must not ask the system.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, Zoned};

/// A clock in the businesses' zone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Zoned + Send + Sync>);

impl Clock {
    /// `now`: the present moment in the businesses' zone.
    pub fn new(now: impl Fn() -> Zoned + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)().timestamp()
    }

    pub(crate) fn today(&self) -> Date {
        (self.0)().date()
    }

    /// The businesses' day at another moment.
    pub(crate) fn day_of(&self, moment: Timestamp) -> Date {
        moment.to_zoned((self.0)().time_zone().clone()).date()
    }

    /// To the millisecond, in UTC: `2026-03-04T03:00:00.000Z`.
    pub(crate) fn iso(&self) -> String {
        format!("{:.3}", self.now())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
