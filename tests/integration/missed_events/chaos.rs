//! Clients whose line breaks all the time, while everybody keeps publishing: each ends with the complete sequence.

use std::sync::Arc;
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

/// Publishes in two businesses at random; in each, `tableId` grows for every publisher.
async fn publish(pulso: &Running, publisher: u64, counts: &[AtomicU64; 2]) {
    let mut random = StdRng::seed_from_u64(publisher);
    for number in 0..EVENTS {
        let place = usize::from(random.random_bool(0.3));
        let negocio = [NEGOCIO, OTHER_NEGOCIO][place];
        let answer = pulso.post("/notify/mesa", &table(negocio, publisher * EVENTS + number)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        counts[place].fetch_add(1, Ordering::Relaxed);
    }
}

/// Reads, is cut off, comes back with the last id it has, until it has `all` events.
async fn follow(pulso: &Running, seed: u64, negocio: &str, first: &str, all: impl Fn() -> Option<u64>) -> Vec<String> {
    let line = ChaosProxy::start(pulso.port()).await;
    let mut random = StdRng::seed_from_u64(seed);
    let mut heard: Vec<String> = Vec::new();
    let mut last = first.to_owned();
    loop {
        let path = format!("{}&since={last}", signed("/ws", &cashier(negocio)));
        let mut screen = Dashboard::connect(line.port(), &path, &[]).await;
        let most = random.random_range(0..60);
        let mut read = 0;
        while read < most && all() != Some(heard.len() as u64) {
            let Ok(text) = timeout(Duration::from_millis(30), screen.text_or_close()).await else { break };
            let Ok(text) = text else { break };
            assert_ne!(text, RESYNC, "little enough was missed");
            let (id, event) = split_id(&text);
            (last, read) = (id, read + 1);
            heard.push(event);
        }
        if all() == Some(heard.len() as u64) {
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
    let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let is_over = AtomicU64::new(0);
    let all = |place: usize| {
        let over = is_over.load(Ordering::Acquire) == PUBLISHERS;
        over.then(|| counts[place].load(Ordering::Relaxed))
    };
    // The first position is that of an event before all the others.
    let mut witness = from_now(&pulso, NEGOCIO).await;
    happens(&pulso, NEGOCIO, 0..1).await;
    let (first, _) = next_table(&mut witness).await;
    let mut steady = [
        Dashboard::connect(pulso.port(), &signed("/ws", &cashier(NEGOCIO)), &[]).await,
        Dashboard::connect(pulso.port(), &signed("/ws", &cashier(OTHER_NEGOCIO)), &[]).await,
    ];
    let followers = futures_util::future::join_all((0..6).map(|seed| {
        let place = usize::from(seed % 3 == 2);
        let (pulso, first, all) = (&pulso, &first, &all);
        async move {
            let following = follow(pulso, seed, [NEGOCIO, OTHER_NEGOCIO][place], first, || all(place));
            timeout(wait::LIMIT, following).await.unwrap_or_else(|_| panic!("follower {seed} lacks something"))
        }
    }));
    let publishing = futures_util::future::join_all((0..PUBLISHERS).map(async |publisher| {
        publish(&pulso, publisher, &counts).await;
        is_over.fetch_add(1, Ordering::Release);
    }));
    let (_, followed) = tokio::join!(publishing, followers);
    for (place, screen) in steady.iter_mut().enumerate() {
        let mut wanted = Vec::new();
        for _ in 0..counts[place].load(Ordering::Relaxed) {
            wanted.push(screen.text().await);
        }
        screen.ping().await;
        for (seed, heard) in followed.iter().enumerate().filter(|(seed, _)| usize::from(seed % 3 == 2) == place) {
            assert!(*heard == wanted, "follower {seed}: {} events of {}", heard.len(), wanted.len());
        }
    }
    assert!(pulso.count("pulso_replayed_total").await > 50, "lines did break");
}
