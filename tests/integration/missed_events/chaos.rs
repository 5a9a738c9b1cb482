//! Clients whose line breaks all the time, while everybody keeps publishing: each ends with the complete sequence.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pulso_harness::{ChaosProxy, Dashboard, Running, wait};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{sleep, timeout};

use super::{NEGOCIO, OTHER_NEGOCIO, RESYNC, cashier, from_now, happens, next_table, signed, split_id, table};
use crate::feeds::open;

const PUBLISHERS: u64 = 4;
const EVENTS: u64 = 300;
const FOLLOWERS: usize = 6;
/// By how many events of one business a follower may be behind: fewer than are kept, so that nobody is told of a gap, however slow
/// the machine is.
const MOST_BEHIND: u64 = 200;

/// For how long a follower that has everything stays.
const IDLE: Duration = Duration::from_millis(30);

/// How far everybody is.
#[derive(Default)]
struct Progress {
    published: [AtomicU64; 2],
    /// Publishers that have ended.
    over: AtomicU64,
    heard: [AtomicU64; FOLLOWERS],
}

impl Progress {
    fn published(&self, place: usize) -> u64 {
        self.published[place].load(Ordering::Relaxed)
    }

    /// How many there are in all, once that is known.
    fn all(&self, place: usize) -> Option<u64> {
        (self.over.load(Ordering::Acquire) == PUBLISHERS).then(|| self.published(place))
    }

    /// By how many the slowest of those who follow this business is behind.
    fn behind(&self, place: usize) -> u64 {
        let heard = self.heard.iter().enumerate().filter(|(seed, _)| place_of(*seed) == place);
        let least = heard.map(|(_, heard)| heard.load(Ordering::Relaxed)).min().unwrap_or(0);
        self.published(place).saturating_sub(least)
    }
}

/// Which of the two businesses a follower follows.
fn place_of(seed: usize) -> usize {
    usize::from(seed % 3 == 2)
}

/// Publishes in two businesses at random; in each, `tableId` grows for every publisher.
async fn publish(pulso: &Running, publisher: u64, progress: &Progress) {
    let mut random = StdRng::seed_from_u64(publisher);
    for number in 0..EVENTS {
        let place = usize::from(random.random_bool(0.3));
        wait::until(async || progress.behind(place) < MOST_BEHIND, "the followers follow").await;
        let negocio = [NEGOCIO, OTHER_NEGOCIO][place];
        let answer = pulso.post("/notify/mesa", &table(negocio, publisher * EVENTS + number)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        progress.published[place].fetch_add(1, Ordering::Relaxed);
    }
    progress.over.fetch_add(1, Ordering::Release);
}

/// Reads, is cut off, comes back with the last id it has, until it has all events.
async fn follow(pulso: &Running, seed: usize, first: &str, progress: &Progress) -> Vec<String> {
    let place = place_of(seed);
    let negocio = [NEGOCIO, OTHER_NEGOCIO][place];
    let line = ChaosProxy::start(pulso.port()).await;
    let mut random = StdRng::seed_from_u64(seed as u64);
    let mut heard: Vec<String> = Vec::new();
    let mut last = first.to_owned();
    loop {
        let path = format!("{}&since={last}", signed("/ws", &cashier(negocio)));
        let mut screen = Dashboard::connect(line.port(), &path, &[]).await;
        let most = random.random_range(0..60);
        let mut read = 0;
        while read < most && progress.all(place) != Some(heard.len() as u64) {
            // What was published comes, however long that takes; otherwise there may be nothing.
            let patience = if progress.published(place) > heard.len() as u64 { wait::LIMIT } else { IDLE };
            let Ok(text) = timeout(patience, screen.text_or_close()).await else { break };
            let Ok(text) = text else { break };
            assert_ne!(text, RESYNC, "little enough was missed");
            let (id, event) = split_id(&text);
            (last, read) = (id, read + 1);
            heard.push(event);
            progress.heard[seed].store(heard.len() as u64, Ordering::Relaxed);
        }
        if progress.all(place) == Some(heard.len() as u64) {
            screen.ping().await;
            return heard;
        }
        // A line that is cut with messages on it, or a page that is closed.
        if random.random_bool(0.5) {
            line.cut();
        }
        drop(screen);
        sleep(Duration::from_millis(random.random_range(0..10))).await;
    }
}

#[tokio::test]
async fn however_often_its_line_breaks_a_client_ends_with_the_complete_sequence() {
    let (pulso, _database) = open().await;
    let progress = Progress::default();
    // The first position is that of an event before all the others.
    let mut witness = from_now(&pulso, NEGOCIO).await;
    happens(&pulso, NEGOCIO, 0..1).await;
    let (first, _) = next_table(&mut witness).await;
    let mut steady = [
        Dashboard::connect(pulso.port(), &signed("/ws", &cashier(NEGOCIO)), &[]).await,
        Dashboard::connect(pulso.port(), &signed("/ws", &cashier(OTHER_NEGOCIO)), &[]).await,
    ];
    let followers = futures_util::future::join_all((0..FOLLOWERS).map(async |seed| {
        let following = follow(&pulso, seed, &first, &progress);
        timeout(wait::LIMIT, following).await.unwrap_or_else(|_| panic!("follower {seed} lacks something"))
    }));
    let publishing = futures_util::future::join_all((0..PUBLISHERS).map(|number| publish(&pulso, number, &progress)));
    let (_, followed) = tokio::join!(publishing, followers);
    for (place, screen) in steady.iter_mut().enumerate() {
        let mut wanted = Vec::new();
        for _ in 0..progress.published(place) {
            wanted.push(screen.text().await);
        }
        screen.ping().await;
        for (seed, heard) in followed.iter().enumerate().filter(|(seed, _)| place_of(*seed) == place) {
            assert!(*heard == wanted, "follower {seed}: {} events of {}", heard.len(), wanted.len());
        }
    }
    assert!(pulso.count("pulso_replayed_total").await > 50, "lines did break");
}
