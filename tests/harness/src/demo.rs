//! `pulso demo` in a process of its own, and what it prints for its visitors.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::process::{self, spawn};
use crate::wait::LIMIT;

/// A demo that has invited its visitors; killed when dropped.
#[derive(Debug)]
pub struct Demo {
    child: Child,
    /// All of what it printed.
    pub invitation: String,
}

impl Demo {
    /// Runs `command`, a `pulso demo`, and waits for its invitation.
    pub async fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = spawn(command);
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, printed) = oneshot::channel();
        // Reads on to the end: who prints to nobody fails.
        std::thread::spawn(move || {
            let mut lines = stdout.lines().map_while(Result::ok);
            let mut invitation = String::new();
            for line in lines.by_ref() {
                invitation += &line;
                invitation.push('\n');
                if line.starts_with("Ctrl-C") {
                    break;
                }
            }
            let _ = sender.send(invitation);
            lines.for_each(drop);
        });
        let invitation = timeout(LIMIT, printed).await.expect("it prints").expect("an invitation");
        Self { child, invitation }
    }

    /// The link that opens everything.
    pub fn link(&self) -> &str {
        let link = self.invitation.lines().map(str::trim).find(|line| line.starts_with("http://"));
        link.expect("a printed link")
    }

    /// Where it listens, as the link says it: `http://localhost:8080`.
    pub fn url(&self) -> &str {
        self.link().split("/#").next().unwrap_or_default()
    }

    pub fn port(&self) -> u16 {
        self.url().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port in the link")
    }

    pub fn token(&self) -> &str {
        self.part("token")
    }

    pub fn negocio(&self) -> &str {
        self.part("negocio")
    }

    pub fn hook_key(&self) -> &str {
        self.word_after("X-API-Key: ")
    }

    pub fn cloud_key(&self) -> &str {
        self.word_after("CLOUD_API_KEY=")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the demo runs");
    }

    /// Waits for the end and returns the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        process::ended(&mut self.child).await
    }

    /// What the link says after `name=`.
    fn part(&self, name: &str) -> &str {
        let fragment = self.link().split_once('#').expect("token and business come in the fragment").1;
        fragment.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).expect("a part of the link")
    }

    fn word_after(&self, before: &str) -> &str {
        let (_, after) = self.invitation.split_once(before).unwrap_or_else(|| panic!("no {before} is printed"));
        after.split(|letter: char| letter.is_whitespace() || letter == '\'').next().unwrap_or_default()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
