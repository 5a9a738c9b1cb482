//! The appointment figures: who announces changes, who may listen, and what is said.
//!
//! Must not know clients, sockets or HTTP, nor how figures are kept current.

mod hook;
mod listen;
mod notices;
pub mod words;

use std::sync::Arc;

use super::definition::{Definition, Need, Start, Table};
use crate::broker::Turn;
use crate::store::listen::listen as listen_for_notices;

use notices::on_listen;

pub const FEED: Definition = Definition {
    word: "appointments",
    older_words: &["stats"],
    about: "the figures of a business's appointments, read again at every change",
    // The one hook carries no data and works without a key.
    needs: &[Need::Tokens],
    tables: &[Table::Figures],
    hooks: &[hook::CITA],
    hears: &[],
    types: &["stats"],
    is_on_dashboards: true,
    is_named_on_dashboards: true,
    sockets: &[],
    namespaces: &[],
    streams: &[listen::FIGURES],
    start,
};

fn start(with: &Start<'_>) {
    if let Some(source) = with.listen.cloned() {
        with.workers.spawn("the listener", with.stop, |stop| {
            let (database, broker) = (Arc::clone(&with.node.database), Arc::clone(&with.node.broker));
            let refresher = Arc::clone(&with.node.refresher);
            async move {
                // What one node hears is for all.
                let turn = Turn::new("trigger");
                let on = |event| on_listen(event, &turn, &database, &refresher);
                tokio::join!(
                    broker.take_turns(&turn, stop.clone()),
                    listen_for_notices(&source, turn.is_ours(), on, stop.clone())
                );
            }
        });
    }
}
