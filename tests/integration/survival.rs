//! The database goes away, hangs, loses its tables and comes back: dashboards stay, hooks are answered, nothing that
//! was announced is lost.

mod absence;
mod access;
mod black_hole;
mod pooled;
mod refused;
mod schema;
mod trigger;

use pulso_harness::Running;

const CANNOT_CHECK: &str = "access cannot be checked right now; it will be tried again";

/// Waits until `/ready` knows that the database is not there, and returns the word for it.
async fn until_down(pulso: &Running) -> String {
    let reason = async || {
        let answer = pulso.get("/ready").await;
        let reason = answer.json()["reason"].as_str().map(str::to_owned);
        reason.filter(|reason| answer.status == 503 && reason != "starting")
    };
    pulso_harness::wait::until(async || reason().await.is_some(), "the outage is noticed").await;
    reason().await.unwrap_or_default()
}
