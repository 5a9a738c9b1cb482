//! What the triggers of any table tell on `HINTS_CHANNEL`: a subject, and the key that it is about.
//!
//! Must not know how triggers are listened to.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::ListenSource;
use crate::model::Channel;
use crate::queries::{Hint, Queries};
use crate::refresh::Refresher;
use crate::store::listen::{ListenEvent, listen_for_hints};

/// Listens for as long as a query names a subject, until stopped: a connection of its own is not worth it for none.
pub(super) async fn hear(
    source: ListenSource,
    queries: Arc<Queries>,
    refresher: Arc<Refresher>,
    stop: CancellationToken,
) {
    let mut changes = queries.changes();
    let on = |event| on_event(&queries, &refresher, event);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = until(&mut changes, || listens(&queries)) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = listen_for_hints(&source, on, stop.child_token()) => {}
            () = until(&mut changes, || !listens(&queries)) => {}
        }
    }
}

fn listens(queries: &Queries) -> bool {
    let is_subject = |hint: &Hint| matches!(hint, Hint::Listen(_));
    queries.all().iter().any(|live| live.query.hints.iter().any(is_subject))
}

async fn until(changes: &mut watch::Receiver<u64>, is: impl Fn() -> bool) {
    while !is() {
        // Without a registry nothing changes, and its node is on its way out.
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn on_event(queries: &Queries, refresher: &Arc<Refresher>, event: ListenEvent) {
    match event {
        ListenEvent::Hint { subject, key } => {
            for live in queries.listening_to(&subject) {
                let Some(key) = &key else {
                    refresher.hint_all(&live.query.name);
                    continue;
                };
                // What is no key of this query says nothing about it.
                if let Some(consulta) = live.consulta(live.query.is_keyed.then_some(key)) {
                    refresher.triggered(&Channel::Consulta(consulta));
                }
            }
        }
        ListenEvent::Gap => refresher.after_a_gap(),
        ListenEvent::Notice(_) | ListenEvent::Deaf => {}
    }
}
