//! The server under test: the real binary in a process of its own, configured by its environment alone.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::dashboard::Dashboard;
use crate::events::EventStream;
use crate::http::{self, Answer};
use crate::process::{find, spawn};
use crate::token::Claims;
use crate::wait;

/// Signs every token of the tests.
pub const SECRET: &str = "a secret for tests, longer than 32 bytes";
/// What a back end's calls carry where [`Pulso::with_hook_key`] was said.
pub const HOOK_KEY: &str = "llave-de-prueba-para-los-avisos";

/// A server to be started.
#[derive(Clone, Debug)]
pub struct Pulso {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
}

/// The settings whose values are nobody's business.
const SECRETS: [&str; 7] = [
    "JWT_SECRET",
    "JWT_SECRET_PREVIOUS",
    "NOTIFY_API_KEY",
    "CLOUD_API_KEY",
    "DATABASE_URL",
    "LISTEN_DATABASE_URL",
    "REDIS_URL",
];
/// How tokens begin, and statements.
const NEVER_LOGGED: [&str; 3] = ["eyJhbGciOi", "eyJ0eXAiOi", " FROM "];

/// A server that runs; killed when dropped, and then its log is searched for what no log may hold.
#[derive(Debug)]
pub struct Running {
    child: Mutex<Child>,
    pid: Pid,
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
    /// By value.
    secrets: Vec<String>,
}

impl Pulso {
    /// `binary`: `env!("CARGO_BIN_EXE_pulso")`. Listens on a free port of the loopback, logs JSON at debug level, and
    /// takes nothing from the test's own environment.
    pub fn new(binary: &str, database_url: &str) -> Self {
        Self { binary: binary.into(), environment: Vec::new(), wrapper: Vec::new() }
            .with("DATABASE_URL", database_url)
            .with("JWT_SECRET", SECRET)
            .with("PORT", "0")
            .with("LISTEN_ADDR", "127.0.0.1")
            .with("TIMEZONE", "America/Guayaquil")
            .with("LOG_FORMAT", "json")
            .with("LOG_LEVEL", "info,pulso=debug")
    }

    /// Sets a variable; an empty value unsets it.
    #[must_use]
    pub fn with(mut self, variable: &str, value: &str) -> Self {
        self.environment.retain(|(name, _)| name != variable);
        self.environment.push((variable.into(), value.into()));
        self
    }

    /// The hooks that carry data are configured; see [`Running::post`].
    #[must_use]
    pub fn with_hook_key(self) -> Self {
        self.with("NOTIFY_API_KEY", HOOK_KEY)
    }

