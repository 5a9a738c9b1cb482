//! Why a connection is ended, and the close code that says so: the one table. `docs/close-codes.md` explains each.

use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// An ending that Pulso decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    GoingAway,
    Protocol,
    InvalidText,
    TooManyMessages,
    TooBig,
    TooManyFragments,
    SlowConsumer,
    CannotCheck,
    AuthenticationTimeout,
    TokenRefused,
    TokenExpired,
    AnotherUser,
    SessionEnded,
    DeviceRefused,
    NotStaff,
}

impl CloseReason {
    /// Every reason, in the order of the table.
    pub const ALL: [Self; 15] = [
        Self::GoingAway,
        Self::Protocol,
        Self::InvalidText,
        Self::TooManyMessages,
        Self::TooBig,
        Self::TooManyFragments,
        Self::SlowConsumer,
        Self::CannotCheck,
        Self::AuthenticationTimeout,
        Self::TokenRefused,
        Self::TokenExpired,
        Self::AnotherUser,
        Self::SessionEnded,
        Self::DeviceRefused,
        Self::NotStaff,
    ];

    pub fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::InvalidText => 1007,
            Self::TooManyMessages => 1008,
            Self::TooBig | Self::TooManyFragments => 1009,
            Self::SlowConsumer | Self::CannotCheck => 1013,
            Self::AuthenticationTimeout
            | Self::TokenRefused
            | Self::TokenExpired
            | Self::AnotherUser
            | Self::SessionEnded
            | Self::DeviceRefused => 4001,
            Self::NotStaff => 4003,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::GoingAway => "going away",
            Self::Protocol => "protocol error",
            Self::InvalidText => "invalid UTF-8",
            Self::TooManyMessages => "too many messages",
            Self::TooBig => "message too big",
            Self::TooManyFragments => "too many fragments",
            Self::SlowConsumer => "slow consumer",
            Self::CannotCheck => "cannot be checked right now",
            Self::AuthenticationTimeout => "authentication timeout",
            Self::TokenRefused => "invalid token",
            Self::TokenExpired => "token expired",
            Self::AnotherUser => "another user's token",
            Self::SessionEnded => "session ended",
            Self::DeviceRefused => "unknown or inactive device",
            Self::NotStaff => "neither staff nor admin",
        }
    }

    pub fn frame(self) -> CloseFrame {
        CloseFrame { code: CloseCode::from(self.code()), reason: self.text().into() }
    }
}
