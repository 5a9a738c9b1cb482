//! What `docker build` would make, made without docker: the Dockerfile's own steps on the files it copies, and the
//! static binary alone in an otherwise empty root directory.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulso_harness::process::{find, run};
use pulso_harness::{Claims, Pulso, Scratch};

use crate::business::{NEGOCIO, OWNER, database};

const TARGET: &str = "x86_64-unknown-linux-musl";
const BUILD: &str = "cargo build --release --locked --package pulso";
/// Whoever runs in the image.
const NOBODY: &str = "65532";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Dockerfile's instructions, continued lines joined, comments left out.
fn instructions() -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    joined.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Whether `.dockerignore` lets a path of the repository into the build.
fn is_sent(path: &str) -> bool {
    let rules = std::fs::read_to_string(repository().join(".dockerignore")).unwrap();
    rules
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .any(|kept| path == kept || path.starts_with(&format!("{kept}/")))
}

/// Does one `COPY` from the repository, times and all.
fn copy(arguments: &str, context: &Path) {
    let mut words: Vec<_> = arguments.split_ascii_whitespace().collect();
    let to = words.pop().unwrap();
    for from in words {
        assert!(is_sent(from), ".dockerignore keeps {from} out");
        let source = repository().join(from);
        let target = context.join(to);
        // A directory's content goes where it is told, a file goes by its name below a directory.
        let source = if source.is_dir() { source.join(".") } else { source };
        std::fs::create_dir_all(if to.ends_with('/') || source.ends_with(".") { &target } else { context }).unwrap();
        run(Command::new("cp").arg("-a").arg(source).arg(target), "a COPY of the Dockerfile");
    }
}

/// Follows the Dockerfile in `context` up to its last build, looking only whether cargo could go on where it builds
/// release binaries.
fn follow_dockerfile(context: &Path) {
    let _ = std::fs::remove_dir_all(context);
    std::fs::create_dir_all(context).unwrap();
    let cargo = cargo();
    let look = format!("{} metadata --no-deps --locked --offline --format-version 1 > /dev/null", cargo.display());
    let mut builds = 0;
    for instruction in instructions() {
        if let Some(arguments) = instruction.strip_prefix("COPY ").filter(|rest| !rest.starts_with("--from")) {
            copy(arguments, context);
        } else if let Some(command) = instruction.strip_prefix("RUN ").filter(|command| command.contains(BUILD)) {
            builds += 1;
            // What comes behind the last build is the image's.
            let steps =
                if builds == 1 { command } else { command.split(BUILD).next().unwrap().trim_end_matches("&& ") };
            let steps = steps.replace("touch src/lib.rs src/main.rs demo/src/lib.rs", "true").replace(BUILD, &look);
            run(Command::new("sh").args(["-ec", &steps]).current_dir(context), "a RUN of the Dockerfile");
        }
    }
    assert_eq!(builds, 2, "the Dockerfile builds the dependencies, then the program");
}

fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| find("cargo", "cargo"), PathBuf::from)
}

/// The static binary of what the Dockerfile copies. Minutes of work the first time, so at the lowest priority.
fn build() -> PathBuf {
    find("musl-gcc", "musl-tools");
    let folder = repository().join("target/container");
    let context = folder.join("context");
    follow_dockerfile(&context);
    let mut build = Command::new(find("nice", "coreutils"));
    build.args(["-n", "19"]).arg(cargo()).args(["build", "--locked", "--package", "pulso", "--target", TARGET]);
    build.arg("--target-dir").arg(&folder).current_dir(&context);
    // The outer cargo's own settings are for the outer build.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            build.env_remove(name);
        }
    }
    run(&mut build, "the static build (it needs: rustup target add x86_64-unknown-linux-musl)");
    folder.join(TARGET).join("debug/pulso")
}

/// How to run something in `root` as somebody without rights.
fn inside(root: &Path) -> Vec<String> {
    let root = root.to_str().unwrap();
    if rustix::process::geteuid().is_root() {
        let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
        let rights = ["--inh-caps=-all,+sys_chroot", "--ambient-caps=-all,+sys_chroot", "--pdeathsig=KILL"];
        let words = ["setpriv", &user, &group, "--clear-groups"].into_iter().chain(rights);
        words.chain(["--", "chroot", root]).map(str::to_owned).collect()
    } else {
        ["unshare", "-r", &format!("--root={root}")].map(str::to_owned).to_vec()
    }
}

/// Takes minutes the first time (it builds every dependency for musl) and seconds from then on.
#[tokio::test]
async fn the_static_binary_serves_alone_in_an_empty_root_directory() {
    let binary = tokio::task::spawn_blocking(build).await.unwrap();
    let root = Scratch::new();
    let copied = root.path().join("pulso");
    std::fs::copy(binary, &copied).unwrap();
    // For whoever runs in the image, whatever the umask is here.
    for path in [root.path(), &copied] {
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    let wrapper = inside(root.path());
    let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();

    let database = database().await;
    let server = Pulso::new("/pulso", &database.url()).under(&wrapper);
    let pulso = server.ready().await;
    assert_eq!(pulso.get("/health").await.status, 200);
    assert_eq!(pulso.get("/").await.status, 200, "the dashboard is inside the binary");
    let status = std::fs::read_to_string(format!("/proc/{}/status", pulso.pid())).unwrap();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    assert!(!user.split_ascii_whitespace().any(|id| id == "0"), "it runs as root: {user}");
    let mut dashboard = pulso.connect(&Claims::user(OWNER)).await;
    dashboard.watch(NEGOCIO).await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    dashboard.stats().await;

    let port = pulso.port().to_string();
    let asked = server.with("PORT", &port);
    let healthy = asked.run(&["health"]).await;
    assert_eq!(healthy.0, 0, "{healthy:?}");
}
