//! What a WebSocket is told that was denied: the close code, the only thing that a browser shows of it.

use crate::access::grant::Denial;
use crate::model::CloseReason;

/// Why the connection ends that was denied what it came for.
pub fn close_reason(denial: Denial) -> CloseReason {
    match denial {
        Denial::NoToken
        | Denial::BadToken(_)
        | Denial::NoKey
        | Denial::WrongKey
        | Denial::NoRestaurant
        | Denial::NotAllowed
        | Denial::NoSession => CloseReason::TokenRefused,
        Denial::NotStaff => CloseReason::NotStaff,
        Denial::BadDevice => CloseReason::DeviceRefused,
        Denial::TooManyDevices => CloseReason::TooManyDevices,
        Denial::TokenUnchecked
        | Denial::DeviceUnchecked
        | Denial::OwnershipUnchecked
        | Denial::TooManyChecks
        | Denial::NoSecret => CloseReason::CannotCheck,
        Denial::Withdrawn => CloseReason::SessionEnded,
        Denial::NoSuchChannel | Denial::SwitchedOff | Denial::TooManyChannels => CloseReason::Protocol,
    }
}
