//! What is other in every run: moments, ids, versions, sessions. Each is checked for its shape and for the time of the
//! run, and gives way to a name by which equal ones are equal and greater ones are greater.
//!
//! Must not know what a scene is about: what is fixed in it is not of the time of the run.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use pulso_harness::token;

const MICROS: i64 = 1_000_000;
/// `2025-07-20T10:30:01.204Z`
const ISO: &str = "dddd-dd-ddTdd:dd:dd.dddZ";
/// Of a session, in the spelling of base64 for addresses.
const SID_LENGTH: usize = 16;
/// Before a random pause.
const RETRY: &str = "< retry: ";
const LONGEST_RETRY: u64 = 5_000;

/// A piece of text that may be of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'t> {
    Plain(&'t str),
    /// An event's, which count up by one.
    Id(i64),
    /// A version of figures, which grow.
    Seq(i64),
    Seconds(i64),
    Moment(&'t str),
    Sid(&'t str),
    Retry,
    Date,
}

/// `text` with names for what is of the run that began at `began` (Unix seconds).
pub fn put(text: &str, began: i64) -> String {
    let window = began - 1..token::now() + 2;
    let lines: Vec<Vec<Piece>> = text.lines().map(|line| pieces(line, &window)).collect();
    let all = || lines.iter().flatten().copied();
    check_figures(&lines);
    let first_id = all().filter_map(|piece| if let Piece::Id(id) = piece { Some(id) } else { None }).min();
    let seqs: BTreeSet<i64> =
        all().filter_map(|piece| if let Piece::Seq(seq) = piece { Some(seq) } else { None }).collect();
    let moments: BTreeSet<&str> =
        all().filter_map(|piece| if let Piece::Moment(at) = piece { Some(at) } else { None }).collect();
    let mut sids: Vec<String> = Vec::new();
    let mut name = |piece: &Piece| match *piece {
        Piece::Plain(text) => text.to_owned(),
        Piece::Id(id) => format!("<id {}>", id - first_id.unwrap_or_default()),
        Piece::Seq(seq) => format!("<seq {}>", seqs.range(..seq).count()),
        Piece::Seconds(_) => "<seconds>".to_owned(),
        Piece::Moment(at) => format!("<moment {}>", moments.range(..at).count()),
        Piece::Sid(sid) => {
            let known = sids.iter().position(|known| known == sid);
            let place = known.unwrap_or(sids.len());
            if known.is_none() {
                sids.push(sid.to_owned());
            }
            format!("<sid {place}>")
        }
        Piece::Retry => "<retry>".to_owned(),
        Piece::Date => "<date>".to_owned(),
    };
    lines.iter().map(|line| line.iter().map(&mut name).collect::<String>() + "\n").collect()
}

/// Figures of one version were read in one second, and those of a later one not before.
fn check_figures(lines: &[Vec<Piece<'_>>]) {
    let mut read: BTreeMap<i64, i64> = BTreeMap::new();
    for line in lines {
        let seq = line.iter().find_map(|piece| if let Piece::Seq(seq) = piece { Some(*seq) } else { None });
        let at = line.iter().find_map(|piece| if let Piece::Seconds(at) = piece { Some(*at) } else { None });
        if let (Some(seq), Some(at)) = (seq, at) {
            assert_eq!(*read.entry(seq).or_insert(at), at, "figures of one version were read at two times");
        }
    }
    assert!(read.values().is_sorted(), "newer figures were read earlier: {read:?}");
}

fn pieces<'t>(line: &'t str, window: &std::ops::Range<i64>) -> Vec<Piece<'t>> {
    if let Some((before, value)) = line.split_once("< date: ") {
        let read = Timestamp::strptime("%a, %d %b %Y %H:%M:%S GMT %z", format!("{value} +0000"));
        let at = read.unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(window.contains(&at.as_second()), "{line}");
        return vec![Piece::Plain(before), Piece::Plain("< date: "), Piece::Date];
    }
    let mut found = Vec::new();
    let (mut plain_from, mut at) = (0, 0);
    while at < line.len() {
        let Some((piece, length)) = piece_at(line, at, window) else {
            at += line[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        found.extend([Piece::Plain(&line[plain_from..at]), piece]);
        at += length;
        plain_from = at;
    }
    found.push(Piece::Plain(&line[plain_from..]));
    found
}

/// What begins at `at`, with its length in bytes.
fn piece_at<'t>(line: &'t str, at: usize, window: &std::ops::Range<i64>) -> Option<(Piece<'t>, usize)> {
    let (before, rest) = line.split_at(at);
    if before.ends_with(r#""sid":""#) || before.ends_with("sid=") {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !"_-".contains(letter));
        let sid = &rest[..end.unwrap_or(rest.len())];
        assert_eq!(sid.len(), SID_LENGTH, "no session's id: {line}");
        return Some((Piece::Sid(sid), sid.len()));
    }
    if before.ends_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '-') {
        return None;
    }
    if let Some(text) = rest.get(..ISO.len()).filter(|text| has_shape(text)) {
        let moment: Timestamp = text.parse().ok()?;
        return window.contains(&moment.as_second()).then_some((Piece::Moment(text), ISO.len()));
    }
    let digits = &rest[..rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len())];
    let number: i64 = digits.parse().ok()?;
    if before.ends_with(RETRY) {
        assert!(number.unsigned_abs() < LONGEST_RETRY, "{line}");
        return Some((Piece::Retry, digits.len()));
    }
    let piece = if window.contains(&(number / MICROS)) {
        if before.ends_with(r#""seq":"#) { Piece::Seq(number) } else { Piece::Id(number) }
    } else if window.contains(&number) {
        Piece::Seconds(number)
    } else {
        return None;
    };
    Some((piece, digits.len()))
}

fn has_shape(text: &str) -> bool {
    text.bytes().zip(ISO.bytes()).all(|(is, wanted)| if wanted == b'd' { is.is_ascii_digit() } else { is == wanted })
}

#[test]
fn what_is_of_the_run_has_a_name_and_everything_else_is_left() {
    let now = token::now();
    let at = Timestamp::from_second(now).unwrap();
    let later = at + SignedDuration::from_millis(7);
    let (id, next) = (now * MICROS, now * MICROS + 1);
    let sid = "abcdefghijklm_-1";
    let text = format!(
        "a < {{\"id\":\"{next}\",\"at\":\"{later:.3}\",\"seq\":{id}}}\na < id: {id}\na < {at:.3} {now} 17 2025-07-20T10:30:01.204Z\n\
         a < \"sid\":\"{sid}\"\na > sid={sid}&x\n"
    );
    assert_eq!(
        put(&text, now),
        "a < {\"id\":\"<id 1>\",\"at\":\"<moment 1>\",\"seq\":<seq 0>}\na < id: <id 0>\na < <moment 0> <seconds> 17 \
         2025-07-20T10:30:01.204Z\na < \"sid\":\"<sid 0>\"\na > sid=<sid 0>&x\n"
    );
}
