//! What stands behind a name that the queries read: a table, a view, or something else, and so where an index belongs.

use sqlx::{PgConnection, Row as _};

use crate::store::postgres::PostgresStore;

/// Something that rows are read from.
pub(super) struct Relation {
    name: &'static str,
    kind: RelationKind,
    /// Tables inherit from it, without being its partitions.
    has_heirs: bool,
    /// Indexes that an interrupted CREATE INDEX CONCURRENTLY left behind.
    invalid: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelationKind {
    Table,
    Partitioned,
    View,
    Materialized,
    Foreign,
}

const LOOK: &str = "
    SELECT relkind::text AS kind,
           relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = pg_class.oid) AS has_heirs,
           ARRAY(SELECT indexrelid::regclass::text FROM pg_catalog.pg_index
                  WHERE indrelid = pg_class.oid AND NOT indisvalid) AS invalid
      FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('%NAME%')::oid";

impl Relation {
    /// `None` where nothing has that name.
    pub(super) async fn find(
        store: &PostgresStore,
        connection: &mut PgConnection,
        name: &'static str,
    ) -> Result<Option<Self>, sqlx::Error> {
        let rows = store.ask(connection, &LOOK.replace("%NAME%", name)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let kind = match row.try_get::<String, _>("kind")?.as_str() {
            "p" => RelationKind::Partitioned,
            "v" => RelationKind::View,
            "m" => RelationKind::Materialized,
            "f" => RelationKind::Foreign,
            _ => RelationKind::Table,
        };
        Ok(Some(Self { name, kind, has_heirs: row.try_get("has_heirs")?, invalid: row.try_get("invalid")? }))
    }

    pub(super) fn kind(&self) -> RelationKind {
        self.kind
    }

    /// How to create an index over `columns`.
    pub(super) fn index_advice(&self, index: &str, columns: &str) -> String {
        let table = self.name;
        let wanted = match self.kind {
            RelationKind::Table | RelationKind::Materialized => {
                format!("CREATE INDEX CONCURRENTLY {index} ON {table} ({columns});")
            }
            RelationKind::Partitioned => format!(
                "CREATE INDEX {index} ON {table} ({columns});  (a partitioned table has no CONCURRENTLY: at a quiet moment)"
            ),
            RelationKind::View => {
                format!("{table} is a view: create the index on the table beneath it, over what it calls {columns}")
            }
            RelationKind::Foreign => {
                format!("{table} is a foreign table: create the index over {columns} on its own server")
            }
        };
        let dropped =
            self.invalid.iter().map(|name| format!("DROP INDEX {name};  (an interrupted one, which is not used)\n"));
        let heirs = if self.has_heirs {
            format!("\nand the same on each table that inherits from {table}")
        } else {
            String::new()
        };
        format!("{}{wanted}{heirs}", dropped.collect::<String>())
    }

    /// How to have its pages marked as visible to all.
    pub(super) fn vacuum_advice(&self) -> String {
        match self.kind {
            RelationKind::View | RelationKind::Foreign => format!("VACUUM (ANALYZE) the table beneath {};", self.name),
            RelationKind::Table | RelationKind::Partitioned | RelationKind::Materialized => {
                format!("VACUUM (ANALYZE) {};", self.name)
            }
        }
    }
}
