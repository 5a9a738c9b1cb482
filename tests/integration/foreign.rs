//! Clients that are not ours: npm `ws`, RxJS `webSocket` as an Angular service uses it, Python `websockets`.

use pulso_harness::process::steady_port;
use pulso_harness::{Claims, Database, Pulso, Running, SECRET, Script, token};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::business::{self, NEGOCIO, OTHER_NEGOCIO, OTHER_OWNER, citas, owner, pulso};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Library {
    Ws,
    Python,
    RxjsNext,
    RxjsMultiplex,
}
use Library::{Python, RxjsMultiplex, RxjsNext, Ws};

impl Library {
    /// Connects to `/ws` and subscribes to [`NEGOCIO`].
    fn connect(self, port: u16, token: &str, more: &[&str]) -> Script {
        let channel = format!("estadisticas:{NEGOCIO}");
        let mut watching = match self {
            Ws | Python => vec!["--channel", &channel],
            RxjsNext => vec!["--negocio", NEGOCIO, "--mode", "next"],
            RxjsMultiplex => vec!["--negocio", NEGOCIO, "--mode", "multiplex"],
        };
        watching.extend(more);
        self.run(port, token, &watching)
    }

    fn run(self, port: u16, token: &str, more: &[&str]) -> Script {
        let url = format!("ws://127.0.0.1:{port}/ws");
        let mut arguments = vec!["--url", &url, "--token", token, "--timeout-ms", "30000"];
        arguments.extend(more);
        match self {
            Ws => Script::node("ws_client.mjs", &arguments),
            Python => Script::python("python_client.py", &arguments),
            RxjsNext | RxjsMultiplex => Script::node("rxjs_dashboard.mjs", &arguments),
        }
    }

    fn is_rxjs(self) -> bool {
        matches!(self, RxjsNext | RxjsMultiplex)
    }

    /// How the library's script calls a closed connection.
    fn closed(self) -> &'static str {
        if self.is_rxjs() { "closed" } else { "close" }
    }
}

/// The next `stats` a script prints: which of its connections it came on, and the figures.
async fn stats(script: &mut Script) -> (u64, Value) {
    loop {
        let line = script.next().await;
        assert_ne!(line["event"], "failed", "{line}");
        let stats = match line["event"].as_str() {
            Some("stats") => &line,
            Some("frame") if line["frame"]["type"] == "stats" => &line["frame"],
            _ => continue,
        };
        return (line["connection"].as_u64().unwrap(), stats["data"].clone());
    }
}

async fn stats_with_total(script: &mut Script, total: u64) -> u64 {
    loop {
        let (connection, data) = stats(script).await;
        if data["total_citas"] == total {
            return connection;
        }
    }
}

/// A server that can be started again where it was, with a short goodbye.
async fn restartable() -> (Pulso, Running, Database) {
    let database = business::database().await;
    let pulso = pulso(&database.url()).with("PORT", &steady_port().to_string()).with("SHUTDOWN_GRACE", "2s");
    let running = pulso.ready().await;
    (pulso, running, database)
}

