//! Child processes that cannot outlive the test process, and the directories they live in.
//!
//! The kernel's parent-death signal fires when the spawning *thread* ends, so one thread that never ends spawns them
//! all. Directories are removed by a small process that waits for our end of a pipe to close.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{net, thread};

use tokio::time::{Instant, sleep};

use crate::wait::{LIMIT, PAUSE};

type Job = (Command, SyncSender<io::Result<Child>>);

/// Ends a server that is still there, also a frozen one, then its directory. Runs when its input closes.
const JANITOR: &str = r#"
read -r _
pidfile="$1/data/postmaster.pid"
if [ -e "$pidfile" ]; then
    pid=$(head -n 1 "$pidfile")
    kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children" 2>/dev/null) 2>/dev/null
    kill -QUIT "$pid" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e "$pidfile" ] || break; sleep 0.2; done
fi
rm -rf "$1"
"#;

/// The account that servers run as: they refuse root.
fn service_account() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("postgres")
}

/// `program` as the service account, to be ended by `signal` (as `setpriv` names it) when this process ends.
pub fn service(program: &Path, signal: &str) -> Command {
    let mut command = Command::new(find("setpriv", "util-linux"));
    command.args(["--pdeathsig", signal]);
    if let Some(account) = service_account() {
        command.args(["--reuid", account, "--regid", account, "--init-groups"]);
    }
    command.arg("--").arg(program).stdin(Stdio::null());
    command
}

/// Starts `command` from the thread that lives as long as the process.
pub fn spawn(command: Command) -> Child {
    static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for (mut command, reply) in jobs {
                    let _ = reply.send(command.spawn());
                }
            })
            .expect("a thread for child processes");
        Mutex::new(sender)
    });
    let (reply, answer) = sync_channel(1);
    spawner.lock().unwrap_or_else(PoisonError::into_inner).send((command, reply)).expect("the spawner never ends");
    answer.recv().expect("the spawner never ends").expect("the program starts")
}

/// Runs `command` to its end; panics with what it said unless it succeeded.
pub fn run(command: &mut Command, what: &str) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    said
}

/// Waits for the end of `child` and returns its exit code; `None` when a signal ended it.
pub async fn ended(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            return status.code();
        }
        assert!(Instant::now() < deadline, "still running after {LIMIT:?}");
        sleep(PAUSE).await;
    }
}

/// Where `program` is; panics with the package to install when it is nowhere.
pub fn find(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/bin".into(), "/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("these tests need {program}: apt-get install {package}"))
}

/// A port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = net::TcpListener::bind((net::Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("the port of a bound listener").port()
}

/// A free port below those that the system gives out by itself, so that nobody takes it while its server is away.
pub fn steady_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(number < COUNT, "all ports are taken");
        // Another test process begins elsewhere.
        let port = FIRST + (std::process::id().wrapping_mul(131) + number) % COUNT;
        let port = u16::try_from(port).expect("below 32,000");
        if net::TcpListener::bind((net::Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A private directory of the service account, removed when this is dropped or the process ends.
#[derive(Debug)]
pub struct ServiceDir {
    path: PathBuf,
    /// Closing it is the signal.
    pipe: Option<ChildStdin>,
    janitor: Child,
}

impl ServiceDir {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pulso-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary directory");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("a private directory");
        own(&path);
        let mut janitor = Command::new(find("setsid", "util-linux"));
        janitor.args(["sh", "-c", JANITOR, "sh"]).arg(&path);
        janitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut janitor = janitor.spawn().expect("a process that tidies up");
        Self { path, pipe: janitor.stdin.take(), janitor }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that the service account owns and nobody else reads.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).expect("a file in the temporary directory");
        self.adopt(name)
    }

    /// Gives an existing file of the directory to the service account.
    pub fn adopt(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a private file");
        own(&path);
        path
    }
}

impl Drop for ServiceDir {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.janitor.wait();
    }
}

fn own(path: &Path) {
    if let Some(account) = service_account() {
        let id = |option: &str| -> u32 {
            run(
                Command::new("id").args([option, account]),
                "these tests need the account `postgres` when run as root (apt-get install postgresql)",
            )
            .trim()
            .parse()
            .expect("`id` prints a number")
        };
        chown(path, Some(id("-u")), Some(id("-g"))).expect("root may give files away");
    }
}
