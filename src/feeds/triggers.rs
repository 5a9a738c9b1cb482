//! What triggers of the database tell by `NOTIFY`: the same as calls of hooks, without a caller.
//!
//! Of the nodes that have one duty one hears it, for all. Must not know any feed, nor what a trigger tells.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Turn};
use crate::config::ListenSource;
use crate::refresh::Refresher;
use crate::store::listen::{ListenEvent, listen};

/// Hears `source` whenever it is this node's turn, until `stop`. `duty`: by what name all nodes know what is heard there. `on`
/// is given what each trigger tells.
pub async fn hear(
    (source, duty): (&ListenSource, &str),
    (broker, refresher): (&Broker, &Arc<Refresher>),
    on: impl Fn(&str) + Send + Sync,
    stop: CancellationToken,
) {
    let turn = Turn::new(duty);
    let on = |event| match event {
        ListenEvent::Notice(told) => on(&told),
        ListenEvent::Gap => refresher.after_a_gap(),
        ListenEvent::Deaf => {
            refresher.not_listening();
            turn.pass();
        }
    };
    tokio::join!(broker.take_turns(&turn, stop.clone()), listen(source, turn.is_ours(), on, stop));
}
