//! Which tables there are, and what is in a column: for who looks for those that a feed needs.
//!
//! Must not know what anything is needed for.

use sqlx::Row as _;

use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::store::StoreError;
use crate::store::postgres::{PostgresStore, failure};
use crate::store::sqlite::SqliteStore;

/// Rows that are looked at for the values of a column.
const LOOKED_AT: u32 = 10_000;
/// A column with more values is not one of states.
const MOST_VALUES: u32 = 50;

const OF_POSTGRES: &str = "
    SELECT relation.relname::text AS name, attribute.attname::text AS column,
           pg_catalog.format_type(COALESCE(NULLIF(kind.typbasetype, 0), kind.oid), NULL) AS kind
      FROM pg_catalog.pg_class AS relation
      JOIN pg_catalog.pg_namespace AS space ON space.oid = relation.relnamespace
      JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
      JOIN pg_catalog.pg_type AS kind ON kind.oid = attribute.atttypid
     WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relation.relispartition
       AND pg_catalog.pg_table_is_visible(relation.oid)
       AND space.nspname NOT IN ('pg_catalog', 'information_schema')
     ORDER BY 1, attribute.attnum";
const OF_SQLITE: &str = "
    SELECT listed.name AS name, described.name AS column, described.type AS kind
      FROM sqlite_master AS listed JOIN pragma_table_info(listed.name) AS described
     WHERE listed.type IN ('table', 'view') AND listed.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
     ORDER BY listed.name, described.cid";

/// A table or a view that the role sees by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// What a column holds, as far as that matters to who compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Day,
    Moment,
    Flag,
    Number,
    Text,
}

impl Kind {
    /// By the name of a type. What is none of the others is compared as text is.
    fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        if has(&["timestamp", "datetime"]) {
            Self::Moment
        } else if has(&["date"]) {
            Self::Day
        } else if has(&["bool"]) {
            Self::Flag
        } else if has(&["int", "numeric", "decimal", "real", "double", "serial"]) && !has(&["interval", "point"]) {
            Self::Number
        } else {
            Self::Text
        }
    }
}

/// All tables that the role sees, by their names.
pub async fn tables(config: &DatabaseConfig) -> Result<Vec<Table>, StoreError> {
    let mut found: Vec<Table> = Vec::new();
    let rows = match &config.url {
        DatabaseUrl::Postgres(_) => texts_of_postgres(config, OF_POSTGRES).await?,
        DatabaseUrl::Sqlite(_) => texts_of_sqlite(config, OF_SQLITE).await?,
    };
    for row in rows {
        let [name, column, kind] = row.as_slice() else { continue };
        let column = Column { name: column.clone(), kind: Kind::of(kind) };
        match found.last_mut().filter(|table| table.name == *name) {
            Some(table) => table.columns.push(column),
            None => found.push(Table { name: name.clone(), columns: vec![column] }),
        }
    }
    Ok(found)
}

/// What a column may say, of its type if that lists it, else of some of its rows; nothing if that is not to be had.
pub async fn values(config: &DatabaseConfig, table: &str, column: &str) -> Vec<String> {
    let (source, name) = (quoted(table), quoted(column));
    let seen = |text: &str| {
        format!(
            "SELECT DISTINCT {text} FROM (SELECT {name} AS one FROM {source} LIMIT {LOOKED_AT}) AS looked_at \
             WHERE one IS NOT NULL LIMIT {MOST_VALUES}"
        )
    };
    let rows = match &config.url {
        DatabaseUrl::Sqlite(_) => texts_of_sqlite(config, &seen("CAST(one AS TEXT)")).await,
        DatabaseUrl::Postgres(_) => {
            let (source, name) = (literal(&source), literal(column));
            let listed = format!(
                "SELECT enumlabel::text FROM pg_catalog.pg_enum JOIN pg_catalog.pg_attribute ON atttypid = enumtypid \
                 WHERE attrelid = pg_catalog.to_regclass({source})::oid AND attname = {name} ORDER BY enumsortorder"
            );
            match texts_of_postgres(config, &listed).await {
                Ok(listed) if !listed.is_empty() => Ok(listed),
                _ => texts_of_postgres(config, &seen("one::text")).await,
            }
        }
    };
    rows.unwrap_or_default().into_iter().flatten().collect()
}

/// A name as both databases take it in SQL, whatever it is.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as both databases take it in SQL, whatever it is.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

async fn texts_of_postgres(config: &DatabaseConfig, sql: &str) -> Result<Vec<Vec<String>>, StoreError> {
    let store = PostgresStore::new(config).map_err(|error| StoreError::Refused(error.to_string()))?;
    let mut connection = store.dedicated().await?;
    let rows = store.ask(&mut connection, sql).await.map_err(|error| failure::of_query(&error))?;
    let text = |row: &sqlx::postgres::PgRow| (0..row.len()).filter_map(|at| row.try_get(at).ok()).collect();
    Ok(rows.iter().map(text).collect())
}

async fn texts_of_sqlite(config: &DatabaseConfig, sql: &str) -> Result<Vec<Vec<String>>, StoreError> {
    let store = SqliteStore::new(config).map_err(|error| StoreError::Refused(error.to_string()))?;
    let rows = store.ask(sql).await?;
    let text = |row: &sqlx::sqlite::SqliteRow| (0..row.len()).filter_map(|at| row.try_get(at).ok()).collect();
    Ok(rows.iter().map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_names_of_their_types() {
        for (name, kind) in [
            ("date", Kind::Day),
            ("DATETIME", Kind::Moment),
            ("timestamp with time zone", Kind::Moment),
            ("boolean", Kind::Flag),
            ("bigint", Kind::Number),
            ("numeric", Kind::Number),
            ("interval", Kind::Text),
            ("uuid", Kind::Text),
            ("estado_cita", Kind::Text),
            ("", Kind::Text),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn no_name_and_no_text_gets_out_of_its_quotes() {
        assert_eq!(quoted(r#"a"; DROP"#), r#""a""; DROP""#);
        assert_eq!(literal("it's"), "'it''s'");
    }
}
