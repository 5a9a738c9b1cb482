//! Reads MessagePack as the JSON that says the same, in one pass and without a tree between the two.
//!
//! What JSON cannot say is refused: binary data, NaN, names that are no text. A whole number is spelt whole, however great.
//! Must not know who writes it, nor what it is about.

use std::fmt::Write;

use jiff::Timestamp;

use crate::json::{MAX_DEPTH, quoted};

/// Deepest nesting: a body's own, and what producers put around one.
const DEEPEST: usize = MAX_DEPTH + 4;
/// The type of an extension that is a time.
const TIMESTAMP: u8 = 0xff;
/// The type and the one byte of the extension that JavaScript's writer has for `undefined`.
const UNDEFINED: (u8, &[u8]) = (0, &[0]);

/// Why something cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it is cut short")]
    CutShort,
    #[error("something stands behind its end")]
    TooMuch,
    #[error("it is too long")]
    TooLong,
    #[error("it is nested too deeply")]
    TooDeep,
    #[error("it has binary data")]
    Binary,
    #[error("it has a value of a type of somebody's own")]
    Extension,
    #[error("it has a number that is none")]
    NotANumber,
    #[error("it has a text that is not UTF-8")]
    NotText,
    #[error("it has a name that is not a text")]
    NotAName,
    #[error("it is not MessagePack")]
    NotMessagePack,
}

/// The JSON of one value, in up to about `most` bytes.
pub fn to_json(bytes: &[u8], most: usize) -> Result<String, Unreadable> {
    let mut reader = Reader { bytes, json: String::new(), most };
    reader.value(0)?;
    if reader.bytes.is_empty() { Ok(reader.json) } else { Err(Unreadable::TooMuch) }
}

