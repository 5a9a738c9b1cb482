//! `POST /notify/sync`: a change is stored for a restaurant's back end, and its back end told that something is pending.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::{unavailable, words};
use crate::config::SyncConfig;
use crate::database::NotKept;
use crate::feeds::call::{Call, CallContext, Rejection, Reply};
use crate::feeds::definition::{Hook, Key, Repetition};
use crate::idempotency::Ticket;
use crate::model::{Change, Channel, ErrorWord, Once, Tenant};
use crate::store::StoreError;
use crate::store::outbox::Kept;
use crate::telemetry::metrics::RefusalReason;

pub(super) const SYNC: Hook = Hook {
    path: "/notify/sync",
    id: None,
    reaches_tokens: false,
    key: Key::Always,
    repetition: Repetition::Announced(announce_again),
    answer: |call| Box::pin(changed(call)),
};

/// Answered when the change is stored.
async fn changed(call: &mut Call) -> Result<Reply, Rejection> {
    let Call { context, deadline, .. } = call;
    let (context, deadline) = (Arc::clone(context), *deadline);
    let change = words::decode_change(&call.body)?;
    let tenant = tenant(&context.sync, change.tenant)?;
    let reply = Reply::for_one_of(&context.broker.reach(&Channel::Sync(tenant.clone())).await);
    let once = call.ticket.take().map(|ticket| (ticket.once(reply.answered()), ticket));
    let words::Change { entity, id, payload, .. } = change;
    let change = Change { tenant: tenant.as_str().to_owned(), entity, id, payload };
    // By itself, so that a change which is stored is announced whatever becomes of its call.
    let storing = store(Arc::clone(&context), change, tenant, once, call.place.take(), deadline);
    let storing = context.tasks.spawn(storing);
    let stored = timeout_at(deadline, storing).await.ok().and_then(Result::ok);
    match stored.unwrap_or_else(|| Err(StoreError::TimedOut("no time left".to_owned()))) {
        Ok(Kept::As(_)) => Ok(reply),
        Ok(Kept::Repeated(answered)) => Ok(Reply::again(answered)),
        Err(failure) => Err(unavailable(&context.database, &failure, deadline).await),
    }
}

async fn store(
    context: Arc<CallContext>,
    change: Change,
    tenant: Tenant,
    call: Option<(Once, Ticket)>,
    _place: Option<OwnedSemaphorePermit>,
    deadline: Instant,
) -> Result<Kept, StoreError> {
    let once = call.as_ref().map(|(once, _)| once);
    let kept = context.database.keep(&change, once, deadline).await;
    match (&kept, &call) {
        (Ok(Kept::As(_)), Some((once, ticket))) => context.broker.settle(ticket, &once.answered),
        (Ok(Kept::Repeated(answered)), Some((_, ticket))) => context.broker.settle(ticket, answered),
        (Err(NotKept { may_be_there: false, .. }), _) => return kept.map_err(|not_kept| not_kept.failure),
        _ => {}
    }
    // Also what may only be there, or was there before and may never have been announced: who is told in vain pulls once
    // more, who is not told does not pull.
    context.broker.ring(tenant);
    kept.map_err(|not_kept| not_kept.failure)
}

/// Tells the back end of a change that was stored by an earlier call of the same key: the answer to that one may have
/// been lost with what it announced.
fn announce_again(context: &CallContext, body: &[u8]) {
    // What is wrong with the body of a repetition is of no interest.
    if let Ok(change) = words::decode_change(body)
        && let Ok(tenant) = tenant(&context.sync, change.tenant)
    {
        context.broker.ring(tenant);
    }
}

/// Whose change it is: with one key nobody is named, with several somebody must be.
fn tenant(config: &SyncConfig, named: Option<String>) -> Result<Tenant, Rejection> {
    let is_single = config.keys.iter().any(|(tenant, _)| tenant.as_str().is_empty());
    match named {
        None if is_single => Ok(Tenant::new("")),
        None => Err(Rejection::bad("tenant is missing; it must be one of those in CLOUD_API_KEYS")),
        Some(_) if is_single => Err(Rejection::bad("tenant has no meaning here: CLOUD_API_KEY is for one back end")),
        Some(named) => {
            let known = config.keys.iter().find(|(tenant, _)| tenant.as_str() == named);
            known.map(|(tenant, _)| tenant.clone()).ok_or_else(|| {
                let message = "tenant: there is no such tenant in CLOUD_API_KEYS";
                Rejection::new(RefusalReason::HookBody, ErrorWord::UnknownTenant, message)
            })
        }
    }
}
