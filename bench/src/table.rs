//! A run as Markdown: the verdict, then a table for each work and case.

use std::fmt::Write;

use crate::peer::Peer;
use crate::sheet::{Sheet, digits};
use crate::targets::{Verdict, verdicts};

/// What a reader has to know to trust the figures.
#[derive(Debug)]
pub struct Circumstances {
    pub machine: String,
    pub rounds: u32,
    pub is_quick: bool,
    pub missing: Vec<String>,
}

pub fn markdown(sheet: &Sheet, circumstances: &Circumstances) -> String {
    let mut text = String::from("# Pulso and its peers\n\n");
    let _ = writeln!(text, "{}. Rounds, interleaved: {}; medians.", circumstances.machine, circumstances.rounds);
    if circumstances.is_quick {
        text += "A quick look (`--quick`), not a measurement.\n";
    }
    for missing in &circumstances.missing {
        let _ = writeln!(text, "Not here: {missing}.");
    }
    text +=
        "`×` is the multiple of the limit (a bare epoll loop with one `write()` a subscriber) in the same round.\n\n";
    text += "## Targets\n\n";
    let heads = ["figure", "measured", "target", ""].map(str::to_owned).to_vec();
    let verdict = |verdict: Verdict| {
        let word = if verdict.has_passed { "PASS" } else { "**FAIL**" };
        vec![verdict.what, verdict.measured, verdict.target, word.to_owned()]
    };
    text += &table(&heads, &verdicts(sheet).into_iter().map(verdict).collect::<Vec<_>>());
    for (work, case) in sheet.cases() {
        let _ = write!(text, "\n## {work}: {case}\n\n");
        text += &of_case(sheet, work, &case);
    }
    text
}

fn of_case(sheet: &Sheet, work: &str, case: &str) -> String {
    let figures = sheet.figures(work, case);
    let mut heads = vec!["server".to_owned()];
    for figure in &figures {
        heads.push(if figure.unit.is_empty() {
            figure.name.to_owned()
        } else {
            format!("{} ({})", figure.name, figure.unit)
        });
        if figure.is_relative {
            heads.push("×".to_owned());
        }
    }
    let row = |peer: Peer| {
        let mut cells = vec![peer.name().to_owned()];
        for &figure in &figures {
            cells.push(sheet.median(work, case, peer, figure).map_or_else(String::new, digits));
            if figure.is_relative {
                let ratio = sheet.ratio(work, case, peer, figure);
                cells.push(ratio.map_or_else(String::new, |(ratio, least, most)| {
                    let (ratio, least, most) = (digits(ratio), digits(least), digits(most));
                    if least == most { ratio } else { format!("{ratio} ({least}–{most})") }
                }));
            }
        }
        cells
    };
    table(&heads, &sheet.peers(work, case).into_iter().map(row).collect::<Vec<_>>())
}

/// Columns as wide as what is in them.
pub fn table(heads: &[String], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(heads.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |row: &[String]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    let mut text = line(heads) + &line(&rule);
    text.extend(rows.iter().map(|row| line(row)));
    text
}
