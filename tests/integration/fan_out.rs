//! More clients than are served by the call itself: handed out by a thread of its own, by io_uring or without.

use pulso_harness::{Claims, Running, machine};

use crate::business::{NEGOCIO, OWNER, database, pulso};

/// More than a call serves itself.
const MANY: usize = 100;

async fn everybody_has_every_notice(pulso: &Running) {
    let claims = Claims::naming(OWNER, &[NEGOCIO]);
    let mut dashboards = Vec::with_capacity(MANY);
    for _ in 0..MANY {
        let mut dashboard = pulso.connect(&claims).await;
        dashboard.watch(NEGOCIO).await;
        dashboards.push(dashboard);
    }
    for _ in 0..5 {
        let answer = pulso.notify(NEGOCIO).await.json();
        assert_eq!(answer["subscribers"], MANY);
        for dashboard in &mut dashboards {
            assert_eq!(answer["seq"], dashboard.stats().await.seq);
        }
    }
}

#[tokio::test]
async fn many_dashboards_have_every_notice_by_what_the_machine_offers_and_the_log_says_what() {
    let pulso = pulso(&database().await.url()).ready().await;
    everybody_has_every_notice(&pulso).await;
    let said = if machine::has_io_uring() { "io_uring is used" } else { "io_uring is not to be had" };
    let of_it: Vec<String> = pulso.log().into_iter().filter(|line| line.contains("io_uring")).collect();
    assert!(matches!(of_it.as_slice(), [only] if only.contains(said)), "{of_it:?}");
}

#[tokio::test]
async fn many_dashboards_have_every_notice_with_io_uring_switched_off() {
    let pulso = pulso(&database().await.url()).with("IO_URING", "off").ready().await;
    everybody_has_every_notice(&pulso).await;
    assert!(!pulso.log().iter().any(|line| line.contains("io_uring")));
}
