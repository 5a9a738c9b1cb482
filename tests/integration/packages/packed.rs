//! A package as it is published, in a folder of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use pulso_harness::Scratch;
use pulso_harness::process::{find, run};

pub const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// The scope of all packages, as its one file says it.
pub fn scope() -> String {
    let text = std::fs::read_to_string(Path::new(CLIENTS).join("scope.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["scope"].as_str().unwrap().to_owned()
}

/// A program of the workspaces' own.
pub fn tool(name: &str) -> Command {
    let path = Path::new(CLIENTS).join("node_modules/.bin").join(name);
    assert!(path.exists(), "{} is missing: run tests/run once", path.display());
    Command::new(path)
}

/// The tarball of the package `name`, as `npm pack` makes it of what is built; made once.
pub fn tarball(name: &str) -> PathBuf {
    static PACKED: LazyLock<(Scratch, Mutex<BTreeMap<String, PathBuf>>)> = LazyLock::new(Default::default);
    let (folder, packed) = &*PACKED;
    let mut packed = packed.lock().unwrap_or_else(PoisonError::into_inner);
    packed.entry(name.to_owned()).or_insert_with(|| pack(name, folder.path())).clone()
}

fn pack(name: &str, to: &Path) -> PathBuf {
    let package = Path::new(CLIENTS).join(name);
    assert!(package.join("dist").exists(), "clients/{name} is not built: run tests/run once");
    // What ng-packagr builds is a package of its own.
    let package = if name == "angular" { package.join("dist") } else { package };
    let mut pack = Command::new(find("npm", "npm"));
    pack.args(["pack", "--ignore-scripts", "--pack-destination"]).arg(to).current_dir(&package);
    let said = run(&mut pack, "npm");
    let is_tarball = |line: &&str| Path::new(line).extension().is_some_and(|extension| extension == "tgz");
    to.join(said.lines().map(str::trim).rfind(is_tarball).expect("a tarball"))
}

/// A folder whose `node_modules` has the packages `names`, each as it is in its tarball.
pub fn folder_with(names: &[&str]) -> Scratch {
    let folder = Scratch::new();
    for name in names {
        let home = folder.path().join("node_modules").join(scope()).join(name);
        std::fs::create_dir_all(&home).unwrap();
        let mut unpack = Command::new(find("tar", "tar"));
        run(unpack.arg("-xzf").arg(tarball(name)).arg("-C").arg(home).arg("--strip-components=1"), "tar");
    }
    folder
}
