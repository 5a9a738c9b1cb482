//! A client that is not ours, in a process of its own: a script of `tests/clients` that prints one JSON object a line.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::Value;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

use crate::process::{find, spawn};
use crate::wait::LIMIT;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../clients");
/// Lines that may wait to be read by the test; then the script waits.
const LINES: usize = 10_000;

/// A running script; ended when dropped.
#[derive(Debug)]
pub struct Script {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    complaints: Arc<Mutex<String>>,
}

/// A program of the Python environment that `tests/run` installs.
pub fn python_tool(name: &str) -> Command {
    Command::new(installed(&format!(".venv/bin/{name}")))
}

/// The path of a file in `tests/clients`; panics when it has not been installed.
pub fn installed(path: &str) -> PathBuf {
    let path = Path::new(CLIENTS).join(path);
    assert!(path.exists(), "{} is missing: run tests/run once", path.display());
    path
}

impl Script {
    /// Runs `tests/clients/<script>` under Node.js.
    pub fn node(script: &str, arguments: &[&str]) -> Self {
        installed("node_modules/.package-lock.json");
        Self::start(&find("node", "nodejs"), script, arguments)
    }

    /// Runs `tests/clients/<script>` under the Python of `tests/clients/.venv`.
    pub fn python(script: &str, arguments: &[&str]) -> Self {
        Self::start(&installed(".venv/bin/python"), script, arguments)
    }

    fn start(interpreter: &Path, script: &str, arguments: &[&str]) -> Self {
        // TERM, so that a script can end its own children.
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "TERM", "--"]).arg(interpreter).arg(installed(script)).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(command);
        let (output, mut errors) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel(LINES);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        let complaints = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&complaints);
        thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = text;
        });
        Self { name: script.to_owned(), input: child.stdin.take(), child, lines, complaints }
    }

    /// The next line; `None` when the script has closed its output.
    pub async fn try_next(&mut self) -> Option<Value> {
        let next = timeout(LIMIT, self.lines.recv()).await;
        let line = next.unwrap_or_else(|_| panic!("{}: no line within {LIMIT:?}", self.name))?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{}: not JSON ({error}): {line}", self.name)))
    }

    /// The next line; panics with what the script complained of when there is none.
    pub async fn next(&mut self) -> Value {
        match self.try_next().await {
            Some(line) => line,
            None => panic!("{} ended: {}", self.name, self.complaints()),
        }
    }

    /// Reads until a line with this `event`; panics when the script fails before.
    pub async fn until(&mut self, event: &str) -> Value {
        loop {
            let line = self.next().await;
            if line["event"] == event {
                return line;
            }
            assert_ne!(line["event"], "failed", "{}: {line}", self.name);
        }
    }

    /// Reads to the end; returns the rest of the lines and the exit code.
    pub async fn rest(mut self) -> (Vec<Value>, Option<i32>) {
        let mut lines = Vec::new();
        while let Some(line) = self.try_next().await {
            lines.push(line);
        }
        let status = self.child.wait().expect("our own child");
        (lines, status.code())
    }

    /// Writes a line and returns the next one that comes back.
    pub async fn ask(&mut self, line: &Value) -> Value {
        self.say(line);
        self.next().await
    }

    /// Writes a line.
    pub fn say(&mut self, line: &Value) {
        let input = self.input.as_mut().expect("a pipe");
        let written = writeln!(input, "{line}").and_then(|()| input.flush());
        written.unwrap_or_else(|error| panic!("{}: {error}: {}", self.name, self.complaints()));
    }

    fn complaints(&self) -> String {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // The end of its input ends a script that listens; the others are told.
        self.input = None;
        let _ =
            rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
