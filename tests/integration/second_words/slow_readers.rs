//! `closing` to who does not read: said before the close where that can be sent, and nobody waits for it.

use pulso_harness::{Closed, Dashboard, Running};
use serde_json::{Value, json};

use super::signed;
use crate::limits::slow_readers::{all, clog, narrow_line, patient_server, todo};

/// One that was greeted, and has read nothing since.
async fn clogged(pulso: &Running) -> Dashboard {
    let mut slow = narrow_line(pulso, &signed("/ws", &all())).await;
    assert_eq!(slow.next().await["type"], "hello");
    clog(pulso, &mut slow).await;
    slow
}

/// More than its buffer has room for.
async fn overflow(pulso: &Running) {
    let event = json!({ "channel": todo(), "type": "poco", "data": 1 }).to_string();
    for _ in 0..5 {
        assert_eq!(pulso.post("/api/publish", &event).await.status, 200);
    }
}

/// Everything that is still to be read, and how it ends.
async fn rest(slow: &mut Dashboard) -> (Vec<Value>, Closed) {
    let mut rest = Vec::new();
    loop {
        match slow.next_or_close().await {
            Ok(frame) => rest.push(frame),
            Err(closed) => return (rest, closed),
        }
    }
}

#[tokio::test]
async fn a_slow_reader_that_reads_on_finds_why_it_is_closed_behind_what_was_half_out() {
    let pulso = patient_server("60s").await;
    let mut slow = clogged(&pulso).await;
    overflow(&pulso).await;
    let (rest, closed) = rest(&mut slow).await;
    let closing = json!({ "type": "closing", "code": 1013, "reason": "slow consumer", "again": true, "after": 1_000 });
    assert_eq!(rest.last(), Some(&closing));
    assert!(rest.iter().all(|frame| frame["type"] != "poco"), "what waited is not for it any more");
    assert_eq!(closed, Closed { code: 1013, reason: "slow consumer".to_owned() });
}

#[tokio::test]
async fn a_slow_reader_that_reads_nothing_is_cut_all_the_same() {
    let pulso = patient_server("60s").await;
    let mut slow = clogged(&pulso).await;
    overflow(&pulso).await;
    // Long before a write that is stuck would end it.
    pulso.until_count("pulso_connections", 0).await;
    assert_eq!((pulso.closed_with(1013).await, pulso.count("pulso_slow_closes_total").await), (1, 1));
    let (rest, closed) = rest(&mut slow).await;
    assert!(rest.iter().all(|frame| frame["type"] != "closing"), "there was no room to say so");
    assert_eq!(closed.code, 1006);
}
