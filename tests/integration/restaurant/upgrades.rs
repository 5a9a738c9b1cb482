//! From polling to a WebSocket: what an upgrade that fails leaves behind, and that one that succeeds loses nothing.

use pulso_harness::{Packets, Poller, Running, client_frame, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Duration, Instant};

use super::{RESTAURANT, auth, event, reached, server, status};

async fn polling(running: &Running) -> Poller {
    let mut poller = Poller::open(running.port(), "").await;
    assert!(poller.connect(&auth(RESTAURANT)).await.starts_with("40{"));
    poller
}

/// Calls one event, which reaches one client.
async fn happens(running: &Running, number: u32) -> String {
    assert_eq!(reached(running, "/notify/order/status", &status(RESTAURANT, number)).await, 1);
    event("order.status.changed", &status(RESTAURANT, number))
}

async fn takes_over(poller: &Poller) -> Packets {
    let mut socket = poller.try_upgrade().await.unwrap();
    socket.say("2probe").await;
    assert_eq!(socket.expect().await, "3probe");
    socket.say("5").await;
    socket
}

/// A WebSocket that has said `packets`, the first of them a probe, and has not taken over.
async fn waits(poller: &Poller, packets: &[&str]) -> Packets {
    let mut waiting = poller.try_upgrade().await.unwrap();
    for packet in packets {
        waiting.say(packet).await;
        assert_eq!(waiting.expect().await, "3probe");
    }
    waiting
}

/// Whether another WebSocket may try; else it is opened and closed.
async fn is_granted(poller: &Poller) -> bool {
    let mut socket = poller.try_upgrade().await.unwrap();
    // It may be closed already.
    socket.try_say("2probe", 1).await && socket.next().await.as_deref() == Some("3probe")
}

#[tokio::test]
async fn an_upgrade_that_is_not_finished_leaves_the_session_as_it_was_and_another_is_granted() {
    let running = server().start().await;
    let mut number = 0;
    for last in [&[][..], &["2probe"], &["rubbish"], &["2"], &["3probe"], &["40"], &["2probe", "40"], &["2probe", "1"]]
    {
        let mut poller = polling(&running).await;
        let mut socket = poller.try_upgrade().await.unwrap();
        assert!(!is_granted(&poller).await, "one at a time");
        for packet in last {
            socket.say(packet).await;
        }
        if last.first() == Some(&"2probe") {
            assert_eq!(socket.expect().await, "3probe");
        }
        drop(socket);
        number += 1;
        let expected = happens(&running, number).await;
        let mut packet = poller.next().await;
        if packet == "6" {
            packet = poller.next().await;
        }
        assert_eq!(packet, expected, "{last:?}");
        // As soon as the server knows that the first has failed.
        wait::until(async || is_granted(&poller).await, "another is granted").await;
        wait::until(async || is_granted(&poller).await, "and another").await;
        poller.say("1").await;
        running.until_count("pulso_connections", 0).await;
        running.until_count("pulso_subscriptions", 0).await;
    }
}

#[tokio::test]
async fn a_websocket_that_waits_to_take_over_ends_with_its_session() {
    let running = server().start().await;
    for (said, status) in [("1", 200), ("rubbish", 400), (&"6\u{1e}".repeat(500), 200)] {
        for packets in [&[][..], &["2probe"]] {
            let poller = polling(&running).await;
            let mut waiting = waits(&poller, packets).await;
            let began = Instant::now();
            assert_eq!(poller.post(said).await.status, status);
            waiting.ended().await;
            // Not only when its own time is over, which is ten seconds.
            assert!(began.elapsed() < Duration::from_secs(8), "{said} {packets:?}: {:?}", began.elapsed());
        }
    }
    running.until_count("pulso_connections", 0).await;
}

#[tokio::test]
async fn who_closes_before_it_takes_over_hears_one_close() {
    let running = server().start().await;
    for packets in [&[][..], &["2probe"]] {
        let poller = polling(&running).await;
        let mut stream = waits(&poller, packets).await.into_stream();
        stream.write_all(&client_frame(0x88, &[])).await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, [0x88, 0x00]);
    }
}