/// Subscribe, move, lose the server without a word, come back, lose it with a goodbye, come back.
async fn follows_the_figures_through_restarts(library: Library) {
    let (pulso, running, database) = restartable().await;
    let port = running.port();
    let stays = if library.is_rxjs() { &[][..] } else { &["--reconnect"] };
    let mut client =
        library.connect(port, &owner().sign(SECRET), &[&["--until", r#"{"total_citas":4}"#], stays].concat());
    let (connection, data) = stats(&mut client).await;
    assert_eq!(connection, 1);
    let keys: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["citas_canceladas", "citas_completadas", "citas_hoy", "negocio_id", "timestamp", "total_citas"]);

    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    assert_eq!(running.notify(NEGOCIO).await.status, 200);
    assert_eq!(stats_with_total(&mut client, 1).await, 1);

    drop(running);
    let lost = client.until(library.closed()).await;
    assert_eq!(lost["code"], 1006, "{lost}");
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    let running = pulso.ready().await;
    assert_eq!(running.port(), port);
    let second = stats_with_total(&mut client, 2).await;
    assert!(second > 1, "on a new connection");

    citas(&database, NEGOCIO, 1, "cancelada", "'2020-01-01'").await;
    running.signal(Signal::TERM);
    let goodbye = client.until(library.closed()).await;
    assert_eq!((&goodbye["code"], &goodbye["reason"]), (&json!(1001), &json!("going away")), "{goodbye}");
    assert_eq!(running.ended().await, 0);
    let running = pulso.ready().await;
    assert!(stats_with_total(&mut client, 3).await > second, "on a third connection");

    citas(&database, NEGOCIO, 1, "atendida", "'2020-01-01'").await;
    assert_eq!(running.notify(NEGOCIO).await.status, 200);
    let (lines, code) = client.rest().await;
    assert_eq!((code, &lines.last().unwrap()["event"]), (Some(0), &json!("done")), "{lines:?}");
}

#[tokio::test]
async fn npm_ws_follows_the_figures_through_restarts() {
    follows_the_figures_through_restarts(Ws).await;
}

#[tokio::test]
async fn python_websockets_follows_the_figures_through_restarts() {
    follows_the_figures_through_restarts(Python).await;
}

#[tokio::test]
async fn an_rxjs_subject_follows_the_figures_through_restarts() {
    follows_the_figures_through_restarts(RxjsNext).await;
}

#[tokio::test]
async fn an_rxjs_multiplex_follows_the_figures_through_restarts() {
    follows_the_figures_through_restarts(RxjsMultiplex).await;
}

#[tokio::test]
async fn every_library_sees_the_token_refused() {
    let (running, _database) = business::open().await;
    let forged = owner().sign("another secret, also longer than 32 bytes");
    for library in [Ws, Python] {
        for auth in ["query", "header"] {
            let (lines, code) = library.connect(running.port(), &forged, &["--auth", auth]).rest().await;
            let [refused] = &lines[..] else { panic!("{library:?} {auth}: {lines:?}") };
            assert_eq!((&refused["event"], &refused["status"], code), (&json!("refused"), &json!(401), Some(1)));
            let body: Value = serde_json::from_str(refused["body"].as_str().unwrap()).unwrap();
            assert_eq!(body["error"], "invalid_token", "{library:?} {auth}");
        }
        let mut client = library.connect(running.port(), &forged, &["--auth", "message"]);
        assert_eq!(client.next().await["event"], "open");
        let error = client.next().await;
        let message = error["frame"]["message"].as_str().unwrap();
        assert!(message.starts_with("Invalid JWT token"), "{library:?}: {error}");
    }
    // What a browser would see: an end before there was a beginning.
    let mut client = RxjsNext.connect(running.port(), &forged, &[]);
    let lines = [client.next().await, client.next().await];
    let retried = lines.iter().any(|line| line["event"] == "retry");
    let closed = lines.iter().any(|line| line["event"] == "closed" && line["code"] == 1006);
    assert!(retried && closed, "{lines:?}");
}

/// What a script says of the end of its connection.
fn end(mut close: Value) -> Value {
    close.as_object_mut().unwrap().remove("event");
    close
}

#[tokio::test]
async fn every_library_reads_that_its_token_expired() {
    let (running, _database) = business::open().await;
    let expires = async |library: Library| {
        // An interpreter may take its time to start: a token that ran out before is no test of a live connection.
        for life in [3, 8, 20] {
            let expiry = token::now() + life;
            let claims = owner().with("exp", json!(expiry));
            let ends = if library.is_rxjs() { &[][..] } else { &["--until-close"] };
            let mut client = library.connect(running.port(), &claims.sign(SECRET), ends);
            stats(&mut client).await;
            if token::now() < expiry {
                let close = end(client.until(library.closed()).await);
                assert_eq!(close, json!({ "code": 4001, "reason": "token expired" }), "{library:?}");
                return;
            }
        }
        panic!("{library:?} never connected in time");
    };
    tokio::join!(expires(Ws), expires(Python), expires(RxjsNext));
}

#[tokio::test]
async fn every_library_reads_why_its_sign_in_failed() {
    let database = business::database().await;
    let running = pulso(&database.url()).with("AUTH_TIMEOUT", "500ms").ready().await;
    let others = json!({ "type": "auth", "token": Claims::user(OTHER_OWNER).sign(SECRET) }).to_string();
    for library in [Ws, Python] {
        for (arguments, reason) in [
            (&["--auth", "none", "--until-close"][..], "authentication timeout"),
            (&["--send", &others, "--until-close"][..], "another user's token"),
        ] {
            let mut client = library.run(running.port(), &owner().sign(SECRET), arguments);
            let close = end(client.until("close").await);
            assert_eq!(close, json!({ "code": 4001, "reason": reason }), "{library:?}");
        }
    }
}

#[tokio::test]
async fn an_rxjs_stream_outlives_every_error_because_every_frame_is_json() {
    let (running, database) = business::open().await;
    for (library, auth) in [(RxjsNext, "message"), (RxjsMultiplex, "query")] {
        // What may not be watched, what cannot be one, and a name that would break a frame written by hand.
        let strange = ["--negocio", OTHER_NEGOCIO, "--negocio", "no-uuid", "--negocio", "\"}\n{"];
        let token = owner().sign(SECRET);
        let mut client = library.connect(running.port(), &token, &[&strange[..], &["--auth", auth]].concat());
        let mut errors = 0;
        let mut figures = 0;
        while errors < 3 || figures < 1 {
            let line = client.next().await;
            assert!(line["event"] != "failed" && line["event"] != "closed", "{library:?}: {line}");
            errors += u32::from(line["frame"]["type"] == "error");
            figures += u32::from(line["event"] == "stats");
        }
        citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
        running.notify(NEGOCIO).await;
        assert_eq!(stats(&mut client).await.0, 1, "{library:?}: still the first connection");
    }
}
