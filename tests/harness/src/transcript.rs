//! A program that talks plain text to people, and what it has said so far.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::{Deserializer, Value};

use crate::process::{self, find, spawn};
use crate::wait;

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Transcript {
    child: Child,
    said: Arc<Mutex<String>>,
    scribes: [JoinHandle<()>; 2],
}

impl Transcript {
    pub fn of(program: &Command) -> Self {
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "KILL", "--"]).arg(program.get_program()).args(program.get_args());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(command);
        let said = Arc::new(Mutex::new(String::new()));
        let scribes =
            [note(child.stdout.take().expect("a pipe"), &said), note(child.stderr.take().expect("a pipe"), &said)];
        Self { child, said, scribes }
    }

    /// Everything so far, errors among it.
    pub fn text(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has said `words`.
    pub async fn until(&self, words: &str) {
        self.until_it(words, |text| text.contains(words)).await;
    }

    /// Waits until what it has said is as it should be.
    pub async fn until_it(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let deadline = tokio::time::Instant::now() + wait::LIMIT;
        while !is_so(&self.text()) {
            assert!(tokio::time::Instant::now() < deadline, "never said {what}:\n{}", self.text());
            tokio::time::sleep(wait::PAUSE).await;
        }
    }

    /// Every JSON object in it, wherever it stands.
    pub fn objects(&self) -> Vec<Value> {
        let text = self.text();
        let (mut rest, mut found) = (text.as_str(), Vec::new());
        while let Some(at) = rest.find('{') {
            let mut values = Deserializer::from_str(&rest[at..]).into_iter();
            let end = match values.next() {
                Some(Ok(object)) => {
                    found.push(object);
                    values.byte_offset()
                }
                _ => 1,
            };
            rest = &rest[at + end..];
        }
        found
    }

    /// Every JSON value that stands behind `label`.
    pub fn values_after(&self, label: &str) -> Vec<Value> {
        let text = self.text();
        let behind = text.split(label).skip(1);
        behind.filter_map(|text| Deserializer::from_str(text).into_iter().next()?.ok()).collect()
    }

    /// Waits until it has ended and everything it said is there; returns the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let code = process::ended(&mut self.child).await;
        wait::until(async || self.scribes.iter().all(JoinHandle::is_finished), "its pipes close").await;
        code
    }
}

/// Writes down, line by line, what comes out of a pipe.
fn note(pipe: impl Read + Send + 'static, said: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(&line);
            said.push('\n');
        }
    })
}

impl Drop for Transcript {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
