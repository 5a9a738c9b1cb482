//! Checks what clients saw of what was called, over several nodes and whatever befell them.
//!
//! Times are of one clock, in any unit. Each event has a number of its own, which says nothing of its id. Must not know how
//! anything was called or heard.

use std::collections::HashMap;
use std::fmt;

/// What was called and what was heard.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub calls: Vec<Called>,
    pub listeners: Vec<Listener>,
    pub screens: Vec<Screen>,
}

/// One event, and how its last call was answered.
#[derive(Clone, Debug)]
pub struct Called {
    pub number: u64,
    pub channel: String,
    /// When its first call was made.
    pub at: u64,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 200: everybody who listens gets it once.
    Accepted,
    /// No call was answered so that one knows: it comes once or not at all.
    Unknown,
    /// Every call was answered with a refusal that says that nothing was done: nobody gets it.
    Refused,
}

/// One client of events, over all its connections.
#[derive(Clone, Debug)]
pub struct Listener {
    pub name: String,
    pub channels: Vec<String>,
    /// From when on it has listened, away or not.
    pub from: u64,
    pub heard: Vec<(u64, Heard)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// `id`: its position after it.
    Event { number: u64, id: u64 },
    /// It loads afresh: it has all that was called before.
    Resync,
}

/// One client of figures, over all its connections.
#[derive(Clone, Debug)]
pub struct Screen {
    pub name: String,
    /// What it showed, one after the other: how new the figures are that the database had, and when.
    pub shown: Vec<(u64, u64)>,
    /// What the database has at the end.
    pub last: u64,
}

/// What must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    Lost {
        listener: String,
        number: u64,
    },
    Doubled {
        listener: String,
        number: u64,
    },
    Refused {
        listener: String,
        number: u64,
    },
    Unasked {
        listener: String,
        number: u64,
    },
    Backwards {
        listener: String,
        id: u64,
        after: u64,
    },
    /// It came under one id here and under another there.
    TwoIds {
        number: u64,
    },
    ScreenBackwards {
        screen: String,
        shown: u64,
        after: u64,
    },
    ScreenStale {
        screen: String,
        shown: Option<u64>,
        last: u64,
    },
}

/// What was checked: a history without anything in it proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub accepted: usize,
    pub unknown: usize,
    pub refused: usize,
    /// Events heard, by all together.
    pub heard: usize,
    pub resyncs: usize,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl History {
    /// Everything that must not be and is.
    pub fn check(&self) -> (Checked, Vec<Wrong>) {
        let mut wrong = Vec::new();
        let mut checked = Checked::default();
        for call in &self.calls {
            *match call.outcome {
                Outcome::Accepted => &mut checked.accepted,
                Outcome::Unknown => &mut checked.unknown,
                Outcome::Refused => &mut checked.refused,
            } += 1;
        }
        for listener in &self.listeners {
            self.check_listener(listener, &mut checked, &mut wrong);
        }
        self.screens.iter().for_each(|screen| screen.check(&mut wrong));
        (checked, wrong)
    }

    fn check_listener(&self, listener: &Listener, checked: &mut Checked, wrong: &mut Vec<Wrong>) {
        let called: HashMap<u64, &Called> = self.calls.iter().map(|call| (call.number, call)).collect();
        let name = || listener.name.clone();
        let mut newest: Option<u64> = None;
        let mut last_resync: Option<u64> = None;
        let mut times: HashMap<u64, u64> = HashMap::new();
        for (at, heard) in &listener.heard {
            match *heard {
                Heard::Resync => {
                    checked.resyncs += 1;
                    last_resync = Some(*at);
                    newest = None;
                }
                Heard::Event { number, id } => {
                    checked.heard += 1;
                    if let Some(after) = newest.replace(id).filter(|after| id <= *after) {
                        wrong.push(Wrong::Backwards { listener: name(), id, after });
                    }
                    match called.get(&number) {
                        Some(call) if !listener.channels.contains(&call.channel) => {
                            wrong.push(Wrong::Unasked { listener: name(), number });
                        }
                        Some(call) if call.outcome == Outcome::Refused => {
                            wrong.push(Wrong::Refused { listener: name(), number });
                        }
                        Some(_) => {}
                        None => wrong.push(Wrong::Unasked { listener: name(), number }),
                    }
                    let before = times.insert(number, *at);
                    let is_covered = |before: u64| last_resync.is_some_and(|resync| resync >= before);
                    if before.is_some_and(|before| !is_covered(before)) {
                        wrong.push(Wrong::Doubled { listener: name(), number });
                    }
                }
            }
        }
        let is_owed = |call: &&Called| {
            call.outcome == Outcome::Accepted
                && call.at >= listener.from
                && listener.channels.contains(&call.channel)
                && last_resync.is_none_or(|resync| call.at > resync)
        };
        let lost = self.calls.iter().filter(is_owed).filter(|call| !times.contains_key(&call.number));
        wrong.extend(lost.map(|call| Wrong::Lost { listener: name(), number: call.number }));
    }

    /// As [`Self::check`], where no log has ever lost anything: then every event has one id, and all have one order.
    pub fn check_with_one_order(&self) -> (Checked, Vec<Wrong>) {
        let (checked, mut wrong) = self.check();
        let mut ids: HashMap<u64, u64> = HashMap::new();
        for (_, heard) in self.listeners.iter().flat_map(|listener| &listener.heard) {
            if let Heard::Event { number, id } = *heard
                && *ids.entry(number).or_insert(id) != id
            {
                wrong.push(Wrong::TwoIds { number });
            }
        }
        (checked, wrong)
    }

    /// Panics with the first things that are wrong.
    pub fn assert_right(&self) -> Checked {
        let (checked, wrong) = self.check();
        let first: Vec<String> = wrong.iter().take(10).map(ToString::to_string).collect();
        assert!(wrong.is_empty(), "{} things are wrong, first {first:#?}\nof {checked:?}", wrong.len());
        checked
    }
}

