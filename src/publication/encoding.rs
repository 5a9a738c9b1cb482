//! What is made of a publication for each way in which it is carried: once, by who first needs it, for all clients.
//!
//! Must not know who they are.

use std::sync::OnceLock;

use bytes::Bytes;

use super::{Kind, Publication, frame, lines, named, packets};
use crate::model::Wording;

/// How a client gets what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// WebSocket frames; `with_ids`: each event says its own.
    Frames { with_ids: bool },
    /// WebSocket frames of the second version: all say their channel, and events their id.
    NamedFrames,
    /// Server-sent events, each event with its id.
    Lines,
    /// The same with what [`Self::NamedFrames`] say.
    NamedLines,
    /// WebSocket frames with packets of Socket.IO; `with_ids`: each event says its own behind what it says.
    Packets { with_ids: bool },
}

/// Those of one publication beside its plain frame, which it is kept as: few have clients that need others, and these take no
/// room in it.
#[derive(Debug, Default)]
pub(super) struct Encodings {
    rarer: OnceLock<Box<Rarer>>,
}

#[derive(Debug, Default)]
struct Rarer {
    frame_with_id: OnceLock<Bytes>,
    named_frame: OnceLock<Bytes>,
    lines: OnceLock<Bytes>,
    named_lines: OnceLock<Bytes>,
    packet: OnceLock<Bytes>,
    packet_with_id: OnceLock<Bytes>,
}

impl Encoding {
    /// In which version of the words a client is spoken to that gets this.
    pub fn wording(self) -> Wording {
        match self {
            Self::NamedFrames | Self::NamedLines => Wording::Second,
            Self::Frames { .. } | Self::Lines | Self::Packets { .. } => Wording::First,
        }
    }

    /// What is said to one client alone.
    pub fn answer(self, text: &str) -> Bytes {
        match self {
            Self::Frames { .. } | Self::NamedFrames | Self::Packets { .. } => frame::text(text),
            Self::Lines | Self::NamedLines => lines::event(text, None),
        }
    }

    /// What is said to one client alone at the beginning, as one message; that at `place` says that the client has what came up
    /// to `id`, where its transport keeps that for it.
    pub fn beginning(self, texts: &[String], place: usize, id: u64) -> Bytes {
        let mut bytes = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            bytes.extend_from_slice(&match self {
                Self::Lines | Self::NamedLines => lines::event(text, (number == place).then_some(id)),
                frames => frames.answer(text),
            });
        }
        bytes.into()
    }

    /// That a client has what came up to `id`, where its transport keeps that for it.
    pub fn position(self, id: u64) -> Option<Bytes> {
        match self {
            Self::Lines | Self::NamedLines => Some(lines::position(id)),
            Self::Frames { .. } | Self::NamedFrames | Self::Packets { .. } => None,
        }
    }
}

impl Publication {
    /// The bytes that a client is sent.
    pub fn encoded(&self, encoding: Encoding) -> &Bytes {
        let is_event = self.kind == Kind::Event;
        match encoding {
            Encoding::Frames { with_ids } if with_ids && is_event => {
                self.made(&self.rarer().frame_with_id, "frame", || self.frame_with_id())
            }
            Encoding::Frames { .. } => self.payload.frame(),
            Encoding::NamedFrames => {
                self.made(&self.rarer().named_frame, "frame", || frame::text(&named::message(self)))
            }
            Encoding::Lines => {
                let id = is_event.then_some(self.version);
                self.made(&self.rarer().lines, "lines", || lines::event(&self.payload, id))
            }
            Encoding::NamedLines => {
                let id = is_event.then_some(self.version);
                self.made(&self.rarer().named_lines, "lines", || lines::event(&named::message(self), id))
            }
            Encoding::Packets { with_ids } if with_ids && is_event => {
                self.made(&self.rarer().packet_with_id, "packet", || packets::with_id(self))
            }
            Encoding::Packets { .. } => self.made(&self.rarer().packet, "packet", || packets::plain(self)),
        }
    }

    /// What is made by who first needs it.
    fn made<'a>(&self, place: &'a OnceLock<Bytes>, encoding: &'static str, make: impl FnOnce() -> Bytes) -> &'a Bytes {
        place.get_or_init(|| match &self.delivery {
            None => make(),
            Some(delivery) => delivery.encode(encoding, make),
        })
    }

    /// An event as clients see it that asked for ids: a top-level key of its own, first.
    fn frame_with_id(&self) -> Bytes {
        match self.payload.strip_prefix('{') {
            Some(rest) => frame::text_of(&["{\"id\":\"", &self.version.to_string(), "\",", rest]),
            None => self.payload.frame().clone(),
        }
    }

    fn rarer(&self) -> &Rarer {
        self.encodings.rarer.get_or_init(Box::default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Channel;

    const FRAMES: Encoding = Encoding::Frames { with_ids: false };
    const WITH_IDS: Encoding = Encoding::Frames { with_ids: true };

    fn event(payload: &str) -> Publication {
        Publication::event(Channel::Negocio(None), 7, "", payload)
    }

    #[test]
    fn an_id_stands_beside_what_an_event_says_and_not_beside_a_state() {
        let payload = r#"{"type":"newSale","data":{"total":45.50}}"#;
        let with_id = r#"{"id":"7","type":"newSale","data":{"total":45.50}}"#;
        assert_eq!(event(payload).encoded(WITH_IDS), &frame::text(with_id));
        assert_eq!(event(payload).encoded(FRAMES), &frame::text(payload));
        assert_eq!(event(payload).encoded(Encoding::Lines), &format!("id: 7\ndata: {payload}\n\n"));
        let state = Publication::state(Channel::Negocio(None), 7, payload, None);
        assert_eq!(state.encoded(WITH_IDS), &frame::text(payload));
        assert_eq!(state.encoded(Encoding::Lines), &format!("data: {payload}\n\n"));
    }

    #[test]
    fn whoever_needs_the_same_shares_it() {
        let event = event(r#"{"a":1.50}"#);
        let packets = [true, false].map(|with_ids| Encoding::Packets { with_ids });
        let named = [Encoding::NamedFrames, Encoding::NamedLines];
        for encoding in [FRAMES, WITH_IDS, Encoding::Lines].into_iter().chain(packets).chain(named) {
            assert_eq!(event.encoded(encoding).as_ptr(), event.encoded(encoding).as_ptr());
        }
    }

    #[test]
    fn a_publication_keeps_its_text_once_and_little_for_encodings_that_nobody_needs() {
        let event = event(r#"{"a":1.50}"#);
        let text = event.payload.as_ptr() as usize;
        assert_eq!(event.encoded(FRAMES).as_ptr() as usize + 2, text);
        assert!(size_of::<Encodings>() <= 2 * size_of::<usize>());
    }
}
