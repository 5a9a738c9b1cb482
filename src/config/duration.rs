//! Durations as an operator writes them: `10s`, `300ms`, `5m`, `2h`, `366d`, a bare number for seconds.

use std::time::Duration;

/// `text` as a duration, or `None` if it is not one.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// `duration` in the largest unit that holds it exactly.
pub fn render(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    if millis == 0 { "0".to_owned() } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written_back() {
        for text in ["300ms", "10s", "5m", "2h", "366d", "4500ms", "25s"] {
            assert_eq!(render(parse(text).unwrap()), text);
        }
        assert_eq!(parse("90"), Some(Duration::from_secs(90)));
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(parse("60s").map(render), Some("1m".to_owned()));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "-1s", "1.5s", "10 s", "10S", "1w", "ten", "99999999999999999999", "9999999999999999d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
