//! What is told of a read to who follows the call that it is made for: how long it waited for its turn, and how long it took.
//!
//! Must not know what is read.

use std::time::Duration;

use super::live::Turn;

impl Turn {
    /// The read is over, after `took`, together with others so many. What comes of it is below it from now on.
    pub(super) fn told(&mut self, took: Duration, together: usize, failed: bool) {
        let Some(place) = self.beginning.followed.take() else { return };
        let begun = self.beginning.begun;
        let since = self.beginning.noticed.map_or_else(|| place.since(), |noticed| place.since().max(noticed.at));
        place.step("wait").about(&self.channel).over(since, begun);
        let read = place.step("read").about(&self.channel).with("pulso.read.together", together).failed(failed);
        self.beginning.followed = Some(read.over(begun, begun + took));
    }
}
