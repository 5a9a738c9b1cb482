//! The believable little business of `pulso demo`: a database in memory and a day that goes on, through the same hook
//! a REST API calls.
//!
//! Must not know the server: it writes rows and makes HTTP calls, like any other API.

mod business;
mod diary;
mod step;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::loopback;

pub use business::{Business, DemoError};

/// Between two steps; every step moves at least one figure.
const PAUSE_MS: RangeInclusive<u64> = 1_000..=3_500;

/// The life of the business until `stop`: one believable step every few seconds, each committed and then told to
/// `POST /notify/cita` at `server`. What fails is logged and life goes on. The database ends with the business.
pub async fn run(business: Business, server: SocketAddr, clock: Clock, stop: CancellationToken) {
    live(business, server, clock, stop, PAUSE_MS).await;
}

async fn live(
    mut business: Business,
    server: SocketAddr,
    clock: Clock,
    stop: CancellationToken,
    pause_ms: RangeInclusive<u64>,
) {
    let mut rng = StdRng::from_os_rng();
    loop {
        let pause = Duration::from_millis(rng.random_range(pause_ms.clone()));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        match business.step(&mut rng, &clock).await {
            Ok(done) => {
                tracing::debug!(step = done.name(), "demo");
                tokio::select! {
                    () = notify(server, &business.negocio_id, done.action()) => {}
                    () = stop.cancelled() => return,
                }
            }
            Err(error) => tracing::warn!(%error, "demo: the step could not be written"),
        }
    }
}

async fn notify(server: SocketAddr, negocio_id: &str, action: &str) {
    let body = json!({"negocio_id": negocio_id, "action": action}).to_string();
    match loopback::post_json(server, "/notify/cita", body).await {
        Ok(answer) if answer.status == 200 => {}
        Ok(answer) => tracing::warn!(status = answer.status, "demo: the hook refused the call"),
        Err(error) => tracing::warn!(%error, "demo: the hook did not answer"),
    }
}

#[cfg(test)]
mod tests;
