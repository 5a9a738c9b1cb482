//! `TIMEZONE`: the business's zone, and what is said of names that may mean another one than they seem to.
//!
//! No suggestion is further from what was written than a letter: of what looks like an offset only that offset is suggested,
//! for `GMT-5` and `Etc/GMT-5` are ten hours apart.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::clock::Clock;
use crate::config::reader::{Reader, quote};
use crate::config::spelling;

const SUCH_AS: &str = "such as America/Guayaquil";

/// Where to look first for a place with some offset.
const PLACES: [&str; 24] = [
    "America/Guayaquil",
    "America/Bogota",
    "America/Lima",
    "America/Panama",
    "America/Caracas",
    "America/La_Paz",
    "America/Santo_Domingo",
    "America/Santiago",
    "America/Asuncion",
    "America/Argentina/Buenos_Aires",
    "America/Montevideo",
    "America/Sao_Paulo",
    "America/Mexico_City",
    "America/Guatemala",
    "America/Costa_Rica",
    "America/Tijuana",
    "America/Hermosillo",
    "America/Havana",
    "America/New_York",
    "America/Denver",
    "Atlantic/Canary",
    "Europe/Madrid",
    "Africa/Malabo",
    "Europe/Athens",
];

/// Unset is UTC and worth a warning.
pub(super) fn read(reader: &mut Reader<'_>) -> TimeZone {
    let now = Clock::system(TimeZone::UTC).now();
    let Some(name) = reader.text("TIMEZONE") else {
        reader.warn(
            "TIMEZONE",
            "unset, so \"today\" is UTC's calendar day; set the business's zone, such as America/Guayaquil",
        );
        return TimeZone::UTC;
    };
    let zone = match find(&name) {
        Ok(zone) => zone,
        Err((problem, remedy)) => {
            reader.mistake("TIMEZONE", problem, remedy);
            return TimeZone::UTC;
        }
    };
    if names_no_place(zone.iana_name().unwrap_or(&name)) {
        let turned = if name.contains(['+', '-']) { ": the sign in such a name is turned" } else { "" };
        let (name, offset) = (quote(&name), spelt(zone.to_offset(now)));
        reader.warn(
            "TIMEZONE",
            format!("{name} is {offset} today{turned}; a place's name, {SUCH_AS}, says which clocks are meant"),
        );
    }
    zone
}

/// The zone of this name, or what is wrong with it and what may be meant.
pub(crate) fn find(name: &str) -> Result<TimeZone, (String, String)> {
    let now = Clock::system(TimeZone::UTC).now();
    TimeZone::get(name).map_err(|_| (format!("{} is not a time zone", quote(name)), suggestion(name, now)))
}

/// A name made of hours, or of letters that several countries use. UTC itself is clear.
fn names_no_place(name: &str) -> bool {
    let name = name.trim_start_matches("Etc/");
    let is_made_of_hours = name.contains(|letter: char| letter.is_ascii_digit());
    match name {
        "EST" | "MST" | "HST" | "CET" | "MET" | "EET" | "WET" => true,
        "GMT0" | "GMT+0" | "GMT-0" => false,
        _ => is_made_of_hours,
    }
}

fn suggestion(name: &str, now: Timestamp) -> String {
    if name.contains(|letter: char| letter.is_ascii_digit()) {
        let Some(offset) = offset(name, now) else { return format!("Write an IANA zone name {SUCH_AS}") };
        let has_it = |place: &&&str| TimeZone::get(place).is_ok_and(|zone| zone.to_offset(now) == offset);
        let places: Vec<&str> = PLACES.iter().filter(has_it).take(3).copied().collect();
        let where_it_is = match places.as_slice() {
            [] => format!("{SUCH_AS} (an offset alone, here {}, is none)", spelt(offset)),
            places => format!("of the business's place; of {} are {}", spelt(offset), places.join(", ")),
        };
        return format!("Write the IANA zone name {where_it_is}");
    }
    match nearest(name) {
        Some(zone) => format!("Did you mean {zone}? Write an IANA zone name"),
        None => format!("Write an IANA zone name {SUCH_AS}"),
    }
}

