//! What the triggers of any table tell on `HINTS_CHANNEL`: a subject, and the key that it is about.
//!
//! Must not know how triggers are listened to.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::config::ListenSource;
use crate::feeds::triggers;
use crate::model::Channel;
use crate::queries::{Hint, Queries};
use crate::refresh::Refresher;
use crate::store::listen::subject_and_key;

/// Listens for as long as a query names a subject, until stopped: a connection of its own is not worth it for none.
pub(super) async fn hear(
    source: ListenSource,
    queries: Arc<Queries>,
    broker: Arc<Broker>,
    refresher: Arc<Refresher>,
    stop: CancellationToken,
) {
    let mut changes = queries.changes();
    while !stop.is_cancelled() {
        let Some(duty) = duty(&queries) else {
            tokio::select! {
                () = stop.cancelled() => {}
                () = until(&mut changes, || self::duty(&queries).is_some()) => {}
            }
            continue;
        };
        let enough = stop.child_token();
        let on = |payload: &str| on_hint(&queries, &refresher, payload);
        let watch = async {
            tokio::select! {
                () = enough.cancelled() => {}
                () = until(&mut changes, || self::duty(&queries).as_ref() != Some(&duty)) => enough.cancel(),
            }
        };
        let hearing = triggers::hear((&source, &duty), (&broker, &refresher), on, enough.clone());
        tokio::join!(hearing, watch);
    }
}

/// What is to be heard, by a name that nodes with the same queries have in common: while files are replaced, nodes with the
/// older ones hear for each other, and those with the newer ones too. `None` where no query names a subject.
fn duty(queries: &Queries) -> Option<String> {
    let is_subject = |hint: &Hint| matches!(hint, Hint::Listen(_));
    let all = queries.all();
    let mut hinted = all.iter().filter(|live| live.query.hints.iter().any(is_subject)).peekable();
    hinted.peek()?;
    // In the order of their names.
    let of_all = hinted.fold(0_u64, |of_all, live| of_all.rotate_left(1) ^ live.query.fingerprint);
    Some(format!("hints:{of_all:016x}"))
}

async fn until(changes: &mut watch::Receiver<u64>, is: impl Fn() -> bool) {
    while !is() {
        // Without a registry nothing changes, and its node is on its way out.
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn on_hint(queries: &Queries, refresher: &Arc<Refresher>, payload: &str) {
    let (subject, key) = subject_and_key(payload);
    for live in queries.listening_to(subject) {
        let Some(key) = key else {
            refresher.all_triggered(&live.query.name);
            continue;
        };
        // What is no key of this query says nothing about it.
        if let Some(consulta) = live.consulta(live.query.is_keyed.then_some(key)) {
            refresher.triggered(&Channel::Consulta(consulta));
        }
    }
}
