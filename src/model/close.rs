//! Why a connection is ended, and the close code that says so: the one table. `close.txt` explains each.

use std::time::Duration;

listed! {
    /// An ending that Pulso decides on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum CloseReason {
        GoingAway,
        Protocol,
        InvalidText,
        TooManyMessages,
        TooBig,
        TooManyFragments,
        ComeAgain,
        SlowConsumer,
        CannotCheck,
        TooManyDevices,
        TooManyUnauthenticated,
        AuthenticationTimeout,
        TokenRefused,
        TokenExpired,
        AnotherUser,
        SessionEnded,
        KeyWithdrawn,
        DeviceRefused,
        NotStaff,
    }
}

impl CloseReason {
    /// What is said of each: an entry by its text, and one for each code that is only ever heard.
    pub const DESCRIBED: &str = include_str!("close.txt");

    pub fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::InvalidText => 1007,
            Self::TooManyMessages => 1008,
            Self::TooBig | Self::TooManyFragments => 1009,
            Self::ComeAgain => 1012,
            Self::SlowConsumer | Self::CannotCheck | Self::TooManyDevices | Self::TooManyUnauthenticated => 1013,
            Self::AuthenticationTimeout
            | Self::TokenRefused
            | Self::TokenExpired
            | Self::AnotherUser
            | Self::SessionEnded
            | Self::KeyWithdrawn
            | Self::DeviceRefused => 4001,
            Self::NotStaff => 4003,
        }
    }

    /// After how long a client does well to come again, if it does at all; zero where the closes are spread already.
    pub fn comes_again(self) -> Option<Duration> {
        match self {
            // Spread already; or with a token, or as one user.
            Self::GoingAway | Self::ComeAgain | Self::AuthenticationTimeout | Self::AnotherUser => Some(Duration::ZERO),
            Self::TooManyMessages | Self::SlowConsumer | Self::TooManyUnauthenticated => Some(Duration::from_secs(1)),
            Self::CannotCheck => Some(Duration::from_secs(5)),
            Self::TooManyDevices | Self::DeviceRefused => Some(Duration::from_mins(1)),
            // With another token only, or not at all.
            Self::Protocol
            | Self::InvalidText
            | Self::TooBig
            | Self::TooManyFragments
            | Self::TokenRefused
            | Self::TokenExpired
            | Self::SessionEnded
            | Self::KeyWithdrawn
            | Self::NotStaff => None,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::GoingAway => "going away",
            Self::ComeAgain => "come again",
            Self::Protocol => "protocol error",
            Self::InvalidText => "invalid UTF-8",
            Self::TooManyMessages => "too many messages",
            Self::TooBig => "message too big",
            Self::TooManyFragments => "too many fragments",
            Self::SlowConsumer => "slow consumer",
            Self::CannotCheck => "cannot be checked right now",
            Self::TooManyDevices => "too many unknown devices",
            Self::TooManyUnauthenticated => "too many unauthenticated connections",
            Self::AuthenticationTimeout => "authentication timeout",
            Self::TokenRefused => "invalid token",
            Self::TokenExpired => "token expired",
            Self::AnotherUser => "another user's token",
            Self::SessionEnded => "session ended",
            Self::KeyWithdrawn => "signing key withdrawn",
            Self::DeviceRefused => "unknown or inactive device",
            Self::NotStaff => "neither staff nor admin",
        }
    }
}