impl Screen {
    fn check(&self, wrong: &mut Vec<Wrong>) {
        for pair in self.shown.windows(2) {
            let [(after, _), (shown, _)] = [pair[0], pair[1]];
            if shown < after {
                wrong.push(Wrong::ScreenBackwards { screen: self.name.clone(), shown, after });
            }
        }
        let shown = self.shown.last().map(|(shown, _)| *shown);
        if shown != Some(self.last) {
            wrong.push(Wrong::ScreenStale { screen: self.name.clone(), shown, last: self.last });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u64, at: u64, outcome: Outcome) -> Called {
        Called { number, channel: "a".into(), at, outcome }
    }

    fn event(at: u64, number: u64, id: u64) -> (u64, Heard) {
        (at, Heard::Event { number, id })
    }

    fn wrong(calls: &[Called], heard: &[(u64, Heard)]) -> Vec<Wrong> {
        let listener = Listener { name: "c".into(), channels: vec!["a".into()], from: 0, heard: heard.to_vec() };
        History { calls: calls.to_vec(), listeners: vec![listener], screens: Vec::new() }.check().1
    }

    #[test]
    fn what_is_accepted_comes_once_unless_the_client_has_loaded_since() {
        let calls = [call(1, 10, Outcome::Accepted), call(2, 20, Outcome::Accepted)];
        let lost = |number| Wrong::Lost { listener: "c".into(), number };
        assert_eq!(wrong(&calls, &[event(11, 1, 5), event(21, 2, 6)]), []);
        assert_eq!(wrong(&calls, &[event(21, 2, 6)]), [lost(1)]);
        assert_eq!(wrong(&calls, &[(15, Heard::Resync), event(21, 2, 6)]), []);
        assert_eq!(wrong(&calls, &[(15, Heard::Resync)]), [lost(2)]);
    }

    #[test]
    fn nothing_comes_twice_unless_the_client_has_loaded_in_between() {
        let calls = [call(1, 10, Outcome::Unknown)];
        let doubled = Wrong::Doubled { listener: "c".into(), number: 1 };
        assert_eq!(wrong(&calls, &[]), []);
        assert_eq!(wrong(&calls, &[event(11, 1, 5), event(12, 1, 6)]), [doubled]);
        assert_eq!(wrong(&calls, &[event(11, 1, 5), (12, Heard::Resync), event(13, 1, 6)]), []);
    }

    #[test]
    fn what_was_refused_or_never_called_is_not_heard_and_no_position_goes_back() {
        let calls = [call(1, 10, Outcome::Refused), call(2, 10, Outcome::Accepted), call(3, 10, Outcome::Accepted)];
        let (listener, number) = ("c".to_owned(), 9);
        assert_eq!(wrong(&calls[..1], &[event(11, 1, 5)]), [Wrong::Refused { listener: listener.clone(), number: 1 }]);
        assert_eq!(wrong(&[], &[event(11, 9, 5)]), [Wrong::Unasked { listener: listener.clone(), number }]);
        let backwards = Wrong::Backwards { listener, id: 5, after: 6 };
        assert_eq!(wrong(&calls[1..], &[event(11, 2, 6), event(12, 3, 5)]), [backwards]);
    }

    #[test]
    fn an_event_under_two_ids_is_found() {
        let listener = |name: &str, id: u64| Listener {
            name: name.into(),
            channels: vec!["a".into()],
            from: 0,
            heard: vec![event(1, 1, id)],
        };
        let of = |id| History {
            calls: vec![call(1, 0, Outcome::Accepted)],
            listeners: vec![listener("a", 5), listener("b", id)],
            screens: Vec::new(),
        };
        assert_eq!(of(5).check_with_one_order().1, []);
        assert_eq!(of(6).check_with_one_order().1, [Wrong::TwoIds { number: 1 }]);
    }

    #[test]
    fn a_screen_never_goes_back_and_ends_with_what_the_database_has() {
        let wrong = |shown: &[u64]| {
            let shown = shown.iter().map(|shown| (*shown, 0)).collect();
            let screens = vec![Screen { name: "s".into(), shown, last: 3 }];
            History { screens, ..History::default() }.check().1
        };
        assert_eq!(wrong(&[1, 2, 2, 3]), []);
        assert_eq!(wrong(&[1, 3, 2, 3]), [Wrong::ScreenBackwards { screen: "s".into(), shown: 2, after: 3 }]);
        assert_eq!(wrong(&[1, 2]), [Wrong::ScreenStale { screen: "s".into(), shown: Some(2), last: 3 }]);
        assert_eq!(wrong(&[]), [Wrong::ScreenStale { screen: "s".into(), shown: None, last: 3 }]);
    }
}
