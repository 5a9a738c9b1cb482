//! What live queries hear of the database: whether it arrives, and whether anything sends it.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{PgConnection, Row as _};

use super::Finding;
use super::postgres::literal;
use crate::config::DatabaseConfig;
use crate::queries::{Hint, LiveQuery};
use crate::store::listen;
use crate::store::postgres::PostgresStore;

/// What there is to say of `listen/…` in the queries' hints.
pub(super) async fn inspect(
    config: &DatabaseConfig,
    queries: &[Arc<LiveQuery>],
    (store, connection): (&PostgresStore, &mut PgConnection),
) -> Result<Vec<Finding>, sqlx::Error> {
    let mut subjects = BTreeSet::new();
    for hint in queries.iter().flat_map(|query| &query.hints) {
        if let Hint::Listen(subject) = hint {
            subjects.insert(&**subject);
        }
    }
    let Some(source) = config.hints.as_ref().filter(|_| !subjects.is_empty()) else { return Ok(Vec::new()) };
    let channel = &source.channel;
    let mut findings = vec![match listen::probe(source).await {
        Ok(()) => Finding::ok(format!("notifications on {channel} arrive")),
        Err(reason) => Finding::problem(format!("LISTEN on {channel} (HINTS_CHANNEL): {reason}"), None),
    }];
    for subject in subjects {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid
              WHERE tgenabled <> 'D' AND strpos(prosrc, 'pg_notify') > 0
                AND strpos(prosrc, quote_literal({0})) > 0 AND strpos(prosrc, quote_literal({1})) > 0)",
            literal(subject),
            literal(channel),
        );
        let rows = store.ask(connection, &sql).await?;
        let is_sent: bool = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
        if !is_sent {
            let what = format!("hints name listen/{subject}, and no trigger sends that on {channel}");
            let advice =
                format!("pulso migrate --listen <table> <column> {subject}, with the rights of the table's owner");
            findings.push(Finding::warning(what, advice));
        }
    }
    Ok(findings)
}
