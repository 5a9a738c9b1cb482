//! A process without descriptors waits for some to come free: it does not end and does not spin.

use std::time::Duration;

use pulso_harness::wait;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::business::{NEGOCIO, database, owner, pulso};

#[tokio::test]
async fn running_out_of_descriptors_neither_ends_nor_spins_the_server() {
    let database = database().await;
    let pulso = pulso(&database.url())
        .with("HANDSHAKE_TIMEOUT", "60s")
        .under(&["prlimit", "--nofile=64:64", "--"])
        .ready()
        .await;
    wait::until(async || pulso.has_logged("the descriptor limit is lower than"), "a warning at the start").await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;

    let mut crowd = Vec::new();
    for _ in 0..120 {
        crowd.push(TcpStream::connect(("127.0.0.1", pulso.port())).await.unwrap());
    }
    wait::until(async || pulso.has_logged("cannot accept connections"), "the descriptors are used up").await;
    let before = pulso.cpu_time();
    sleep(Duration::from_secs(2)).await;
    let used = pulso.cpu_time().saturating_sub(before);
    assert!(used < Duration::from_millis(500), "two idle seconds cost {used:?}");
    // Said once, not once an attempt.
    let said = pulso.log().iter().filter(|line| line.contains("cannot accept connections")).count();
    assert_eq!(said, 1);
    dashboard.ping().await;

    drop(crowd);
    assert_eq!(pulso.get("/health").await.status, 200);
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    dashboard.stats().await;
    assert!(pulso.count("pulso_accept_errors_total").await > 1);
}
