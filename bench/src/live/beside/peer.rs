//! Who keeps results live: how each is started, what its clients say, and how it is told of a change.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pulso_harness::process::{find, spawn, steady_port};
use pulso_harness::{Claims, Database, Running, SECRET, Scratch};
use rustix::process::Pid;
use serde_json::json;

use super::super::{Stage, hint, subscribe};
use super::changes::Hint;
use crate::swarm::frame;
use crate::swarm::seat::KEY;
use crate::swarm::{Framing, Manner, Script, Seat};

const START_LIMIT: Duration = Duration::from_mins(1);
const QUERY: &str = "cuenta";
const SQL: &str = "-- access: authenticated\nSELECT n, clave FROM claves WHERE clave = $1\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Pulso,
    /// A poller of the SQL shape that Hasura publishes.
    Poller,
    /// `@n1ru4l/in-memory-live-query-store`: `@live` on GraphQL.
    LiveQuery,
    /// PostGraphile 4 with `subscriptions-lds`.
    PostGraphile,
}

impl Peer {
    pub(super) const ALL: [Self; 4] = [Self::Pulso, Self::Poller, Self::LiveQuery, Self::PostGraphile];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pulso => "pulso",
            Self::Poller => "a poller of Hasura's SQL shape",
            Self::LiveQuery => "graphql-live-query",
            Self::PostGraphile => "PostGraphile 4 lds",
        }
    }

    /// How it is told of a change; the others find out by themselves.
    pub(super) fn hint(self) -> Option<Hint> {
        match self {
            Self::Pulso | Self::LiveQuery => Some(|key| hint(QUERY, key)),
            Self::Poller | Self::PostGraphile => None,
        }
    }

    /// Somebody who watches a key.
    pub(super) fn seat(self, key: u32) -> Seat {
        let name = format!("k-{key}");
        if self == Self::PostGraphile {
            return graphql(&name, key);
        }
        let result = "{\"type\":\"consulta\"";
        let script =
            Script { framing: Framing::WebSocket, until: vec![result], message: result, number: "\"data\":{\"n\":" };
        let token = Claims::user("ana").sign(SECRET);
        Seat::web_socket(
            &Arc::new(script),
            &format!("/ws?token={token}"),
            &[&subscribe(&format!("{QUERY}:{name}"))],
            key,
        )
    }

    fn program(self) -> &'static str {
        match self {
            Self::Pulso => "",
            Self::Poller => "poller",
            Self::LiveQuery => "live-query",
            Self::PostGraphile => "postgraphile",
        }
    }
}

/// By the protocol of graphql-ws.
fn graphql(name: &str, key: u32) -> Seat {
    let next = "{\"id\":\"1\",\"type\":\"next\"";
    let script = Script {
        framing: Framing::WebSocket,
        until: vec!["{\"type\":\"connection_ack\"", next],
        message: next,
        number: "\"n\":",
    };
    let query = format!("subscription {{ claveByClave(clave: \"{name}\") {{ n clave }} }}");
    let says = [
        json!({ "type": "connection_init" }),
        json!({ "id": "1", "type": "subscribe", "payload": { "query": query } }),
    ];
    let hello = format!(
        "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    );
    Seat {
        script: Arc::new(script),
        hello: hello.into_bytes(),
        says: says.iter().map(|said| frame::client(frame::TEXT, said.to_string().as_bytes())).collect(),
        channel: key,
        manner: Manner::Reads,
    }
}

/// One that runs; ended when dropped.
pub(super) enum Server {
    Pulso(Box<(Running, Scratch)>),
    Other { child: Child, port: u16 },
}

impl Server {
    pub(super) fn start(peer: Peer, stage: &Stage<'_>, database: &Database) -> Result<Self, String> {
        if peer == Peer::Pulso {
            let settings = [("FEEDS", "queries")];
            return Ok(Self::Pulso(Box::new(stage.serve_at(&database.url(), &[(QUERY, SQL)], &settings))));
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/live");
        let program: PathBuf = folder.join(format!("{}.mjs", peer.program()));
        if !folder.join("node_modules").is_dir() {
            return Err("what it needs is not installed: bench/peers/install".to_owned());
        }
        let port = steady_port();
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "KILL", "--", "node"]).arg(&program).current_dir(&folder);
        command.env("PORT", port.to_string()).env("DATABASE_URL", database.url()).env("NODE_ENV", "production");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = spawn(command);
        let stdout = child.stdout.take().expect("a pipe for what it says");
        let (sender, ready) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            // The receiver has gone if it took too long.
            let _ = sender.send(lines.next());
            lines.for_each(drop);
        });
        let server = Self::Other { child, port };
        match ready.recv_timeout(START_LIMIT) {
            Ok(Some(line)) if line == "ready" => Ok(server),
            Ok(Some(reason)) => Err(reason),
            Ok(None) | Err(_) => Err("it did not start".to_owned()),
        }
    }

    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Pulso(pulso) => pulso.0.port(),
            Self::Other { port, .. } => *port,
        }
    }

    pub(super) fn pid(&self) -> Pid {
        match self {
            Self::Pulso(pulso) => pulso.0.pid(),
            Self::Other { child, .. } => Pid::from_child(child),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Other { child, .. } = self {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
