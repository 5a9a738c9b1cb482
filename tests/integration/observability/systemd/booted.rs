//! The unit under a systemd that is booted for it, where the machine lets somebody boot one: what no analysis of the file says.

use std::fs;
use std::process::{Child, Command, Output};

use pulso_harness::process::{find, spawn, steady_port};
use pulso_harness::{Dashboard, SECRET, Scratch, wait};
use rustix::process::{Pid, Signal, kill_process};

use crate::business::{NEGOCIO, database, owner, pulso};
use crate::observability::shipped;

const BOOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/systemd/boot");
/// What a server says that sends to many by one call.
const RING: &str = "io_uring is used";
const QUERY: &str = "-- access: negocio\nSELECT count(*) AS citas FROM citas WHERE negocio_id = $1\n";

/// A systemd, its control groups and all that it started: gone when dropped.
struct Booted {
    /// `/tests` to whoever is inside.
    folder: Scratch,
    unshare: Child,
}

impl Booted {
    /// `None`, and a word about it, where nobody may boot one.
    async fn start() -> Option<Self> {
        let check = Command::new(BOOT).arg("check").output().unwrap();
        if !check.status.success() {
            eprintln!("not tried under a systemd: {}", String::from_utf8_lossy(&check.stdout).trim());
            return None;
        }
        let folder = Scratch::new();
        let mut boot = Command::new(find("setpriv", "util-linux"));
        boot.args(["--pdeathsig", "KILL", "--", BOOT]).arg(folder.path());
        let booted = Self { unshare: spawn(boot), folder };
        let is_up = async || {
            let said = booted.enter("systemctl is-system-running");
            ["running", "degraded"].contains(&String::from_utf8_lossy(&said.stdout).trim())
        };
        wait::until(is_up, "systemd has booted").await;
        Some(booted)
    }

    /// Systemd's process, as it is numbered outside.
    fn init(&self) -> Option<Pid> {
        let unshare = self.unshare.id();
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).ok()?;
        Pid::from_raw(children.trim().parse().ok()?)
    }

    fn enter(&self, script: &str) -> Output {
        let init = self.init().map(|init| init.to_string()).unwrap_or_default();
        let mut enter = Command::new(find("nsenter", "util-linux"));
        enter.args(["--target", &init, "--pid", "--mount", "--uts", "--ipc", "--cgroup", "bash", "-c", script]);
        enter.output().unwrap()
    }

    /// What `script` says inside, where it has to succeed.
    fn inside(&self, script: &str) -> String {
        let output = self.enter(script);
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let journal = || self.enter("journalctl --no-pager --output=cat | tail -30");
        assert!(output.status.success(), "{script}: {output:?} {:?}", journal());
        said
    }

    /// What is known of the unit.
    fn shows(&self, property: &str) -> String {
        self.inside(&format!("systemctl show --property={property} --value pulso"))
    }

    fn journal(&self) -> String {
        self.inside("journalctl --no-pager --output=cat --unit=pulso")
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        let group = fs::read_to_string(self.folder.path().join("group")).unwrap_or_default();
        // Its end is that of all that it started; whoever waits for it then ends too.
        match self.init() {
            Some(init) => drop(kill_process(init, Signal::KILL)),
            None => drop(self.unshare.kill()),
        }
        let _ = self.unshare.wait();
        let mut sweep = Command::new("find");
        sweep.args([group.trim(), "-depth", "-type", "d", "-exec", "rmdir", "--ignore-fail-on-non-empty", "{}", "+"]);
        let _ = sweep.output();
    }
}

#[tokio::test]
async fn under_systemd_a_server_is_ready_reloads_is_watched_and_takes_its_leave() {
    let Some(systemd) = Booted::start().await else { return };
    let (database, port) = (database().await, steady_port());
    let settings = format!(
        "DATABASE_URL={}\nJWT_SECRET={SECRET}\nLISTEN_ADDR=127.0.0.1\nPORT={port}\nQUERIES_DIR=/etc/pulso/queries\n",
        database.url()
    );
    let folder = &systemd.folder;
    folder.write("env", &settings);
    folder.write("citas.sql", QUERY);
    // Half a minute is long for a test.
    folder.write("sooner.conf", "[Service]\nWatchdogSec=2s\n");
    fs::copy(shipped("systemd/pulso.service"), folder.path().join("pulso.service")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_pulso"), folder.path().join("pulso")).unwrap();
    systemd.inside(
        "install -D -m 755 -t /usr/local/bin /tests/pulso && install -D -m 644 -t /etc/systemd/system /tests/pulso.service &&
         install -D -m 644 -t /etc/systemd/system/pulso.service.d /tests/sooner.conf &&
         install -D -m 600 -t /etc/pulso /tests/env && install -D -m 644 -t /etc/pulso/queries /tests/citas.sql &&
         chmod 755 /etc/pulso && systemctl daemon-reload && systemctl start pulso",
    );
    assert_eq!((systemd.shows("Type"), systemd.shows("ActiveState")), ("notify".into(), "active".into()));
    // What it is forbidden leaves it what it has outside.
    let outside = pulso(&database.url()).ready().await;
    let has_ring = async || systemd.journal().contains(RING) == outside.has_logged(RING);
    wait::until(has_ring, "the ring is used inside as outside").await;
    assert_eq!(systemd.inside("stat --format=%U:%a /var/lib/pulso/"), "pulso:755");

    systemd.inside("cp /etc/pulso/queries/citas.sql /etc/pulso/queries/mas.sql && systemctl reload pulso");
    wait::until(async || systemd.journal().contains("the live queries are read again"), "a reload").await;

    systemd.inside("kill -STOP $(systemctl show --property=MainPID --value pulso)");
    let is_back = async || systemd.shows("NRestarts") == "1" && systemd.shows("ActiveState") == "active";
    wait::until(is_back, "who is silent is started again").await;
    wait::until(async || systemd.journal().contains("Watchdog timeout"), "systemd says why").await;

    let token = owner().sign(SECRET);
    let mut screen = Dashboard::connect(port, &format!("/ws?token={token}"), &[]).await;
    screen.watch(NEGOCIO).await;
    systemd.inside("systemctl stop pulso");
    assert_eq!(screen.closed().await.code, 1001, "it says goodbye");
    assert_eq!((systemd.shows("Result"), systemd.shows("ActiveState")), ("success".into(), "inactive".into()));

    let wrong = systemd.enter("echo PORT=x >> /etc/pulso/env; systemctl start pulso");
    assert!(!wrong.status.success());
    assert_eq!((systemd.shows("ExecMainStatus"), systemd.shows("ActiveState")), ("64".into(), "failed".into()));
    assert!(systemd.journal().contains("PORT"), "the journal says what to mend");
}
