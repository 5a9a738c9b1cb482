//! Every link of what people read leads to a file that is there, and to a heading that is in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::book::pages;

const PACKAGES: [&str; 6] = ["client", "react", "angular", "elements", "server", "python"];

/// The lines of a text that are not code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The names by which the headings of a text are linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    prose(text).filter(|line| line.starts_with('#')).map(anchor).collect()
}

fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    heading.chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one)).collect::<String>().replace(' ', "-")
}

/// Which links of a file lead nowhere, and how many it has.
fn broken(file: &Path) -> (Vec<String>, usize) {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text = prose(&read(file)).collect::<Vec<_>>().join("\n");
    let links: Vec<&str> = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    let leads_nowhere = |link: &&&str| {
        let (to, heading) = link.split_once('#').unwrap_or((link, ""));
        let to = if to.is_empty() { file.to_owned() } else { file.parent().unwrap().join(to) };
        let has_heading = || heading.is_empty() || anchors(&read(&to)).contains(heading);
        !(link.starts_with("https://") || to.exists() && has_heading())
    };
    let broken = links.iter().filter(leads_nowhere).map(|link| format!("{}: {link}", file.display()));
    (broken.collect(), links.len())
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let others = ["README.md", "README.es.md", "ARQUITECTURE.md", "CHANGELOG.md", "bench/README.md"]
        .into_iter()
        .chain(["docs/decisions.md", "docs/contributing.md", "docs/performance.md"])
        .map(str::to_owned)
        .chain(PACKAGES.map(|package| format!("clients/{package}/README.md")))
        .map(|file| root.join(file));
    let files: Vec<PathBuf> = pages("en").into_iter().chain(pages("es")).chain(others).collect();
    let found: Vec<(Vec<String>, usize)> = files.iter().map(|file| broken(file)).collect();
    assert!(found.iter().map(|(_, links)| links).sum::<usize>() > 300);
    assert_eq!(found.into_iter().flat_map(|(broken, _)| broken).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_heading_is_linked_to_by_its_words() {
    assert_eq!(anchor("## Reasons of `pulso_refusals_total`"), "reasons-of-pulso_refusals_total");
    assert_eq!(anchor("### Tablas propias: ¿qué & cómo?"), "tablas-propias-qué--cómo");
    let text = "# A\n```sh\n# no heading\n```\n## B\n";
    assert_eq!(anchors(text), ["a", "b"].map(str::to_owned).into());
}
