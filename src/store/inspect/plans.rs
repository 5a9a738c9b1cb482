//! What the plans of the queries say about indexes.

use sqlx::{PgConnection, Row as _};

use super::Finding;
use super::plan::{Access, worst_access};
use super::table::{Relation, RelationKind};
use crate::store::postgres::{Examined, PostgresStore};

const OF_ONES_OWN: &str =
    "create an index whose first column is the one compared with $1 and which holds every other column of STATS_SQL";

/// What there is to say about the statistics query. `citas`: where the shipped one reads from.
pub(super) async fn statistics(
    store: &PostgresStore,
    connection: &mut PgConnection,
    examined: &Examined,
    citas: Option<&Relation>,
) -> Result<Finding, sqlx::Error> {
    let usual = worst_access(&examined.stats_plan);
    let mut forced = worst_access(&examined.stats_plan_without_scan);
    if let (Some(citas), Some(Access::IndexOnly(index) | Access::Index(index))) = (citas, &forced)
        && citas.kind() != RelationKind::View
        && first_column(store, connection, index).await?.is_some_and(|column| column != "negocio_id")
    {
        forced = Some(Access::WholeIndex(index.clone()));
    }
    Ok(judge(usual, forced, citas))
}

fn judge(usual: Option<Access>, forced: Option<Access>, citas: Option<&Relation>) -> Finding {
    let create = || match citas {
        Some(citas) => citas.index_advice("citas_estadisticas", "negocio_id, fecha, estado"),
        None => OF_ONES_OWN.to_owned(),
    };
    let vacuum = || citas.map_or("VACUUM (ANALYZE) the tables that it reads;".to_owned(), Relation::vacuum_advice);
    match (usual, forced) {
        (None, _) | (_, None) => Finding::warning("the plan of the statistics query cannot be read", "see EXPLAIN"),
        (_, Some(Access::Nothing)) => Finding::ok("the statistics query reads no table"),
        (Some(Access::IndexOnly(index)), Some(Access::IndexOnly(_))) => {
            Finding::ok(format!("the statistics query is index-only ({index})"))
        }
        (Some(Access::Table(_)), Some(Access::IndexOnly(index))) => Finding::ok(format!(
            "the table is small enough to be read whole; when it grows, the query is index-only ({index})"
        )),
        (_, Some(Access::IndexOnly(index))) => {
            Finding::warning(format!("the statistics query has its index ({index}) but reads the table too"), vacuum())
        }
        (_, Some(Access::Index(index))) => Finding::warning(
            format!(
                "the statistics query uses an index ({index}) but reads every row of the business from the table too"
            ),
            create(),
        ),
        (_, Some(Access::WholeIndex(index))) => Finding::warning(
            format!(
                "the statistics query reads an index ({index}) from end to end: the business is not what it begins with"
            ),
            create(),
        ),
        (_, Some(Access::Table(table))) => Finding::warning(
            format!("no index serves the statistics query: every read scans the whole table ({table})"),
            create(),
        ),
        (_, Some(Access::Elsewhere(table))) => Finding::warning(
            format!(
                "the statistics query is answered by another server ({table}): whether an index serves is not seen here"
            ),
            create(),
        ),
    }
}

/// What a query that finds rows by ids says: `what` it is, and how to give it an index.
pub(super) fn lookup(what: &str, plan: &str, create: String) -> Finding {
    match worst_access(plan) {
        Some(Access::IndexOnly(_) | Access::Index(_)) => Finding::ok(format!("the {what} query answers, by an index")),
        Some(Access::Nothing) => Finding::ok(format!("the {what} query answers")),
        Some(Access::Elsewhere(_)) => Finding::ok(format!("the {what} query answers, by another server")),
        _ => Finding::warning(format!("the {what} query answers, but no index serves it"), create),
    }
}

/// The name of an index's first column.
async fn first_column(
    store: &PostgresStore,
    connection: &mut PgConnection,
    index: &str,
) -> Result<Option<String>, sqlx::Error> {
    let sql = format!(
        "SELECT attname::text FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class ON pg_class.oid = attrelid
          WHERE relname = E'{}'::name AND relkind IN ('i', 'I') AND attnum = 1 ORDER BY pg_class.oid DESC",
        index.replace('\\', r"\\").replace('\'', r"\'")
    );
    store.ask(connection, &sql).await?.first().map(|row| row.try_get(0)).transpose()
}
