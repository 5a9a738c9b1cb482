//! A price, in cents: money never goes through a float.

use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A meal costs less than this.
const MOST_CENTS: u64 = 100_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub cents: u64,
}

impl Price {
    fn parse(text: &str) -> Option<Self> {
        let (whole, cents) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || cents.len() > 2 || !is_number(whole) || !is_number(cents) {
            return None;
        }
        let cents = format!("{whole}{cents:0<2}").parse().ok()?;
        (cents <= MOST_CENTS).then_some(Self { cents })
    }
}

impl Serialize for Price {
    /// As a string with two decimals.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}.{:02}", self.cents / 100, self.cents % 100))
    }
}

impl<'de> Deserialize<'de> for Price {
    /// From a number or a string, read digit by digit.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get().trim_matches('"')).ok_or_else(|| D::Error::custom("no price"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_written_with_two_decimals_however_it_came() {
        for (given, written) in
            [("15.50", "15.50"), ("15.5", "15.50"), ("\"15.50\"", "15.50"), ("7", "7.00"), ("0.05", "0.05")]
        {
            let price: Price = serde_json::from_str(given).unwrap();
            assert_eq!(serde_json::to_string(&price).unwrap(), format!("\"{written}\""), "{given}");
        }
        for wrong in ["-1", "1.234", "1e3", "\"\"", "\".5\"", "null", "[]", "99999999999999999999", "1000001"] {
            assert!(serde_json::from_str::<Price>(wrong).is_err(), "{wrong}");
        }
    }
}
