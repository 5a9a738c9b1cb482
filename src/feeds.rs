//! The registry: which feeds there are, one line each, and what follows from that for all of them.
//!
//! The only file that names every feed. Must not know what a feed is about: each says so itself, in its `FEED`.

pub mod appointments;
pub mod call;
pub mod channels;
pub mod clinic;
pub mod definition;
pub mod hearing;
pub mod hints;
pub mod listening;
pub mod pos;
pub mod queries;
pub mod restaurant;
pub mod sync;
pub mod triggers;

use definition::{Definition, Hook, Table};
use hearing::{Hearing, Place};
use listening::{Socket, Stream};

use crate::broker::bridge::{Groups, Producer, Told};

/// Makes [`Feed`] of one line a feed: its name and the module that has its `FEED`.
macro_rules! feeds {
    ($($feed:ident: $module:ident,)+) => {
        /// One feed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Feed {
            $($feed,)+
        }

        impl Feed {
            pub const ALL: [Self; [$(stringify!($feed)),+].len()] = [$(Self::$feed),+];

            /// What it says of itself.
            pub const fn definition(self) -> &'static Definition {
                match self {
                    $(Self::$feed => &$module::FEED,)+
                }
            }
        }
    };
}

feeds! {
    Appointments: appointments,
    Pos: pos,
    Restaurant: restaurant,
    Sync: sync,
    Clinic: clinic,
    Channels: channels,
    Queries: queries,
}

impl Feed {
    /// As an operator writes it in `FEEDS`.
    pub const fn word(self) -> &'static str {
        self.definition().word
    }

    /// The feed that an operator means by this word, and whether she should use a newer one.
    pub fn from_word(said: &str) -> Option<(Self, bool)> {
        let is_said = |word: &str| word.eq_ignore_ascii_case(said);
        let current = Self::ALL.into_iter().find(|feed| is_said(feed.word())).map(|feed| (feed, false));
        let older = |feed: &Self| feed.definition().older_words.iter().any(|word| is_said(word));
        current.or_else(|| Self::ALL.into_iter().find(older).map(|feed| (feed, true)))
    }
}

/// The hook at this path, and whose it is.
pub fn hook(path: &str) -> Option<(Feed, &'static Hook)> {
    find(|feed| feed.hooks.iter().find(|hook| hook.path == path))
}

/// A WebSocket of a feed's own, by its path without a slash at the end.
pub fn socket(path: &str) -> Option<(Feed, &'static Socket)> {
    find(|feed| feed.sockets.iter().find(|socket| socket.path.trim_end_matches('/') == path))
}

/// The stream that this names.
pub fn stream(channel: &str) -> Option<(Feed, &'static Stream)> {
    find(|feed| feed.streams.iter().find(|stream| (stream.is)(channel)))
}

fn find<T>(of: impl Fn(&'static Definition) -> Option<T>) -> Option<(Feed, T)> {
    Feed::ALL.into_iter().find_map(|feed| Some((feed, of(feed.definition())?)))
}

/// How what a producer tells is heard, if a feed that is on hears it.
pub fn heard(feeds: Feeds, told: &Told) -> Option<&'static Hearing> {
    let is_it = |hearing: &&Hearing| {
        hearing.producer == told.producer && hearing.name == told.name && hearing.at.has(&told.place)
    };
    feeds.on().find_map(|feed| feed.definition().hears.iter().find(is_it))
}

/// The groups of Django's that feeds that are on hear.
pub fn groups(feeds: Feeds) -> Groups {
    let mut groups = Groups::default();
    for hearing in feeds.on().flat_map(|feed| feed.definition().hears) {
        match hearing.at {
            Place::One(name) if hearing.producer == Producer::Django => groups.fixed.push(name),
            Place::Joined(beginning, of) => groups.others.push((beginning, of)),
            Place::One(_) | Place::Each(_) => {}
        }
    }
    groups
}

/// What all feeds say on the wire: `type`s and names of events.
pub fn types() -> impl Iterator<Item = &'static str> {
    Feed::ALL.into_iter().flat_map(|feed| feed.definition().types).copied()
}

/// `FEEDS`: those that are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feeds([bool; Feed::ALL.len()]);

