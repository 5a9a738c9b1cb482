//! Callers with and without keys on all nodes, screens that stay and screens that wander: what they saw is judged by the one checker
//! of histories.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pulso_harness::history::{Called, Checked, Heard, History, Listener, Outcome};
use pulso_harness::{Dashboard, HOOK_KEY, Line};
use rand::Rng;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};

use super::{cashier, table};
use crate::feeds::signed;

const STAYING: usize = 3;
const WANDERING: usize = 4;
/// From one call of a caller to the next, usually.
const PACE: Duration = Duration::from_millis(8);
/// Callers of each kind at each node, where many call.
const MANY: usize = 8;
/// After the last call: everybody has what is owed then.
const SETTLED: Duration = Duration::from_secs(3);
const CHANNEL: &str = "negocio";

/// What they share.
#[derive(Debug)]
struct Scene {
    ports: Vec<u16>,
    begun: Instant,
    pace: Duration,
    next: AtomicU64,
    calls: Mutex<Vec<Called>>,
    /// For how long (ms) calls were refused, at most.
    longest_refusal: AtomicU64,
    last_accepted: AtomicU64,
    are_done: AtomicBool,
    may_leave: AtomicBool,
}

pub struct Crowd {
    scene: Arc<Scene>,
    /// When the calls did.
    began: u64,
    callers: Vec<JoinHandle<()>>,
    listeners: Vec<JoinHandle<Listener>>,
}

impl Scene {
    /// Microseconds since it began.
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap()
    }

    /// What a caller keeps to, also where an answer takes its time.
    fn pace(&self) -> Interval {
        let mut pace = interval(self.pace);
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        pace
    }

    /// False when nobody calls any more.
    async fn goes_on(&self, pace: &mut Interval) -> bool {
        pace.tick().await;
        !self.are_done.load(Ordering::Relaxed)
    }

    fn note(&self, number: u64, at: u64, outcome: Outcome) {
        self.calls.lock().unwrap().push(Called { number, channel: CHANNEL.to_owned(), at, outcome });
        if outcome == Outcome::Accepted {
            let now = self.now();
            let gap = now.saturating_sub(self.last_accepted.swap(now, Ordering::Relaxed));
            self.longest_refusal.fetch_max(gap / 1_000, Ordering::Relaxed);
        }
    }
}

/// A back end: a kept connection to each node.
#[derive(Default)]
struct Caller(HashMap<u16, Line>);

impl Caller {
    /// What one call is answered with.
    async fn call(&mut self, port: u16, number: u64, key: Option<&str>) -> Outcome {
        let key = key.map(|key| format!("\nidempotency-key: {key}")).unwrap_or_default();
        let head = format!("POST /notify/mesa HTTP/1.1\ncontent-type: application/json\nx-api-key: {HOOK_KEY}{key}");
        let kept = self.0.remove(&port);
        let Some(mut line) = (match kept {
            Some(line) => Some(line),
            None => Line::try_open(port).await,
        }) else {
            return Outcome::Refused;
        };
        let Some(answer) = line.try_exchange(&head, &table(number)).await else { return Outcome::Unknown };
        if answer.header("connection") != Some("close") {
            self.0.insert(port, line);
        }
        match answer.status {
            200 => Outcome::Accepted,
            503 if answer.json()["error"] != "outcome_unknown" => Outcome::Refused,
            503 => Outcome::Unknown,
            _ => panic!("{answer:?}"),
        }
    }
}

/// Calls with a key, which it repeats on another node until it knows.
async fn call_with_keys(scene: Arc<Scene>, mut node: usize) {
    let (mut caller, mut pace) = (Caller::default(), scene.pace());
    while scene.goes_on(&mut pace).await {
        let (number, at) = (scene.next.fetch_add(1, Ordering::Relaxed), scene.now());
        let key = format!("call-{number}");
        let mut outcome = caller.call(scene.ports[node], number, Some(&key)).await;
        let mut tries = 1;
        while outcome != Outcome::Accepted && tries < 100 {
            node = (node + 1) % scene.ports.len();
            sleep(Duration::from_millis(50)).await;
            let again = caller.call(scene.ports[node], number, Some(&key)).await;
            // Once it is not known it stays so until an answer tells.
            if again == Outcome::Accepted || outcome == Outcome::Refused {
                outcome = again;
            }
            tries += 1;
        }
        scene.note(number, at, outcome);
    }
}

async fn call_once(scene: Arc<Scene>, node: usize) {
    let (mut caller, mut pace) = (Caller::default(), scene.pace());
    while scene.goes_on(&mut pace).await {
        let (number, at) = (scene.next.fetch_add(1, Ordering::Relaxed), scene.now());
        let outcome = caller.call(scene.ports[node], number, None).await;
        scene.note(number, at, outcome);
    }
}

