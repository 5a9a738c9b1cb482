//! The rules of the source that no compiler and no lint checks: who may know whom, and what a file looks like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MOST_LINES: usize = 400;
const MOST_LINES_OF_TESTS: usize = 450;

/// Folders that are not ours to judge.
const FOREIGN: [&str; 6] = ["target", "node_modules", ".venv", ".node", ".git", "__pycache__"];

/// A Rust file, with its path from the repository's root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_product(&self) -> bool {
        (self.path.starts_with("src/") || self.path.starts_with("demo/src/")) && !self.is_tests()
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
    named_behind(code, "crate::")
}

/// What stands behind a path, be it one name or a list.
fn named_behind(code: &str, path: &str) -> Vec<String> {
    let mut named = Vec::new();
    for after in code.split(path).skip(1) {
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

/// The feeds' folders.
fn feeds() -> Vec<String> {
    let has_words =
        |source: &Source| Some(source.path.strip_prefix("src/feeds/")?.strip_suffix("/words.rs")?.to_owned());
    let found: Vec<String> = sources().iter().filter_map(has_words).collect();
    assert!(found.len() >= 6, "the feeds are {found:?}");
    found
}

/// Which feeds a text names, by their folders or as `Feed::Name`.
fn feeds_named(code: &str) -> BTreeSet<String> {
    let by_folder = named_behind(code, "feeds::").into_iter().chain(named_behind(code, "super::"));
    let named: BTreeSet<String> =
        by_folder.chain(named_behind(code, "Feed::").iter().map(|name| name.to_lowercase())).collect();
    feeds().into_iter().filter(|feed| named.contains(feed)).collect()
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
    let code = "use crate::feeds::{pos::words, sync}; use crate::feeds::clinic; Feed::Channels; feeds::call::Call";
    assert_eq!(feeds_named(code), ["channels", "clinic", "pos", "sync"].map(str::to_owned).into());
    assert!(names("use sqlx::Row;", "sqlx") && !names("my_sqlx::Row", "sqlx"));
    assert!(module("http").iter().any(|source| names(&source.code(), "warp")));
    assert!(module("store").iter().any(|source| names(&source.code(), "sqlx")));
}

#[test]
fn the_hub_knows_channels_publications_and_what_it_counts() {
    for source in module("hub") {
        for known in own_modules(&source.code()) {
            assert!(
                ["model", "publication", "telemetry", "hub"].contains(&known.as_str()),
                "{} may not know {known}",
                source.path
            );
        }
    }
    may_not_know("hub", &[], &["sqlx", "warp", "hyper", "http", "serde_json", "tokio_tungstenite"]);
}

#[test]
fn what_is_published_and_who_is_dismissed_goes_by_the_broker() {
    for source in sources().iter().filter(|source| source.is_product()) {
        let is_broker = ["src/broker.rs", "src/idempotency.rs"].contains(&source.path.as_str())
            || source.path.starts_with("src/broker/");
        let code = source.code();
        for call in ["hub.publish(", "hub.sequence(", "hub.dismiss(", "hub.begin_after(", "ticket.settle("] {
            assert!(is_broker || !code.contains(call), "{} may not call {call}", source.path);
        }
    }
    may_not_know("broker", &["session", "transport", "http", "feeds", "database", "store"], &["sqlx", "warp", "hyper"]);
}

#[test]
fn redis_stays_where_its_log_is_kept() {
    for source in sources().iter().filter(|source| source.path.starts_with("src/") && !source.is_tests()) {
        let may_know = ["src/broker/redis", "src/broker/bridge"].iter().any(|place| source.path.starts_with(place));
        // `broker::redis::…` is a path of ours.
        let code = source.code().replace("::redis::", "");
        assert!(may_know || !names(&code, "redis"), "{} may not know the crate", source.path);
    }
    assert!(module("broker/redis").iter().any(|source| names(&source.code(), "redis")));
}

#[test]
fn the_words_of_a_feed_know_the_domain_and_how_a_body_is_read() {
    let of_words = |source: &Source| source.path.starts_with("src/feeds/") && source.path.contains("/words");
    let words: Vec<Source> = sources().into_iter().filter(|source| source.is_product() && of_words(source)).collect();
    assert!(words.len() >= 6, "the words of {} feeds are found", words.len());
    for source in words {
        let code = source.code();
        for known in own_modules(&code) {
            assert!(["model", "json"].contains(&known.as_str()), "{} may not know {known}", source.path);
        }
        for library in ["sqlx", "warp", "hyper", "http", "tokio_tungstenite", "tungstenite", "tokio"] {
            assert!(!names(&code, library), "{} may not know {library}", source.path);
        }
    }
}

#[test]
fn no_feed_knows_another() {
    for feed in feeds() {
        for source in module(&format!("feeds/{feed}")) {
            let known = feeds_named(&source.code());
            assert!(known.iter().all(|other| *other == feed), "{} knows {known:?}", source.path);
        }
    }
}

#[test]
fn only_the_registry_names_every_feed() {
    let all: BTreeSet<String> = feeds().into_iter().collect();
    for source in sources().iter().filter(|source| source.is_product()) {
        let code = source.code();
        if source.path == "src/feeds.rs" {
            assert!(
                all.iter().all(|feed| code.contains(&format!(": {feed},"))),
                "a feed has no line in {}",
                source.path
            );
        } else {
            assert_ne!(feeds_named(&code), all, "{}", source.path);
        }
    }
}

#[test]
fn calls_and_listeners_are_let_in_and_carried_without_knowing_any_feed() {
    let http = ["accept", "admission", "hooks", "routes", "sse", "upgrade"].map(|part| format!("http/{part}"));
    let carriers = ["transport/websocket", "transport/sse", "broker"].map(str::to_owned);
    for path in http.iter().chain(&carriers) {
        for source in module(path) {
            assert_eq!(feeds_named(&source.code()), BTreeSet::new(), "{}", source.path);
        }
    }
}

#[test]
fn files_of_the_same_role_have_the_same_name_in_each_feed() {
    for feed in feeds() {
        for role in ["words", "hook"] {
            let path = Path::new(ROOT).join(format!("src/feeds/{feed}/{role}.rs"));
            assert!(path.is_file(), "{} is missing", path.display());
        }
    }
}

#[test]
fn the_domain_knows_nobody() {
    for source in module("model") {
        assert_eq!(own_modules(&source.code()), [""; 0], "{}", source.path);
    }
}

#[test]
fn the_store_knows_neither_clients_nor_what_its_answers_are_for() {
    let libraries = ["warp", "hyper", "http", "tokio_tungstenite"];
    may_not_know("store", &["hub", "session", "transport", "http", "feeds", "server"], &libraries);
}

#[test]
fn what_is_read_and_shared_knows_neither_clients_nor_http() {
    let libraries = ["warp", "hyper", "http", "tokio_tungstenite", "sqlx"];
    for part in ["refresh", "feeds/appointments"] {
        may_not_know(part, &["session", "transport", "http", "server"], &libraries);
    }
}

#[test]
fn a_client_knows_neither_http_nor_sql() {
    for part in ["session", "transport/websocket", "transport/sse"] {
        may_not_know(part, &["http", "server"], &["warp", "hyper", "http", "sqlx"]);
    }
}

#[test]
fn the_router_stays_in_http() {
    for source in sources().iter().filter(|source| source.is_product()) {
        let code = source.code();
        let in_http = source.path == "src/http.rs" || source.path.starts_with("src/http/");
        assert!(in_http || !names(&code, "warp"), "{} may not know warp", source.path);
        assert!(in_http || !names(&code, "hyper"), "{} may not know hyper", source.path);
    }
}

#[test]
fn socket_io_knows_neither_http_nor_sql() {
    may_not_know("transport/socketio", &["http", "server"], &["warp", "hyper", "http", "sqlx"]);
}

#[test]
fn the_demo_knows_nothing_of_the_server_and_only_its_command_knows_the_demo() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("demo/Cargo.toml")).unwrap();
    assert!(!manifest.contains("path ="), "the demo calls hooks like anybody");
    for source in sources().iter().filter(|source| source.path.starts_with("src/")) {
        let may_know = source.path == "src/cli/demo.rs" || source.path.starts_with("src/cli/demo/");
        assert!(may_know || !names(&source.code(), "pulso_demo"), "{} may not know the demo", source.path);
    }
}

#[test]
fn only_the_node_names_every_part() {
    let parts = ["hub", "http", "store", "feeds", "access", "session", "database"];
    for source in sources().iter().filter(|source| source.is_product()) {
        let known = own_modules(&source.code());
        let knows_all = parts.iter().all(|part| known.iter().any(|module| module == part));
        assert_eq!(knows_all, source.path == "src/node.rs", "{}", source.path);
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
