//! Calls that meet a node on its way out: those under way are heard by everybody, later ones are told where they stand.

use std::collections::BTreeSet;
use std::sync::Arc;

use pulso_harness::http::Line;
use pulso_harness::{Claims, HOOK_KEY, Running, wait};
use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;

use super::{citas, going_away, held_call, is_refused};
use crate::business::{NEGOCIO, database, owner, pulso};

fn sale(number: u64) -> String {
    let body = json!({ "negocio_id": NEGOCIO, "saleId": number, "tableId": null, "total": 1, "timestamp": "t" });
    let body = body.to_string();
    format!(
        "POST /notify/venta HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-api-key: {HOOK_KEY}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Calls on one connection after the other until the server is gone; which were answered with 200.
async fn call_until_gone(pulso: Arc<Running>, first: u64) -> BTreeSet<u64> {
    let mut accepted = BTreeSet::new();
    let mut line = Line::open(pulso.port()).await;
    for number in first.. {
        line.send(sale(number)).await;
        let answer = line.answer().await;
        match answer.status {
            200 => {
                accepted.insert(number);
                if answer.header("connection") == Some("close") {
                    break;
                }
            }
            status => {
                let headers = (answer.header("retry-after"), answer.header("connection"));
                assert_eq!((status, headers), (503, (Some("1"), Some("close"))), "{answer:?}");
                break;
            }
        }
    }
    accepted
}

#[tokio::test]
async fn what_is_answered_with_200_is_heard_by_all_who_were_connected() {
    let database = database().await;
    let pulso = Arc::new(pulso(&database.url()).with_hook_key().ready().await);
    let shop = Claims::naming("ana", &[NEGOCIO]);
    let mut listeners = JoinSet::new();
    // More than a call hands out itself.
    for _ in 0..80 {
        let mut dashboard = pulso.connect(&shop).await;
        listeners.spawn(async move {
            let mut heard = BTreeSet::new();
            loop {
                match dashboard.next_or_close().await {
                    Ok(message) => {
                        if let Some(number) = message["data"]["saleId"].as_u64() {
                            heard.insert(number);
                        }
                    }
                    Err(closed) => {
                        assert_eq!(closed, going_away());
                        return heard;
                    }
                }
            }
        });
    }
    pulso.until_count("pulso_subscriptions", 80).await;
    let mut callers = JoinSet::new();
    for caller in 0..4 {
        callers.spawn(call_until_gone(Arc::clone(&pulso), caller * 1_000_000));
    }
    wait::until(async || pulso.count("pulso_broadcasts_total").await >= 40, "calls are under way").await;
    pulso.signal(Signal::TERM);
    let mut accepted = BTreeSet::new();
    while let Some(of_one) = callers.join_next().await {
        accepted.extend(of_one.unwrap());
    }
    assert!(accepted.len() >= 40);
    while let Some(heard) = listeners.join_next().await {
        let missed: Vec<_> = accepted.difference(&heard.unwrap()).copied().collect();
        assert!(missed.is_empty(), "answered with 200 and not heard by one who was connected: {missed:?}");
    }
    assert_eq!(pulso.ended().await, 0);
}

#[tokio::test]
async fn after_the_last_call_under_way_none_is_taken_any_more() {
    let database = database().await;
    let pulso = pulso(&database.url()).with_hook_key().with("CLOUD_API_KEY", "llave-de-la-nube-larga");
    let pulso = Arc::new(pulso.with("NOTIFY_CITA_OPEN", "true").ready().await);
    // Who stays through the goodbyes, which are spread: it never answers its Close.
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    let mut kept = Vec::new();
    for _ in 0..6 {
        let mut line = Line::open(pulso.port()).await;
        line.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(line.answer().await.status, 200);
        kept.push(line);
    }
    let (blocker, mut call) = held_call(&pulso, &database).await;
    pulso.signal(Signal::TERM);
    wait::until(async || is_refused(pulso.port()).await, "new connections are refused").await;
    drop(blocker);
    assert_eq!(call.join_next().await.unwrap().unwrap(), 200);
    let json = "host: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let keyed = |path: &str| format!("POST {path} HTTP/1.1\r\nx-api-key: {HOOK_KEY}\r\n{json}");
    let requests = [
        keyed("/notify/venta"),
        keyed("/notify/cita"),
        keyed("/api/publish"),
        keyed("/api/disconnect"),
        format!("POST /sync/pull-changes HTTP/1.1\r\nx-api-key: llave-de-la-nube-larga\r\n{json}"),
        "GET /api/sync/pull-changes HTTP/1.1\r\nhost: x\r\nx-api-key: llave-de-la-nube-larga\r\n\r\n".to_owned(),
    ];
    for (line, request) in kept.iter_mut().zip(requests) {
        line.send(&request).await;
        let answer = line.answer().await;
        let headers = (answer.header("retry-after"), answer.header("connection"));
        assert_eq!((answer.status, headers), (503, (Some("1"), Some("close"))), "{request}: {answer:?}");
        assert!(answer.body.contains("shutting down"), "{answer:?}");
    }
    drop(dashboard);
    assert_eq!(pulso.ended().await, 0);
}
