//! Ownership that cannot be asked about just now: nothing is shown and nothing is taken away.

use pulso_harness::{ChaosProxy, wait};

use super::{CANNOT_CHECK, until_down};
use crate::business::{NEGOCIO, OTHER_NEGOCIO, citas, database, owner, pulso};

#[tokio::test]
async fn whose_rights_cannot_be_checked_sees_nothing_until_they_can() {
    let database = database().await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso = pulso(&database.url_at(line.port())).ready().await;
    citas(&database, NEGOCIO, 1, "pendiente", "'2020-01-01'").await;
    line.refuse().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.subscribe(NEGOCIO).await;
    assert_eq!(dashboard.error().await, CANNOT_CHECK);
    let mut curious = pulso.connect(&owner()).await;
    curious.subscribe(OTHER_NEGOCIO).await;
    assert_eq!(curious.error().await, CANNOT_CHECK);
    // It is tried again meanwhile, and said once.
    let failed = || pulso.log().iter().filter(|line| line.contains("ownership not checked")).count();
    wait::until(async || failed() >= 5, "the checks are repeated").await;
    dashboard.expect_silence().await;
    curious.expect_silence().await;

    line.restore().await;
    assert_eq!(dashboard.stats().await.total, 1);
    assert_eq!(curious.error().await, "not allowed to subscribe to this channel");
    curious.expect_silence().await;
}

#[tokio::test]
async fn a_recheck_that_cannot_be_made_withdraws_nothing() {
    let database = database().await;
    let line = ChaosProxy::start(database.port()).await;
    let pulso =
        pulso(&database.url_at(line.port())).with("ACCESS_RECHECK", "1s").with("ACCESS_CACHE", "0s").ready().await;
    let mut dashboard = pulso.connect(&owner()).await;
    dashboard.watch(NEGOCIO).await;
    line.refuse().await;
    until_down(&pulso).await;
    // Several rechecks come due.
    for _ in 0..4 {
        dashboard.expect_silence().await;
    }
    line.restore().await;
    pulso.until_ready().await;
    assert_eq!(pulso.notify(NEGOCIO).await.status, 200);
    dashboard.stats().await;

    database.execute(&format!("UPDATE negocios SET admin_negocio_id = NULL WHERE id = '{NEGOCIO}'")).await;
    assert_eq!(dashboard.error().await, "access to this channel was withdrawn");
    assert_eq!(pulso.count("pulso_withdrawn_total").await, 1);
    assert_eq!(pulso.count("pulso_subscriptions").await, 0);
}
