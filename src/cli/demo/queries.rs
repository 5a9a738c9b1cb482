//! The live queries of the demo, and what its businesses are called, as it brings them along: no folder is needed for them.

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::model::QueryName;
use crate::queries::LiveQuery;
use crate::queries::file::{Fault, Reading};
use crate::queries::names;
use crate::queries::scan::Dialect;

/// One of them is wrong.
#[derive(Debug, thiserror::Error)]
#[error("the demo's query {name} cannot be used: {problem}")]
pub(super) struct BadQuery {
    name: &'static str,
    problem: String,
}

/// All of `files`, each a name and what it says; their day is that of `zone`.
pub(super) fn defined(files: &[(&'static str, &str)], zone: &TimeZone) -> Result<Vec<Arc<LiveQuery>>, BadQuery> {
    let define = |&(name, text): &(&'static str, &str)| {
        let no_name = || BadQuery { name, problem: "this is no name".to_owned() };
        let query = QueryName::parse(name).ok_or_else(no_name)?;
        let reading = Reading { name: query, file: Path::new(name), zone, dialect: Dialect::Sqlite };
        let read = reading.read(text, |_| Err("there is no folder".to_owned()));
        read.map(Arc::new).map_err(|faults| bad(name, faults))
    };
    files.iter().map(define).collect()
}

/// The query of the businesses' names.
pub(super) fn names() -> Result<Arc<LiveQuery>, BadQuery> {
    const NAME: &str = "name.sql";
    let text = include_str!("../../../sql/name.sql");
    names::read(text, Path::new(NAME), Dialect::Sqlite).map_err(|faults| bad(NAME, faults))
}

fn bad(name: &'static str, faults: Vec<Fault>) -> BadQuery {
    BadQuery { name, problem: faults.into_iter().map(|Fault { problem, .. }| problem).collect() }
}
