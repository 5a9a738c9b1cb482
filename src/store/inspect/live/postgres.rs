//! Live queries on PostgreSQL: whether an index finds a key's rows, which keys have most, and who sees which rows.

use std::sync::Arc;

use sqlx::{PgConnection, Row as _};

use super::plan::{Compared, Reads, reads};
use super::written::{Values, written};
use super::{Case, Finding, hints, learn, pairs, result, run, text, untried};
use crate::clock::Clock;
use crate::config::DatabaseConfig;
use crate::model::IdType;
use crate::queries::LiveQuery;
use crate::queries::scan::Dialect;
use crate::store::postgres::{PostgresStore, failure};
use crate::store::{Learnt, LiveRead, StoreError};

/// Keys that a query is tried with.
const TRIED: usize = 3;

pub(super) async fn inspect(
    config: &DatabaseConfig,
    queries: &[Arc<LiveQuery>],
    clock: &Clock,
) -> Result<Vec<Finding>, StoreError> {
    let store = open(config)?;
    let connection = store.dedicated().await?;
    let mut look = Look { store: &store, connection, clock };
    let mut findings = Vec::new();
    findings.extend(look.standby().await.map_err(|error| lost(&error))?);
    let mut cases = Vec::new();
    for query in queries {
        match learn(&store, query).await {
            Ok(learnt) => {
                findings.extend(text::warnings(query, Dialect::Postgres));
                findings.extend(result::without_zone(query, &learnt));
                let (keys, are_biggest) = look.at(query, &learnt, &mut findings).await.map_err(|error| lost(&error))?;
                cases.push(Case { query: Arc::clone(query), learnt, keys, are_biggest });
            }
            Err(problem) => findings.push(problem),
        }
    }
    let heard = hints::inspect(config, queries, (&store, &mut look.connection)).await;
    findings.extend(heard.map_err(|error| lost(&error))?);
    findings.extend(pairs(&store, queries).await);
    run(&store, &cases, clock, &mut findings).await;
    Ok(findings)
}

/// With what it took, for the query has been run anyway.
pub(super) async fn plan_of(config: &DatabaseConfig, read: &LiveRead) -> Result<String, StoreError> {
    let store = open(config)?;
    let mut connection = store.dedicated().await?;
    let values = Values { key: read.consulta.key().unwrap_or_default(), today: read.today, now: read.now };
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS) {}", written(&read.query, values, Dialect::Postgres));
    let rows = store.ask(&mut connection, &sql).await.map_err(|error| lost(&error))?;
    let lines: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    Ok(lines.join("\n"))
}

fn open(config: &DatabaseConfig) -> Result<PostgresStore, StoreError> {
    PostgresStore::new(config).map_err(|error| StoreError::Refused(error.to_string()))
}

fn lost(error: &sqlx::Error) -> StoreError {
    failure::of_query(error)
}

struct Look<'a> {
    store: &'a PostgresStore,
    connection: PgConnection,
    clock: &'a Clock,
}

