//! The log by TLS, with an authority of one's own.

use super::*;

#[tokio::test]
async fn nodes_reach_the_log_by_tls_with_an_authority_of_their_own() {
    let mut redis = Redis::with_tls();
    let (node, _database) = configured().await;
    let node = node.with("REDIS_URL", &redis.tls_url()).with("REDIS_CA", &redis.ca().display().to_string());
    let (_, said, _) = node.run(&["check"]).await;
    assert!(said.contains("answers all that Pulso asks"), "{said}");
    let nodes = [named(&node, 1).ready().await, named(&node, 2).ready().await];
    let mut screens = [since(&nodes[0], "").await, since(&nodes[1], "").await];
    happens(&nodes[0], 1).await;
    for screen in &mut screens {
        assert_eq!(next_table(screen).await.1, 1);
    }
    redis.kill();
    redis.revive();
    let is_back = async || nodes[1].post("/notify/mesa", &table(2)).await.status == 200;
    pulso_harness::wait::until(is_back, "an event is taken again").await;
    for screen in &mut screens {
        assert_eq!(next_table(screen).await.1, 2);
    }
}

#[tokio::test]
async fn a_server_whose_certificate_nobody_trusts_is_refused_by_a_word_and_in_words() {
    let (redis, other) = (Redis::with_tls(), Redis::with_tls());
    let (node, _database) = configured().await;
    let node = node.with("REDIS_URL", &redis.tls_url());
    for node in [node.clone(), node.with("REDIS_CA", &other.ca().display().to_string())] {
        let (code, said, _) = node.run(&["check"]).await;
        assert!(code != 0 && said.contains("REDIS_CA") && said.contains("certificate"), "{said}");
        let node = node.ready().await;
        assert_eq!(node.get("/ready").await.json()["degraded"], "log_refused");
        assert_eq!(node.post("/notify/mesa", &table(1)).await.status, 503);
    }
}
