//! The database's own trigger, heard by one node at a time for the screens of all.

use std::time::Duration;

use pulso_harness::ChaosProxy;
use pulso_harness::wait::until;
use rustix::process::Signal;
use tokio::time::sleep;

use super::*;
use crate::business::{citas, owner};

/// Three nodes with the trigger, and a screen on each.
async fn watched(nodes: &mut Nodes) -> Vec<Dashboard> {
    nodes.database.execute(include_str!("../../../sql/listen.postgres.sql")).await;
    let mut screens = Vec::new();
    for number in 1..=3 {
        let node = nodes.node.clone().with("LISTEN_CHANNEL", "pulso_citas").with("SENTINEL_INTERVAL", "0");
        let node = named(&node, number).ready().await;
        let mut screen = node.connect(&owner()).await;
        screen.watch(NEGOCIO).await;
        nodes.each.push(node);
        screens.push(screen);
    }
    screens
}

/// Which nodes have begun to listen and not ended since, as their logs say.
fn listening(nodes: &Nodes) -> Vec<usize> {
    let listens = |node: &Running| {
        let log = node.log();
        let last = log.iter().rev().find(|line| line.contains("for changes in the database"));
        let is_so = |line: &String| line.contains("listening for changes") && !line.contains("not listening");
        node.exit_code().is_none() && last.is_some_and(is_so)
    };
    (0..nodes.each.len()).filter(|number| listens(&nodes.each[*number])).collect()
}

async fn one_listens(nodes: &Nodes) -> usize {
    until(async || listening(nodes).len() == 1, "one node listens").await;
    listening(nodes)[0]
}

async fn all_show(screens: &mut [Dashboard], total: i64) {
    for screen in screens {
        screen.stats_until(|stats| stats.total == total).await;
    }
}

async fn connections(nodes: &Nodes) -> usize {
    let listening = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
    nodes.database.rows(listening).await.len()
}

#[tokio::test]
async fn one_node_listens_for_all_and_another_takes_over_when_it_is_killed_or_stopped() {
    let mut nodes = Nodes::start(0).await;
    let mut screens = watched(&mut nodes).await;
    let first = one_listens(&nodes).await;
    citas(&nodes.database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    all_show(&mut screens, 1).await;
    assert_eq!(connections(&nodes).await, 1, "one connection listens");

    // What happens while nobody listens is found by whoever begins.
    nodes.each[first].signal(Signal::KILL);
    nodes.each[first].ended().await;
    citas(&nodes.database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    nodes.each.remove(first);
    screens.remove(first);
    all_show(&mut screens, 2).await;
    let second = one_listens(&nodes).await;
    citas(&nodes.database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    all_show(&mut screens, 3).await;

    nodes.each[second].signal(Signal::TERM);
    nodes.each[second].ended().await;
    citas(&nodes.database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    nodes.each.remove(second);
    screens.remove(second);
    all_show(&mut screens, 4).await;
}

#[tokio::test]
async fn what_is_watched_on_other_nodes_alone_is_heard_too() {
    let mut nodes = Nodes::start(0).await;
    let mut screens = watched(&mut nodes).await;
    let first = one_listens(&nodes).await;
    drop(screens.remove(first));
    nodes.each[first].until_count("pulso_connections", 0).await;
    for total in 1..4 {
        citas(&nodes.database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
        all_show(&mut screens, total).await;
    }
}

#[tokio::test]
async fn while_redis_is_away_every_node_listens_for_itself_and_then_one_again() {
    let mut nodes = Nodes::start(0).await;
    let mut screens = watched(&mut nodes).await;
    one_listens(&nodes).await;
    nodes.redis.kill();
    until(async || listening(&nodes).len() == 3, "all listen").await;
    citas(&nodes.database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    all_show(&mut screens, 1).await;
    nodes.redis.revive();
    one_listens(&nodes).await;
    citas(&nodes.database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    all_show(&mut screens, 2).await;
}

#[tokio::test]
async fn a_node_that_does_not_reach_the_database_to_listen_leaves_it_to_another() {
    let mut nodes = Nodes::start(0).await;
    nodes.database.execute(include_str!("../../../sql/listen.postgres.sql")).await;
    let line = ChaosProxy::start(nodes.database.port()).await;
    let node = nodes.node.clone().with("LISTEN_CHANNEL", "pulso_citas").with("SENTINEL_INTERVAL", "0");
    let far = node.clone().with("LISTEN_DATABASE_URL", &nodes.database.url_at(line.port()));
    nodes.each.push(named(&far, 1).ready().await);
    assert_eq!(one_listens(&nodes).await, 0);
    nodes.each.push(named(&node, 2).ready().await);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(listening(&nodes), [0], "the second waits for its turn");
    line.refuse().await;
    until(async || listening(&nodes) == [1], "the other one listens").await;
    let mut screen = nodes.each[0].connect(&owner()).await;
    screen.watch(NEGOCIO).await;
    citas(&nodes.database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    screen.stats_until(|stats| stats.total == 1).await;
}
