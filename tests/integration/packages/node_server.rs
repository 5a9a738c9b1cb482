//! `@pulso/server`, from the packed tarball, in apps on the frameworks that people use.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use pulso_harness::Scratch;
use pulso_harness::process::{find, run};

use super::back_ends::{Library, tells_everything_once_and_in_order};
use super::packed::{CLIENTS, folder_with, tool};

/// What the apps stand on beside the package.
const INSTALLED: [&str; 7] = ["express", "fastify", "@nestjs", "reflect-metadata", "rxjs", "pg", "@types"];

/// The apps, built against what is in the tarball with its types looked at.
pub fn built() -> &'static Path {
    static BUILT: OnceLock<Scratch> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = folder_with(&["server"]);
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
