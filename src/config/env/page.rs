//! `EMBED_ORIGINS`, `CURRENCY` and `NAME_SQL`: what the page is told, and by whom it may be framed.

use std::fs;
use std::sync::Arc;

use crate::config::currency;
use crate::config::origin::Origin;
use crate::config::reader::{Reader, quote};
use crate::config::{DatabaseConfig, PageConfig};
use crate::queries::LiveQuery;
use crate::queries::file::Fault;
use crate::queries::names;

use super::database::query_file;
use super::queries::dialect;

pub(super) fn read(reader: &mut Reader<'_>, database: Option<&DatabaseConfig>) -> PageConfig {
    PageConfig { embedders: embedders(reader), currency: currency(reader), name: name(reader, database) }
}

fn embedders(reader: &mut Reader<'_>) -> Vec<String> {
    const VARIABLE: &str = "EMBED_ORIGINS";
    let mut origins = Vec::new();
    for text in reader.list(VARIABLE).unwrap_or_default() {
        let lower = text.to_ascii_lowercase();
        match Origin::parse(&lower) {
            Ok(origin) if matches!(origin.scheme.as_str(), "http" | "https") => origins.push(lower),
            _ => {
                let remedy =
                    "Write scheme://host or scheme://host:port, such as https://panel.example.com; unset: nobody's";
                reader.mistake(VARIABLE, format!("{} is not the origin of a website", quote(&text)), remedy);
            }
        }
    }
    origins
}

fn currency(reader: &mut Reader<'_>) -> Option<&'static str> {
    const VARIABLE: &str = "CURRENCY";
    let text = reader.text(VARIABLE)?;
    let found = currency::find(&text);
    if found.is_none() {
        let remedy = "Write three letters of ISO 4217, such as EUR or USD; unset: amounts have no currency";
        reader.mistake(VARIABLE, format!("{} is no currency", quote(&text)), remedy);
    }
    found
}

fn name(reader: &mut Reader<'_>, database: Option<&DatabaseConfig>) -> Option<Arc<LiveQuery>> {
    const VARIABLE: &str = "NAME_SQL";
    let file = query_file(reader, VARIABLE)?;
    let shown = file.display();
    match fs::read_to_string(&file) {
        Ok(text) => match names::read(&text, &file, dialect(database)) {
            Ok(query) => return Some(query),
            Err(faults) => {
                for Fault { line, problem, remedy } in faults {
                    reader.mistake(VARIABLE, format!("{shown}, line {line}: {problem}"), remedy);
                }
            }
        },
        Err(error) => {
            let problem = format!("{shown} cannot be read ({})", error.kind());
            reader.mistake(VARIABLE, problem, "Name a readable file with one SQL query");
        }
    }
    None
}
