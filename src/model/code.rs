//! What is wrong, in one word for programs: the `code` of an `error` in the second version. The one table, against which
//! the AsyncAPI document is checked; `code.txt` explains each.

use std::time::Duration;

listed! {
    /// Never renamed once it was released.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Code {
        /// Whether there is such a channel is not said.
        Forbidden,
        /// It was allowed, and is not any more.
        Withdrawn,
        /// What was asked for cannot be read just now; it follows.
        Unavailable,
        /// Whether it is allowed cannot be checked just now.
        Unchecked,
        TooManyChannels,
        TooManyChecks,
        NotAuthenticated,
        BadToken,
        ExpiredToken,
        UnknownChannel,
        UnknownType,
        BadMessage,
        Binary,
        GivenTwice,
        /// The installation does not have the feed.
        FeedOff,
        /// The result of a live query cannot be sent; a smaller one follows.
        TooLarge,
        /// The live query is there no more.
        Removed,
    }
}

/// How long who was refused because of a rate waits before asking again.
const RATE: Duration = Duration::from_secs(1);
/// The same where keys have to be fetched before.
const KEYS: Duration = Duration::from_secs(5);

impl Code {
    /// What is said of each: an entry by its word.
    pub const DESCRIBED: &str = include_str!("code.txt");

    pub fn word(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Withdrawn => "withdrawn",
            Self::Unavailable => "unavailable",
            Self::Unchecked => "unchecked",
            Self::TooManyChannels => "too_many_channels",
            Self::TooManyChecks => "too_many_checks",
            Self::NotAuthenticated => "not_authenticated",
            Self::BadToken => "bad_token",
            Self::ExpiredToken => "expired_token",
            Self::UnknownChannel => "unknown_channel",
            Self::UnknownType => "unknown_type",
            Self::BadMessage => "bad_message",
            Self::Binary => "binary",
            Self::GivenTwice => "given_twice",
            Self::FeedOff => "feed_off",
            Self::TooLarge => "too_large",
            Self::Removed => "removed",
        }
    }

    /// Whether the server goes on by itself where it says this of a channel.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Unavailable | Self::Unchecked | Self::TooLarge)
    }

    /// How long to wait before asking again, where that is worth it.
    pub fn after(self) -> Option<Duration> {
        match self {
            Self::TooManyChecks => Some(RATE),
            // Of a token: of a channel it is the server that asks.
            Self::Unchecked => Some(KEYS),
            _ => None,
        }
    }
}
