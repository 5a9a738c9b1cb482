//! `POST /notify/sync`: a change is stored for a restaurant's back end, and its back end told that something is pending.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use super::events::refused;
use super::{Answer, Reply};
use crate::channel::Channel;
use crate::config::SyncConfig;
use crate::dialect::sync;
use crate::http::Gate;
use crate::http::hooks::call::bad;
use crate::http::refusal::Refusal;
use crate::idempotency::Ticket;
use crate::negocio::Tenant;
use crate::publication::{Frame, Publication};
use crate::store::StoreError;
use crate::store::outbox::{Answered, Change, Kept};
use crate::telemetry::metrics::RefusalReason;

/// Answered when the change is stored.
pub(super) async fn changed(
    gate: &Gate,
    body: &[u8],
    ticket: Option<&Ticket>,
    deadline: Instant,
) -> Result<Answer, Refusal> {
    let change = sync::decode_change(body).map_err(|why| refused(&why))?;
    let tenant = tenant(&gate.sync, change.tenant)?;
    let channel = Channel::Sync(tenant.clone());
    let environment = &gate.environment;
    let reply = Reply::reached(environment.hub.subscribers(&channel));
    let once = ticket.map(|ticket| ticket.once(Answered { status: 200, body: reply.0.clone() }));
    let sync::Change { entity, id, payload, .. } = change;
    let change = Change { tenant: tenant.as_str().to_owned(), entity, id, payload };
    let kept = timeout_at(deadline, environment.database.keep(&change, once.as_ref())).await;
    match kept.unwrap_or_else(|_| Err(StoreError::TimedOut("no time left".to_owned()))) {
        Ok(Kept::As(_)) => {}
        Ok(Kept::Repeated(answered)) => return Ok(Answer::Repeated(answered)),
        Err(failure) => return Err(unavailable(gate, &failure).await),
    }
    // Counted after the commit, and not the row's version: of two changes the one with the lower may be committed last,
    // and whoever was told of the other has pulled without it.
    let version = gate.announced.fetch_add(1, Ordering::Relaxed) + 1;
    environment.hub.publish(&Arc::new(Publication::state(channel, version, Frame::text(""), None)));
    Ok(Answer::Kept(reply))
}

/// Whose change it is: with one key nobody is named, with several somebody must be.
fn tenant(config: &SyncConfig, named: Option<String>) -> Result<Tenant, Refusal> {
    let is_single = config.keys.iter().any(|(tenant, _)| tenant.as_str().is_empty());
    match named {
        None if is_single => Ok(Tenant::new("")),
        None => Err(bad("tenant is missing; it must be one of those in CLOUD_API_KEYS")),
        Some(_) if is_single => Err(bad("tenant has no meaning here: CLOUD_API_KEY is for one back end")),
        Some(named) => {
            let known = config.keys.iter().find(|(tenant, _)| tenant.as_str() == named);
            known.map(|(tenant, _)| tenant.clone()).ok_or_else(|| {
                let message = "tenant: there is no such tenant in CLOUD_API_KEYS";
                Refusal::new(StatusCode::NOT_FOUND, RefusalReason::HookBody, "unknown_tenant", message)
            })
        }
    }
}

/// What to say when the outbox does not do what it should: the operator has to act, or nobody.
pub(in crate::http) async fn unavailable(gate: &Gate, failure: &StoreError) -> Refusal {
    let is_refused = matches!(failure, StoreError::Refused(_));
    if is_refused && gate.environment.database.is_migrated().await == Ok(false) {
        let message = "the tables of this feed are missing: run pulso migrate";
        let (status, reason) = (StatusCode::SERVICE_UNAVAILABLE, RefusalReason::NotConfigured);
        return Refusal::new(status, reason, "not_migrated", message);
    }
    tracing::warn!(%failure, "the outbox does not answer");
    Refusal::no_database()
}
