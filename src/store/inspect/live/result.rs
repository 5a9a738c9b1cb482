//! What a result says that its readers may get otherwise than it was meant.
//!
//! Must not connect.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::Finding;
use crate::queries::LiveQuery;
use crate::store::Learnt;

/// The greatest whole number below which JavaScript has all.
const SAFE: u128 = 1 << 53;
/// Digits of a decimal that every double keeps.
const SAFE_DIGITS: usize = 15;

type Row<'a> = HashMap<String, &'a RawValue>;

/// What there is to warn of in what `query` has said.
pub(super) fn warnings(query: &LiveQuery, learnt: &Learnt, data: &str) -> Vec<Finding> {
    let name = query.name.as_str();
    let rows = serde_json::from_str::<Vec<Row>>(data).or_else(|_| serde_json::from_str(data).map(|row| vec![row]));
    let mut findings = Vec::new();
    for (column, kind) in &learnt.columns {
        let is_exact = ["bigint", "int8", "numeric", "integer"].contains(&kind.to_ascii_lowercase().as_str());
        let mut values = rows.iter().flatten().filter_map(|row| row.get(column)).map(|value| value.get());
        if let Some(value) = values.find(|value| is_exact && is_rounded(value)) {
            let what = format!("{name}: {column} is {value}, which JavaScript rounds");
            findings.push(Finding::warning(what, format!("send it as text: {column}::text")));
        }
    }
    findings
}

/// Times that are of no zone, and so of `timezone`.
pub(super) fn without_zone(query: &LiveQuery, learnt: &Learnt) -> Option<Finding> {
    let is_bare = |kind: &str| kind == "timestamp" || kind == "time" || kind.ends_with(" without time zone");
    let bare: Vec<&str> = learnt.columns.iter().filter(|(_, kind)| is_bare(kind)).map(|(name, _)| &**name).collect();
    (!bare.is_empty()).then(|| {
        let name = query.name.as_str();
        let what = format!("{name}: {} has no time zone, and is sent as it stands", bare.join(", "));
        Finding::warning(what, "if clients are to know when that was: (… AT TIME ZONE 'the zone of the column')")
    })
}

fn is_rounded(number: &str) -> bool {
    let number = number.trim_start_matches('-');
    if let Ok(whole) = number.parse::<u128>() {
        return whole > SAFE;
    }
    let digits = number.split(['e', 'E']).next().unwrap_or_default();
    let digits = if digits.contains('.') { digits.trim_end_matches('0') } else { digits };
    let significant: String = digits.chars().filter(char::is_ascii_digit).collect();
    number.starts_with(|first: char| first.is_ascii_digit()) && significant.trim_start_matches('0').len() > SAFE_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_javascript_rounds_is_told_from_one_that_it_keeps() {
        for number in
            ["9007199254740993", "-12345678901234567890", "1234567890.1234567", "0.12345678901234567890", "1e40000"]
        {
            assert_eq!(is_rounded(number), number != "1e40000", "{number}");
        }
        for number in [
            "0",
            "-7",
            "9007199254740992",
            "12.50",
            "123456789012.100000000000",
            "0.000000000000000000001",
            "null",
            "\"1\"",
        ] {
            assert!(!is_rounded(number), "{number}");
        }
    }
}
