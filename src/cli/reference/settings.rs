//! Every setting, in the order in which an operator meets them.

use super::table::{Heads, Table, code};
use crate::config::{SETTINGS, Setting};
use crate::described::Language;

const HEADS: Heads<3> = [("variable", "variable"), ("default", "valor por defecto"), ("meaning", "significado")];

pub(super) fn tables(language: Language) -> String {
    let row = |setting: &Setting| {
        [code(setting.name), default(setting.default, language).to_owned(), setting.meaning(language).to_owned()]
    };
    Table::new(language, HEADS, SETTINGS.iter().map(row)).to_string()
}

fn default(default: &'static str, language: Language) -> &'static str {
    match (default, language) {
        ("required", Language::Es) => "obligatoria",
        ("unset", Language::Es) => "sin valor",
        (default, _) => default,
    }
}