/// The zone with this city (`guayaquil`, `America/Bogotà`), or one spelt nearly so.
fn nearest(name: &str) -> Option<String> {
    let zones: Vec<String> = jiff::tz::db()
        .available()
        .map(|zone| zone.as_str().to_owned())
        .filter(|zone| !zone.contains(|letter: char| letter.is_ascii_digit()))
        .collect();
    let city = |zone: &str| zone.rsplit('/').next().unwrap_or(zone).replace([' ', '-'], "_");
    let wanted = city(name);
    zones.iter().find(|zone| city(zone).eq_ignore_ascii_case(&wanted)).cloned().or_else(|| {
        // Among short names each is near the others, and hours away.
        let limit = (name.len() / 4).min(3);
        spelling::nearest(name, zones.iter().map(String::as_str), limit).map(str::to_owned)
    })
}

/// What people mean by `UTC-5`, `GMT-05:00` and `-5`, and systems by `<-05>5` and `EST5`. `None` where these two disagree.
fn offset(name: &str, now: Timestamp) -> Option<Offset> {
    let plain = name.trim().replace('\u{2212}', "-").to_ascii_uppercase();
    let hours = ["UTC", "GMT", "Z"].iter().find_map(|prefix| plain.strip_prefix(prefix)).unwrap_or(&plain).trim();
    if let Some(sign) = hours.chars().next().filter(|first| matches!(first, '+' | '-')) {
        let digits = &hours[1..];
        let (whole, minutes) = match digits.split_once([':', '.']) {
            Some(parts) => parts,
            None if digits.len() > 2 && digits.is_ascii() => digits.split_at(digits.len() - 2),
            None => (digits, "0"),
        };
        let (whole, minutes): (i32, i32) = (whole.parse().ok()?, minutes.parse().ok()?);
        let seconds = (whole * 60 + minutes) * 60;
        return Offset::from_seconds(if sign == '-' { -seconds } else { seconds }).ok();
    }
    if !name.starts_with('<') && name.contains(['+', '-']) {
        return None;
    }
    TimeZone::posix(name).ok().map(|zone| zone.to_offset(now))
}

/// `UTC-05:00`.
fn spelt(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-29T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn no_suggestion_turns_a_sign_nor_moves_the_clock() {
        for name in [
            "GMT-5",
            "UTC-5",
            "gmt-5",
            "UTC-05:00",
            "GMT-0500",
            "-5",
            "-05:00",
            "UTC\u{2212}5",
            "UTC -5",
            "<-05>5",
            "EST5",
            "COT5",
        ] {
            let said = suggestion(name, now());
            assert!(
                said.contains("UTC-05:00") && said.contains("America/Guayaquil") && !said.contains("Etc/"),
                "{name}: {said}"
            );
        }
        for name in ["GMT+5", "UTC+5", "ECT-5", "PET-5", "UTC5:30x", "GMT-99", "Etc/GMT-25"] {
            let said = suggestion(name, now());
            assert!(!said.contains("Did you mean") && !said.contains("UTC-05:00"), "{name}: {said}");
        }
        for name in ["ECT", "PET", "COT"] {
            assert_eq!(suggestion(name, now()), "Write an IANA zone name such as America/Guayaquil", "{name}");
        }
        assert!(suggestion("UTC+1", now()).contains("Europe/Madrid"));
        assert!(suggestion("UTC+5:30", now()).contains("UTC+05:30"));
    }

    #[test]
    fn a_name_that_means_hours_is_told_from_a_place() {
        for name in ["Etc/GMT-5", "Etc/GMT+5", "Etc/GMT-10", "EST5EDT", "PST8PDT", "EST", "CET"] {
            assert!(names_no_place(name), "{name}");
        }
        for name in ["UTC", "Etc/UTC", "GMT", "Etc/GMT0", "Etc/GMT+0", "GMT-0", "America/Guayaquil", "Japan"] {
            assert!(!names_no_place(name), "{name}");
        }
    }
}
