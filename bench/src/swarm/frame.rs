//! WebSocket frames as far as a load generator needs them: a server's, read in place, and a client's, masked with zeros.
//!
//! Must not know what is in them.

/// A whole frame at the beginning of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// Head and payload together.
    pub length: usize,
}

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// `None` until the frame is whole.
pub fn parse(bytes: &[u8]) -> Option<Frame<'_>> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    // Fragments, extensions and masks are nothing that a server under test may send here.
    assert!(first & 0xf0 == 0x80 && second & 0x80 == 0, "not a whole, plain frame: {first:#x} {second:#x}");
    let (head, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (10, usize::try_from(length).ok()?)
        }
        length => (2, usize::from(length)),
    };
    let payload = bytes.get(head..head + length)?;
    Some(Frame { opcode: first & 0x0f, payload, length: head + length })
}

/// A chunk of a chunked HTTP body, as a frame whose payload it is.
pub fn parse_chunk(bytes: &[u8]) -> Option<Frame<'_>> {
    let end = bytes.iter().take(18).position(|&byte| byte == b'\r')?;
    let hex = std::str::from_utf8(&bytes[..end]).ok()?;
    let size = usize::from_str_radix(hex, 16).unwrap_or_else(|_| panic!("not the length of a chunk: {hex:?}"));
    let payload = bytes.get(end + 2..end + 2 + size)?;
    let length = end + 2 + size + 2;
    let opcode = if size == 0 { CLOSE } else { TEXT };
    (bytes.len() >= length).then_some(Frame { opcode, payload, length })
}

/// A client's frame. The mask is of zeros, so that the payload stands there as it is; the server unmasks all the same.
pub fn client(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..126) => frame.push(0x80 | length as u8),
        Ok(length) => {
            frame.push(0x80 | 0x7e);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        Err(error) => panic!("a client has nothing so long to say: {error}"),
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// A server's frame with `text`.
pub fn server(text: &str) -> Vec<u8> {
    let mut frame = vec![0x80 | TEXT];
    match u16::try_from(text.len()) {
        Ok(length @ 0..126) => frame.push(length as u8),
        length => {
            frame.push(126);
            frame.extend_from_slice(&length.expect("a short message").to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// The digits behind the last `key`. Where they stood last time is looked at first: most messages are alike.
pub fn number_behind(key: &[u8], text: &[u8], place: &mut usize) -> Option<u64> {
    let is_there = |at: usize| text.get(at..at + key.len()) == Some(key);
    if !is_there(*place) {
        *place = (0..text.len().saturating_sub(key.len())).rev().find(|&at| is_there(at))?;
    }
    let digits = text[*place + key.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number: Option<u64>, digit| {
        number.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}
