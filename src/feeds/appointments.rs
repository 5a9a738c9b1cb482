//! The appointment figures: who announces changes, who may listen, and what is said.
//!
//! Must not know clients, sockets or HTTP, nor how figures are kept current.

mod hook;
mod listen;
mod notices;
pub mod words;

use std::sync::Arc;

use super::definition::{Definition, Need, Start, Table};
use super::triggers;

use notices::on_notice;

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
                let on = |id: &str| on_notice(id, &database, &refresher);
                triggers::hear((&source, "trigger"), (&broker, &refresher), on, stop).await;
            }
        });
    }
}
