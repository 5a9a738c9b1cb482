//! Random sessions against a small model of what must have been said: every question has one answer, a channel is heard
//! between its `subscribed` and its `unsubscribed` and at no other time, and nothing that was published there is missing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use pulso_harness::{Claims, Dashboard, Running, SECRET};
use serde_json::{Value, json};

use super::{id, signed};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, OWNER};
use crate::feeds::open;

/// What a client asks for, and what it is.
const NAMES: [(&str, Rights); 8] = [
    ("estadisticas:<own>", Rights::Owned),
    ("canal:<own>:a", Rights::Owned),
    ("canal:<own>:b", Rights::Owned),
    ("negocio:<own>", Rights::Named),
    ("canal:<other>:a", Rights::None),
    ("estadisticas:<other>", Rights::None),
    ("negocio:<other>", Rights::None),
    ("ventas:<own>", Rights::NoChannel),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    /// Hers, as the database says.
    Owned,
    /// Hers while her token names the business.
    Named,
    None,
    /// There is no such channel.
    NoChannel,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// By its place among the names; in capitals.
    Subscribe(usize, bool),
    Unsubscribe(usize),
    Ping,
    Nonsense,
    /// A newer token, which names the business.
    Renew(bool),
    /// To a channel of the application's own.
    Publish(bool),
    Sale,
    Notice,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..NAMES.len(), any::<bool>()).prop_map(|(place, capitals)| Step::Subscribe(place, capitals)),
        3 => (0..NAMES.len()).prop_map(Step::Unsubscribe),
        1 => Just(Step::Ping),
        1 => Just(Step::Nonsense),
        1 => any::<bool>().prop_map(Step::Renew),
        2 => any::<bool>().prop_map(Step::Publish),
        2 => Just(Step::Sale),
        1 => Just(Step::Notice),
    ]
}

fn name(place: usize) -> String {
    NAMES[place].0.replace("<own>", NEGOCIO).replace("<other>", OTHER_NEGOCIO)
}

fn token(is_named: bool) -> Claims {
    if is_named { Claims::naming(OWNER, &[NEGOCIO]) } else { Claims::user(OWNER) }
}

/// What one client has said and heard, and what follows from it.
struct Session<'a> {
    pulso: &'a Running,
    socket: Dashboard,
    asked: u32,
    /// What is not answered yet: the `type`, or the code of an error.
    open: BTreeMap<String, &'static str>,
    /// The channels that it is in, as it was told.
    held: BTreeSet<String>,
    is_named: bool,
    newest_event: u64,
    newest_seq: u64,
    /// Subscribed to figures, of which none have come yet.
    lacks_figures: bool,
    events: u64,
}

impl<'a> Session<'a> {
    async fn begin(pulso: &'a Running) -> Result<Self, String> {
        let socket = pulso.open(&signed("/ws", &token(false))).await;
        let mut session = Self {
            pulso,
            socket,
            asked: 0,
            open: BTreeMap::new(),
            held: BTreeSet::new(),
            is_named: false,
            newest_event: 0,
            newest_seq: 0,
            lacks_figures: false,
            events: 0,
        };
        let hello = session.socket.next().await;
        session.newest_event = id(&hello);
        if hello["type"] == "hello" { Ok(session) } else { Err(format!("not a hello: {hello}")) }
    }

    /// Says something whose answer is to be this.
    async fn ask(&mut self, mut message: Value, answer: &'static str) {
        self.asked += 1;
        let word = format!("r{}", self.asked);
        message["ref"] = json!(word);
        self.open.insert(word, answer);
        self.socket.send(&message).await;
    }

    /// Hears one frame.
    async fn hear(&mut self) -> Result<(), String> {
        let frame = self.socket.next().await;
        let complain = |what: &str| Err(format!("{what}: {frame}"));
        let kind = frame["type"].as_str().unwrap_or_default();
        let channel = frame["channel"].as_str().unwrap_or_default().to_owned();
        if let Some(word) = frame["ref"].as_str() {
            let answer = if kind == "error" { frame["code"].as_str().unwrap_or_default() } else { kind };
            match self.open.remove(word) {
                Some(wanted) if wanted == answer => {}
                Some(wanted) => return complain(&format!("{wanted} was to come")),
                None => return complain("answered twice, or never asked"),
            }
        }
        match kind {
            "pong" | "authenticated" | "error" if !frame["ref"].is_null() => {}
            "subscribed" => {
                if channel.starts_with("estadisticas:") {
                    self.lacks_figures = true;
                }
                self.held.insert(channel);
            }
            "unsubscribed" => {
                self.held.remove(&channel);
                self.lacks_figures &= !channel.starts_with("estadisticas:");
            }
            "stats" | "updateTable" | "own" if !self.held.contains(&channel) => {
                return complain("of a channel that is not held");
            }
            "stats" => {
                let seq = frame["seq"].as_u64().unwrap_or_default();
                if seq < self.newest_seq {
                    return complain("figures went back");
                }
                (self.newest_seq, self.lacks_figures) = (seq, false);
            }
            "updateTable" | "own" => {
                if id(&frame) <= self.newest_event {
                    return complain("an event came twice, or too late");
                }
                self.newest_event = id(&frame);
                self.events += 1;
            }
            _ => return complain("nobody asked"),
        }
        Ok(())
    }

