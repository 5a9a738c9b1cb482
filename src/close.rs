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
    AuthenticationTimeout,
    TokenExpired,
    AnotherUser,
}

impl CloseReason {
    /// Every reason, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::GoingAway,
        Self::Protocol,
        Self::InvalidText,
        Self::TooManyMessages,
        Self::TooBig,
        Self::TooManyFragments,
        Self::SlowConsumer,
        Self::AuthenticationTimeout,
        Self::TokenExpired,
        Self::AnotherUser,
    ];

    pub fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::InvalidText => 1007,
            Self::TooManyMessages => 1008,
            Self::TooBig | Self::TooManyFragments => 1009,
            Self::SlowConsumer => 1013,
            Self::AuthenticationTimeout | Self::TokenExpired | Self::AnotherUser => 4001,
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
            Self::AuthenticationTimeout => "authentication timeout",
            Self::TokenExpired => "token expired",
            Self::AnotherUser => "another user's token",
        }
    }

    pub fn frame(self) -> CloseFrame {
        CloseFrame { code: CloseCode::from(self.code()), reason: self.text().into() }
    }
}
