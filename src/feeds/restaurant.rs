//! A restaurant's orders.

mod hook;
pub mod listen;
pub mod words;

use super::definition::{Definition, Need};

pub const FEED: Definition = Definition {
    word: "restaurant",
    older_words: &[],
    about: "a restaurant's orders and what becomes of them, for its screens on Socket.IO",
    needs: &[Need::Tokens, Need::HookKey],
    tables: &[],
    hooks: &hook::ALL,
    hears: &hook::HEARD,
    types: &words::EVENTS,
    is_on_dashboards: false,
    is_named_on_dashboards: true,
    sockets: &[],
    namespaces: &["/"],
    streams: &[],
    start: |_| {},
};
