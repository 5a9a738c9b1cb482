//! A Redis into which a newer version writes, and that comes back with less than it had.

use std::sync::Arc;

use super::*;
use crate::broker::tests::newer;

#[tokio::test]
async fn what_a_newer_version_writes_is_passed_over() {
    let mut server = Server::with("appendonly yes\nappendfsync always");
    let engine = Arc::new(way_to(&server));
    let lose = async |forgets: usize| {
        let newest = server.say(&["XREVRANGE", "{pulso}:events", "+", "-", "COUNT", &forgets.to_string()]);
        let ids = newest.lines().filter(|line| is_id(line));
        server.say(&["XDEL", "{pulso}:events"].into_iter().chain(ids).collect::<Vec<_>>());
        server.kill();
        server.revive();
    };
    newer::what_a_newer_version_writes_is_passed_over(engine, lose).await;
}

fn is_id(line: &str) -> bool {
    line.split_once('-').is_some_and(|(one, other)| [one, other].iter().all(|part| part.parse::<u64>().is_ok()))
}
