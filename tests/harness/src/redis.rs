//! A real Redis of its own for each test that asks for one: killed, frozen, emptied and brought back at will.

use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::postgres::tls;
use crate::process::{ServiceDir, find, service, spawn, steady_port};

const PACKAGE: &str = "redis-server";
/// For a server to answer, or to say that it cannot start.
const STARTED_WITHIN: Duration = Duration::from_secs(20);

/// A running server, whatever its settings make of it: a plain one, a replica, a Sentinel, a member of a Cluster.
pub struct Redis {
    port: u16,
    program: &'static str,
    child: Option<Child>,
    /// What `redis-cli` has to say before it may ask.
    password: Option<String>,
    /// Where it listens by TLS, and the authority's certificate.
    tls: Option<(u16, PathBuf)>,
    // After `child`: the directory goes last.
    dir: ServiceDir,
}

impl Redis {
    /// One that keeps nothing on disk.
    pub fn start() -> Self {
        Self::with("")
    }

    /// With more lines of `redis.conf`.
    pub fn with(settings: &str) -> Self {
        Self::run("redis-server", settings)
    }

    /// A Sentinel, with the lines that say whom it watches.
    pub fn sentinel(settings: &str) -> Self {
        Self::run("redis-sentinel", settings)
    }

    /// One that listens by TLS too, with a certificate for `localhost` and 127.0.0.1 signed by [`Self::ca`].
    pub fn with_tls() -> Self {
        let (dir, port) = (ServiceDir::new("redis-server-tls"), steady_port());
        let ca = tls::certify(&dir);
        let file = |name: &str| dir.path().join(name).display().to_string();
        let settings = format!(
            "tls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients no",
            file("server.crt"),
            file("server.key"),
            dir.adopt("ca.crt").display()
        );
        let mut redis = Self::run_in(dir, "redis-server", &settings);
        redis.tls = Some((port, ca));
        redis
    }

    fn run(program: &'static str, settings: &str) -> Self {
        Self::run_in(ServiceDir::new(program), program, settings)
    }

    fn run_in(dir: ServiceDir, program: &'static str, settings: &str) -> Self {
        let port = steady_port();
        // A Sentinel does not know `save`.
        let memory = if program == "redis-server" { "save \"\"\n" } else { "" };
        let settings = format!("port {port}\nbind 127.0.0.1\ndir {}\n{memory}{settings}\n", dir.path().display());
        dir.write("redis.conf", &settings);
        let mut redis = Self { port, program, child: None, password: None, tls: None, dir };
        redis.revive();
        redis
    }

    /// What `redis-cli` says first from now on.
    pub fn set_password(&mut self, password: Option<&str>) {
        self.password = password.map(str::to_owned);
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Of the process that runs now.
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("a server that runs"))
    }

    /// Of its first database.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Of its first database by TLS.
    pub fn tls_url(&self) -> String {
        let (port, _) = self.tls.as_ref().expect("a server made by with_tls()");
        format!("rediss://127.0.0.1:{port}")
    }

    /// The certificate authority's file.
    pub fn ca(&self) -> &Path {
        let (_, ca) = self.tls.as_ref().expect("a server made by with_tls()");
        ca
    }

    /// Where it keeps its files.
    pub fn dir(&self) -> &ServiceDir {
        &self.dir
    }

    /// Starts it again with the settings and the files that it had; returns when it listens.
    pub fn revive(&mut self) {
        let log = File::create(self.dir.path().join("log")).expect("a log file");
        let mut command = service(&find(self.program, PACKAGE), "KILL");
        command.arg(self.dir.path().join("redis.conf")).stdout(log.try_clone().expect("a second handle")).stderr(log);
        let mut child = spawn(command);
        let deadline = Instant::now() + STARTED_WITHIN;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = child.try_wait().expect("our own child");
            assert!(ended.is_none() && Instant::now() < deadline, "{} does not start:\n{}", self.program, self.log());
            thread::sleep(Duration::from_millis(10));
        }
        self.child = Some(child);
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// It answers nobody, and its connections stay (`kill -STOP`).
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("our own child");
    }

    /// What the server says to a command; panics if it is an error.
    pub fn say(&self, command: &[&str]) -> String {
        let output = self.cli(command);
        let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// `redis-cli`, with `command` as its arguments.
    pub fn cli(&self, command: &[&str]) -> Output {
        let mut cli = Command::new(find("redis-cli", "redis-tools"));
        cli.args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(password) = &self.password {
            cli.env("REDISCLI_AUTH", password);
        }
        cli.args(command).output().expect("redis-cli runs")
    }

    /// What it wrote to its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
