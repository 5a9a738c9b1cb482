//! Messages of any shape, to channels that applications name themselves.

mod hook;
mod listen;
pub mod words;

use super::definition::{Definition, Need};

pub const FEED: Definition = Definition {
    word: "channels",
    older_words: &[],
    about: "messages of any shape, to channels that an application names itself",
    needs: &[Need::Tokens, Need::HookKey],
    tables: &[],
    hooks: &[hook::PUBLISH],
    hears: &[],
    types: &[],
    is_on_dashboards: true,
    is_named_on_dashboards: true,
    sockets: &[],
    namespaces: &[],
    streams: &[listen::CANAL],
    start: |_| {},
};
