//! Who keeps results live: how each is started, what its clients say, and how it is told of a change.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pulso_harness::process::{find, spawn, steady_port};
use pulso_harness::{Claims, Database, Running, SECRET, Scratch};
use rustix::process::Pid;
use serde_json::{Value, json};

use super::super::{Stage, hint, subscribe};
use super::changes::Hint;
use crate::peer::end;
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
    /// `zero-cache`, of `@rocicorp/zero`.
    Zero,
}

impl Peer {
    pub(super) const ALL: [Self; 5] = [Self::Pulso, Self::Poller, Self::LiveQuery, Self::PostGraphile, Self::Zero];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pulso => "pulso",
            Self::Poller => "a poller of Hasura's SQL shape",
            Self::LiveQuery => "graphql-live-query",
            Self::PostGraphile => "PostGraphile 4 lds",
            Self::Zero => "zero-cache",
        }
    }

    /// How it is told of a change; the others find out by themselves.
    pub(super) fn hint(self) -> Option<Hint> {
        match self {
            Self::Pulso | Self::LiveQuery => Some(|key| hint(QUERY, key)),
            Self::Poller | Self::PostGraphile | Self::Zero => None,
        }
    }

    /// One of those who watch, and the key that she watches.
    pub(super) fn seat(self, watcher: u32, key: u32) -> Seat {
        let name = format!("k-{key}");
        match self {
            Self::PostGraphile => return graphql(&name, key),
            Self::Zero => return zero(watcher, &name, key),
            Self::Pulso | Self::Poller | Self::LiveQuery => {}
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

    /// Where it is, in the folder of the peers.
    fn program(self) -> &'static str {
        match self {
            Self::Pulso => "",
            Self::Poller => "live/poller.mjs",
            Self::LiveQuery => "live/live-query.mjs",
            Self::PostGraphile => "live/postgraphile.mjs",
            Self::Zero => "zero/zero.mjs",
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
    by_protocol("/graphql", "graphql-transport-ws", script, &says, key)
}

/// By the protocol of `@rocicorp/zero`: a client group of its own, as a browser has; what is said first stands in the handshake
/// or, as here, behind it. A row is sent with the part of a poke that holds it.
fn zero(watcher: u32, name: &str, key: u32) -> Seat {
    let part = "[\"pokePart\"";
    // What she wants is confirmed first, by a part without a row or together with it.
    let until = vec!["[\"connected\"", part];
    let script = Script { framing: Framing::WebSocket, until, message: part, number: "\"n\":" };
    let columns = json!({ "clave": { "type": "string" }, "n": { "type": "number" } });
    let tables = json!({ "claves": { "columns": columns, "primaryKey": ["clave"] } });
    let query = json!({ "op": "put", "hash": name, "name": "clave", "args": [name] });
    let says = [
        json!(null),
        json!(["initConnection", { "desiredQueriesPatch": [query], "clientSchema": { "tables": tables } }]),
    ];
    let path = format!("/sync/v51/connect?clientGroupID=g{watcher}&clientID=c{watcher}&wsid=w{watcher}&ts=0&lmid=0");
    // Nothing, in the base 64 in which tokens come.
    by_protocol(&path, "e30%3D", script, &says, key)
}

/// A WebSocket that names its protocol. Says nothing where there is `null`.
fn by_protocol(path: &str, protocol: &str, script: Script, says: &[Value], key: u32) -> Seat {
    let hello = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    );
    let framed = |said: &Value| match said {
        Value::Null => Vec::new(),
        said => frame::client(frame::TEXT, said.to_string().as_bytes()),
    };
    let (script, says) = (Arc::new(script), says.iter().map(framed).collect());
    Seat { script, hello: hello.into_bytes(), says, channel: key, manner: Manner::Reads }
}

/// One that runs; ended when dropped.
pub(super) enum Server {
    Pulso(Box<(Running, Scratch)>),
    Other { child: Child, port: u16, _files: Scratch },
}

impl Server {
    pub(super) fn start(peer: Peer, stage: &Stage<'_>, database: &Database) -> Result<Self, String> {
        if peer == Peer::Pulso {
            let settings = [("FEEDS", "queries")];
            return Ok(Self::Pulso(Box::new(stage.serve_at(&database.url(), &[(QUERY, SQL)], &settings))));
        }
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(peer.program());
        let folder = program.parent().unwrap_or(&program);
        if !folder.join("node_modules").is_dir() {
            return Err("what it needs is not installed: bench/peers/install".to_owned());
        }
        let (port, files) = (steady_port(), Scratch::new());
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--pdeathsig", "KILL", "--", "node"]).arg(&program).current_dir(folder);
        command
            .env("PORT", port.to_string())
            .env("DATABASE_URL", database.url())
            .env("NODE_ENV", "production")
            .env("TMPDIR", files.path());
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
        let server = Self::Other { child, port, _files: files };
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
            end(child);
        }
    }
}