    /// Hears until everything is answered, and figures have come where there are to be some.
    async fn settle(&mut self) -> Result<(), String> {
        self.ask(json!({ "type": "ping" }), "pong").await;
        while !self.open.is_empty() || self.lacks_figures {
            self.hear().await?;
        }
        Ok(())
    }

    /// Something happens on a channel, and is heard if that is held.
    async fn happens(&mut self, channel: &str, hook: &str, body: &str) -> Result<(), String> {
        self.settle().await?;
        let (before, is_held) = (self.events, self.held.contains(channel));
        let answer = self.pulso.post(hook, body).await.json();
        if answer["clients"] != u64::from(is_held) {
            return Err(format!("{channel}, held: {is_held}, but {answer}"));
        }
        self.settle().await?;
        if self.events - before == u64::from(is_held) { Ok(()) } else { Err(format!("{channel} was not heard once")) }
    }

    async fn take(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Subscribe(place, capitals) => {
                let name = name(place);
                let answer = match NAMES[place].1 {
                    Rights::Owned => "subscribed",
                    Rights::Named if self.is_named => "subscribed",
                    Rights::Named | Rights::None => "forbidden",
                    Rights::NoChannel => "unknown_channel",
                };
                let (kind, rest) = name.split_once(':').unwrap_or((&name, ""));
                let spelt =
                    if capitals && kind != "canal" { format!("{kind}:{}", rest.to_uppercase()) } else { name.clone() };
                self.ask(json!({ "type": "subscribe", "channel": spelt }), answer).await;
            }
            Step::Unsubscribe(place) => {
                // What is asked late is to be known before.
                self.settle().await?;
                let name = name(place);
                if self.held.contains(&name) {
                    self.ask(json!({ "type": "unsubscribe", "channel": name }), "unsubscribed").await;
                }
            }
            Step::Ping => self.ask(json!({ "type": "ping" }), "pong").await,
            Step::Nonsense => self.ask(json!({ "type": "?" }), "unknown_type").await,
            Step::Renew(is_named) => {
                self.settle().await?;
                let shop = format!("negocio:{NEGOCIO}");
                // It is joined by itself when a token begins to name it: who has left it since stays out.
                let is_in = is_named && (!self.is_named || self.held.contains(&shop));
                self.ask(json!({ "type": "auth", "token": token(is_named).sign(SECRET) }), "authenticated").await;
                self.is_named = is_named;
                self.settle().await?;
                if self.held.contains(&shop) != is_in {
                    return Err(format!("the shop is not what the token says: {:?}", self.held));
                }
            }
            Step::Publish(first) => {
                let channel = format!("canal:{NEGOCIO}:{}", if first { "a" } else { "b" });
                let body = json!({ "channel": channel, "type": "own", "data": 1 }).to_string();
                self.happens(&channel, "/api/publish", &body).await?;
            }
            Step::Sale => {
                let body = json!({ "negocio_id": NEGOCIO, "tableId": 1, "action": "x" }).to_string();
                self.happens(&format!("negocio:{NEGOCIO}"), "/notify/mesa", &body).await?;
            }
            Step::Notice => {
                self.settle().await?;
                let is_held = self.held.contains(&format!("estadisticas:{NEGOCIO}"));
                let body = json!({ "negocio_id": NEGOCIO }).to_string();
                let answer = self.pulso.post("/notify/cita", &body).await.json();
                if answer["subscribers"] != u64::from(is_held) {
                    return Err(format!("figures held: {is_held}, but {answer}"));
                }
                while is_held && self.newest_seq < answer["seq"].as_u64().unwrap_or_default() {
                    self.hear().await?;
                }
            }
        }
        Ok(())
    }
}

async fn play(pulso: &Running, steps: Vec<Step>) -> Result<(), String> {
    pulso.until_count("pulso_connections", 0).await;
    let mut session = Session::begin(pulso).await?;
    for step in steps {
        session.take(step).await?;
    }
    session.settle().await
}

#[test]
fn whatever_a_client_does_it_is_answered_once_and_hears_what_it_holds_and_nothing_else() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (pulso, _database) = runtime.block_on(open());
    let config = Config { cases: 24, max_shrink_iters: 100, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config)
        .run(&vec(step(), 1..40), |steps| runtime.block_on(play(&pulso, steps)).map_err(TestCaseError::fail));
    outcome.unwrap_or_else(|failed| panic!("{failed}"));
}
