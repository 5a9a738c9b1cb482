//! What was measured, and whether it is within its target: one line a figure, one column a run.

/// Everything measured so far, in the order in which it came first.
#[derive(Default)]
pub struct Report {
    lines: Vec<Line>,
}

struct Line {
    scenario: &'static str,
    what: String,
    target: Option<String>,
    values: Vec<String>,
    passed: bool,
}

impl Report {
    /// A figure without a target.
    pub fn note(&mut self, scenario: &'static str, what: &str, value: impl Into<String>) {
        self.add(scenario, what, value.into(), None, true);
    }

    /// A figure that must keep to `target`.
    pub fn check(
        &mut self,
        scenario: &'static str,
        what: &str,
        value: impl Into<String>,
        target: impl Into<String>,
        passed: bool,
    ) {
        self.add(scenario, what, value.into(), Some(target.into()), passed);
    }

    fn add(&mut self, scenario: &'static str, what: &str, value: String, target: Option<String>, passed: bool) {
        let verdict = match (&target, passed) {
            (None, _) => "",
            (Some(_), true) => "PASS",
            (Some(_), false) => "FAIL",
        };
        println!("   {what}: {value} {verdict}");
        if let Some(line) = self.lines.iter_mut().find(|line| line.scenario == scenario && line.what == what) {
            line.values.push(value);
            line.passed &= passed;
        } else {
            self.lines.push(Line { scenario, what: what.to_owned(), target, values: vec![value], passed });
        }
    }

    pub fn has_failures(&self) -> bool {
        self.lines.iter().any(|line| !line.passed)
    }

    /// A Markdown table, ready for the README.
    pub fn print(&self) {
        let rows: Vec<[String; 5]> = self
            .lines
            .iter()
            .map(|line| {
                let verdict = match (&line.target, line.passed) {
                    (None, _) => "",
                    (Some(_), true) => "PASS",
                    (Some(_), false) => "FAIL",
                };
                let target = line.target.clone().unwrap_or_default();
                [line.scenario.to_owned(), line.what.clone(), line.values.join(" · "), target, verdict.to_owned()]
            })
            .collect();
        let heads = ["scenario", "figure", "measured", "target", ""].map(str::to_owned);
        let widths: [usize; 5] = std::array::from_fn(|column| {
            std::iter::once(&heads).chain(&rows).map(|row| row[column].chars().count()).max().unwrap_or(0)
        });
        let print = |row: &[String; 5]| {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            println!("| {} |", cells.join(" | "));
        };
        println!();
        print(&heads);
        print(&widths.map(|width| "-".repeat(width)));
        rows.iter().for_each(print);
    }
}
