//! The body of a polling request or answer: several packets of Engine.IO.
//!
//! Must not know what the packets mean.

use super::packet::Malformed;

/// Stands between two packets.
const SEPARATOR: char = '\u{1e}';
/// Packets in one answer: there are clients that read no more.
pub(super) const MOST: usize = 16;

/// The packets of a request's body. An empty one is a packet that is none.
pub fn split(body: &[u8]) -> Result<impl Iterator<Item = &str>, Malformed> {
    Ok(std::str::from_utf8(body).map_err(|_| Malformed)?.split(SEPARATOR))
}

/// An answer that is being filled.
#[derive(Debug, Default)]
pub struct Payload {
    body: String,
    packets: usize,
}

impl Payload {
    /// Whether there is room for one more packet.
    pub fn has_room(&self) -> bool {
        self.packets < MOST
    }

    pub fn is_empty(&self) -> bool {
        self.packets == 0
    }

    pub fn push(&mut self, packet: &str) {
        if !self.is_empty() {
            self.body.push(SEPARATOR);
        }
        self.body.push_str(packet);
        self.packets += 1;
    }

    pub fn into_body(self) -> String {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn separators_alone_are_packets_that_are_none() {
        assert_eq!(split(b"").unwrap().collect::<Vec<_>>(), [""]);
        assert_eq!(split(b"\x1e\x1e").unwrap().collect::<Vec<_>>(), ["", "", ""]);
        assert_eq!(split(b"40\x1e").unwrap().collect::<Vec<_>>(), ["40", ""]);
    }

    #[test]
    fn a_body_that_is_cut_in_the_middle_of_a_letter_is_no_payload() {
        let whole = "40/é,\u{1e}3".as_bytes();
        assert_eq!(split(&whole[..4]).err(), Some(Malformed));
        assert!(split(whole).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_what_is_read(packets in prop::collection::vec("[^\u{1e}]*", 1..MOST)) {
            let mut payload = Payload::default();
            for packet in &packets {
                prop_assert!(payload.has_room());
                payload.push(packet);
            }
            let body = payload.into_body();
            prop_assert_eq!(split(body.as_bytes()).unwrap().collect::<Vec<_>>(), packets);
        }

        #[test]
        fn no_body_breaks_it(body in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packets) = split(&body) {
                prop_assert_eq!(packets.map(|packet| packet.len() + 1).sum::<usize>(), body.len() + 1);
            }
        }
    }
}
