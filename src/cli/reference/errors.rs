//! What an `error` says: its words in a refused request, its codes and its messages on a connection.

use super::table::{Heads, Table, code, said};
use crate::described::{Entry, Language, entries};
use crate::model::{Code, ErrorWord};
use crate::session::words;

const WORDS: Heads<4> = [("word", "palabra"), ("status", "estado"), ("when", "cuándo"), ("what to do", "qué hacer")];
const CODES: Heads<4> =
    [("code", "código"), ("when", "cuándo"), ("goes on by itself", "sigue por su cuenta"), ("what to do", "qué hacer")];
const MESSAGES: Heads<3> = [("message", "mensaje"), ("when", "cuándo"), ("what to do", "qué hacer")];

pub(super) fn tables(language: Language) -> String {
    let (requests, codes, messages) = match language {
        Language::En => ("Refused requests", "Codes of `error` in the second version", "`error` messages"),
        Language::Es => ("Peticiones rechazadas", "Códigos de `error` en la segunda versión", "Mensajes de `error`"),
    };
    format!(
        "## {requests}\n\n{}\n## {codes}\n\n{}\n## {messages}\n\n{}",
        Table::new(language, WORDS, entries(ErrorWord::DESCRIBED).iter().map(|entry| refused(entry, language))),
        Table::new(language, CODES, entries(Code::DESCRIBED).iter().map(|entry| coded(entry, language))),
        Table::new(language, MESSAGES, entries(words::DESCRIBED).iter().map(|entry| worded(entry, language))),
    )
}

fn refused(entry: &Entry, language: Language) -> [String; 4] {
    let known = ErrorWord::ALL.iter().find(|word| word.text() == entry.name);
    let status = known.map_or(String::new(), |word| word.status().to_string());
    [code(entry.name), status, said(entry, language, 0), said(entry, language, 1)]
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
