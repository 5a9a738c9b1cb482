//! A real PostgreSQL cluster in a temporary directory, on a port of 127.0.0.1.

mod database;
pub(crate) mod tls;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

pub use database::Database;

use crate::process::{ServiceDir, find, free_port, run, service, spawn};

const SCHEMA: &str = include_str!("../../../sql/schema.postgres.sql");
const TEMPLATE: &str = "pulso_template";
/// A role that must present [`PASSWORD`]; everybody else is trusted.
pub const PASSWORD_ROLE: &str = "lectora";
pub const PASSWORD: &str = "clave-de-prueba";

/// Trust for all but one role. `%TLS%` is `hostssl` where only encrypted connections may come in.
const ACCESS: &str = "local all all trust\n\
    %HOST% replication all 127.0.0.1/32 trust\n\
    %HOST% all lectora 127.0.0.1/32 scram-sha-256\n\
    %HOST% all all 127.0.0.1/32 trust\n";

/// A running cluster.
pub struct Postgres {
    dir: ServiceDir,
    port: u16,
    tls: Option<PathBuf>,
    /// Beside those that all have.
    settings: Vec<String>,
    postmaster: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl Postgres {
    /// The cluster that all tests of this process share. Never stop it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::own)
    }

    /// A cluster of one's own, to be stopped and frozen at will.
    pub fn own() -> Self {
        Self::create(false, &[])
    }

    /// As [`Self::own`], with settings of the test's own, such as `wal_level=logical`.
    pub fn own_with(settings: &[&str]) -> Self {
        Self::create(false, settings)
    }

    /// A cluster that accepts TLS only, with a certificate for `localhost` and 127.0.0.1 signed by [`Self::ca`].
    pub fn own_with_tls() -> Self {
        Self::create(true, &[])
    }

    fn create(tls: bool, settings: &[&str]) -> Self {
        let dir = ServiceDir::new("postgres");
        let data = dir.path().join("data");
        let mut initdb = service(&program("initdb"), "KILL");
        initdb.arg("-D").arg(&data).args(["-U", "pulso", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]);
        run(&mut initdb, "initdb");
        dir.write("data/pg_hba.conf", &ACCESS.replace("%HOST%", if tls { "hostssl" } else { "host" }));
        let ca = tls.then(|| tls::certify(&dir));
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let (postmaster, databases) = (Mutex::new(None), AtomicU32::new(0));
        let cluster = Self { dir, port: free_port(), tls: ca, settings, postmaster, databases };
        cluster.start();
        cluster.psql("postgres", &format!("CREATE DATABASE {TEMPLATE}"));
        cluster.psql(TEMPLATE, SCHEMA);
        // A test that wants kiosks says with which types, and there are some that want none.
        cluster.psql(TEMPLATE, "DROP TABLE devices");
        cluster.psql(
            TEMPLATE,
            &format!(
                "CREATE ROLE {PASSWORD_ROLE} LOGIN PASSWORD '{PASSWORD}'; GRANT pg_read_all_data TO {PASSWORD_ROLE}"
            ),
        );
        cluster
    }

