//! A node that is killed, and nodes that are replaced one after the other, while calls go on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pulso_harness::{Claims, Dashboard, Poller, SECRET, http, wait};
use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Installation, NODES, sale};
use crate::boards::{signed, waiter};
use crate::business::NEGOCIO;

const CALLERS: u64 = 6;
/// Between two calls of a caller: who comes back has missed fewer events than a channel keeps.
const PAUSE: Duration = Duration::from_millis(20);
const MANY: usize = 30;

/// Calls by way of `port` until `stop`: the numbers of those that were answered with 200, and every other answer.
fn calls(port: u16, stop: &Arc<AtomicBool>, answered: &Arc<AtomicU64>) -> JoinSet<(Vec<u64>, Vec<String>)> {
    let mut callers = JoinSet::new();
    for caller in 1..=CALLERS {
        let (stop, answered) = (Arc::clone(stop), Arc::clone(answered));
        callers.spawn(async move {
            let (mut accepted, mut refused) = (Vec::new(), Vec::new());
            for number in caller * 1_000_000.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let (head, body) = sale(number);
                let answer = http::exchange(port, &head, &body).await;
                if answer.status == 200 {
                    accepted.push(number);
                } else {
                    refused.push(format!("{number}: {} {}", answer.status, answer.body));
                }
                answered.fetch_add(1, Ordering::Relaxed);
                sleep(PAUSE).await;
            }
            (accepted, refused)
        });
    }
    callers
}

/// A shop's screen that comes back with its position, whenever its node sends it away: the numbers that it has heard.
fn screen(port: u16) -> Arc<Mutex<Vec<u64>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heard);
    tokio::spawn(async move {
        let token = Claims::naming("ana", &[NEGOCIO]).sign(SECRET);
        let mut since = String::new();
        loop {
            let path = format!("/ws?token={token}&since={since}");
            let Ok(mut dashboard) = Dashboard::try_connect(port, &path, &[]).await else { continue };
            while let Ok(message) = dashboard.next_or_close().await {
                let id = message["id"].as_str().unwrap_or_else(|| panic!("no event: {message}"));
                id.clone_into(&mut since);
                noted.lock().unwrap().push(message["data"]["saleId"].as_u64().unwrap());
            }
        }
    });
    heard
}

#[tokio::test]
async fn a_killed_node_costs_its_clients_a_reconnect_and_nobody_else_anything() {
    let mut installation = Installation::open().await;
    let port = installation.port;
    let token = Claims::naming("ana", &[NEGOCIO]).sign(SECRET);
    let path = format!("/ws?token={token}");
    let mut dashboards = Vec::new();
    for _ in 0..NODES {
        dashboards.push(Dashboard::connect(port, &path, &[]).await);
    }
    let auth = json!({ "token": signed(&waiter()) });
    let mut pollers = Vec::new();
    for client in 0..MANY {
        let from = format!("x-forwarded-for: 203.0.113.{client}");
        let mut poller = Poller::open(port, &from).await;
        poller.connect(&auth).await;
        pollers.push((from, poller));
    }
    drop(installation.running.remove(0));
    let mut away = 0;
    for dashboard in &mut dashboards {
        let is_there = dashboard.try_send_text(r#"{"type":"ping"}"#).await.is_ok();
        away += usize::from(!is_there || dashboard.next_or_close().await.is_err());
    }
    assert_eq!(away, 1);
    // Newcomers and calls notice nothing, from the first on.
    for number in 0..MANY {
        dashboards.push(Dashboard::connect(port, &path, &[]).await);
        let (head, body) = sale(number as u64);
        assert_eq!(http::exchange(port, &head, &body).await.status, 200);
    }
    // Who polled there is told that its session is gone, and gets in elsewhere.
    let mut moved = 0;
    for (from, poller) in &mut pollers {
        let answer = poller.post("3").await;
        if answer.status == 400 {
            moved += 1;
            let mut again = Poller::open(port, from).await;
            assert!(again.connect(&auth).await.starts_with("40{"));
        } else {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    assert!(moved > 0 && moved < MANY, "{moved} of {MANY} were on the node that died");

    let back = installation.nodes[0].ready().await;
    let deadline = Instant::now() + wait::LIMIT;
    while back.count("pulso_connections").await == 0 {
        assert!(Instant::now() < deadline, "the node that is back gets no client");
        dashboards.push(Dashboard::connect(port, &path, &[]).await);
    }
    let log = installation.nginx.log();
    assert!(log.contains(" /ws 101 ") && log.contains(" /notify/venta 200 "), "{log}");
    assert!(!log.contains(&token) && !log.contains("token="), "a token is in nginx's log");
}

#[tokio::test]
async fn nodes_that_are_replaced_one_after_the_other_refuse_no_call_and_lose_no_event() {
    let mut installation = Installation::open_as_one().await;
    let screens: Vec<_> = (0..NODES).map(|_| screen(installation.port)).collect();
    let (head, body) = sale(0);
    wait::until(
        async || {
            assert_eq!(http::exchange(installation.port, &head, &body).await.status, 200);
            screens.iter().all(|heard| !heard.lock().unwrap().is_empty())
        },
        "all screens are there",
    )
    .await;
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut callers = calls(installation.port, &stop, &answered);
    let after = async |more: u64| {
        let from = answered.load(Ordering::Relaxed);
        wait::until(async || answered.load(Ordering::Relaxed) >= from + more, "calls are answered").await;
    };
    after(100).await;
    for number in 0..NODES {
        let node = &installation.running[number];
        node.signal(Signal::TERM);
        assert_eq!(node.ended().await, 0);
        after(100).await;
        installation.running[number] = installation.nodes[number].ready().await;
        after(100).await;
    }
    stop.store(true, Ordering::Relaxed);
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    while let Some(of_one) = callers.join_next().await {
        let (numbers, answers) = of_one.unwrap();
        accepted.extend(numbers);
        refused.extend(answers);
    }
    assert!(refused.is_empty(), "beside {} that were accepted: {refused:#?}", accepted.len());
    accepted.sort_unstable();
    for heard in screens {
        let of_callers = || heard.lock().unwrap().iter().copied().filter(|number| *number > 0).collect::<Vec<_>>();
        wait::until(async || of_callers().len() >= accepted.len(), "every event is heard").await;
        let mut all = of_callers();
        all.sort_unstable();
        assert_eq!(all, accepted, "each once, and no other");
    }
}
