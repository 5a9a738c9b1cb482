//! `@pulso/server`, from the packed tarball, in apps on the frameworks that people use.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use pulso_harness::Scratch;
use pulso_harness::process::{find, run};

use super::back_ends::{Library, tells_everything_once_and_in_order};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
/// What the apps stand on beside the package.
const INSTALLED: [&str; 7] = ["express", "fastify", "@nestjs", "reflect-metadata", "rxjs", "pg", "@types"];

/// A program of the workspaces' own.
fn tool(name: &str) -> Command {
    let path = Path::new(CLIENTS).join("node_modules/.bin").join(name);
    assert!(path.exists(), "{} is missing: run tests/run once", path.display());
    Command::new(path)
}

/// The tarball, packed once.
fn tarball() -> &'static Path {
    static TARBALL: OnceLock<(Scratch, PathBuf)> = OnceLock::new();
    let (_, path) = TARBALL.get_or_init(|| {
        let folder = Scratch::new();
        let mut pack = Command::new(find("npm", "npm"));
        pack.current_dir(CLIENTS).args(["pack", "--silent", "--workspace", "server", "--pack-destination"]);
        run(pack.arg(folder.path()), "npm pack");
        let packed = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        (folder, packed)
    });
    path
}

/// The apps, built against what is in the tarball with its types looked at.
pub fn built() -> &'static Path {
    static BUILT: OnceLock<Scratch> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = Scratch::new();
        let package = folder.path().join("node_modules/@pulso/server");
        std::fs::create_dir_all(&package).unwrap();
        let mut unpack = Command::new(find("tar", "tar"));
        run(unpack.arg("-xzf").arg(tarball()).arg("--strip-components=1").arg("-C").arg(&package), "tar");
        for name in INSTALLED {
            let there = Path::new(CLIENTS).join("node_modules").join(name);
            std::os::unix::fs::symlink(there, folder.path().join("node_modules").join(name)).unwrap();
        }
        let apps = Path::new(CLIENTS).join("server/test/apps");
        for app in std::fs::read_dir(apps).unwrap() {
            let app = app.unwrap();
            std::fs::copy(app.path(), folder.path().join(app.file_name())).unwrap();
        }
        folder.write("package.json", r#"{"type":"module"}"#);
        run(tool("tsc").arg("-p").arg(folder.path()), "tsc");
        folder
    });
    folder.path()
}

fn app(name: &str) -> Command {
    let mut command = Command::new(find("node", "nodejs"));
    command.arg(built().join("built").join(name));
    command
}

#[tokio::test]
async fn an_express_app_tells_everything_once_and_in_order() {
    tells_everything_once_and_in_order(app("express.js"), Library::Websockets).await;
}

#[tokio::test]
async fn a_fastify_app_tells_everything_once_and_in_order() {
    tells_everything_once_and_in_order(app("fastify.js"), Library::Websockets).await;
}

#[tokio::test]
async fn a_nest_app_tells_everything_once_and_in_order() {
    tells_everything_once_and_in_order(app("nest.js"), Library::Websockets).await;
}

#[test]
fn its_own_tests_pass_and_its_types_are_those_of_the_hooks() {
    let mut tests = Command::new(find("npm", "npm"));
    run(tests.current_dir(CLIENTS).args(["test", "--silent", "--workspace", "server"]), "npm test");
    run(tool("tsc").current_dir(Path::new(CLIENTS).join("server")).arg("--noEmit"), "tsc");
}

#[test]
fn its_tarball_is_what_every_kind_of_import_finds() {
    let linted = run(tool("publint").arg(tarball()).arg("--strict"), "publint");
    assert!(linted.contains("All good!"), "{linted}");
    run(tool("attw").arg(tarball()), "attw");
    let contents = run(Command::new(find("tar", "tar")).arg("-tzf").arg(tarball()), "tar");
    let mut files: Vec<&str> = contents.lines().collect();
    files.sort_unstable();
    let dist = ["index.cjs", "index.d.cts", "index.d.ts", "index.js"].map(|name| format!("package/dist/{name}"));
    let mut wanted: Vec<&str> = dist.iter().map(String::as_str).collect();
    wanted.extend(["package/README.md", "package/package.json"]);
    wanted.sort_unstable();
    assert_eq!(files, wanted);
}
