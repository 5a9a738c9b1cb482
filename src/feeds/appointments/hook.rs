//! `POST /notify/cita`: something changed in a business's appointments, and Pulso reads what.

use serde::Serialize;

use super::words::{self, Notice};
use crate::feeds::call::{Call, Rejection, Reply, word_of};
use crate::feeds::definition::{Hook, Key, Repetition};
use crate::model::{Channel, ErrorWord, IdType, NegocioId};
use crate::refresh::Noticed;
use crate::telemetry::metrics::RefusalReason;

pub(super) const CITA: Hook = Hook {
    path: "/notify/cita",
    id: Some("negocio_id"),
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
    let notice = words::decode(&call.body)?;
    let negocio = negocio_of(&notice, database.id_type())?;
    let channel = Channel::Estadisticas(negocio.clone());
    let reading = match call.context.notice(&channel, notice.xid, call.deadline, unavailable).await? {
        Noticed::Read(reading) => Some(reading),
        Noticed::Unwatched | Noticed::Later => None,
    };
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

/// The business that a notice names.
fn negocio_of(notice: &Notice, id_type: Option<IdType>) -> Result<NegocioId, Rejection> {
    // Without the column's type nothing can be read, nor be remembered: whoever subscribes later reads afresh.
    let id_type = id_type.ok_or_else(unavailable)?;
    if notice.is_number && !id_type.is_integer() {
        return Err(Rejection::bad("negocio_id must be a string"));
    }
    id_type.parse(&notice.negocio).ok_or_else(|| Rejection::bad("negocio_id cannot be the id of a business"))
}

fn unavailable() -> Rejection {
    let message = "the figures cannot be read just now; subscribers get them as soon as they can be";
    Rejection::new(RefusalReason::DatabaseUnavailable, ErrorWord::FiguresUnavailable, message)
}

#[cfg(test)]
mod tests;
