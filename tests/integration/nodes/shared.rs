//! Events, positions, keys, dismissals and changes, while everything works.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use pulso_harness::token;
use pulso_harness::wait::until;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::*;

#[tokio::test]
async fn what_is_called_on_any_node_is_heard_on_all_in_one_order_under_one_id() {
    let nodes = Nodes::start(2).await;
    let mut screens = [since(&nodes.each[0], "").await, since(&nodes.each[1], "").await];
    join_all((0..40).map(|number| happens(&nodes.each[usize::from(number % 2 == 0)], number))).await;
    let mut heard = [Vec::new(), Vec::new()];
    for (screen, heard) in screens.iter_mut().zip(&mut heard) {
        for _ in 0..40 {
            heard.push(next_table(screen).await);
        }
        screen.ping().await;
    }
    assert_eq!(heard[0], heard[1]);
    assert!(heard[0].is_sorted_by(|a, b| a.0 < b.0), "{:?}", heard[0]);
}

#[tokio::test]
async fn who_comes_back_to_another_node_has_what_it_missed_once() {
    let nodes = Nodes::start(2).await;
    let mut screen = since(&nodes.each[0], "").await;
    happens(&nodes.each[0], 1).await;
    let (mut position, _) = next_table(&mut screen).await;
    for round in 0..6 {
        drop(screen);
        let number = 10 * (round + 1);
        happens(&nodes.each[0], number).await;
        happens(&nodes.each[1], number + 1).await;
        screen = since(&nodes.each[usize::from(round % 2 == 0)], &position.to_string()).await;
        happens(&nodes.each[0], number + 2).await;
        for wanted in number..number + 3 {
            let (id, table) = next_table(&mut screen).await;
            assert!(table == wanted && id > position, "{table} {wanted}");
            position = id;
        }
        screen.ping().await;
    }
}

#[tokio::test]
async fn a_node_that_starts_knows_what_the_others_published_before() {
    let mut nodes = Nodes::start(1).await;
    let mut screen = since(&nodes.each[0], "").await;
    for number in 0..5 {
        happens(&nodes.each[0], number).await;
    }
    let (position, _) = next_table(&mut screen).await;
    nodes.each.push(named(&nodes.node, 2).ready().await);
    let mut late = since(&nodes.each[1], &position.to_string()).await;
    for number in 1..5 {
        assert_eq!(next_table(&mut late).await, next_table(&mut screen).await, "{number}");
    }
    late.ping().await;
}

#[tokio::test]
async fn a_call_with_a_key_has_its_effect_once_whichever_nodes_it_comes_to() {
    let nodes = Nodes::start(2).await;
    let mut screen = since(&nodes.each[0], "").await;
    let call = async |node: usize, key: &str, number: u64| {
        nodes.each[node].post_with("/notify/mesa", &[("idempotency-key", key)], &table(number)).await
    };
    let first = call(0, "k-1", 1).await;
    let again = call(1, "k-1", 2).await;
    assert_eq!((first.status, &first.body), (200, &again.body), "{again:?}");
    for round in 0..10 {
        let key = format!("both-{round}");
        let (one, other) = tokio::join!(call(0, &key, 100 + round), call(1, &key, 100 + round));
        assert_eq!((one.status, other.status, &one.body), (200, 200, &other.body));
    }
    happens(&nodes.each[1], 3).await;
    let mut heard = Vec::new();
    while heard.last() != Some(&3) {
        heard.push(next_table(&mut screen).await.1);
    }
    assert_eq!(heard, [&[1], &(100..110).collect::<Vec<_>>()[..], &[3]].concat());
}

#[tokio::test]
async fn who_is_dismissed_on_one_node_is_gone_from_all_and_not_let_in_by_a_later_one() {
    let mut nodes = Nodes::start(2).await;
    let mut screens = [since(&nodes.each[0], "").await, since(&nodes.each[1], "").await];
    let answer = nodes.each[0].post("/api/disconnect", r#"{"user":"cajera"}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for screen in &mut screens {
        let closed = timeout(Duration::from_secs(5), screen.closed()).await.expect("an end");
        assert_eq!((closed.code, closed.reason.as_str()), (4001, "session ended"));
    }
    nodes.each.push(named(&nodes.node, 3).ready().await);
    for node in &nodes.each {
        let refused = Dashboard::try_connect(node.port(), &signed("/ws", &cashier()), &[]).await.unwrap_err();
        assert_eq!(refused.status, 401, "{refused:?}");
    }
}

#[tokio::test]
async fn clients_are_counted_on_all_nodes_a_little_late() {
    let nodes = Nodes::start(2).await;
    let mut screens = Vec::new();
    for number in 0..4 {
        screens.push(since(&nodes.each[number % 2], "").await);
    }
    let counted = async || {
        let answer = nodes.each[0].post("/notify/mesa", &table(1)).await.json();
        answer == json!({ "ok": true, "clients": 4 })
    };
    until(counted, "all four are counted").await;
}

#[tokio::test]
async fn installations_with_different_prefixes_share_a_server_and_hear_nothing_of_each_other() {
    let nodes = Nodes::start(1).await;
    let other = nodes.node.clone().with("REDIS_PREFIX", "otra").ready().await;
    let (mut ours, mut theirs) = (since(&nodes.each[0], "").await, since(&other, "").await);
    happens(&nodes.each[0], 1).await;
    happens(&other, 2).await;
    assert_eq!((next_table(&mut ours).await.1, next_table(&mut theirs).await.1), (1, 2));
    sleep(Duration::from_millis(200)).await;
    ours.ping().await;
    theirs.ping().await;
    assert!(
        nodes.redis.say(&["KEYS", "*"]).lines().all(|key| key.starts_with("{pulso}:") || key.starts_with("{otra}:"))
    );
}

#[tokio::test]
async fn a_node_behind_one_clock_and_a_node_behind_another_have_one_order() {
    let nodes = Nodes::start(1).await;
    let ahead = Timestamp::from_second(token::now() + 3_600).unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string();
    let hour_ahead = nodes.node.clone().at(&ahead).ready().await;
    let mut screens = [since(&nodes.each[0], "").await, since(&hour_ahead, "").await];
    for number in 0..10 {
        happens(if number % 2 == 0 { &hour_ahead } else { &nodes.each[0] }, number).await;
    }
    for screen in &mut screens {
        for number in 0..10 {
            assert_eq!(next_table(screen).await.1, number);
        }
    }
}
