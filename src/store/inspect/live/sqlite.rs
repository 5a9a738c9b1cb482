//! Live queries on SQLite.

use std::sync::Arc;

use super::written::{Values, written};
use super::{Case, Finding, learn, pairs, run, text};
use crate::clock::Clock;
use crate::config::DatabaseConfig;
use crate::queries::LiveQuery;
use crate::queries::scan::Dialect;
use crate::store::sqlite::SqliteStore;
use crate::store::{LiveRead, StoreError};

pub(super) async fn inspect(
    config: &DatabaseConfig,
    queries: &[Arc<LiveQuery>],
    clock: &Clock,
) -> Result<Vec<Finding>, StoreError> {
    let store = open(config)?;
    let (mut findings, mut cases) = (Vec::new(), Vec::new());
    for query in queries {
        match learn(&store, query).await {
            Ok(learnt) => {
                findings.extend(text::warnings(query, Dialect::Sqlite));
                findings.extend(scan(&store, query, clock).await?);
                let keys = vec!["0".to_owned()];
                cases.push(Case { query: Arc::clone(query), learnt, keys, are_biggest: false });
            }
            Err(problem) => findings.push(problem),
        }
    }
    findings.extend(pairs(&store, queries).await);
    run(&store, &cases, clock, &mut findings).await;
    Ok(findings)
}

pub(super) async fn plan_of(config: &DatabaseConfig, read: &LiveRead) -> Result<String, StoreError> {
    let values = Values { key: read.consulta.key().unwrap_or_default(), today: read.today, now: read.now };
    open(config)?.explained(&written(&read.query, values, Dialect::Sqlite)).await
}

fn open(config: &DatabaseConfig) -> Result<SqliteStore, StoreError> {
    SqliteStore::new(config).map_err(|error| StoreError::Refused(error.to_string()))
}

/// A table that is read from end to end for one key.
async fn scan(store: &SqliteStore, query: &LiveQuery, clock: &Clock) -> Result<Option<Finding>, StoreError> {
    if !query.is_keyed {
        return Ok(None);
    }
    let now = clock.now();
    let values = Values { key: "0", today: now.to_zoned(query.zone.clone()).date(), now };
    let plan = store.explained(&written(query, values, Dialect::Sqlite)).await?;
    let scanned = plan.lines().find(|line| line.starts_with("SCAN") && !line.contains("CONSTANT ROW"));
    Ok(scanned.map(|line| {
        let what = format!("{}: a whole table is read for one key ({line})", query.name.as_str());
        Finding::warning(what, "create an index whose first column is the one compared with $1")
    }))
}
