//! The blocks of both READMEs and of the book: each has a name, and is run by a test of that name's or says why not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::book::{files, page};
use super::{ENGLISH, SPANISH};

/// Everything here that runs blocks, by `block("…")` and its like.
const RUNNERS: [&str; 14] = [
    include_str!("browser.rs"),
    include_str!("console.rs"),
    include_str!("demo.rs"),
    include_str!("environment.rs"),
    include_str!("proxy.rs"),
    include_str!("queries.rs"),
    include_str!("recipes.rs"),
    include_str!("redis.rs"),
    include_str!("tour.rs"),
    include_str!("../compose.rs"),
    include_str!("../packages/client/documented.rs"),
    include_str!("../packages/pages.rs"),
    include_str!("../second_words/page.rs"),
    include_str!("../tokens.rs"),
];

/// What stands between two fences.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub language: &'static str,
    pub name: &'static str,
    pub text: String,
    /// The reason that stands in a comment above a block which no test runs.
    not_run: Option<&'static str>,
}

/// What stands between fences in a text.
pub fn blocks(text: &'static str) -> Vec<Block> {
    let (mut found, mut above, mut open) = (Vec::new(), "", None::<Block>);
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let (language, name) = info.split_once(' ').unwrap_or((info, ""));
                let reason = above.strip_prefix("<!-- not-run: ").and_then(|rest| rest.strip_suffix(" -->"));
                open = Some(Block { language, name, text: String::new(), not_run: reason });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => {
                block.text += line;
                block.text.push('\n');
            }
            (None, None) => {}
        }
        above = line;
    }
    found
}

/// A block of the README or of the book that is to be run, wherever it stands.
pub fn block(name: &str) -> Block {
    block_in(&TEXTS[0], name)
}

/// As [`block`], of a page of the book.
pub fn block_of(file: &str, name: &str) -> Block {
    block_in(&[page("en", file)], name)
}

fn block_in(texts: &[&'static str], name: &str) -> Block {
    let found = texts.iter().flat_map(|text| blocks(text)).find(|block| block.name == name);
    let found = found.unwrap_or_else(|| panic!("there is no block {name}"));
    assert_eq!(found.not_run, None, "{name} is said not to be run");
    found
}

/// The README and the pages of the book, in English and in Spanish.
static TEXTS: LazyLock<[Vec<&'static str>; 2]> = LazyLock::new(|| {
    // Of the page about identity providers every block is run by its kind.
    let pages = |language| files(language).filter(|file| file != "identity-providers.md");
    let of = |language, readme| [readme].into_iter().chain(pages(language).map(|file| page(language, &file))).collect();
    [of("en", ENGLISH), of("es", SPANISH)]
});

#[test]
fn every_block_is_run_or_says_why_not() {
    for text in TEXTS.iter().flatten() {
        let blocks = blocks(text);
        let names: BTreeSet<&str> = blocks.iter().map(|block| block.name).collect();
        assert_eq!(names.len(), blocks.len(), "each block has a name of its own: {names:?}");
        assert!(!names.contains(""), "a block has no name");
        for Block { name, not_run, .. } in &blocks {
            // An argument of `block`, `sh`, `console` and their like.
            let ways = [format!("(\"{name}\""), format!(", \"{name}\"")];
            let is_run = RUNNERS.iter().any(|source| ways.iter().any(|way| source.contains(way)));
            match not_run {
                Some(reason) => assert!(reason.len() > 7 && !is_run, "{name}: {reason}"),
                None => assert!(is_run, "no test runs the block {name}"),
            }
        }
    }
}

#[test]
fn blocks_of_one_name_say_the_same() {
    let mut known: BTreeMap<&str, Block> = BTreeMap::new();
    for block in TEXTS[0].iter().flat_map(|text| blocks(text)) {
        let before = known.get(block.name);
        let is_same = before.is_none_or(|before| (before.language, &before.text) == (block.language, &block.text));
        assert!(is_same, "{}: two blocks of this name differ", block.name);
        known.insert(block.name, block);
    }
}

#[test]
fn both_languages_have_the_same_blocks() {
    let [english, spanish] = &*TEXTS;
    for (text, texto) in english.iter().zip(spanish) {
        let (english, spanish) = (blocks(text), blocks(texto));
        assert_eq!(english.len(), spanish.len());
        for (block, bloque) in english.iter().zip(&spanish) {
            assert_eq!((block.name, block.language, &block.text), (bloque.name, bloque.language, &bloque.text));
            assert_eq!(block.not_run.is_some(), bloque.not_run.is_some(), "{}", block.name);
        }
    }
}
