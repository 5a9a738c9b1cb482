//! Which pairs of a live query's key and a user an operator's query of `access: sql` confirms. How to ask is learnt when somebody
//! first does, and again after a refusal.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use tokio::time::timeout_at;

use super::description::{Description, element};
use super::{Attempt, PostgresStore, bind, failure};
use crate::model::IdType;
use crate::queries::PairsQuery;
use crate::store::ownership::OwnerQuery;
use crate::store::{StoreError, pair_columns};

/// What was learnt, by the query's text.
pub(super) type Known = HashMap<Arc<str>, Arc<Shape>>;

/// How a query is asked.
pub(super) struct Shape {
    key: IdType,
    user: IdType,
    /// The whole statement, which returns two texts: a key and a user.
    sql: Arc<str>,
}

/// Those of `asked` that hold.
pub(super) async fn find(
    store: &PostgresStore,
    query: &PairsQuery,
    asked: &[(String, String)],
) -> Result<HashSet<(String, String)>, StoreError> {
    let deadline = store.limits.deadline();
    timeout_at(deadline, ask(store, query, asked)).await.unwrap_or_else(|_| Err(store.failure(Attempt::TimedOut)))
}

async fn ask(
    store: &PostgresStore,
    query: &PairsQuery,
    asked: &[(String, String)],
) -> Result<HashSet<(String, String)>, StoreError> {
    let known = store.pairs.read().unwrap_or_else(PoisonError::into_inner).get(&query.sql).cloned();
    let shape = match known {
        Some(shape) => shape,
        None => learn(store, query).await?,
    };
    let mut confirmed = HashSet::new();
    let mut parts = vec![asked];
    while let Some(part) = parts.pop() {
        match together(store, &shape, part).await {
            Ok(some) => confirmed.extend(some),
            // One of them is nothing that the database could know: nobody may watch that, and the others have their answer.
            Err(StoreError::Data(_)) => {
                let (some, others) = part.split_at(part.len() / 2);
                parts.extend([some, others].into_iter().filter(|_| part.len() > 1));
            }
            Err(refused @ StoreError::Refused(_)) => {
                store.pairs.write().unwrap_or_else(PoisonError::into_inner).remove(&query.sql);
                return Err(refused);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(confirmed)
}

async fn together(
    store: &PostgresStore,
    shape: &Shape,
    asked: &[(String, String)],
) -> Result<HashSet<(String, String)>, StoreError> {
    let questions = OwnerQuery::new(asked, shape.key, shape.user);
    if questions.is_empty() {
        return Ok(HashSet::new());
    }
    let mut arguments = PgArguments::default();
    bind::ids(&mut arguments, shape.key, &questions.things())?;
    bind::ids(&mut arguments, shape.user, &questions.users())?;
    let rows = store.rows(&shape.sql, arguments).await?;
    let text = |row: &PgRow, at: usize| row.try_get::<Option<String>, _>(at).ok().flatten();
    Ok(questions.confirmed(rows.iter().filter_map(|row| text(row, 0).zip(text(row, 1)))))
}

async fn learn(store: &PostgresStore, query: &PairsQuery) -> Result<Arc<Shape>, StoreError> {
    let refused = |reason: String| StoreError::Refused(format!("{}: {reason}", query.file.display()));
    let described = store.describe(&query.sql).await?.map_err(|error| match failure::of_query(&error) {
        StoreError::Refused(reason) => refused(reason),
        other => other,
    })?;
    let shape = Arc::new(shape(&described, &query.sql).map_err(refused)?);
    let mut known = store.pairs.write().unwrap_or_else(PoisonError::into_inner);
    known.insert(Arc::clone(&query.sql), Arc::clone(&shape));
    Ok(shape)
}

fn shape(described: &Description, sql: &str) -> Result<Shape, String> {
    let [keys, users] = described.parameters.as_slice() else {
        let count = described.parameters.len();
        return Err(format!(
            "takes {count} parameters; it must take two, $1 the keys and $2 the users' ids, both arrays"
        ));
    };
    let names: Vec<&str> = described.columns.iter().map(|(name, _)| name.as_str()).collect();
    let [key, user] = pair_columns(&names)?;
    let columns = ["key", "\"user\""];
    let positions = if (key, user) == (0, 1) { columns } else { [columns[1], columns[0]] };
    let sql = format!(
        "SELECT pair.key::pg_catalog.text, pair.\"user\"::pg_catalog.text FROM (\n{sql}\n) AS pair ({})",
        positions.join(", ")
    );
    Ok(Shape { key: element("$1", keys)?, user: element("$2", users)?, sql: sql.into() })
}
