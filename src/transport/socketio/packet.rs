//! One packet of Engine.IO as text: what a client may send, and the few that are the server's own.
//!
//! Must not know what carries it, nor what a message means.

/// Answers the probe of a WebSocket that wants to take over.
pub(super) const PROBED: &str = "3probe";
/// Says nothing: ends a request that need not be held any longer.
pub(super) const NOOP: &str = "6";
/// The session is over.
pub(super) const CLOSE: &str = "1";

/// A packet from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Of Socket.IO, as text.
    Message(&'a str),
    /// The same in base64, where it is binary.
    Binary,
    Close,
    Pong,
    /// A WebSocket asks whether it works.
    Probe,
    /// A WebSocket that works takes over.
    Upgrade,
    /// For servers to say; means nothing.
    Nothing,
}

/// No packet of a client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a packet of Engine.IO")]
pub struct Malformed;

impl<'a> Packet<'a> {
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut letters = text.chars();
        match (letters.next(), letters.as_str()) {
            (Some('4'), message) => Ok(Self::Message(message)),
            (Some('3'), _) => Ok(Self::Pong),
            (Some('b'), _) => Ok(Self::Binary),
            (Some('1'), _) => Ok(Self::Close),
            (Some('2'), "probe") => Ok(Self::Probe),
            (Some('5'), _) => Ok(Self::Upgrade),
            (Some('0' | '6'), _) => Ok(Self::Nothing),
            // A ping among them: in this version only servers ask.
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_of_a_client_is_told_from_every_other_and_from_rubbish() {
        for (text, packet) in [
            ("40", Ok(Packet::Message("0"))),
            ("4", Ok(Packet::Message(""))),
            ("42[\"ñ\"]", Ok(Packet::Message("2[\"ñ\"]"))),
            ("3", Ok(Packet::Pong)),
            ("3probe", Ok(Packet::Pong)),
            ("2probe", Ok(Packet::Probe)),
            ("5", Ok(Packet::Upgrade)),
            ("1", Ok(Packet::Close)),
            ("bAQID", Ok(Packet::Binary)),
            ("0{}", Ok(Packet::Nothing)),
            ("6", Ok(Packet::Nothing)),
            ("2", Err(Malformed)),
            ("2abc", Err(Malformed)),
            ("", Err(Malformed)),
            ("7", Err(Malformed)),
            ("abc", Err(Malformed)),
            ("\u{0}", Err(Malformed)),
            ("é4", Err(Malformed)),
            ("\u{feff}40", Err(Malformed)),
        ] {
            assert_eq!(Packet::parse(text), packet, "{text:?}");
        }
    }
}
