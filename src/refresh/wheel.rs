//! When what is to be read next by a clock: one time a key, all of them in one place.
//!
//! Must not know what is read, nor what time it is.

use std::collections::BTreeMap;

use crate::model::Channel;

/// Times of one clock. A number stands for its key: channels have no order.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    times: BTreeMap<(T, u64), Channel>,
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self { times: BTreeMap::new() }
    }
}

impl<T: Copy + Ord> Wheel<T> {
    /// Puts the time of key `number` in the place of the one that it had.
    pub(super) fn set(&mut self, had: &mut Option<T>, time: Option<T>, number: u64, channel: &Channel) {
        if *had == time {
            return;
        }
        if let Some(had) = had.take() {
            self.times.remove(&(had, number));
        }
        if let Some(time) = time {
            self.times.insert((time, number), channel.clone());
            *had = Some(time);
        }
    }

    pub(super) fn first(&self) -> Option<T> {
        self.times.first_key_value().map(|((time, _), _)| *time)
    }

    /// Takes the first if its time has come.
    pub(super) fn take_due(&mut self, now: T) -> Option<(T, Channel)> {
        let first = self.times.first_entry().filter(|first| first.key().0 <= now)?;
        let ((time, _), channel) = first.remove_entry();
        Some((time, channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NegocioId;

    #[test]
    fn a_key_has_one_time_and_the_earliest_comes_first() {
        let mut wheel = Wheel::default();
        let channel = |name: &str| Channel::Estadisticas(NegocioId::new(name));
        let (mut a, mut b) = (None, None);
        wheel.set(&mut a, Some(50), 1, &channel("a"));
        wheel.set(&mut b, Some(40), 2, &channel("b"));
        wheel.set(&mut a, Some(30), 1, &channel("a"));
        assert_eq!((wheel.first(), a), (Some(30), Some(30)));
        assert_eq!(wheel.take_due(29), None);
        assert_eq!(wheel.take_due(40), Some((30, channel("a"))));
        wheel.set(&mut b, None, 2, &channel("b"));
        assert_eq!((wheel.first(), wheel.take_due(99)), (None, None));
    }
}
