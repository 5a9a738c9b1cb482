//! A log in memory, and all that can befall one: requests and answers that are lost, each by itself, delay, a pause, a log
//! that forgets its end or all, a server that is away, a split in two that joins again.
//!
//! Everything is drawn from one seed. Whoever includes this has `log` in scope.

#[path = "memory/kept.rs"]
mod kept;
#[path = "memory/line.rs"]
mod line;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::log;
use super::log::Stream;
use kept::Log;
pub(crate) use line::Way;

/// The first server's clock when it begins: µs since the epoch.
const EPOCH: u64 = 1_760_000_000_000_000;

/// One or two servers, and the ways to them.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    news: Notify,
    begun: Instant,
}

#[derive(Debug)]
struct State {
    draw: StdRng,
    servers: Vec<Server>,
    /// Which server each way leads to; 0 where nothing is said.
    led: HashMap<usize, usize>,
    /// Ways on which nothing arrives.
    cut: BTreeSet<usize>,
    weather: Weather,
}

/// What happens on the ways.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    /// Each way takes up to so long.
    pub(crate) delay: Duration,
    /// Of a hundred requests, how many are lost.
    pub(crate) lost_requests: u32,
    /// Of a hundred answers.
    pub(crate) lost_answers: u32,
}

#[derive(Clone, Debug)]
struct Server {
    run: u64,
    is_away: bool,
    is_full: bool,
    paused_until: Option<Instant>,
    /// How far its clock is off, in µs.
    skew: i64,
    log: Log,
}

impl Memory {
    pub(crate) fn new(seed: u64) -> Self {
        let mut draw = StdRng::seed_from_u64(seed);
        let log = Log::default();
        let server = Server { run: draw.random(), is_away: false, is_full: false, paused_until: None, skew: 0, log };
        let (led, cut, weather) = (HashMap::new(), BTreeSet::new(), Weather::default());
        let state = Mutex::new(State { draw, servers: vec![server], led, cut, weather });
        Self(Arc::new(Shared { state, news: Notify::new(), begun: Instant::now() }))
    }

    /// The engine of one node.
    pub(crate) fn way(&self, number: usize) -> Way {
        Way { shared: Arc::clone(&self.0), number }
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// Nothing arrives any more from this node, nor at it, and nobody says so.
    pub(crate) fn cut(&self, number: usize) {
        self.lock().cut.insert(number);
    }

    pub(crate) fn mend(&self, number: usize) {
        self.lock().cut.remove(&number);
    }

    /// It answers nobody for so long, and then everybody.
    pub(crate) fn pause(&self, length: Duration) {
        self.lock().servers[0].paused_until = Some(Instant::now() + length);
    }

    /// It ends, with all lines, and is not there until [`Self::restart`].
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.servers[0].is_away = true;
        state.servers[0].run = 0;
        drop(state);
        self.0.news.notify_waiters();
    }

    /// It is there again, with all but the newest `forgets` entries of events.
    pub(crate) fn restart(&self, forgets: usize) {
        let mut state = self.lock();
        let run = state.draw.random();
        let server = &mut state.servers[0];
        (server.is_away, server.run) = (false, run);
        server.log.forget(forgets);
    }

    /// It is emptied while it runs: no line ends.
    pub(crate) fn flush(&self) {
        self.lock().servers[0].log = Log::default();
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.lock().servers[0].is_full = is_full;
    }

    /// Its clock goes wrong by so many µs.
    pub(crate) fn skew(&self, micros: i64) {
        self.lock().servers[0].skew = micros;
    }

    /// Another server takes over for these nodes, without the newest `lacks` entries; the others stay where they are.
    pub(crate) fn split(&self, nodes: &[usize], lacks: usize) {
        let mut state = self.lock();
        let mut other = state.servers[0].clone();
        other.run = state.draw.random();
        other.log.forget(lacks);
        state.servers.truncate(1);
        state.servers.push(other);
        state.led = nodes.iter().map(|node| (*node, 1)).collect();
        drop(state);
        self.0.news.notify_waiters();
    }

    /// The other server is everybody's from now on; what only the first has is gone.
    pub(crate) fn join(&self) {
        let mut state = self.lock();
        if state.servers.len() > 1 {
            state.servers.swap_remove(0);
            state.led.clear();
        }
        drop(state);
        self.0.news.notify_waiters();
    }

    /// Something that is written by nobody of ours.
    pub(crate) fn write(&self, stream: Stream, body: &'static [u8]) {
        let mut state = self.lock();
        let now = self.0.now(&state.servers[0]);
        let log = &mut state.servers[0].log;
        log.last = now.max(log.last + 1);
        let id = log.last;
        log.stream(stream).insert(id, Bytes::from_static(body));
        drop(state);
        self.0.news.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self, server: &Server) -> u64 {
        let passed = u64::try_from(self.begun.elapsed().as_micros()).unwrap();
        (EPOCH + passed).saturating_add_signed(server.skew)
    }
}