impl Feeds {
    pub fn all() -> Self {
        Self([true; Feed::ALL.len()])
    }

    pub fn none() -> Self {
        Self([false; Feed::ALL.len()])
    }

    pub fn switch_on(&mut self, feed: Feed) {
        self.0[feed as usize] = true;
    }

    pub fn has(self, feed: Feed) -> bool {
        self.0[feed as usize]
    }

    /// Those that are on.
    pub fn on(self) -> impl Iterator<Item = Feed> {
        Feed::ALL.into_iter().filter(move |feed| self.has(*feed))
    }

    /// Whether any that is on is of this kind.
    pub fn any(self, is: impl Fn(&Definition) -> bool) -> bool {
        self.on().any(|feed| is(feed.definition()))
    }

    /// Whether any that is on asks this of the database.
    pub fn ask(self, table: Table) -> bool {
        self.any(|feed| feed.tables.contains(&table))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::definition::{Key, Need};
    use super::*;

    #[test]
    fn no_two_feeds_share_a_word_a_hook_a_socket_or_a_type() {
        let words: Vec<_> = Feed::ALL
            .iter()
            .flat_map(|feed| feed.definition().older_words.iter().copied().chain([feed.word()]))
            .collect();
        let hooks: Vec<_> = Feed::ALL.iter().flat_map(|feed| feed.definition().hooks).map(|hook| hook.path).collect();
        let sockets: Vec<_> =
            Feed::ALL.iter().flat_map(|feed| feed.definition().sockets).map(|socket| socket.path).collect();
        for all in [words, hooks, sockets, types().collect()] {
            let distinct: HashSet<_> = all.iter().collect();
            assert_eq!(distinct.len(), all.len(), "{all:?}");
        }
    }

    #[test]
    fn a_feed_is_known_by_its_word_and_by_its_older_one() {
        for feed in Feed::ALL {
            assert_eq!(Feed::from_word(&feed.word().to_uppercase()), Some((feed, false)));
        }
        assert_eq!(Feed::from_word("Stats"), Some((Feed::Appointments, true)));
        assert_eq!(Feed::from_word("ventas"), None);
    }

    #[test]
    fn what_a_feed_needs_is_what_its_calls_and_its_listeners_need() {
        for Definition { word, needs, hooks, sockets, streams, .. } in Feed::ALL.map(Feed::definition) {
            let has_key = hooks.iter().any(|hook| hook.key == Key::Always);
            assert_eq!(needs.contains(&Need::HookKey), has_key, "{word}");
            let mut listened = sockets.iter().map(|own| own.listening).chain(streams.iter().map(|own| own.listening));
            let has_tokens = hooks.iter().any(|hook| hook.reaches_tokens) || listened.any(|own| own.needs_token);
            assert_eq!(needs.contains(&Need::Tokens), has_tokens, "{word}");
        }
    }

    #[test]
    fn a_stream_is_of_one_feed_or_of_none() {
        for (channel, wanted) in [
            ("estadisticas:a", Some("estadisticas:<negocio>")),
            ("canal:a:b:c", Some("canal:<negocio>:<name>")),
            ("consulta:a", Some("consulta:<name>")),
            ("consulta:a:b:c", Some("consulta:<name>:<key>")),
            ("negocio", Some("negocio")),
            ("negocio:a:b", Some("negocio:<negocio>")),
            ("staff_orders", Some("staff_orders")),
            ("device", Some("device")),
            ("", None),
            ("estadisticas:", None),
            ("canal:a", None),
            ("consulta:", None),
            ("negocio:", None),
            ("negocios", None),
            ("staff_orders:a", None),
            ("device:1", None),
            ("user:ana", None),
            ("restaurant:1", None),
        ] {
            let all = Feed::ALL.into_iter().flat_map(|feed| feed.definition().streams);
            let forms: Vec<_> = all.filter(|stream| (stream.is)(channel)).map(|stream| stream.form).collect();
            assert_eq!(forms, Vec::from_iter(wanted), "{channel}");
            assert_eq!(stream(channel).map(|(_, stream)| stream.form), wanted, "{channel}");
        }
    }
}
