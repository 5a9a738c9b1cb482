//! `/ws` in the second version over a line that is cut: by the positions that it was told a client has every event once, or a
//! `resync` that covers it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pulso_harness::{ChaosProxy, Dashboard, Running, wait};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{cashier, id, signed};
use crate::business::NEGOCIO;
use crate::feeds::open;

const ROUNDS: u64 = 16;
/// Published at once while nobody is there: more than is kept of a channel.
const FLOOD: usize = 300;
const LITTLE: usize = 20;
/// As many as one call takes.
const BATCH: usize = 100;

fn shop() -> String {
    format!("negocio:{NEGOCIO}")
}

fn canal() -> String {
    format!("canal:{NEGOCIO}:caja")
}

/// What was heard of a channel, by id.
#[derive(Clone, Copy, Debug)]
enum Heard {
    Event(u64),
    /// A `resync`: up to here it has to load anew.
    Hole(u64),
}

/// A client that keeps of each channel where it stands, and nothing else.
#[derive(Default)]
struct Client {
    positions: BTreeMap<String, u64>,
    heard: BTreeMap<String, Vec<Heard>>,
    /// That nothing more will be published was heard, of so many channels.
    ended: usize,
}

impl Client {
    /// Comes back to where it was.
    async fn connect(&self, port: u16) -> Dashboard {
        let since = |channel: &str| self.positions.get(channel).map(u64::to_string).unwrap_or_default();
        let path = format!("{}&since={}", signed("/ws", &cashier()), since(&shop()));
        let mut socket = Dashboard::connect(port, &path, &[]).await;
        let subscribe = json!({ "type": "subscribe", "channel": canal(), "since": since(&canal()) });
        // The line may be cut already.
        let _ = socket.try_send_text(&subscribe.to_string()).await;
        socket
    }

    fn hear(&mut self, frame: &Value) {
        let channel = frame["channel"].as_str().unwrap_or_default().to_owned();
        match frame["type"].as_str().unwrap_or_default() {
            // Of what is joined by itself; where there was no position before.
            "hello" => {
                self.positions.entry(shop()).or_insert(id(frame));
            }
            "subscribed" => {
                self.positions.entry(channel).or_insert(id(frame));
            }
            "resync" => {
                for channel in frame["channels"].as_array().unwrap() {
                    let channel = channel.as_str().unwrap().to_owned();
                    self.heard.entry(channel.clone()).or_default().push(Heard::Hole(id(frame)));
                    self.positions.insert(channel, id(frame));
                }
            }
            "updateTable" | "own" | "end" => {
                self.heard.entry(channel.clone()).or_default().push(Heard::Event(id(frame)));
                self.positions.insert(channel, id(frame));
                let is_last = frame["type"] == "end" || frame["data"]["action"] == "end";
                self.ended += usize::from(is_last);
            }
            _ => panic!("{frame}"),
        }
    }

    /// Hears so many frames, if the line lasts.
    async fn listen(&mut self, socket: &mut Dashboard, most: usize) {
        for _ in 0..most {
            match socket.next_or_close().await {
                Ok(frame) => self.hear(&frame),
                Err(_) => return,
            }
        }
    }

    /// Hears until it has the last of both channels.
    async fn listen_to_the_end(&mut self, socket: &mut Dashboard) {
        while self.ended < 2 {
            self.hear(&socket.next().await);
        }
    }

    /// Fails unless it heard each of these events once and in order, but for those that a hole covers; how many holes there were.
    fn check(&self, channel: &str, published: &[u64]) -> usize {
        let mut published = published.iter().copied().peekable();
        let mut holes = 0;
        for heard in &self.heard[channel] {
            match *heard {
                Heard::Event(id) => assert_eq!(published.next(), Some(id), "{channel}: one is missing, or came twice"),
                Heard::Hole(until) => {
                    holes += 1;
                    while published.next_if(|id| *id <= until).is_some() {}
                }
            }
        }
        assert_eq!(published.next(), None, "{channel}: the last are missing");
        holes
    }
}

async fn sell(pulso: &Running, action: &str) {
    let sale = json!({ "negocio_id": NEGOCIO, "tableId": 1, "action": action }).to_string();
    assert_eq!(pulso.post("/notify/mesa", &sale).await.status, 200);
}

async fn publish(pulso: &Running, kind: &str, count: usize) {
    let event = json!({ "channel": canal(), "type": kind, "data": 1 });
    let events = Value::Array((0..count).map(|_| event.clone()).collect());
    assert_eq!(pulso.post("/api/publish", &events.to_string()).await.status, 200);
}

#[tokio::test]
async fn however_often_its_line_is_cut_a_client_has_every_event_once_or_a_resync_that_covers_it() {
    let (pulso, _database) = open().await;
    let pulso = Arc::new(pulso);
    let line = ChaosProxy::start(pulso.port()).await;
    // One that is never cut knows what there was.
    let mut witness = Client::default();
    let mut steady = witness.connect(pulso.port()).await;
    witness.listen(&mut steady, 3).await;
    let witness = tokio::spawn(async move {
        timeout(wait::LIMIT * 3, witness.listen_to_the_end(&mut steady)).await.expect("the last of both channels");
        witness
    });
    let mut client = Client::default();
    let mut socket = client.connect(line.port()).await;
    client.listen(&mut socket, 3).await;

    let is_over = Arc::new(AtomicBool::new(false));
    let publisher = tokio::spawn({
        let (pulso, is_over) = (Arc::clone(&pulso), Arc::clone(&is_over));
        async move {
            while !is_over.load(Ordering::Relaxed) {
                sell(&pulso, "x").await;
                publish(&pulso, "own", 1).await;
            }
        }
    });
    let mut random = StdRng::seed_from_u64(7);
    for round in 0..ROUNDS {
        // In the middle of what is told first, of what is replayed, of what is new.
        client.listen(&mut socket, random.random_range(0..80)).await;
        line.cut();
        // What had come before the cut may still be read.
        client.listen(&mut socket, random.random_range(0..20)).await;
        // Never at the end, which is to be heard.
        let missed = if round % 4 == 2 { FLOOD } else { LITTLE };
        for count in (0..missed).step_by(BATCH).map(|done| BATCH.min(missed - done)) {
            publish(&pulso, "own", count).await;
        }
        socket = client.connect(line.port()).await;
    }
    is_over.store(true, Ordering::Relaxed);
    publisher.await.unwrap();
    publish(&pulso, "end", 1).await;
    sell(&pulso, "end").await;
    client.listen_to_the_end(&mut socket).await;
    let witness = witness.await.unwrap();

    let mut holes = Vec::new();
    for channel in [shop(), canal()] {
        let happened: Vec<u64> = witness.heard[&channel]
            .iter()
            .map(|heard| match heard {
                Heard::Event(id) => *id,
                Heard::Hole(_) => panic!("{channel}: a line that was never cut lacks nothing"),
            })
            .collect();
        holes.push(client.check(&channel, &happened));
    }
    assert_eq!(holes[0], 0, "of the sales little enough was missed");
    assert!(holes[1] > 0, "of the other channel more than is kept");
    assert!(pulso.count("pulso_replayed_total").await > 50, "it was cut");
}