    /// Runs the server under another program, such as `["faketime", "-f", "@2026-01-01 00:00:00"]`.
    #[must_use]
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.into()).collect();
        self
    }

    /// Runs the server at another time, from `start` (UTC, `2026-03-02 01:30:00`) on. The library does what the
    /// `faketime` program does, without a process in between that would outlive a kill. Timers keep real time.
    #[must_use]
    pub fn at(self, start: &str) -> Self {
        self.by_faketime().with("FAKETIME", &format!("@{start}"))
    }

    /// Runs the server by a clock that is as many seconds ahead of the machine's as a file says (`+3600`), whenever it is looked
    /// at.
    #[must_use]
    pub fn by_clock(self, file: &Path) -> Self {
        let file = file.to_string_lossy();
        self.by_faketime().with("FAKETIME_TIMESTAMP_FILE", &file).with("FAKETIME_NO_CACHE", "1")
    }

    fn by_faketime(self) -> Self {
        let library = std::fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
            .find(|path| path.is_file())
            .expect("these tests need libfaketime: apt-get install libfaketime");
        let server = self.with("LD_PRELOAD", &library.to_string_lossy()).with("TZ", "UTC");
        server.with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Creates Pulso's own tables, as an operator does.
    pub async fn migrate(&self) {
        let mut command = self.command(&["migrate"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let said = tokio::task::spawn_blocking(move || spawn(command).wait_with_output()).await;
        let said = said.expect("a task that does not panic").expect("our own child");
        assert!(said.status.success(), "pulso migrate: {}", String::from_utf8_lossy(&said.stderr));
    }

    /// The command line, for tests of what it prints and how it exits.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "KILL", "--"]).args(&self.wrapper).arg(&self.binary).args(arguments);
        // An empty directory of its own: no stray .env is read.
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        for kept in ["PATH", "HOME", "TZDIR"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command.current_dir(Path::new("/")).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end: its exit code (-1 for a signal's), and what it wrote to its output and to its error
    /// output.
    pub async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.command(arguments);
        let run = tokio::task::spawn_blocking(move || command.output().unwrap());
        let Output { status, stdout, stderr } = run.await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code().unwrap_or(-1), text(stdout), text(stderr))
    }

    /// Starts `serve` and waits until it listens. Whether its database is there is another matter: see
    /// [`Running::until_ready`].
    pub async fn start(&self) -> Running {
        let mut command = self.command(&["serve"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = spawn(command);
        let stderr = child.stderr.take().expect("a pipe for the log");
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let pid = Pid::from_child(&child);
        let mut running = Running { child: Mutex::new(child), pid, port: 0, log, secrets: self.secrets() };
        wait::until(async || running.listening_port().is_some() || running.exit_code().is_some(), "the server listens")
            .await;
        running.port = running.listening_port().unwrap_or_else(|| panic!("it did not start: {:#?}", running.log()));
        running
    }

    /// An address without a user is none.
    fn secrets(&self) -> Vec<String> {
        let is_secret = |(name, value): &&(String, String)| {
            SECRETS.contains(&name.as_str()) && value.len() >= 8 && (!name.ends_with("_URL") || value.contains('@'))
        };
        self.environment.iter().filter(is_secret).map(|(_, value)| value.clone()).collect()
    }

    /// As [`Self::start`], and waits until the database answers.
    pub async fn ready(&self) -> Running {
        let running = self.start().await;
        running.until_ready().await;
        running
    }
}

impl Running {
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits until `/ready` says yes.
    pub async fn until_ready(&self) {
        wait::until(async || self.get("/ready").await.status == 200, "the server is ready").await;
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.exchange(&format!("GET {path} HTTP/1.1"), "").await
    }

    /// See [`http::exchange`].
    pub async fn exchange(&self, head: &str, body: &str) -> Answer {
        http::exchange(self.port, head, body).await
    }

    /// Calls the hook for `negocio` as a REST API does.
    pub async fn notify(&self, negocio: &str) -> Answer {
        let body = serde_json::json!({ "negocio_id": negocio, "action": "created" }).to_string();
        self.exchange("POST /notify/cita HTTP/1.1\ncontent-type: application/json", &body).await
    }

    /// Calls a hook as a back end does that has the key.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.post_with(path, &[], body).await
    }

    /// As [`Self::post`], with more headers.
    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.exchange(&post_head(path, headers, body), body).await
    }

    /// As [`Self::post`], with a server that may be killed meanwhile: `None` without a whole answer.
    pub async fn try_post(&self, path: &str, body: &str) -> Option<Answer> {
        http::try_exchange(self.port, &post_head(path, &[], body), body).await
    }

    /// Connects to `path`, the query included, and waits until it hears what is published: see [`Dashboard::joined`].
    pub async fn open(&self, path: &str) -> Dashboard {
        Dashboard::connect(self.port, path, &[]).await.joined().await
    }

    /// A stream of server-sent events, as [`Self::open`].
    pub async fn events(&self, path: &str) -> EventStream {
        EventStream::open(self.port, path, &[]).await
    }

    /// As [`Self::open`], with a token for `claims` in the query.
    pub async fn connect(&self, claims: &Claims) -> Dashboard {
        self.open(&format!("/ws?token={}", claims.sign(SECRET))).await
    }

    /// The value of a metric, by the start of its line: `pulso_queries_total`. Zero when it has not been counted.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.body;
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// A metric that counts, as [`Self::metric`] finds it.
    pub async fn count(&self, name: &str) -> u64 {
        format!("{:.0}", self.metric(name).await).parse().unwrap_or_else(|_| panic!("{name} is negative"))
    }

    /// How often something was refused for `reason`, as the metric's label says it.
    pub async fn refused(&self, reason: &str) -> u64 {
        self.count(&format!("pulso_refusals_total{{reason=\"{reason}\"}}")).await
    }

    /// How many connections were closed with `code`.
    pub async fn closed_with(&self, code: u16) -> u64 {
        self.count(&format!("pulso_closes_total{{code=\"{code}\"}}")).await
    }

    /// Waits until a metric that counts is `value`.
    pub async fn until_count(&self, name: &str, value: u64) {
        wait::until(async || self.count(name).await == value, &format!("{name} is {value}")).await;
    }

    /// Processor time used so far.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("the server runs");
        // The name of the program, in parentheses, may hold anything.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("clock ticks")).sum();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }

    /// The log so far, a line an entry.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether any log line contains `text`.
    pub fn has_logged(&self, text: &str) -> bool {
        self.log().iter().any(|line| line.contains(text))
    }

    /// Waits until a log line contains `text`: what is written is read a moment later.
    pub async fn until_logged(&self, text: &str) {
        wait::until(async || self.has_logged(text), text).await;
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the server runs");
    }

    /// The exit code once it has ended; `Some(-1)` when a signal ended it.
    pub fn exit_code(&self) -> Option<i32> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.try_wait().expect("a child").map(|status| status.code().unwrap_or(-1))
    }

    /// Waits for the end and returns the exit code.
    pub async fn ended(&self) -> i32 {
        wait::until(async || self.exit_code().is_some(), "the server ends").await;
        self.exit_code().unwrap_or(-1)
    }

    fn listening_port(&self) -> Option<u16> {
        self.log().iter().find_map(|line| {
            let address = match serde_json::from_str::<Value>(line) {
                Ok(event) if event["message"] == "listening" => event["address"].as_str()?.to_owned(),
                Ok(_) => return None,
                Err(_) => line.split_once(": listening address=")?.1.to_owned(),
            };
            address.rsplit(':').next()?.parse().ok()
        })
    }
}

fn post_head(path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut head = format!("POST {path} HTTP/1.1\ncontent-type: application/json\nx-api-key: {HOOK_KEY}");
    for (name, value) in headers {
        let _ = write!(head, "\n{name}: {value}");
    }
    // An empty body has no length of its own accord.
    if body.is_empty() { head + "\ncontent-length: 0" } else { head }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
        drop(child);
        if thread::panicking() {
            return;
        }
        for line in self.log() {
            let mut secrets = NEVER_LOGGED.into_iter().chain(self.secrets.iter().map(String::as_str));
            assert!(!secrets.any(|secret| line.contains(secret)), "what no log may hold: {line}");
        }
    }
}
