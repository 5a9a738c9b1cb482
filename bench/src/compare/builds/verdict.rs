//! What three builds' figures say: the table, and whether anything became slower or larger.

use std::fmt::Write as _;

use crate::quantiles::middle;
use crate::sheet::digits;

/// How much slower is still as fast.
const SLOWER: f64 = 0.02;
/// How many bytes more an idle connection may take.
const LARGER: f64 = 32.0;

/// One thing that was measured: of the older build, the older build again, and the newer one.
#[derive(Debug)]
pub struct Row {
    pub name: String,
    is_memory: bool,
    /// One of each round.
    values: Vec<[f64; 3]>,
    instructions: Vec<[f64; 3]>,
}

/// Medians over the rounds.
#[derive(Clone, Copy, Debug)]
struct Medians {
    before: f64,
    now: f64,
    /// The newer ÷ the older, and the older ÷ itself, of one round each.
    ratio: f64,
    equal: f64,
    more_bytes: f64,
    equal_bytes: f64,
}

impl Row {
    pub fn of(name: String, is_memory: bool) -> Self {
        Self { name, is_memory, values: Vec::new(), instructions: Vec::new() }
    }

    pub fn unit(&self) -> &'static str {
        if self.is_memory { "B" } else { "µs" }
    }

    /// Figures of one round, in the order of the builds.
    pub fn add(&mut self, values: [f64; 3], instructions: [Option<f64>; 3]) {
        self.values.push(values);
        if let [Some(before), Some(again), Some(now)] = instructions {
            self.instructions.push([before, again, now]);
        }
    }

    /// "slower", "larger" or nothing.
    fn verdict(&self) -> Option<&'static str> {
        let medians = Medians::of(&self.values)?;
        if self.is_memory {
            return (medians.more_bytes > LARGER.max(medians.equal_bytes.abs())).then_some("LARGER");
        }
        // A busy machine does not add instructions: where they are counted they settle a doubt.
        let is_doubted = Medians::of(&self.instructions).is_some_and(|counted| !counted.is_slower());
        (medians.is_slower() && !is_doubted).then_some("SLOWER")
    }
}

impl Medians {
    fn of(rounds: &[[f64; 3]]) -> Option<Self> {
        let over = |of: fn(&[f64; 3]) -> f64| middle(&mut rounds.iter().map(of).collect::<Vec<_>>());
        Some(Self {
            before: over(|[before, ..]| *before)?,
            now: over(|[.., now]| *now)?,
            ratio: over(|[before, _, now]| now / before)?,
            equal: over(|[before, again, _]| again / before)?,
            more_bytes: over(|[before, _, now]| now - before)?,
            equal_bytes: over(|[before, again, _]| again - before)?,
        })
    }

    fn is_slower(self) -> bool {
        self.ratio - 1.0 > SLOWER.max((self.equal - 1.0).abs())
    }
}

/// True if nothing became slower or larger than it may.
pub fn is_good(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.verdict().is_none())
}

pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| | before | now | now ÷ before | before ÷ before | instructions: now ÷ before | before ÷ before | |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Some(medians) = Medians::of(&row.values) else { continue };
        let counted = Medians::of(&row.instructions);
        let ratio = |of: fn(Medians) -> f64| counted.map_or("–".to_owned(), |counted| format!("{:.3}", of(counted)));
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "| {} | {} {unit} | {} {unit} | {:.3} | {:.3} | {} | {} | {} |",
            row.name,
            digits(medians.before),
            digits(medians.now),
            medians.ratio,
            medians.equal,
            ratio(|counted| counted.ratio),
            ratio(|counted| counted.equal),
            row.verdict().unwrap_or("ok"),
            unit = row.unit(),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(is_memory: bool, values: &[[f64; 3]], instructions: &[[f64; 3]]) -> Row {
        let mut row = Row::of("work".to_owned(), is_memory);
        row.values = values.to_vec();
        row.instructions = instructions.to_vec();
        row
    }

    #[test]
    fn slower_is_what_is_beyond_two_percent_and_beyond_what_equal_builds_differ() {
        for (values, slower) in [
            ([100.0, 100.0, 101.9], false),
            ([100.0, 100.0, 102.1], true),
            ([100.0, 105.0, 104.0], false),
            ([100.0, 95.0, 104.0], false),
            ([100.0, 103.0, 104.0], true),
            ([100.0, 100.0, 50.0], false),
        ] {
            let row = row(false, &[values], &[]);
            assert_eq!(row.verdict().is_some(), slower, "{values:?}");
            assert_eq!(is_good(&[row]), !slower);
        }
    }

    #[test]
    fn of_several_rounds_the_median_counts() {
        let calm = [100.0, 100.0, 100.0];
        assert!(is_good(&[row(false, &[calm, [100.0, 100.0, 190.0], calm], &[])]));
        assert!(!is_good(&[row(false, &[calm, [100.0, 100.0, 110.0], [90.0, 90.0, 99.0]], &[])]));
    }

    #[test]
    fn instructions_settle_a_doubt_and_condemn_nobody_alone() {
        let (slow, equal) = ([100.0, 100.0, 110.0], [100.0, 100.0, 100.0]);
        assert!(!is_good(&[row(false, &[slow], &[slow])]));
        assert!(is_good(&[row(false, &[slow], &[equal])]));
        assert!(is_good(&[row(false, &[equal], &[slow])]));
    }

    #[test]
    fn a_connection_may_take_32_bytes_more() {
        assert!(is_good(&[row(true, &[[2_100.0, 2_100.0, 2_132.0]], &[])]));
        assert!(!is_good(&[row(true, &[[2_100.0, 2_100.0, 2_133.0]], &[])]));
        assert!(is_good(&[row(true, &[[2_100.0, 2_150.0, 2_140.0]], &[])]));
        assert_eq!(row(true, &[[2_100.0, 2_100.0, 2_200.0]], &[]).verdict(), Some("LARGER"));
    }

    #[test]
    fn the_table_has_a_row_for_each_and_a_dash_where_nothing_was_counted() {
        let text = markdown(&[row(false, &[[2.0, 2.0, 2.1]], &[]), row(true, &[[2_100.0, 2_101.0, 2_102.0]], &[])]);
        assert!(text.contains("| work | 2 µs | 2.10 µs | 1.050 | 1.000 | – | – | SLOWER |"), "{text}");
        assert!(text.contains("| work | 2100 B | 2102 B | 1.001 | 1.000 | – | – | ok |"), "{text}");
    }
}
