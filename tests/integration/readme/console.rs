//! Blocks that show a terminal: what is typed, sent and received.

use pulso_harness::{Dashboard, wait};
use tokio::time::Instant;

use super::blocks::block;
use super::shell::Shell;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Sent(String),
    Received(String),
    Printed(String),
}

/// A command, and what happens until the next one.
#[derive(Clone, Debug)]
pub struct Command {
    pub typed: String,
    pub lines: Vec<Line>,
}

impl Command {
    /// Sends and hears what the block shows; whatever the server makes up by itself may differ.
    pub async fn hold(&self, shell: &mut Shell, dashboard: &mut Dashboard) {
        for line in &self.lines {
            match line {
                Line::Sent(text) => dashboard.send_text(text).await,
                Line::Received(wanted) => {
                    let mut got = dashboard.text().await;
                    let deadline = Instant::now() + wait::LIMIT;
                    while shell.has_company && masked(&got) != masked(wanted) && Instant::now() < deadline {
                        got = dashboard.text().await;
                    }
                    assert_eq!(masked(&got), masked(wanted), "{got}");
                    if let (Some(shown), Some(real)) = (id(wanted), id(&got)) {
                        shell.replace(shown, real);
                    }
                }
                Line::Printed(text) => panic!("neither sent nor received: {text}"),
            }
        }
    }

    /// The WebSocket that the command opens.
    pub async fn connect(&self, shell: &mut Shell) -> Dashboard {
        let words = self.typed.strip_prefix("npx wscat -c ").unwrap_or_else(|| panic!("{}", self.typed));
        let address = shell.run(&format!("echo {words}")).await;
        let (port, path) = address.trim().strip_prefix("ws://localhost:").unwrap().split_once('/').unwrap();
        Dashboard::connect(port.parse().unwrap(), &format!("/{path}"), &[]).await
    }

    /// As [`Self::connect`], and heard by the server: what is published from now on arrives.
    pub async fn listen(&self, shell: &mut Shell) -> Dashboard {
        let mut dashboard = self.connect(shell).await;
        dashboard.ping().await;
        dashboard
    }
}

/// The commands of a block. Those that set a variable have been run.
pub async fn console(name: &str, shell: &mut Shell) -> Vec<Command> {
    let block = block(name);
    assert_eq!(block.language, "console", "{name}");
    let mut commands: Vec<Command> = Vec::new();
    for line in block.text.lines() {
        if let Some(last) = commands.last_mut().filter(|last| last.typed.ends_with('\\')) {
            last.typed = format!("{}\n{line}", last.typed);
        } else if let Some(typed) = line.strip_prefix("$ ") {
            commands.push(Command { typed: typed.to_owned(), lines: Vec::new() });
        } else {
            let line = match line.split_at_checked(2) {
                Some(("> ", sent)) => Line::Sent(sent.to_owned()),
                Some(("< ", received)) => Line::Received(received.to_owned()),
                _ => Line::Printed(line.to_owned()),
            };
            commands.last_mut().unwrap().lines.push(line);
        }
    }
    let (variables, rest): (Vec<_>, Vec<_>) = commands.into_iter().partition(|one| one.typed.starts_with("TOKEN="));
    for variable in variables {
        shell.run(&variable.typed).await;
    }
    rest
}

fn id(message: &str) -> Option<&str> {
    message.strip_prefix(r#"{"id":""#)?.split('"').next()
}

/// A message without the numbers and times that differ from run to run.
pub fn masked(message: &str) -> String {
    let mut masked = message.to_owned();
    if let Some(id) = id(message) {
        masked = masked.replace(id, "…");
    }
    // The last of two: one in the data is the caller's.
    for key in ["seq", "citas_hoy", "total_citas", "citas_completadas", "citas_canceladas", "timestamp"] {
        if let Some(at) = masked.rfind(&format!("\"{key}\":")) {
            let from = at + key.len() + 3;
            let end = masked[from..].find([',', '}']).map_or(masked.len(), |length| from + length);
            masked.replace_range(from..end, "…");
        }
    }
    masked
}
