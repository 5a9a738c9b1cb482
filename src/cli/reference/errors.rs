//! What an `error` says on a connection: its codes and its messages.

use super::table::{Heads, Table, code, said};
use crate::described::{Entry, Language, entries};
use crate::model::Code;
use crate::session::words;

const CODES: Heads<4> =
    [("code", "código"), ("when", "cuándo"), ("goes on by itself", "sigue por su cuenta"), ("what to do", "qué hacer")];
const MESSAGES: Heads<3> = [("message", "mensaje"), ("when", "cuándo"), ("what to do", "qué hacer")];

pub(super) fn tables(language: Language) -> String {
    let (codes, messages) = match language {
        Language::En => ("Codes of `error` in the second version", "`error` messages"),
        Language::Es => ("Códigos de `error` en la segunda versión", "Mensajes de `error`"),
    };
    format!(
        "## {codes}\n\n{}\n## {messages}\n\n{}",
        Table::new(language, CODES, entries(Code::DESCRIBED).iter().map(|entry| coded(entry, language))),
        Table::new(language, MESSAGES, entries(words::DESCRIBED).iter().map(|entry| worded(entry, language))),
    )
}

fn coded(entry: &Entry, language: Language) -> [String; 4] {
    let known = Code::ALL.iter().find(|code| code.word() == entry.name);
    let goes_on = known.map_or("", |code| goes_on(*code, language));
    [code(entry.name), said(entry, language, 0), goes_on.to_owned(), said(entry, language, 1)]
}

fn goes_on(code: Code, language: Language) -> &'static str {
    match (code.goes_on(), code.after().is_some(), language) {
        (true, true, Language::En) => "`retry`; of a token `after`",
        (true, true, Language::Es) => "`retry`; con un token, `after`",
        (true, false, _) => "`retry`",
        (false, true, _) => "no, `after`",
        (false, false, _) => "no",
    }
}

fn worded(entry: &Entry, language: Language) -> [String; 3] {
    [code(entry.name), said(entry, language, 0), said(entry, language, 1)]
}