#[tokio::test]
async fn until_a_websocket_shows_that_it_works_requests_are_held_as_ever() {
    let running = server().start().await;
    let poller = polling(&running).await;
    let mut silent = poller.try_upgrade().await.unwrap();
    let calling = async {
        // It is held for as long as nothing happens.
        tokio::time::sleep(Duration::from_millis(300)).await;
        happens(&running, 1).await
    };
    let (answer, expected) = tokio::join!(poller.get(), calling);
    assert_eq!(answer.body, expected);
    // What is held when it does ends with nothing, once.
    let probing = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        silent.say("2probe").await;
        silent.expect().await
    };
    let (answer, probed) = tokio::join!(poller.get(), probing);
    assert_eq!((answer.body.as_str(), probed.as_str()), ("6", "3probe"));
}

#[tokio::test]
async fn a_client_that_probes_and_never_takes_over_is_served_and_does_not_ask_without_end() {
    let running = server().start().await;
    let poller = polling(&running).await;
    let mut probing = poller.try_upgrade().await.unwrap();
    probing.say("2probe").await;
    assert_eq!(probing.expect().await, "3probe");
    let began = Instant::now();
    let mut requests = 0;
    while began.elapsed() < Duration::from_secs(1) {
        assert_eq!(poller.get().await.body, "6");
        requests += 1;
    }
    assert!(requests < 25, "{requests} in a second");
    let expected = happens(&running, 1).await;
    assert_eq!(poller.get().await.body, expected);
    // The server gives up first, and only the WebSocket.
    probing.ended().await;
    let (answer, expected) = tokio::join!(poller.get(), happens(&running, 2));
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn who_has_become_a_websocket_does_not_poll_any_more() {
    let running = server().start().await;
    let poller = polling(&running).await;
    let mut socket = takes_over(&poller).await;
    // What comes by it is carried out, so it has taken over.
    socket.say("40/none,").await;
    assert_eq!(socket.expect().await, r#"44/none,{"message":"Invalid namespace"}"#);
    assert_eq!(poller.get().await.status, 400);
    assert_eq!(poller.post("3").await.status, 400);
    assert!(!is_granted(&poller).await, "the second is closed");
    let expected = happens(&running, 1).await;
    assert_eq!(socket.expect().await, expected);
    running.until_count("pulso_connections", 1).await;
    drop(socket);
    running.until_count("pulso_connections", 0).await;
    assert_eq!(poller.try_upgrade().await.unwrap_err().status, 400, "there is no such session any more");
    running.until_count("pulso_subscriptions", 0).await;
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_out_of_order_when_a_websocket_takes_over() {
    const EVENTS: u32 = 60;
    let running = server().start().await;
    for round in 0..8 {
        let mut poller = polling(&running).await;
        let calling = async {
            for number in 0..EVENTS {
                happens(&running, round * EVENTS + number).await;
            }
        };
        let reading = async {
            let mut got = Vec::new();
            for _ in 0..=round {
                got.push(poller.next().await);
            }
            let mut socket = poller.try_upgrade().await.unwrap();
            socket.say("2probe").await;
            assert_eq!(socket.expect().await, "3probe");
            // Its last request ends with what waits or with nothing.
            while got.last().is_none_or(|last| last != "6") {
                got.push(poller.next().await);
            }
            socket.say("5").await;
            got.retain(|packet| packet != "6");
            while got.len() < EVENTS as usize {
                got.push(socket.expect().await);
            }
            socket.expect_silence().await;
            got
        };
        let ((), got) = tokio::join!(calling, reading);
        let expected: Vec<_> = (0..EVENTS)
            .map(|number| event("order.status.changed", &status(RESTAURANT, round * EVENTS + number)))
            .collect();
        assert_eq!(got, expected);
        running.until_count("pulso_connections", 0).await;
    }
}

#[tokio::test]
async fn what_comes_in_one_breath_with_the_upgrade_is_carried_out() {
    let running = server().start().await;
    let poller = Poller::open(running.port(), "").await;
    let mut socket = poller.try_upgrade().await.unwrap();
    for packet in ["2probe", "5", &format!("40{}", auth(RESTAURANT))] {
        socket.say(packet).await;
    }
    assert_eq!(socket.expect().await, "3probe");
    assert!(socket.expect().await.starts_with("40{"));
    let expected = happens(&running, 1).await;
    assert_eq!(socket.expect().await, expected);
}
