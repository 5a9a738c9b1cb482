//! The live queries of an operator: one shared read per change of each, sent to everybody who watches it.
//!
//! Must not know how a query is read, nor what keeps its result current.

mod ear;
mod hook;
mod listen;
pub mod words;

use std::sync::Arc;

use super::definition::{Definition, Need, Start};

pub const FEED: Definition = Definition {
    word: "queries",
    older_words: &[],
    about: "the results of live queries, which an operator writes as SQL files, read again at every change",
    needs: &[Need::Tokens, Need::HookKey],
    tables: &[],
    hooks: &[hook::CONSULTA],
    hears: &[],
    // An application may have said it before: it stays allowed.
    types: &[],
    is_on_dashboards: true,
    is_named_on_dashboards: true,
    sockets: &[],
    namespaces: &[],
    streams: &[listen::WITHOUT_KEY, listen::KEYED],
    start,
};

fn start(with: &Start<'_>) {
    if let Some(source) = with.hints.cloned() {
        with.workers.spawn("the ear of hints", with.stop, |stop| {
            let (queries, refresher) = (Arc::clone(&with.node.queries), Arc::clone(&with.node.refresher));
            ear::hear(source, queries, Arc::clone(&with.node.broker), refresher, stop)
        });
    }
}