/// Comes with its position, stays for so long, and goes to any node then.
async fn listen(scene: Arc<Scene>, name: String, mut node: usize, wanders: bool) -> Listener {
    let mut listener = Listener { name, channels: vec![CHANNEL.to_owned()], from: 0, heard: Vec::new() };
    let mut position = String::new();
    let is_over = || scene.may_leave.load(Ordering::Relaxed);
    while !is_over() {
        let path = format!("{}&since={position}", signed("/ws", &cashier()));
        let Ok(stream) = TcpStream::connect(("127.0.0.1", scene.ports[node])).await else {
            node = (node + 1) % scene.ports.len();
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let Ok(mut screen) = Dashboard::handshake(stream, scene.ports[node], &path, &[]).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        if position.is_empty() {
            // It has heard nothing yet, so it has missed whatever happened on its way.
            listener.from = 0;
        }
        if listener.from == 0 && screen.try_send_text(r#"{"type":"ping"}"#).await.is_err() {
            continue;
        }
        let until = Instant::now() + Duration::from_millis(rand::rng().random_range(200..900));
        let goes_on = || wanders && Instant::now() > until;
        while !is_over() && !goes_on() {
            let Ok(message) = timeout(Duration::from_millis(50), screen.next_or_close()).await else { continue };
            let Ok(message) = message else { break };
            if let Some(id) = message["id"].as_str() {
                id.clone_into(&mut position);
                let number = message["data"]["tableId"].as_u64().unwrap();
                listener.heard.push((scene.now(), Heard::Event { number, id: id.parse().unwrap() }));
            } else if message["type"] == "resync" {
                listener.heard.push((scene.now(), Heard::Resync));
            } else if message["type"] == "pong" {
                listener.from = scene.now();
            }
        }
        if wanders {
            node = rand::rng().random_range(0..scene.ports.len());
        }
    }
    listener
}

impl Crowd {
    /// On nodes at these ports; returns when all listen.
    pub async fn gather(ports: Vec<u16>) -> Self {
        Self::with(ports, PACE, 1).await
    }

    /// As [`Self::gather`], with so many calls a second as far as the machine bears them.
    pub async fn gather_at(ports: Vec<u16>, rate: u32) -> Self {
        let callers = u32::try_from(2 * MANY * ports.len()).unwrap();
        Self::with(ports, Duration::from_secs(1) * callers / rate, MANY).await
    }

    async fn with(ports: Vec<u16>, pace: Duration, each: usize) -> Self {
        let count = ports.len();
        let scene = Arc::new(Scene {
            ports,
            begun: Instant::now(),
            pace,
            next: AtomicU64::new(1),
            calls: Mutex::default(),
            longest_refusal: AtomicU64::new(0),
            last_accepted: AtomicU64::new(0),
            are_done: AtomicBool::new(false),
            may_leave: AtomicBool::new(false),
        });
        let listeners = (0..STAYING + WANDERING).map(|number| {
            let wanders = number >= STAYING;
            let name = format!("{} {number}", if wanders { "wandering" } else { "staying" });
            tokio::spawn(listen(Arc::clone(&scene), name, number % count, wanders))
        });
        let listeners: Vec<_> = listeners.collect();
        sleep(Duration::from_millis(300)).await;
        let began = scene.now();
        scene.last_accepted.store(began, Ordering::Relaxed);
        let callers = (0..count * each)
            .map(|caller| caller % count)
            .flat_map(|node| {
                let with_keys = tokio::spawn(call_with_keys(Arc::clone(&scene), node));
                [with_keys, tokio::spawn(call_once(Arc::clone(&scene), node))]
            })
            .collect();
        Self { scene, began, callers, listeners }
    }

    /// Waits until an event is accepted that was called from now on; returns after how long.
    pub async fn until_accepted(&self) -> Duration {
        let from = Instant::now();
        let before = self.scene.now();
        while self.scene.last_accepted.load(Ordering::Relaxed) <= before {
            assert!(from.elapsed() < Duration::from_secs(20), "no event is accepted any more");
            sleep(Duration::from_millis(2)).await;
        }
        from.elapsed()
    }

    /// Ends the calls, waits until everybody has everything, and checks what was seen. `lost`: whether the log was made to lose
    /// something, so that an event may have come under two ids. Returns for how long no event was accepted, at most.
    pub async fn check(self, what: &str, lost: bool) -> Duration {
        self.scene.are_done.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
        let called_for = (self.scene.now() - self.began) / 1_000;
        sleep(SETTLED).await;
        self.scene.may_leave.store(true, Ordering::Relaxed);
        let mut history = History { calls: self.scene.calls.lock().unwrap().clone(), ..History::default() };
        for listener in self.listeners {
            history.listeners.push(listener.await.unwrap());
        }
        let (checked, wrong) = if lost { history.check() } else { history.check_with_one_order() };
        let Checked { accepted, unknown, refused, heard, resyncs } = checked;
        let gap = Duration::from_millis(self.scene.longest_refusal.load(Ordering::Relaxed));
        let rate = accepted as u64 * 1_000 / called_for;
        eprintln!(
            "{what}: {accepted} accepted ({rate}/s), {unknown} unknown, {refused} refused, {heard} heard, {resyncs} resync, no event for {gap:?}"
        );
        assert!(wrong.is_empty(), "{what}: {} wrong, such as {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
        assert!(accepted > 30 && heard > 100, "{what}: too little happened to prove anything: {checked:?}");
        gap
    }
}
