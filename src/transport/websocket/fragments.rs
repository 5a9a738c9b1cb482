//! Counts the frames that come in, and those of one message, as their bytes pass by.
//!
//! The WebSocket library bounds a message's size but not its pieces: empty continuation frames would keep it busy for
//! ever. Knows the frame header and nothing else of the protocol.

/// A message came in more frames than allowed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many fragments")]
pub struct TooManyFragments;

/// Follows the frames of one direction of one connection.
#[derive(Debug)]
pub struct Meter {
    most: usize,
    begun: usize,
    /// Data frames of the message under way.
    frames: usize,
    position: Position,
}

#[derive(Clone, Copy, Debug)]
enum Position {
    Header {
        bytes: [u8; 10],
        have: usize,
    },
    /// Mask and payload still to come.
    Body {
        left: u64,
    },
}

const AT_HEADER: Position = Position::Header { bytes: [0; 10], have: 0 };
const MASK_BYTES: u64 = 4;

impl Meter {
    /// `most`: frames that one message may come in.
    pub fn new(most: usize) -> Self {
        Self { most, begun: 0, frames: 0, position: AT_HEADER }
    }

    /// How many frames have begun, of any kind. Starts again at zero some day.
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// Whether no message has begun that has not ended.
    pub fn is_between_messages(&self) -> bool {
        self.frames == 0 && matches!(self.position, Position::Header { have: 0, .. })
    }

    /// Bytes went by.
    pub fn pass(&mut self, mut bytes: &[u8]) -> Result<(), TooManyFragments> {
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.position {
                Position::Header { bytes: header, have } => {
                    header[*have] = first;
                    *have += 1;
                    bytes = rest;
                    if let Some(left) = body_length(&header[..*have]) {
                        let opening = header[0];
                        self.position = if left == 0 { AT_HEADER } else { Position::Body { left } };
                        self.count(opening)?;
                    }
                }
                Position::Body { left } => {
                    let passed = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[passed..];
                    *left -= passed as u64;
                    if *left == 0 {
                        self.position = AT_HEADER;
                    }
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, opening: u8) -> Result<(), TooManyFragments> {
        self.begun = self.begun.wrapping_add(1);
        let is_control = opening & 0x08 != 0;
        let is_last = opening & 0x80 != 0;
        if is_control {
            return Ok(());
        }
        self.frames += 1;
        if self.frames > self.most {
            return Err(TooManyFragments);
        }
        if is_last {
            self.frames = 0;
        }
        Ok(())
    }
}

/// Bytes that follow a complete header (mask included); `None` while the header is incomplete.
fn body_length(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { MASK_BYTES };
    let payload = match second & 0x7f {
        126 => u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?)),
        127 => u64::from_be_bytes(header.get(2..10)?.try_into().ok()?),
        short => u64::from(short),
    };
    Some(payload.saturating_add(mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u8 = 0x01;
    const CONTINUATION: u8 = 0x00;
    const PING: u8 = 0x89;
    const LAST: u8 = 0x80;

    fn frame(opening: u8, payload: usize) -> Vec<u8> {
        let mut out = vec![opening];
        match payload {
            0..=125 => out.push(0x80 | u8::try_from(payload).unwrap()),
            126..=0xffff => {
                out.push(0x80 | 0x7e);
                out.extend(u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                out.push(0x80 | 0x7f);
                out.extend((payload as u64).to_be_bytes());
            }
        }
        out.extend(std::iter::repeat_n(0xff, 4 + payload));
        out
    }

    /// Feeds the bytes in pieces of every small size and tells at which frame the meter objects.
    fn passes(frames: &[Vec<u8>], most: usize) -> bool {
        (1..=9).all(|piece| {
            let mut meter = Meter::new(most);
            frames.concat().chunks(piece).all(|bytes| meter.pass(bytes).is_ok())
        })
    }

    #[test]
    fn whole_messages_of_every_length_pass() {
        let frames: Vec<_> = [0, 1, 125, 126, 70_000, 3].into_iter().map(|length| frame(TEXT | LAST, length)).collect();
        assert!(passes(&frames, 1));
    }

    #[test]
    fn a_message_in_too_many_pieces_does_not_pass() {
        let pieces = [frame(TEXT, 5), frame(CONTINUATION, 0), frame(CONTINUATION | LAST, 200)];
        assert!(passes(&pieces, 3));
        assert!(!passes(&pieces, 2));
    }

    #[test]
    fn pings_between_pieces_do_not_count_and_the_next_message_counts_from_zero() {
        let pieces =
            [frame(TEXT, 1), frame(PING, 4), frame(PING, 0), frame(CONTINUATION | LAST, 1), frame(TEXT | LAST, 1)];
        assert!(passes(&pieces, 2));
    }
}
