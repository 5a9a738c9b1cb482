//! Many dashboards in one process, as light as they can be: each reads its frames and keeps the last one.
//!
//! A dashboard that is refused tries again after a moment, as real ones do; one that loses its line waits for the word.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::town::Figures;

/// Handshakes under way at once while nobody is in a hurry.
const CALMLY: usize = 100;
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Anything that takes longer than this has failed.
pub const LIMIT: Duration = Duration::from_mins(3);

/// Who sits in front of a dashboard, and what it shows.
#[derive(Clone, Debug)]
pub struct Seat {
    pub negocio: String,
    pub token: String,
}

/// What one dashboard has seen.
#[derive(Debug)]
pub struct Screen {
    pub seat: Seat,
    last: Mutex<Option<Utf8Bytes>>,
    /// `seq` and time of every frame, if they are wanted.
    arrivals: Option<Mutex<Vec<(u64, Instant)>>>,
}

#[derive(Debug, Default)]
struct Counters {
    /// Dashboards with figures on the present connection.
    served: AtomicUsize,
    frames: AtomicU64,
    target: AtomicU64,
    reached: Notify,
    refused: AtomicU64,
    errors: AtomicU64,
}

/// Dashboards, connected until this is dropped.
#[derive(Debug)]
pub struct Crowd {
    pub screens: Vec<Arc<Screen>>,
    counters: Arc<Counters>,
    round: watch::Sender<u32>,
    _tasks: JoinSet<()>,
}

impl Crowd {
    /// Connects one dashboard a seat, calmly; returns when all have figures.
    pub async fn connect(port: u16, seats: impl IntoIterator<Item = Seat>, with_arrivals: bool) -> Self {
        let counters = Arc::<Counters>::default();
        let (round, rounds) = watch::channel(0);
        let gate = Arc::new(Semaphore::new(CALMLY));
        let mut tasks = JoinSet::new();
        let mut screens = Vec::new();
        for seat in seats {
            let arrivals = with_arrivals.then(Mutex::default);
            let screen = Arc::new(Screen { seat, last: Mutex::default(), arrivals });
            screens.push(Arc::clone(&screen));
            tasks.spawn(sit(port, screen, Arc::clone(&counters), rounds.clone(), Arc::clone(&gate)));
        }
        let crowd = Self { screens, counters, round, _tasks: tasks };
        crowd.all_served().await;
        crowd
    }

    /// Forgets what was seen; to be called when the lines are down.
    pub fn forget(&self) {
        self.counters.served.store(0, Ordering::Relaxed);
        self.screens.iter().for_each(|screen| drop(lock(&screen.last).take()));
    }

    /// Lets all that have lost their line connect again at the same moment; returns when all have figures.
    pub async fn reconnect(&self) {
        self.round.send_modify(|round| *round += 1);
        self.all_served().await;
    }

    /// Frames received so far by all together.
    pub fn frames(&self) -> u64 {
        self.counters.frames.load(Ordering::Relaxed)
    }

    /// To be awaited after the cause: returns when all together have received `count` frames.
    pub async fn until_frames(&self, count: u64) {
        self.counters.target.store(count, Ordering::Relaxed);
        while self.frames() < count {
            timeout(LIMIT, self.counters.reached.notified()).await.expect("every dashboard has its frame in time");
        }
    }

    /// Handshakes that were refused or broke off, and `error` messages received.
    pub fn setbacks(&self) -> (u64, u64) {
        (self.counters.refused.load(Ordering::Relaxed), self.counters.errors.load(Ordering::Relaxed))
    }

    async fn all_served(&self) {
        let from = Instant::now();
        while self.counters.served.load(Ordering::Relaxed) < self.screens.len() {
            let served = self.counters.served.load(Ordering::Relaxed);
            assert!(from.elapsed() < LIMIT, "{served} of {} dashboards have figures", self.screens.len());
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Screen {
    /// The figures on the glass.
    pub fn figures(&self) -> Option<Figures> {
        let message: Value = serde_json::from_str(lock(&self.last).as_ref()?).ok()?;
        let data = message.get("data")?;
        let figure = |name: &str| data.get(name)?.as_i64();
        Some([figure("total_citas")?, figure("citas_hoy")?, figure("citas_completadas")?, figure("citas_canceladas")?])
    }

    /// `seq` and time of every frame so far.
    pub fn arrivals(&self) -> Vec<(u64, Instant)> {
        self.arrivals.as_ref().map(|arrivals| lock(arrivals).clone()).unwrap_or_default()
    }
}

/// The `seq` of a message, without reading the rest of it.
pub fn seq_of(text: &str) -> Option<u64> {
    let (_, behind) = text.rsplit_once("\"seq\":")?;
    let end = behind.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(behind.len());
    behind[..end].parse().ok()
}

async fn sit(
    port: u16,
    screen: Arc<Screen>,
    counters: Arc<Counters>,
    mut rounds: watch::Receiver<u32>,
    gate: Arc<Semaphore>,
) {
    let mut first = true;
    loop {
        let calmly = if first { gate.acquire().await.ok() } else { None };
        let mut socket = loop {
            if let Some(socket) = open(port, &screen.seat).await {
                break socket;
            }
            counters.refused.fetch_add(1, Ordering::Relaxed);
            sleep(AGAIN_AFTER).await;
        };
        let mut waiting = Some(calmly);
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let Some(seq) = seq_of(&text) else {
                counters.errors.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            if let Some(arrivals) = &screen.arrivals {
                lock(arrivals).push((seq, Instant::now()));
            }
            *lock(&screen.last) = Some(text);
            if counters.frames.fetch_add(1, Ordering::Relaxed) + 1 == counters.target.load(Ordering::Relaxed) {
                counters.reached.notify_one();
            }
            // The first one: makes room for the next handshake.
            if waiting.take().is_some() {
                counters.served.fetch_add(1, Ordering::Relaxed);
            }
        }
        first = false;
        if rounds.changed().await.is_err() {
            return;
        }
    }
}

async fn open(port: u16, seat: &Seat) -> Option<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let config = WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0);
    let url = format!("ws://127.0.0.1:{port}/ws?token={}", seat.token);
    let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await.ok()?;
    let subscribe = format!(r#"{{"type":"subscribe","data":{{"channel":"estadisticas:{}"}}}}"#, seat.negocio);
    socket.send(Message::text(subscribe)).await.ok()?;
    Some(socket)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
