//! The book as it is read in a browser: mdBook builds it, and every link of every page leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulso_harness::Scratch;
use pulso_harness::script::python_tool;

use super::book::{files, folder};

/// The values of an attribute.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    html.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// A path without `..`.
fn straight(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut straight, part| {
        if part == Component::ParentDir {
            straight.pop();
        } else {
            straight.push(part);
        }
        straight
    })
}

fn builds(language: &str) {
    let scratch = Scratch::new();
    let mut mdbook = python_tool("mdbook");
    mdbook.arg("build").arg(folder(language).parent().unwrap()).arg("--dest-dir").arg(scratch.path());
    let said = mdbook.output().unwrap();
    let said = (said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned());
    assert!(said.0 && !said.1.contains("WARN") && !said.1.contains("ERROR"), "{}", said.1);

    let page = |file: String| scratch.path().join(file).with_extension("html");
    let pages: BTreeMap<PathBuf, String> = files(language)
        .filter(|file| file != "SUMMARY.md")
        .map(page)
        .map(|page| {
            (page.clone(), fs::read_to_string(&page).unwrap_or_else(|_| panic!("{} is missing", page.display())))
        })
        .collect();
    let ids: BTreeMap<&PathBuf, BTreeSet<&str>> =
        pages.iter().map(|(page, html)| (page, values(html, "id").into_iter().collect())).collect();
    let mut outward = 0;
    for (page, html) in &pages {
        for link in values(html, "href") {
            if link.starts_with("https://") {
                let file = link.strip_prefix("https://pulso.example/source/");
                let exists = |file: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists();
                assert!(file.is_none_or(|file| exists(file.split('#').next().unwrap())), "{}: {link}", page.display());
                outward += usize::from(file.is_some());
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { page.clone() } else { straight(&page.parent().unwrap().join(file)) };
            assert!(to.exists(), "{}: {link}", page.display());
            let has_heading = heading.is_empty() || ids.get(&to).is_some_and(|ids| ids.contains(heading));
            assert!(has_heading, "{}: {link}", page.display());
        }
    }
    assert!(outward > 10, "{outward} links lead to the repository");
}

#[test]
fn the_english_book_is_built_and_every_link_in_it_leads_somewhere() {
    builds("en");
}

#[test]
fn the_spanish_book_is_built_and_every_link_in_it_leads_somewhere() {
    builds("es");
}