    /// A fresh database with Pulso's schema, but for the kiosks' table, and no rows.
    pub async fn database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("prueba_{number}");
        let admin = Database::new(self.port, "postgres");
        admin.execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
        Database::new(self.port, &name)
    }

    /// A fresh database without any table.
    pub async fn empty_database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("vacia_{number}");
        Database::new(self.port, "postgres").execute(&format!("CREATE DATABASE {name}")).await;
        Database::new(self.port, &name)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Of the process that all the others of the cluster descend from.
    pub fn pid(&self) -> Pid {
        let postmaster = self.postmaster.lock().unwrap_or_else(PoisonError::into_inner);
        pid_of(postmaster.as_ref().expect("a running cluster"))
    }

    /// The certificate authority's file, of a cluster with TLS.
    pub fn ca(&self) -> &Path {
        self.tls.as_deref().expect("a cluster made by own_with_tls()")
    }

    /// The folder of its socket.
    pub fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Makes it a standby, which only reads. There is no primary that it could follow.
    pub fn become_standby(&self) {
        self.stop_hard();
        self.dir.write("data/standby.signal", "");
        self.start();
    }

    /// A standby that follows this cluster, and applies what it hears `behind` that late.
    #[must_use]
    pub fn replica(&self, behind: Duration) -> Self {
        let dir = ServiceDir::new("replica");
        let mut copy = service(&program("pg_basebackup"), "KILL");
        copy.arg("-D").arg(dir.path().join("data")).args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            "pulso",
        ]);
        copy.args(["-R", "-X", "stream", "--checkpoint=fast"]);
        run(&mut copy, "pg_basebackup");
        let own = std::fs::read_to_string(dir.path().join("data/postgresql.auto.conf")).expect("who it follows");
        dir.write(
            "data/postgresql.auto.conf",
            &format!("{own}\nrecovery_min_apply_delay = {}ms\n", behind.as_millis()),
        );
        let (settings, postmaster, databases) = (Vec::new(), Mutex::new(None), AtomicU32::new(0));
        let replica = Self { dir, port: free_port(), tls: None, settings, postmaster, databases };
        replica.start();
        replica
    }

    /// Lets its transactions have numbers beyond 32 bits, as after four thousand million of them.
    pub fn enter_next_epoch(&self) {
        if let Some(mut child) = self.postmaster.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = kill_process(pid_of(&child), Signal::INT);
            child.wait().expect("our own child");
        }
        let mut reset = service(&program("pg_resetwal"), "KILL");
        reset.args(["-e", "1", "-D"]).arg(self.dir.path().join("data"));
        run(&mut reset, "pg_resetwal");
        self.start();
    }

    /// A database of this name that is on another cluster too.
    pub fn database_named(&self, name: &str) -> Database {
        Database::new(self.port, name)
    }

    /// Starts a stopped cluster on its old port; returns once it takes queries.
    pub fn start(&self) {
        let log = self.log_path();
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let mut postgres = service(&program("postgres"), "QUIT");
        postgres.arg("-D").arg(self.dir.path().join("data"));
        postgres.arg("-k").arg(self.dir.path()).args(["-p", &self.port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "full_page_writes=off",
            "autovacuum=off",
            "max_connections=200",
            "max_prepared_transactions=10",
            "shared_buffers=64MB",
        ] {
            postgres.args(["-c", setting]);
        }
        for setting in &self.settings {
            postgres.args(["-c", setting]);
        }
        if self.tls.is_some() {
            postgres.args(["-c", "ssl=on", "-c", "ssl_cert_file=../server.crt", "-c", "ssl_key_file=../server.key"]);
        }
        postgres.stdout(file.try_clone().expect("a second handle")).stderr(file);
        let mut child = spawn(postgres);
        let ready = program("pg_isready");
        loop {
            let answer = Command::new(&ready)
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .expect("pg_isready runs");
            if answer.success() {
                break;
            }
            if let Some(status) = child.try_wait().expect("our own child") {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("postgres ended at start ({status}):\n{said}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        *self.postmaster.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    }

    /// Kills every process of the cluster, as a power cut would.
    pub fn stop_hard(&self) {
        let Some(mut child) = self.postmaster.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        for pid in family(&child) {
            let _ = kill_process(pid, Signal::KILL);
        }
        child.wait().expect("our own child");
    }

    /// Keeps a copy of all that it has; it is stopped meanwhile.
    pub fn save(&self) {
        self.stop_hard();
        self.copy("data", "saved");
        self.start();
    }

    /// Makes it what it was at [`Self::save`], as a failover to a replica that lags does. Returns once it takes queries.
    pub fn become_what_was_saved(&self) {
        self.stop_hard();
        std::fs::remove_dir_all(self.dir.path().join("data")).expect("the cluster's files");
        self.copy("saved", "data");
        self.start();
    }

    fn copy(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|name| self.dir.path().join(name));
        run(Command::new("cp").arg("-a").args([from, to]), "cp");
    }

    /// Stops every process of the cluster in its tracks: connections open, nobody ever answers.
    pub fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal_all(Signal::CONT);
    }

    /// What the server wrote to its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn signal_all(&self, signal: Signal) {
        let postmaster = self.postmaster.lock().unwrap_or_else(PoisonError::into_inner);
        let child = postmaster.as_ref().expect("a running cluster");
        for pid in family(child) {
            let _ = kill_process(pid, signal);
        }
    }

    fn psql(&self, database: &str, sql: &str) {
        let mut psql = Command::new(program("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "pulso", "-d", database]);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]).stdin(Stdio::null());
        run(&mut psql, "psql");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(mut child) = self.postmaster.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        for pid in family(&child) {
            let _ = kill_process(pid, Signal::CONT);
        }
        let _ = kill_process(pid_of(&child), Signal::QUIT);
        let _ = child.wait();
    }
}

/// The postmaster first, then its children.
fn family(postmaster: &Child) -> Vec<Pid> {
    let id = postmaster.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children = children.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
    std::iter::once(pid_of(postmaster)).chain(children).collect()
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// A program of the newest PostgreSQL installed.
pub fn program(name: &str) -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin").join(name))))
        .filter(|(_, path)| path.is_file())
        .collect();
    versions.sort();
    versions.pop().map_or_else(|| find(name, "postgresql"), |(_, path)| path)
}
