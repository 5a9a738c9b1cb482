//! `POST /notify/cita`: something changed in a business's appointments, and Pulso reads what.

use serde::Serialize;
use tokio::time::timeout_at;

use super::words;
use crate::feeds::call::{Call, Cause, Rejection, Reply, word_of};
use crate::feeds::definition::{Hook, Key, Repetition};
use crate::model::{Channel, IdType, NegocioId};
use crate::telemetry::metrics::RefusalReason;

pub(super) const CITA: Hook = Hook {
    path: "/notify/cita",
    reaches_tokens: true,
    key: Key::Hint,
    repetition: Repetition::Harmless,
    answer: |call| Box::pin(answer(call)),
};

/// The answer to a notice that has been dealt with.
#[derive(Debug, Serialize)]
struct Accepted {
    ok: bool,
    negocio_id: String,
    /// How many listen at this moment.
    subscribers: usize,
    /// `node`, where only those on this node are counted although there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    /// Of the figures they were handed; `null` when nobody listened.
    seq: Option<u64>,
}

/// Answered when every subscriber has been handed figures read after the call.
async fn answer(call: &mut Call) -> Result<Reply, Rejection> {
    let (refresher, database) = (&call.context.refresher, &call.context.database);
    let negocio = negocio_of(&call.body, database.id_type())?;
    let channel = Channel::Estadisticas(negocio.clone());
    let answered = timeout_at(call.deadline, refresher.notice(&channel)).await;
    let Ok(Ok(reading)) = answered else { return Err(unavailable()) };
    if reading.is_none() && database.is_down() {
        // Nobody watches, so nothing is owed; but it would be wrong to say that the figures can be read.
        return Err(unavailable());
    }
    let (subscribers, scope) = if call.context.broker.has_others() {
        let reach = call.context.broker.reach(&channel).await;
        (reach.each.iter().sum(), word_of(reach.scope))
    } else {
        (refresher.subscribers(&channel), None)
    };
    Ok(Reply::json(&Accepted {
        ok: true,
        subscribers,
        scope,
        negocio_id: negocio.as_str().to_owned(),
        seq: reading.map(|reading| reading.version),
    }))
}

/// The business that a body names.
fn negocio_of(body: &[u8], id_type: Option<IdType>) -> Result<NegocioId, Rejection> {
    let notice = words::decode(body)?;
    // Without the column's type nothing can be read, nor be remembered: whoever subscribes later reads afresh.
    let id_type = id_type.ok_or_else(unavailable)?;
    if notice.is_number && !id_type.is_integer() {
        return Err(Rejection::bad("negocio_id must be a string"));
    }
    id_type.parse(&notice.negocio).ok_or_else(|| Rejection::bad("negocio_id cannot be the id of a business"))
}

fn unavailable() -> Rejection {
    let message = "the figures cannot be read just now; subscribers get them as soon as they can be";
    Rejection::new(Cause::Delayed, RefusalReason::DatabaseUnavailable, "figures_unavailable", message)
}

#[cfg(test)]
mod tests;
