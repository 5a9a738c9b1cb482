//! What is said of things that have a name, in both languages: how a file of such entries is read.
//!
//! An entry is a line with the thing's name and what else is known of it, then a line with what is said of it in each
//! language, `en` and `es`. The parts of a line stand between ` | `, entries behind an empty line, and a line that begins
//! with `#` is for who reads the file.
//!
//! Must not know what is described.

use clap::ValueEnum;

/// What documents are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    En,
    Es,
}

/// One thing that is described. All texts are Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: &'static str,
    /// What is the same in every language.
    pub facts: Vec<&'static str>,
    english: Vec<&'static str>,
    spanish: Vec<&'static str>,
}

impl Entry {
    /// What is said of it, part by part.
    pub fn said(&self, language: Language) -> &[&'static str] {
        match language {
            Language::En => &self.english,
            Language::Es => &self.spanish,
        }
    }
}

/// The entries of a file, in their order; one that is not whole is none.
pub fn entries(text: &'static str) -> Vec<Entry> {
    text.split("\n\n").filter_map(entry).collect()
}

fn entry(block: &'static str) -> Option<Entry> {
    let mut lines = block.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut named = parts(lines.next()?);
    let name = named.next()?;
    let mut said = |language| Some(parts(lines.next()?.strip_prefix(language)?).collect());
    Some(Entry { name, facts: named.collect(), english: said("en | ")?, spanish: said("es | ")? })
}

fn parts(line: &'static str) -> impl Iterator<Item = &'static str> {
    line.split(" | ").map(str::trim)
}

/// Markdown as a terminal shows it: without backticks, and of a link its words.
pub fn plain(markdown: &str) -> String {
    let mut plain = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once("](") {
        plain.push_str(before);
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.retain(|mark| !['`', '['].contains(&mark));
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# For the reader.\n\nPORT | 8080\nen | port to listen on\nes | puerto\n\nHALF | 1\nen | nothing\n\n\
                        1013 | slow\n# Two parts.\nen | what | why\nes | qué | por qué\n";

    #[test]
    fn an_entry_has_a_name_facts_and_what_is_said_in_each_language() {
        let [port, close] = &entries(FILE)[..] else { panic!("{:?}", entries(FILE)) };
        assert_eq!(
            (port.name, &port.facts[..], port.said(Language::En)),
            ("PORT", &["8080"][..], &["port to listen on"][..])
        );
        assert_eq!((close.name, close.said(Language::Es)), ("1013", &["qué", "por qué"][..]));
    }

    #[test]
    fn what_a_terminal_is_shown_has_no_marks() {
        assert_eq!(
            plain("a `query`, or the [counters](#counters): see [there](x.md)."),
            "a query, or the counters: see there."
        );
    }
}
