//! Values as JSON, from the text that PostgreSQL prints under the settings of our transactions.
//!
//! Must not know which query they are of.

use jiff::Timestamp;

/// Text as a JSON string. What is no UTF-8 (a database may be `SQL_ASCII`) becomes the replacement character.
pub(super) fn text(out: &mut Vec<u8>, value: &[u8]) {
    // Writing a string to a vector cannot fail.
    let _ = serde_json::to_writer(out, &String::from_utf8_lossy(value));
}

/// A number with all its digits; what JSON has no word for is null.
pub(super) fn number(out: &mut Vec<u8>, value: &[u8]) {
    match value {
        b"NaN" | b"Infinity" | b"-Infinity" => null(out),
        digits => out.extend_from_slice(digits),
    }
}

pub(super) fn boolean(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(if value == b"t" { b"true" } else { b"false" });
}

/// JSON as it is, but on one line: in it a line ends only between two things.
pub(super) fn json(out: &mut Vec<u8>, value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
}

/// An array of numbers, in which PostgreSQL quotes what JSON has no word for, and nothing else.
pub(super) fn numbers(out: &mut Vec<u8>, value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    let plain = ["\"NaN\"", "\"Infinity\"", "\"-Infinity\""]
        .iter()
        .fold(text.into_owned(), |text, word| if text.contains(word) { text.replace(word, "null") } else { text });
    json(out, plain.as_bytes());
}

/// A day, a time of a day, or both, in ISO 8601; those without end are null.
pub(super) fn moment(out: &mut Vec<u8>, value: &[u8]) {
    let Some(value) = std::str::from_utf8(value).ok().filter(|value| !value.ends_with("infinity")) else {
        return null(out);
    };
    let (value, is_before_christ) = match value.strip_suffix(" BC") {
        Some(value) => (value, true),
        None => (value, false),
    };
    out.push(b'"');
    let (day, time) = match value.split_once(' ') {
        Some((day, time)) => (Some(day), Some(time)),
        None if value.contains(':') => (None, Some(value)),
        None => (Some(value), None),
    };
    if let Some(day) = day {
        out.extend_from_slice(iso_day(day, is_before_christ).as_bytes());
    }
    if let Some(time) = time {
        if day.is_some() {
            out.push(b'T');
        }
        out.extend_from_slice(time.as_bytes());
        // Whole hours of an offset are printed alone.
        let offset = time.rfind(['+', '-']).map_or("", |at| &time[at..]);
        if offset.len() == 3 {
            out.extend_from_slice(b":00");
        }
    }
    out.push(b'"');
}

/// Years of other than four digits have a sign and at least six; the one before the first is nought.
fn iso_day(day: &str, is_before_christ: bool) -> std::borrow::Cow<'_, str> {
    let Some((year, rest)) = day.split_once('-') else { return day.into() };
    let Ok(counted) = year.parse::<i64>() else { return day.into() };
    let year = if is_before_christ { 1 - counted } else { counted };
    match year {
        0..=9999 if !is_before_christ => day.into(),
        0 => format!("0000-{rest}").into(),
        _ => format!("{}{:06}-{rest}", if year < 0 { '-' } else { '+' }, year.abs()).into(),
    }
}

/// A moment that PostgreSQL prints as `timestamptz`. Nothing for one that has no end, or lies beyond all calendars of ours; one
/// before them is the first that there is.
pub(super) fn timestamp(value: &str) -> Option<Timestamp> {
    if value.ends_with(" BC") {
        return Some(Timestamp::MIN);
    }
    value.parse().ok()
}

/// As ISO 8601 has it already.
pub(super) fn interval(out: &mut Vec<u8>, value: &[u8]) {
    if value.ends_with(b"infinity") { null(out) } else { text(out, value) }
}

pub(super) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(write: fn(&mut Vec<u8>, &[u8]), value: &[u8]) -> String {
        let mut out = Vec::new();
        write(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn days_and_times_are_iso_whatever_their_year() {
        for (printed, iso) in [
            ("2026-11-22", "\"2026-11-22\""),
            ("0044-03-15 BC", "\"-000043-03-15\""),
            ("0001-01-01 BC", "\"0000-01-01\""),
            ("10000-01-01", "\"+010000-01-01\""),
            ("5874897-12-31", "\"+5874897-12-31\""),
            ("2026-11-22 10:00:00.5", "\"2026-11-22T10:00:00.5\""),
            ("2026-11-22 10:00:00+01", "\"2026-11-22T10:00:00+01:00\""),
            ("2026-11-22 10:00:00-03:30", "\"2026-11-22T10:00:00-03:30\""),
            ("0044-03-15 10:00:00+00 BC", "\"-000043-03-15T10:00:00+00:00\""),
            ("10:00:00", "\"10:00:00\""),
            ("10:00:00-05", "\"10:00:00-05:00\""),
            ("infinity", "null"),
            ("-infinity", "null"),
        ] {
            assert_eq!(said(moment, printed.as_bytes()), iso, "{printed}");
        }
    }

    #[test]
    fn what_json_cannot_say_is_null() {
        for word in ["NaN", "Infinity", "-Infinity"] {
            assert_eq!(said(number, word.as_bytes()), "null");
        }
        assert_eq!(said(number, b"12345678901234567890.10"), "12345678901234567890.10");
        assert_eq!(said(numbers, b"[1.5,\"NaN\",[\"-Infinity\"]]"), "[1.5,null,[null]]");
        assert_eq!(said(interval, b"P1DT2H"), "\"P1DT2H\"");
        assert_eq!(said(interval, b"-infinity"), "null");
    }

    #[test]
    fn text_is_escaped_and_json_is_on_one_line() {
        assert_eq!(said(text, b"a\"b\\c\nd\x01\xff"), "\"a\\\"b\\\\c\\nd\\u0001\u{fffd}\"");
        assert_eq!(said(json, b"{\"a\":\r\n 1}"), "{\"a\":   1}");
    }
}
