//! A server that is killed while calls are under way: what it answered well is there, and what it took off the list
//! stays off.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pulso_harness::{Running, http, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{KEY, PATHS, alone, everywhere, order};
use crate::backend::Prepared;

everywhere!(a_server_that_is_killed_has_lost_nothing_that_it_answered_and_brings_nothing_confirmed_back);

const CALLERS: usize = 6;
/// Each caller changes a few orders over and over.
const ORDERS: usize = 4;

/// What those outside know.
#[derive(Default)]
struct Known {
    /// The newest change of each order that was answered with 200.
    answered: Mutex<HashMap<String, u64>>,
    /// The newest change of each order that the back end was handed.
    handed: Mutex<HashMap<String, u64>>,
    /// The greatest version of each order whose confirmation was answered with 200.
    confirmed: Mutex<HashMap<String, i64>>,
    stored: AtomicUsize,
    pulls: AtomicUsize,
    is_over: AtomicBool,
}

/// Stores changes one after the other; `number` goes on where the last run stopped.
async fn keep_storing(pulso: &Running, known: &Known, caller: usize, number: &AtomicUsize) {
    while !known.is_over.load(Ordering::Relaxed) {
        let n = number.fetch_add(1, Ordering::Relaxed);
        let id = format!("{caller}-{}", n % ORDERS);
        let Some(answer) = pulso.try_post("/notify/sync", &order(&id, &format!("{{\"n\":{n}}}"))).await else { return };
        assert_eq!(answer.status, 200, "{answer:?}");
        known.answered.lock().unwrap().insert(id, n as u64);
        known.stored.fetch_add(1, Ordering::Relaxed);
    }
}

/// Pulls and confirms what it has, by version and without in turn.
async fn keep_pulling(pulso: &Running, known: &Known) {
    let head = format!("POST {} HTTP/1.1\ncontent-type: application/json\nx-api-key: {KEY}", PATHS[0]);
    let mut received: Vec<(String, i64)> = Vec::new();
    while !known.is_over.load(Ordering::Relaxed) {
        let by_version = known.pulls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let confirm = |(id, version): &(String, i64)| {
            if by_version { json!({ "orderId": id, "version": version }) } else { json!(id) }
        };
        let body = json!({ "confirmedOrders": received.iter().map(confirm).collect::<Vec<_>>() }).to_string();
        let Some(answer) = http::try_exchange(pulso.port(), &head, &body).await else { return };
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut confirmed = known.confirmed.lock().unwrap();
        for (id, version) in received.drain(..) {
            let newest = confirmed.entry(id).or_default();
            *newest = version.max(*newest);
        }
        drop(confirmed);
        received = known.take(&answer.json());
    }
}

impl Known {
    /// Notes what was handed out; nothing of it may have been confirmed before.
    fn take(&self, pulled: &Value) -> Vec<(String, i64)> {
        let (mut handed, confirmed) = (self.handed.lock().unwrap(), self.confirmed.lock().unwrap());
        let entries = pulled["pending_orders"].as_array().unwrap().iter();
        entries
            .map(|entry| {
                let (id, version) = (entry["id"].as_str().unwrap().to_owned(), entry["version"].as_i64().unwrap());
                assert!(confirmed.get(&id).is_none_or(|newest| *newest < version), "confirmed came back: {entry}");
                handed.insert(id.clone(), entry["n"].as_u64().unwrap());
                (id, version)
            })
            .collect()
    }

    /// Every change that was answered well, or a newer one of its order, has been handed out.
    fn check(&self) {
        let (answered, handed) = (self.answered.lock().unwrap(), self.handed.lock().unwrap());
        for (id, n) in answered.iter() {
            assert!(handed.get(id) >= Some(n), "{id}: {n} was answered, {:?} handed out", handed.get(id));
        }
    }
}

async fn a_server_that_is_killed_has_lost_nothing_that_it_answered_and_brings_nothing_confirmed_back(
    prepared: Prepared,
) {
    let pulso = alone(&prepared);
    pulso.migrate().await;
    let known = Known::default();
    let numbers: [AtomicUsize; CALLERS] = Default::default();
    for _ in 0..4 {
        let running = pulso.ready().await;
        let storing = futures_util::future::join_all(
            numbers.iter().enumerate().map(|(caller, number)| keep_storing(&running, &known, caller, number)),
        );
        let killing = async {
            let (stored, pulls) = (known.stored.load(Ordering::Relaxed) + 40, known.pulls.load(Ordering::Relaxed) + 3);
            let enough =
                async || known.stored.load(Ordering::Relaxed) >= stored && known.pulls.load(Ordering::Relaxed) >= pulls;
            wait::until(enough, "changes are stored and pulled").await;
            running.signal(Signal::KILL);
        };
        tokio::join!(storing, keep_pulling(&running, &known), killing);
        running.ended().await;
    }
    let running = pulso.ready().await;
    let left = running.exchange(&format!("GET {} HTTP/1.1\nx-api-key: {KEY}", PATHS[0]), "").await;
    known.take(&left.json());
    known.check();
    assert!(known.answered.lock().unwrap().len() == CALLERS * ORDERS, "every order was stored at least once");
}