impl Look<'_> {
    async fn standby(&mut self) -> Result<Option<Finding>, sqlx::Error> {
        let rows = self.store.ask(&mut self.connection, "SELECT pg_catalog.pg_is_in_recovery()").await?;
        let is_standby: bool = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
        Ok(is_standby.then(|| {
            Finding::warning(
                "this is a standby: a read behind a hint may not have its change yet, unless the call names its transaction",
                "let DATABASE_URL lead to the primary, or let callers send \"xid\"",
            )
        }))
    }

    /// The keys to try, and whether they are those with most rows.
    async fn at(
        &mut self,
        query: &LiveQuery,
        learnt: &Learnt,
        findings: &mut Vec<Finding>,
    ) -> Result<(Vec<String>, bool), sqlx::Error> {
        let name = query.name.as_str();
        let probe = learnt.key.map_or("", probe);
        let now = self.clock.now();
        let values = Values { key: probe, today: now.to_zoned(query.zone.clone()).date(), now };
        let sql = format!("EXPLAIN (VERBOSE, FORMAT JSON) {}", written(query, values, Dialect::Postgres));
        let plan = match self.store.ask_without_scan(&mut self.connection, &sql).await {
            Ok(rows) => rows.first().map(|row| row.try_get_unchecked::<String, _>(0)).transpose()?.unwrap_or_default(),
            Err(error) => {
                let (finding, keys) = match lost(&error) {
                    refused @ StoreError::Data(_) if query.is_keyed => (untried(query, &refused), Vec::new()),
                    refused => {
                        let what = format!("{name} cannot be explained: {refused}");
                        (Finding::warning(what, "see EXPLAIN"), vec![sample(learnt)])
                    }
                };
                findings.push(finding);
                return Ok((keys, false));
            }
        };
        let Reads { tables, compared } = reads(&plan, probe);
        for (schema, table) in &tables {
            findings.extend(self.row_security(name, schema, table).await?);
        }
        if learnt.key.is_none() {
            return Ok((Vec::new(), false));
        }
        findings.push(index(name, &compared));
        for found in &compared {
            let biggest = self.biggest(found).await?;
            if !biggest.is_empty() {
                return Ok((biggest, true));
            }
        }
        Ok((vec![sample(learnt)], false))
    }

    /// A policy that applies to our role hides rows, without any error.
    async fn row_security(&mut self, name: &str, schema: &str, table: &str) -> Result<Option<Finding>, sqlx::Error> {
        let place = format!("{}.{}", quoted(schema), quoted(table));
        let sql = format!("SELECT pg_catalog.row_security_active({}::regclass::oid)", literal(&place));
        // A table that is seen through a view may not be ours to ask about.
        let is_active =
            self.store.ask(&mut self.connection, &sql).await.ok().and_then(|rows| rows.first()?.try_get(0).ok());
        Ok(is_active.unwrap_or(false).then(|| {
            let what =
                format!("{name}: row-level security of {place} applies to our role, and hides rows without any error");
            Finding::warning(
                what,
                "give the role of DATABASE_URL a policy that shows it all rows that watchers are to see",
            )
        }))
    }

    /// The keys with most rows, as the statistics say; else any.
    async fn biggest(&mut self, compared: &Compared) -> Result<Vec<String>, sqlx::Error> {
        let Compared { schema, table, column, .. } = compared;
        let sql = format!(
            "SELECT key FROM pg_catalog.pg_stats, unnest(most_common_vals::text::text[]) WITH ORDINALITY AS common (key, place)
              WHERE schemaname = {} AND tablename = {} AND attname = {} ORDER BY place LIMIT {TRIED}",
            literal(schema),
            literal(table),
            literal(column),
        );
        let keys = self.keys(&sql).await?;
        if !keys.is_empty() {
            return Ok(keys);
        }
        let (column, place) = (quoted(column), format!("{}.{}", quoted(schema), quoted(table)));
        self.keys(&format!("SELECT {column}::text FROM {place} WHERE {column} IS NOT NULL LIMIT 1")).await
    }

    /// None where they are not ours to see.
    async fn keys(&mut self, sql: &str) -> Result<Vec<String>, sqlx::Error> {
        match self.store.ask(&mut self.connection, sql).await {
            Ok(rows) => rows.iter().map(|row| row.try_get(0)).collect(),
            Err(sqlx::Error::Database(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// What the plan says of the column that `$1` is compared with.
fn index(name: &str, compared: &[Compared]) -> Finding {
    let Some(first) = compared.first() else {
        return Finding::warning(
            format!("{name}: where $1 is compared with a column cannot be seen in the plan"),
            "see EXPLAIN whether an index finds the rows of one key",
        );
    };
    let unserved: Vec<&Compared> = compared.iter().filter(|one| one.index.is_none()).collect();
    if unserved.is_empty() {
        let index = first.index.as_deref().unwrap_or_default();
        return Finding::ok(format!("{name}: an index finds the rows of one key ({index})"));
    }
    let create: Vec<String> = unserved
        .iter()
        .map(|Compared { schema, table, column, .. }| {
            format!("CREATE INDEX CONCURRENTLY ON {}.{} ({});", quoted(schema), quoted(table), quoted(column))
        })
        .collect();
    let tables: Vec<&str> = unserved.iter().map(|one| one.table.as_str()).collect();
    let what =
        format!("{name}: no index finds the rows of one key: every read scans the whole table ({})", tables.join(", "));
    Finding::warning(what, create.join("\n"))
}

/// A key that stands nowhere else in a plan.
fn probe(key: IdType) -> &'static str {
    match key {
        IdType::Uuid => "7e57ab1e-0000-4000-8000-00000000cafe",
        IdType::Text | IdType::Char => "pulso check",
        IdType::Int2 => "29489",
        IdType::Int4 => "1836020597",
        IdType::Int8 => "7236833136184361001",
    }
}

fn sample(learnt: &Learnt) -> String {
    match learnt.key {
        Some(IdType::Uuid) => "00000000-0000-0000-0000-000000000000",
        _ => "0",
    }
    .to_owned()
}

fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}
