//! What is published of each package: what every kind of import finds, with its types, and nothing else.

use std::process::Command;

use pulso_harness::process::{find, run};

use super::packed::{tarball, tool};

/// What a registry shows of a package.
const SHOWN: [&str; 2] = ["package/package.json", "package/README.md"];

fn has_what_is_built_and_no_more(package: &str) {
    let contents = run(Command::new(find("tar", "tar")).arg("-tzf").arg(tarball(package)), "tar");
    // Of Angular's the archive is what is built.
    let home = if package == "angular" { "package/" } else { "package/dist/" };
    for file in contents.lines() {
        assert!(file.starts_with(home) || SHOWN.contains(&file), "{package} has {file}");
        assert!(!file.contains(".test.") && !file.contains("/src/"), "{package} has {file}");
    }
    for wanted in SHOWN {
        assert!(contents.lines().any(|file| file == wanted), "{package} has no {wanted}: {contents}");
    }
}

fn every_kind_of_import_finds_it(package: &str, attw: &[&str]) {
    let linted = run(tool("publint").arg(tarball(package)).arg("--strict"), "publint");
    assert!(linted.contains("All good!"), "{package}: {linted}");
    run(tool("attw").arg(tarball(package)).args(attw), "attw");
}

#[test]
fn the_tarballs_of_all_packages_are_what_every_kind_of_import_finds() {
    for package in ["client", "react", "elements", "server"] {
        every_kind_of_import_finds_it(package, &[]);
        has_what_is_built_and_no_more(package);
    }
    // Angular's own form has ES modules alone.
    every_kind_of_import_finds_it("angular", &["--profile", "esm-only"]);
    has_what_is_built_and_no_more("angular");
}
