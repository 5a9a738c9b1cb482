//! The rules of the source that no compiler and no lint checks: who may know whom, and what a file looks like.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MOST_LINES: usize = 400;
const MOST_LINES_OF_TESTS: usize = 450;

/// Folders that are not ours to judge.
const FOREIGN: [&str; 5] = ["target", "node_modules", ".venv", ".git", "__pycache__"];

/// A Rust file, with its path from the repository's root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_product(&self) -> bool {
        self.path.starts_with("src/") && !self.is_tests()
    }

    fn is_tests(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// What is compiled into the product: without comments, and without the tests at the file's end.
    fn code(&self) -> String {
        let product = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let without_comment = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
        product.lines().map(without_comment).collect()
    }
}

/// Every file of the repository.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(ROOT)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.push(path);
            } else if !FOREIGN.contains(&path.file_name().unwrap().to_str().unwrap()) {
                folders.push(path);
            }
        }
    }
    assert!(found.len() > 100, "the walk found {} files only", found.len());
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned()
}

fn sources() -> Vec<Source> {
    files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Source { path: relative(&path), text: fs::read_to_string(&path).unwrap() })
        .collect()
}

/// The product's files of a module: `src/hub.rs` and `src/hub/…`.
fn module(name: &str) -> Vec<Source> {
    let (file, folder) = (format!("src/{name}.rs"), format!("src/{name}/"));
    let of_module = |source: &Source| source.is_product() && (source.path == file || source.path.starts_with(&folder));
    let found: Vec<Source> = sources().into_iter().filter(of_module).collect();
    assert!(!found.is_empty(), "there is no module {name}");
    found
}

/// The modules of our own that a text names: `crate::a::b` and `crate::{a::b, c}` name `a` and `c`.
fn own_modules(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => named.push(word(after)),
            Some(list) => {
                let mut depth = 0;
                let mut item = String::new();
                for letter in list.chars() {
                    match letter {
                        '}' if depth == 0 => break,
                        ',' if depth == 0 => named.push(word(&std::mem::take(&mut item))),
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ if depth == 0 => item.push(letter),
                        _ => {}
                    }
                }
                named.push(word(&item));
            }
        }
    }
    named.retain(|name| !name.is_empty());
    named
}

