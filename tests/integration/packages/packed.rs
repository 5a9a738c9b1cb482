//! A package as it is published, in a folder of its own.

use std::path::Path;
use std::process::Command;

use pulso_harness::Scratch;
use pulso_harness::process::{find, run};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// The scope of all packages, as its one file says it.
pub fn scope() -> String {
    let text = std::fs::read_to_string(Path::new(CLIENTS).join("scope.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["scope"].as_str().unwrap().to_owned()
}

/// A folder whose `node_modules` has the packages `names`, each as `npm pack` makes it of what is built.
pub fn folder_with(names: &[&str]) -> Scratch {
    let folder = Scratch::new();
    for name in names {
        let package = Path::new(CLIENTS).join(name);
        assert!(package.join("dist").exists(), "clients/{name} is not built: run tests/run once");
        // What ng-packagr builds is a package of its own.
        let package = if *name == "angular" { package.join("dist") } else { package };
        let mut pack = Command::new(find("npm", "npm"));
        pack.args(["pack", "--ignore-scripts", "--pack-destination"]).arg(folder.path()).current_dir(&package);
        let said = run(&mut pack, "npm");
        let tarball = folder.path().join(
            said.lines()
                .rfind(|line| Path::new(line.trim()).extension().is_some_and(|extension| extension == "tgz"))
                .expect("a tarball")
                .trim(),
        );
        let home = folder.path().join("node_modules").join(scope()).join(name);
        std::fs::create_dir_all(&home).unwrap();
        let mut unpack = Command::new(find("tar", "tar"));
        run(unpack.arg("-xzf").arg(tarball).arg("-C").arg(home).arg("--strip-components=1"), "tar");
    }
    folder
}
