//! More clients than are served by the call itself: handed out by a thread of its own, by io_uring or without.

use pulso_harness::{Claims, Running};

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
async fn many_dashboards_have_every_notice_whatever_the_machine_offers_and_the_log_says_what() {
    let pulso = pulso(&database().await.url()).ready().await;
    everybody_has_every_notice(&pulso).await;
    assert_eq!(pulso.log().iter().filter(|line| line.contains("io_uring is")).count(), 1);
}

#[tokio::test]
async fn many_dashboards_have_every_notice_with_io_uring_switched_off() {
    let pulso = pulso(&database().await.url()).with("IO_URING", "off").ready().await;
    everybody_has_every_notice(&pulso).await;
    assert!(!pulso.log().iter().any(|line| line.contains("io_uring")));
}
