//! Which code of an `error` says why somebody may not, or was not understood.
//!
//! Must not know how it is said.

use super::words::Misunderstood;
use crate::access::grant::Denial;
use crate::access::token::TokenError;
pub use crate::model::Code;

impl From<Denial> for Code {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::NoToken | Denial::NoSession => Self::NotAuthenticated,
            Denial::BadToken(TokenError::Expired) => Self::ExpiredToken,
            Denial::BadToken(_) => Self::BadToken,
            Denial::TokenUnchecked | Denial::NoSecret | Denial::DeviceUnchecked | Denial::OwnershipUnchecked => {
                Self::Unchecked
            }
            Denial::NoKey
            | Denial::WrongKey
            | Denial::NotStaff
            | Denial::NoRestaurant
            | Denial::BadDevice
            | Denial::NotAllowed => Self::Forbidden,
            Denial::NoSuchChannel => Self::UnknownChannel,
            Denial::SwitchedOff => Self::FeedOff,
            Denial::Withdrawn => Self::Withdrawn,
            Denial::TooManyChecks | Denial::TooManyDevices => Self::TooManyChecks,
            Denial::TooManyChannels => Self::TooManyChannels,
        }
    }
}

impl From<Misunderstood> for Code {
    fn from(why: Misunderstood) -> Self {
        match why {
            Misunderstood::NotAnObject
            | Misunderstood::ChannelMissing
            | Misunderstood::TokenMissing
            | Misunderstood::NoReference
            | Misunderstood::NoPosition => Self::BadMessage,
            Misunderstood::Binary => Self::Binary,
            Misunderstood::UnknownType => Self::UnknownType,
            Misunderstood::ChannelDiffers | Misunderstood::TokenDiffers => Self::GivenTwice,
            Misunderstood::UnknownChannel => Self::UnknownChannel,
        }
    }
}
