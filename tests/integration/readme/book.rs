//! The book's pages: each in both languages, with the same outline, and in the contents by its title.

use std::fs;
use std::path::{Path, PathBuf};

use super::outline;

pub fn folder(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/book/{language}/src"))
}

/// The pages of one language, by file name.
pub fn pages(language: &str) -> Vec<PathBuf> {
    let (mut pages, mut folders) = (Vec::new(), vec![folder(language)]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { &mut folders } else { &mut pages }.push(path);
        }
    }
    pages.sort();
    assert!(!pages.is_empty(), "the book has no page in {language}");
    pages
}

/// The pages' files as they are named within the book, in order.
pub fn files(language: &str) -> impl Iterator<Item = String> {
    let folder = folder(language);
    pages(language).into_iter().map(move |page| page.strip_prefix(&folder).unwrap().to_string_lossy().into_owned())
}

/// What a page says. It is kept until the process ends, as the READMEs are.
pub fn page(language: &str, file: &str) -> &'static str {
    fs::read_to_string(folder(language).join(file)).unwrap().leak()
}

#[test]
fn every_page_of_the_book_is_there_in_both_languages_with_the_same_outline() {
    let (english, spanish) = (pages("en"), pages("es"));
    assert_eq!(files("en").collect::<Vec<_>>(), files("es").collect::<Vec<_>>());
    for (page, pagina) in english.iter().zip(&spanish) {
        let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
        assert_eq!(outline(&read(page)), outline(&read(pagina)), "{}", page.display());
    }
}

#[test]
fn the_contents_have_every_page_once_by_its_title() {
    for language in ["en", "es"] {
        let entry = |line: &'static str| line.split_once('[')?.1.strip_suffix(')')?.split_once("](");
        let listed: Vec<(&str, &str)> = page(language, "SUMMARY.md").lines().filter_map(entry).collect();
        for (title, file) in &listed {
            assert_eq!(page(language, file).lines().next(), Some(&*format!("# {title}")), "{language}: {file}");
        }
        let mut listed: Vec<&str> = listed.into_iter().map(|(_, file)| file).collect();
        listed.sort_unstable();
        let mut there: Vec<String> = files(language).filter(|file| file != "SUMMARY.md").collect();
        there.sort_unstable();
        assert_eq!(listed, there, "{language}");
    }
}

#[test]
fn the_addresses_of_the_sources_and_of_the_book_are_a_line_each_for_who_publishes_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let address = |file: &str| {
        let text = read(file);
        let named: Vec<&str> = text.lines().map(str::trim).filter(|line| line.contains("https://")).collect();
        assert_eq!(named.len(), 1, "{file}: {named:?}");
        let address = named[0].strip_prefix("address").unwrap().trim_matches([' ', '=', ':', '"']);
        assert!(address.starts_with("https://") && address.ends_with('/'), "{file}: {address}");
        address.to_owned()
    };
    assert_eq!(address("docs/book/en/book.toml"), address("docs/book/es/book.toml"));
    let book = address("ops/prometheus/rules.yml");
    let tested = read("ops/prometheus/rules.test.yml");
    let led: Vec<&str> = tested.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
    assert!(led.len() > 20 && led.iter().all(|url| url.starts_with(&book)), "{book}: {led:?}");
    let told = read("docs/contributing.md");
    for file in ["docs/book/en/book.toml", "docs/book/es/book.toml", "ops/prometheus/rules.yml"] {
        assert!(told.contains(file), "{file} has an address that nobody is told of");
    }
}

#[test]
fn every_metric_that_the_book_names_is_described() {
    let described = include_str!("../../../docs/book/en/src/reference/metrics.md");
    for text in ["en", "es"].map(|language| page(language, "several-nodes.md")) {
        let words = text.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '_'));
        let metrics: Vec<&str> = words.filter(|word| word.starts_with("pulso_")).collect();
        assert!(metrics.len() >= 6, "{metrics:?}");
        for metric in metrics {
            let metric = metric.strip_suffix("_bucket").unwrap_or(metric);
            assert!(described.contains(&format!("| `{metric}` |")), "{metric}");
        }
    }
}

#[test]
fn the_map_is_read_in_one_go_and_the_glossary_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = fs::read_to_string(root.join("ARQUITECTURE.md")).unwrap();
    assert!(map.len() <= 10_000, "ARQUITECTURE.md has {} bytes", map.len());
    let contributing = fs::read_to_string(root.join("docs/contributing.md")).unwrap();
    let words = contributing.split("## The words we use").nth(1).unwrap().split("\n## ").next().unwrap();
    let terms = words.lines().filter(|line| line.starts_with("| ")).count() - 1;
    assert!((20..=40).contains(&terms), "the glossary has {terms} terms");
}
