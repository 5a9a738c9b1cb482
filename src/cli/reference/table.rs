//! A table, in Markdown.

use std::fmt::{self, Display, Formatter};

use crate::described::{Entry, Language};

/// What stands in each language at the head of each column.
pub(super) type Heads<const COLUMNS: usize> = [(&'static str, &'static str); COLUMNS];

pub(super) struct Table<const COLUMNS: usize> {
    head: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(super) fn new(
        language: Language,
        heads: Heads<COLUMNS>,
        rows: impl IntoIterator<Item = [String; COLUMNS]>,
    ) -> Self {
        let head = heads.map(|(english, spanish)| match language {
            Language::En => english,
            Language::Es => spanish,
        });
        Self { head, rows: rows.into_iter().collect() }
    }
}

impl<const COLUMNS: usize> Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |\n|{}", self.head.join(" | "), "---|".repeat(COLUMNS))?;
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

/// As code.
pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

/// One part of what is said of something.
pub(super) fn said(entry: &Entry, language: Language, part: usize) -> String {
    entry.said(language).get(part).copied().unwrap_or_default().to_owned()
}
