//! `POST /notify/consulta`: something changed that live queries tell of, and Pulso reads what.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout_at;

use super::words::{self, Announcement, Key as Spelt};
use crate::feeds::call::{Call, Rejection, Reply, word_of};
use crate::feeds::definition::{Hook, Key, Repetition};
use crate::model::{Channel, Consulta, ErrorWord, IdType, QueryName};
use crate::queries::{Live, Queries};
use crate::refresh::Noticed;
use crate::telemetry::metrics::RefusalReason;

pub(super) const CONSULTA: Hook = Hook {
    path: "/notify/consulta",
    id: None,
    reaches_tokens: true,
    key: Key::Always,
    repetition: Repetition::Harmless,
    answer: |call| Box::pin(answer(call)),
};

/// The answer to a call that has been dealt with.
#[derive(Debug, Serialize)]
struct Accepted {
    ok: bool,
    /// How many listen at this moment, to any of the channels.
    subscribers: usize,
    /// `node`, where only those on this node are counted although there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    /// The greatest of the results they were handed; `null` when nobody listened, and when it is read later.
    seq: Option<u64>,
}

/// Answered when every subscriber has been handed a result read after the call.
async fn answer(call: &mut Call) -> Result<Reply, Rejection> {
    let (context, deadline) = (Arc::clone(&call.context), call.deadline);
    let (refresher, database) = (&context.refresher, &context.database);
    let announcement = words::decode(&call.body)?;
    if !database.is_down() {
        let names = announcement.names.iter().filter_map(|name| QueryName::parse(name));
        let unknown: Vec<_> = names.filter(|name| context.queries.is_unknown(name)).collect();
        if !unknown.is_empty() {
            // Of what was defined a moment ago the database is being asked.
            let known = join_all(unknown.iter().map(|name| context.queries.until_known(name)));
            let _ = timeout_at(deadline, known).await;
        }
    }
    let channels = channels(&announcement, &context.queries)?;
    // All of them, whatever becomes of any.
    let noticed =
        join_all(channels.iter().map(|channel| context.notice(channel, announcement.xid, deadline, unavailable)));
    let (mut seq, mut is_later, mut is_unwatched) = (None, false, false);
    for noticed in noticed.await {
        match noticed? {
            Noticed::Read(reading) => seq = seq.max(Some(reading.version)),
            Noticed::Later => is_later = true,
            Noticed::Unwatched => is_unwatched = true,
        }
    }
    if is_unwatched && database.is_down() {
        // Where nobody watches nothing is owed; but it would be wrong to say that the result can be read.
        return Err(unavailable());
    }
    let (mut subscribers, mut scope) = (0, None);
    if context.broker.has_others() {
        for reach in join_all(channels.iter().map(|channel| context.broker.reach(channel))).await {
            subscribers += reach.each.iter().sum::<usize>();
            scope = scope.or(word_of(reach.scope));
        }
    } else {
        subscribers = channels.iter().map(|channel| refresher.subscribers(channel)).sum();
    }
    let accepted = Accepted { ok: true, subscribers, scope, seq };
    Ok(if is_later { Reply::for_later(&accepted) } else { Reply::json(&accepted) })
}

/// What is announced, each channel once.
fn channels(announcement: &Announcement, queries: &Queries) -> Result<Vec<Channel>, Rejection> {
    let mut channels = Vec::new();
    let mut known = HashSet::new();
    for name in &announcement.names {
        let live = QueryName::parse(name).and_then(|name| queries.find(&name));
        let live = live.ok_or_else(|| Rejection::bad("name: there is no such live query"))?;
        let consultas = if announcement.keys.is_empty() {
            vec![consulta(&live, None)?]
        } else {
            announcement.keys.iter().map(|key| consulta(&live, Some(key))).collect::<Result<_, _>>()?
        };
        channels.extend(consultas.into_iter().map(Channel::Consulta).filter(|channel| known.insert(channel.clone())));
    }
    Ok(channels)
}

fn consulta(live: &Live, key: Option<&Spelt>) -> Result<Consulta, Rejection> {
    let query = &live.query;
    match key {
        None if query.is_keyed => return Err(Rejection::bad("key is missing")),
        Some(_) if !query.is_keyed => return Err(Rejection::bad("key has no meaning here: the query has none")),
        _ => {}
    }
    // Without its type no key can be read, nor be remembered: whoever subscribes later reads afresh.
    let learnt = live.learnt.as_ref();
    if query.is_keyed && learnt.is_none() {
        return Err(unavailable());
    }
    let is_integer = learnt.and_then(|learnt| learnt.key).is_some_and(IdType::is_integer);
    if key.is_some_and(|key| key.is_number && !is_integer) {
        return Err(Rejection::bad("key must be a string"));
    }
    let consulta = live.consulta(key.map(|key| key.text.as_str()));
    consulta.ok_or_else(|| Rejection::bad("key cannot be one of the query's"))
}

fn unavailable() -> Rejection {
    let message = "the result cannot be read just now; subscribers get it as soon as it can be";
    Rejection::new(RefusalReason::DatabaseUnavailable, ErrorWord::ResultUnavailable, message)
}
