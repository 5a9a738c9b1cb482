//! Folders of live queries, on disk.

use std::fs;
use std::os::unix::fs::symlink;

use pulso_harness::scratch::Scratch;

use super::*;

const PLAIN: &str = "-- access: user\nSELECT $1 AS clave";

fn folder(scratch: &Scratch) -> Folder {
    Folder { path: scratch.path().to_owned(), zone: TimeZone::UTC, dialect: Dialect::Postgres }
}

fn names(defined: &Defined) -> Vec<&str> {
    defined.queries.iter().map(|query| query.name.as_str()).collect()
}

fn mistakes(folder: &Folder) -> Vec<String> {
    let root = format!("{}/", folder.path.display());
    folder.read().unwrap_err().iter().map(|mistake| mistake.variable.replace(&root, "")).collect()
}

#[test]
fn every_file_is_a_query_and_hidden_files_and_folders_are_passed_over() {
    let scratch = Scratch::new();
    scratch.write("b.sql", PLAIN);
    scratch.write("a.por-hora.sql", &format!("\u{feff}{PLAIN}"));
    scratch.write(".c.sql.swp", "no query");
    fs::create_dir(scratch.path().join("folder.sql")).unwrap();
    scratch.write("folder.sql/d.sql", "no query");
    let defined = folder(&scratch).read().unwrap();
    assert_eq!(names(&defined), ["a.por-hora", "b"]);
    assert_eq!(defined.queries[1].file, scratch.path().join("b.sql"));
}

#[test]
fn the_links_of_a_mounted_config_map_are_followed() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("..2026_11_29")).unwrap();
    scratch.write("..2026_11_29/cocina.sql", PLAIN);
    symlink("..2026_11_29", scratch.path().join("..data")).unwrap();
    symlink("..data/cocina.sql", scratch.path().join("cocina.sql")).unwrap();
    assert_eq!(names(&folder(&scratch).read().unwrap()), ["cocina"]);
    fs::remove_dir_all(scratch.path().join("..2026_11_29")).unwrap();
    assert_eq!(mistakes(&folder(&scratch)), ["cocina.sql"]);
}

#[test]
fn of_a_thousand_files_the_broken_ones_are_named_and_nothing_is_taken() {
    let scratch = Scratch::new();
    for number in 0..1_000 {
        scratch.write(&format!("q{number:03}.sql"), PLAIN);
    }
    assert_eq!(folder(&scratch).read().unwrap().queries.len(), 1_000);
    scratch.write("q500.sql", "-- access: user\n\nDROP TABLE pedidos");
    scratch.write("Q.sql", PLAIN);
    scratch.write("notas.txt", PLAIN);
    fs::write(scratch.path().join("z.sql"), b"-- access: user\nSELECT '\xff', $1").unwrap();
    assert_eq!(mistakes(&folder(&scratch)), ["Q.sql", "notas.txt", "q500.sql:3", "z.sql"]);
}

#[test]
fn a_folder_that_is_not_there_is_a_mistake_of_the_setting() {
    let scratch = Scratch::new();
    let missing = Folder { path: scratch.path().join("nowhere"), ..folder(&scratch) };
    assert_eq!(missing.read().unwrap_err()[0].variable, "QUERIES_DIR");
}

#[test]
fn a_query_of_pairs_is_read_once_from_a_folder_below() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("access")).unwrap();
    scratch.write("access/caja.sql", "SELECT a, b FROM c WHERE a = ANY ($1) AND b = ANY ($2)");
    for name in ["a.sql", "b.sql"] {
        scratch.write(name, "-- access: sql access/caja.sql\nSELECT $1");
    }
    let defined = folder(&scratch).read().unwrap();
    let pairs: Vec<_> = defined.queries.iter().map(|query| query.access[0].clone()).collect();
    let [AccessRule::Sql(one), AccessRule::Sql(other)] = pairs.as_slice() else { panic!("{pairs:?}") };
    assert!(Arc::ptr_eq(one, other));
    let before = defined.queries[0].fingerprint;

    scratch.write("access/caja.sql", "SELECT a, b FROM d WHERE a = ANY ($1) AND b = ANY ($2)");
    assert_ne!(folder(&scratch).read().unwrap().queries[0].fingerprint, before);

    scratch.write("access/caja.sql", "SELECT $1");
    assert_eq!(mistakes(&folder(&scratch)), ["access/caja.sql:1"], "said once");
    for wrong in ["caja.sql", "../caja.sql", "/etc/passwd", "access/../../x", "access/nowhere.sql"] {
        scratch.write("a.sql", &format!("-- access: sql {wrong}\nSELECT $1"));
        assert!(folder(&scratch).read().is_err(), "{wrong}");
    }
}

#[test]
fn what_a_database_or_a_provider_does_not_have_is_said() {
    let scratch = Scratch::new();
    scratch.write("a.sql", "-- access: claim user_metadata.local\n-- hints: listen/a\nSELECT $1");
    let sqlite = Folder { dialect: Dialect::Sqlite, ..folder(&scratch) };
    assert_eq!(mistakes(&sqlite), ["a.sql"]);
    let warnings = folder(&scratch).read().unwrap().warnings;
    assert!(warnings[0].text.contains("what users write there themselves"), "{warnings:?}");
}
