//! The Python package `pulso`, from the built wheel, in apps on the frameworks that people use.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use pulso_harness::Scratch;
use pulso_harness::process::run;
use pulso_harness::script::{installed, python_tool};

use super::back_ends::{Library, tells_everything_once_and_in_order};

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");

/// An environment with the wheel, and what it stands on.
struct Environment {
    folder: Scratch,
    wheel: PathBuf,
}

impl Environment {
    fn get() -> &'static Self {
        static MADE: OnceLock<Environment> = OnceLock::new();
        MADE.get_or_init(|| {
            let folder = Scratch::new();
            let wheels = folder.path().join("wheels");
            let mut build = python_tool("python");
            build.args(["-m", "build", "--wheel", "--no-isolation", "--outdir"]).arg(&wheels).arg(PACKAGE);
            run(&mut build, "python -m build");
            let wheel = std::fs::read_dir(&wheels).unwrap().next().unwrap().unwrap().path();
            run(python_tool("python").args(["-m", "venv", "--without-pip"]).arg(folder.path().join("venv")), "venv");
            let of_tests = site_packages(&installed(".venv"));
            let own = site_packages(&folder.path().join("venv"));
            std::fs::write(own.join("tests.pth"), format!("{}\n", of_tests.display())).unwrap();
            let environment = Self { folder, wheel };
            let mut install = python_tool("pip");
            install.arg("--python").arg(environment.python()).args(["install", "--quiet", "--no-deps", "--no-index"]);
            run(install.arg(&environment.wheel), "pip install");
            environment
        })
    }

    fn python(&self) -> PathBuf {
        self.folder.path().join("venv/bin/python")
    }
}

/// The Python that has the wheel.
pub fn python() -> PathBuf {
    Environment::get().python()
}

fn site_packages(environment: &Path) -> PathBuf {
    let versions = std::fs::read_dir(environment.join("lib")).unwrap();
    let found = versions.map(|entry| entry.unwrap().path().join("site-packages")).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{} has no packages", environment.display()))
}

fn app(name: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(Path::new(PACKAGE).join("tests/apps").join(name));
    command
}

#[tokio::test]
async fn a_django_app_tells_everything_once_and_in_order() {
    tells_everything_once_and_in_order(app("django_app.py"), Library::Ws).await;
}

#[tokio::test]
async fn a_fastapi_app_tells_everything_once_and_in_order() {
    tells_everything_once_and_in_order(app("fastapi_app.py"), Library::Ws).await;
}

#[test]
fn its_own_tests_pass() {
    let mut tests = Command::new(python());
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).current_dir(PACKAGE);
    run(&mut tests, "pytest");
}

#[test]
fn its_types_are_complete_and_its_users_see_them() {
    let cache = Scratch::new();
    let mypy = || {
        let mut command = python_tool("mypy");
        command.current_dir(PACKAGE).arg("--cache-dir").arg(cache.path());
        command
    };
    run(&mut mypy(), "mypy");
    let mut user = mypy();
    user.arg("--strict").arg("--python-executable").arg(python());
    run(user.arg("tests/apps/fastapi_app.py"), "mypy");
}

#[test]
fn its_wheel_has_its_code_and_says_what_it_needs() {
    let mut list = python_tool("python");
    list.args(["-m", "zipfile", "--list"]).arg(&Environment::get().wheel);
    let listed = run(&mut list, "zipfile");
    let files: Vec<&str> = listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    for wanted in ["pulso/__init__.py", "pulso/py.typed", "pulso/wire.py", "pulso/django.py", "pulso/fastapi.py"] {
        assert!(files.contains(&wanted), "{wanted}: {files:?}");
    }
    assert!(files.iter().all(|file| file.starts_with("pulso/") || file.contains(".dist-info/")), "{files:?}");
    // Header by header: the whole as one mail, as which its description is no valid header, a newer Python refuses to write.
    let mut metadata = Command::new(python());
    metadata
        .args(["-c", "import importlib.metadata as m; print(*map(': '.join, m.metadata('pulso').items()), sep='\\n')"]);
    let metadata = run(&mut metadata, "metadata");
    for said in ["Requires-Python: >=3.10", "Requires-Dist: httpx<1,>=0.27", "Classifier: Typing :: Typed"] {
        assert!(metadata.contains(said), "{said}: {metadata}");
    }
}