fn word(text: &str) -> String {
    text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// Whether `name::` stands in the code as a path of its own.
fn names(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

fn may_not_know(name: &str, modules: &[&str], crates: &[&str]) {
    for source in module(name) {
        let code = source.code();
        let known = own_modules(&code);
        for forbidden in modules {
            assert!(!known.iter().any(|module| module == forbidden), "{} may not know {forbidden}", source.path);
        }
        for forbidden in crates {
            assert!(!names(&code, forbidden), "{} may not know {forbidden}", source.path);
        }
    }
}

#[test]
fn the_walk_and_the_reading_of_paths_find_what_is_there() {
    assert_eq!(
        own_modules("use crate::hub::{Hub, mailbox};\nuse crate::{channel::Channel, store};"),
        ["hub", "channel", "store"]
    );
    assert_eq!(own_modules("crate::{a::{b, c}, d::E}; crate::f()"), ["a", "d", "f"]);
    assert!(names("use sqlx::Row;", "sqlx") && !names("my_sqlx::Row", "sqlx"));
    assert!(module("http").iter().any(|source| names(&source.code(), "warp")));
    assert!(module("store").iter().any(|source| names(&source.code(), "sqlx")));
}

#[test]
fn the_hub_knows_channels_publications_and_what_it_counts() {
    for source in module("hub") {
        for known in own_modules(&source.code()) {
            assert!(
                ["channel", "close", "publication", "telemetry", "hub"].contains(&known.as_str()),
                "{} may not know {known}",
                source.path
            );
        }
    }
    may_not_know("hub", &[], &["sqlx", "warp", "hyper", "http", "serde_json", "tokio_tungstenite"]);
}

#[test]
fn a_dialect_is_words_only() {
    let libraries = ["sqlx", "warp", "hyper", "http", "tokio_tungstenite", "tungstenite", "tokio"];
    may_not_know("dialect", &["hub", "client", "http", "stats", "database", "server"], &libraries);
}

#[test]
fn the_store_knows_neither_clients_nor_what_its_answers_are_for() {
    let libraries = ["warp", "hyper", "http", "tokio_tungstenite"];
    may_not_know("store", &["hub", "client", "http", "stats", "dialect", "server"], &libraries);
}

#[test]
fn the_figures_know_neither_clients_nor_http() {
    let libraries = ["warp", "hyper", "http", "tokio_tungstenite", "sqlx"];
    may_not_know("stats", &["client", "http", "server"], &libraries);
}

#[test]
fn a_client_knows_neither_http_nor_sql() {
    may_not_know("client", &["http", "server"], &["warp", "hyper", "http", "sqlx"]);
}

#[test]
fn the_router_stays_in_http() {
    for source in sources().iter().filter(|source| source.is_product()) {
        let code = source.code();
        let in_http = source.path == "src/http.rs" || source.path.starts_with("src/http/");
        let in_loopback = source.path == "src/loopback.rs";
        assert!(in_http || !names(&code, "warp"), "{} may not know warp", source.path);
        assert!(in_http || in_loopback || !names(&code, "hyper"), "{} may not know hyper", source.path);
    }
}

#[test]
fn the_socket_io_library_stays_behind_its_door() {
    for source in sources().iter().filter(|source| source.is_product()) {
        let of_socketio = source.path == "src/socketio.rs" || source.path.starts_with("src/socketio/");
        let code = source.code();
        for library in ["socketioxide", "engineioxide"] {
            assert!(of_socketio || !names(&code, library), "{} may not know {library}", source.path);
        }
    }
    may_not_know("socketio", &["http", "server"], &["warp", "hyper", "sqlx"]);
}

#[test]
fn only_the_server_names_every_part() {
    let parts = ["hub", "http", "store", "stats", "auth", "client", "database"];
    for source in sources().iter().filter(|source| source.is_product()) {
        let known = own_modules(&source.code());
        let knows_all = parts.iter().all(|part| known.iter().any(|module| module == part));
        assert_eq!(knows_all, source.path == "src/server.rs", "{}", source.path);
    }
}

#[test]
fn every_file_says_first_what_it_is_for() {
    for source in sources() {
        let said = source.text.lines().take_while(|line| line.starts_with("//!")).count();
        // A test binary or a build script may have a `#!` before it; ours have none.
        assert!(said > 0, "{} does not open with //!", source.path);
    }
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    for source in sources() {
        let (lines, most) =
            (source.text.lines().count(), if source.is_tests() { MOST_LINES_OF_TESTS } else { MOST_LINES });
        assert!(lines <= most, "{} has {lines} lines: which two ideas are in it?", source.path);
    }
}

#[test]
fn no_file_is_named_after_nothing() {
    for path in files().iter().map(|path| relative(path)) {
        for part in path.split('/') {
            let name = part.split('.').next().unwrap_or_default();
            assert!(!["utils", "util", "helpers", "common", "misc", "core"].contains(&name), "{path} has no idea");
        }
        assert!(!path.ends_with("/mod.rs"), "{path}: write foo.rs beside foo/");
    }
}

#[test]
fn nothing_is_left_for_later_and_nothing_panics() {
    // Put together, so that this file does not find itself.
    let everywhere = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[", "ignore")];
    let in_the_product = [concat!(".unwrap", "()"), concat!(".expect", "("), concat!("dbg", "!(")];
    for source in sources() {
        for forbidden in everywhere {
            assert!(!source.text.contains(forbidden), "{} has {forbidden}", source.path);
        }
        if source.is_product() {
            let code = source.code();
            for forbidden in in_the_product {
                assert!(!code.contains(forbidden), "{} has {forbidden}", source.path);
            }
            let may_be_unsafe = source.path == "src/hub/ring.rs";
            assert!(may_be_unsafe || !code.contains("unsafe"), "{} has unsafe code", source.path);
        }
    }
}