struct Reader<'a> {
    /// What is left.
    bytes: &'a [u8],
    json: String,
    most: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<(), Unreadable> {
        let [marker] = self.array()?;
        match marker {
            0x00..=0x7f => self.put(marker),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f), depth),
            0x90..=0x9f => self.list(usize::from(marker & 0x0f), depth),
            0xa0..=0xbf => self.text(usize::from(marker & 0x1f)),
            0xc0 => self.put("null"),
            0xc1 => Err(Unreadable::NotMessagePack),
            0xc2 => self.put(false),
            0xc3 => self.put(true),
            0xc4..=0xc6 => Err(Unreadable::Binary),
            0xc7..=0xc9 => {
                let length = self.length(marker - 0xc7)?;
                self.extension(length)
            }
            0xca => {
                let float = f32::from_be_bytes(self.array()?);
                self.float(f64::from(float))
            }
            0xcb => {
                let float = f64::from_be_bytes(self.array()?);
                self.float(float)
            }
            0xcc => {
                let [number] = self.array()?;
                self.put(number)
            }
            0xcd => {
                let number = u16::from_be_bytes(self.array()?);
                self.put(number)
            }
            0xce => {
                let number = u32::from_be_bytes(self.array()?);
                self.put(number)
            }
            0xcf => {
                let number = u64::from_be_bytes(self.array()?);
                self.put(number)
            }
            0xd0 => {
                let number = i8::from_be_bytes(self.array()?);
                self.put(number)
            }
            0xd1 => {
                let number = i16::from_be_bytes(self.array()?);
                self.put(number)
            }
            0xd2 => {
                let number = i32::from_be_bytes(self.array()?);
                self.put(number)
            }
            0xd3 => {
                let number = i64::from_be_bytes(self.array()?);
                self.put(number)
            }
            0xd4..=0xd8 => self.extension(1 << (marker - 0xd4)),
            0xd9..=0xdb => {
                let length = self.length(marker - 0xd9)?;
                self.text(length)
            }
            0xdc | 0xdd => {
                let length = self.length(marker - 0xdc + 1)?;
                self.list(length, depth)
            }
            0xde | 0xdf => {
                let length = self.length(marker - 0xde + 1)?;
                self.map(length, depth)
            }
            0xe0..=0xff => self.put(i8::from_be_bytes([marker])),
        }
    }

    /// `length` is only what the writer says: each entry is read, and takes a byte at least.
    fn list(&mut self, length: usize, depth: usize) -> Result<(), Unreadable> {
        self.put('[')?;
        for place in 0..length {
            if place > 0 {
                self.put(',')?;
            }
            self.inside(depth)?;
        }
        self.put(']')
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<(), Unreadable> {
        self.put('{')?;
        for place in 0..length {
            if place > 0 {
                self.put(',')?;
            }
            match self.bytes.first() {
                Some(0xa0..=0xbf | 0xd9..=0xdb) => self.value(depth)?,
                Some(_) => return Err(Unreadable::NotAName),
                None => return Err(Unreadable::CutShort),
            }
            self.put(':')?;
            self.inside(depth)?;
        }
        self.put('}')
    }

    fn inside(&mut self, depth: usize) -> Result<(), Unreadable> {
        if depth < DEEPEST { self.value(depth + 1) } else { Err(Unreadable::TooDeep) }
    }

    fn text(&mut self, length: usize) -> Result<(), Unreadable> {
        let text = str::from_utf8(self.take(length)?).map_err(|_| Unreadable::NotText)?;
        self.put(quoted(text))
    }

    /// As Python and JavaScript write one that is not whole: with the fewest digits that say it.
    fn float(&mut self, float: f64) -> Result<(), Unreadable> {
        let spelt = serde_json::Number::from_f64(float).ok_or(Unreadable::NotANumber)?;
        self.put(spelt)
    }

    /// A time becomes what a browser makes of one, `undefined` nothing.
    fn extension(&mut self, length: usize) -> Result<(), Unreadable> {
        let [kind] = self.array()?;
        let data = self.take(length)?;
        if (kind, data) == UNDEFINED {
            return self.put("null");
        }
        let time = (kind == TIMESTAMP).then(|| timestamp(data)).flatten().ok_or(Unreadable::Extension)?;
        self.put(format_args!("\"{time:.3}\""))
    }

    /// A length of one, two or four bytes, by its rank.
    fn length(&mut self, rank: u8) -> Result<usize, Unreadable> {
        Ok(match rank {
            0 => usize::from(u8::from_be_bytes(self.array()?)),
            1 => usize::from(u16::from_be_bytes(self.array()?)),
            _ => usize::try_from(u32::from_be_bytes(self.array()?)).unwrap_or(usize::MAX),
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (first, rest) = self.bytes.split_first_chunk().ok_or(Unreadable::CutShort)?;
        self.bytes = rest;
        Ok(*first)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (first, rest) = self.bytes.split_at_checked(length).ok_or(Unreadable::CutShort)?;
        self.bytes = rest;
        Ok(first)
    }

    fn put(&mut self, json: impl std::fmt::Display) -> Result<(), Unreadable> {
        // A text takes what is written.
        let _ = write!(self.json, "{json}");
        if self.json.len() <= self.most { Ok(()) } else { Err(Unreadable::TooLong) }
    }
}

/// Seconds, or nanoseconds in the upper 30 bits and seconds below, or both apart.
fn timestamp(data: &[u8]) -> Option<Timestamp> {
    let (seconds, nanoseconds) = match data.len() {
        4 => (i64::from(u32::from_be_bytes(*data.first_chunk()?)), 0),
        8 => {
            let both = u64::from_be_bytes(*data.first_chunk()?);
            (i64::try_from(both & 0x3_ffff_ffff).ok()?, u32::try_from(both >> 34).ok()?)
        }
        12 => {
            let (nanoseconds, seconds) = data.split_first_chunk()?;
            (i64::from_be_bytes(*seconds.first_chunk()?), u32::from_be_bytes(*nanoseconds))
        }
        _ => return None,
    };
    Timestamp::new(seconds, i32::try_from(nanoseconds).ok().filter(|below| *below < 1_000_000_000)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::Field;

    fn read(bytes: &[u8]) -> Result<String, Unreadable> {
        to_json(bytes, 10_000)
    }

    #[test]
    fn every_type_that_json_has_is_spelt_as_json() {
        for (bytes, json) in [
            (&b"\x00"[..], "0"),
            (b"\x7f", "127"),
            (b"\xe0", "-32"),
            (b"\xff", "-1"),
            (b"\xc0", "null"),
            (b"\xc2", "false"),
            (b"\xc3", "true"),
            (b"\xcc\xff", "255"),
            (b"\xcd\xff\xff", "65535"),
            (b"\xce\xff\xff\xff\xff", "4294967295"),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (b"\xcf\x00\x20\x00\x00\x00\x00\x00\x01", "9007199254740993"),
            (b"\xd0\x80", "-128"),
            (b"\xd1\x80\x00", "-32768"),
            (b"\xd2\x80\x00\x00\x00", "-2147483648"),
            (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808"),
            (b"\xcb\x40\x46\xc0\x00\x00\x00\x00\x00", "45.5"),
            (b"\xca\x42\x36\x00\x00", "45.5"),
            (b"\xa3a\"\n", r#""a\"\n""#),
            (b"\xd9\x02\xc3\xb1", "\"ñ\""),
            (b"\xda\x00\x01a", "\"a\""),
            (b"\xdb\x00\x00\x00\x01a", "\"a\""),
            (b"\x93\x01\x90\xc0", "[1,[],null]"),
            (b"\xdc\x00\x01\x01", "[1]"),
            (b"\xdd\x00\x00\x00\x01\x01", "[1]"),
            (b"\x82\xa1a\x01\xa1b\x80", r#"{"a":1,"b":{}}"#),
            (b"\xde\x00\x01\xa1a\x01", r#"{"a":1}"#),
            (b"\xdf\x00\x00\x00\x01\xd9\x01a\x01", r#"{"a":1}"#),
            (b"\xd4\x00\x00", "null"),
            (b"\xd6\xff\x00\x00\x00\x01", "\"1970-01-01T00:00:01.000Z\""),
            (b"\xd7\xff\x77\x35\x94\x00\x00\x00\x00\x01", "\"1970-01-01T00:00:01.500Z\""),
            (b"\xc7\x0c\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", "\"1969-12-31T23:59:59.000Z\""),
        ] {
            assert_eq!(read(bytes).as_deref(), Ok(json), "{bytes:x?}");
        }
    }

    #[test]
    fn what_json_cannot_say_or_what_lies_is_refused_and_why() {
        let deep = |many: usize| [vec![0x91; many], vec![0xc0]].concat();
        assert!(read(&deep(DEEPEST)).is_ok());
        for (bytes, why) in [
            (Vec::new(), Unreadable::CutShort),
            (deep(DEEPEST + 1), Unreadable::TooDeep),
            (deep(10_000), Unreadable::TooDeep),
            ([[0x81, 0xa1, b'a'].repeat(10_000), vec![0xc0]].concat(), Unreadable::TooDeep),
            (b"\xc4\x01a".to_vec(), Unreadable::Binary),
            (b"\xc6\xff\xff\xff\xff".to_vec(), Unreadable::Binary),
            (b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00".to_vec(), Unreadable::NotANumber),
            (b"\xca\x7f\x80\x00\x00".to_vec(), Unreadable::NotANumber),
            (b"\x81\x01\x01".to_vec(), Unreadable::NotAName),
            (b"\x81\xc0\x01".to_vec(), Unreadable::NotAName),
            (b"\x81\xc4\x01a\x01".to_vec(), Unreadable::NotAName),
            (b"\xa1\xff".to_vec(), Unreadable::NotText),
            (b"\xa5abcd".to_vec(), Unreadable::CutShort),
            (b"\xdb\xff\xff\xff\xffa".to_vec(), Unreadable::CutShort),
            (b"\xdd\xff\xff\xff\xff\x01".to_vec(), Unreadable::CutShort),
            (b"\xdf\xff\xff\xff\xff\xa1a\x01".to_vec(), Unreadable::CutShort),
            (b"\xc9\xff\xff\xff\xff\xff".to_vec(), Unreadable::CutShort),
            (b"\xcf\x00".to_vec(), Unreadable::CutShort),
            (b"\xc1".to_vec(), Unreadable::NotMessagePack),
            (b"\xd4\x01\x00".to_vec(), Unreadable::Extension),
            (b"\xd5\xff\x00\x00".to_vec(), Unreadable::Extension),
            (b"\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), Unreadable::Extension),
            (b"\x01\x01".to_vec(), Unreadable::TooMuch),
        ] {
            assert_eq!(read(&bytes), Err(why), "{:x?}", &bytes[..bytes.len().min(20)]);
        }
        assert_eq!(to_json(b"\xa5\x01\x01\x01\x01\x01", 20), Err(Unreadable::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_bytes_come_what_is_read_is_json(bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), 0x80..0x9fu8, Just(0xa1), Just(b'a')], 0..200,
        )) {
            if let Ok(json) = read(&bytes) {
                let read = serde_json::from_str::<&serde_json::value::RawValue>(&json);
                prop_assert!(read.is_ok(), "{}", json);
                // The only other thing a body may not have.
                if let Err(why) = Field::read(json.as_bytes()) {
                    let told = why.to_string();
                    prop_assert!(told.contains("twice") || told.contains("deep"), "{}: {}", told, json);
                }
            }
        }
    }
}
