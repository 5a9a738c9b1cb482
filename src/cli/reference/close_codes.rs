//! Every way in which a connection ends.

use super::table::{Heads, Table, code, said};
use crate::described::{Entry, Language, entries};
use crate::model::CloseReason;

const HEADS: Heads<4> =
    [("code", "código"), ("reason", "motivo"), ("what happened", "qué pasó"), ("reconnect?", "¿reconectar?")];

pub(super) fn tables(language: Language) -> String {
    let row = |entry: &Entry| {
        let reason = CloseReason::ALL.iter().find(|reason| reason.text() == entry.name);
        let (number, text) = match reason {
            Some(reason) => (reason.code().to_string(), code(entry.name)),
            // What only a peer says, or nobody, is named by its code.
            None => (entry.name.to_owned(), "–".to_owned()),
        };
        [number, text, said(entry, language, 0), said(entry, language, 1)]
    };
    Table::new(language, HEADS, entries(CloseReason::DESCRIBED).iter().map(row)).to_string()
}
