//! What tests of live queries begin with.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{AccessRule, LiveQuery, ResultForm};
use crate::model::QueryName;

/// A keyed one, with nothing said about it but its name.
pub(crate) fn query(name: &str) -> Arc<LiveQuery> {
    Arc::new(LiveQuery {
        name: QueryName::parse(name).unwrap(),
        access: vec![AccessRule::Authenticated],
        is_keyed: true,
        hints: Vec::new(),
        form: ResultForm::Row,
        every: None,
        min_gap: Duration::ZERO,
        max_rows: 500,
        max_bytes: 65_536,
        zone: TimeZone::UTC,
        sql: "SELECT $1 AS clave".into(),
        fingerprint: 1,
        file: format!("{name}.sql").into(),
        first_line: 1,
    })
}
