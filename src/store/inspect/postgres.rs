//! PostgreSQL: rights, plans, poolers.

use sqlx::{Executor, PgConnection, Row};
use tokio::time::timeout;

use super::{Finding, WITHOUT_FIGURES, outbox, rollup};
use crate::config::{DatabaseConfig, ListenSource};
use crate::store::postgres::failure::OUTBOX_GRANTS;
use crate::store::postgres::{Examined, PostgresStore, options, pooler};
use crate::store::{ContactError, StoreError, listen};

const CREATE_INDEX: &str = "CREATE INDEX CONCURRENTLY citas_estadisticas ON citas (negocio_id, fecha, estado);";
const VACUUM: &str = "VACUUM (ANALYZE) citas;";
/// Pages (8 kB each) below which nobody notices.
const WORTH_VACUUM: i32 = 128;
/// The channel that the shipped trigger notifies.
const SHIPPED_CHANNEL: &str = "pulso_citas";

pub(super) async fn inspect(config: &DatabaseConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The parts connect eight times and ask some twenty questions; a database that is there needs far less.
    let limit = config.connect_timeout * 8 + config.statement_timeout * 8 + rollup::PATIENCE;
    let stopped = match timeout(limit, fill(config, &mut findings)).await {
        Ok(Ok(())) => None,
        Ok(Err(finding)) => Some(finding),
        Err(_) => Some(Finding::problem("the database stopped answering", Some("look into its log"))),
    };
    findings.extend(stopped);
    findings
}

/// Adds findings until there is no point in going on.
async fn fill(config: &DatabaseConfig, findings: &mut Vec<Finding>) -> Result<(), Finding> {
    let store = PostgresStore::new(config).map_err(|error| Finding::problem(error.to_string(), None))?;
    let mut connection = store.dedicated().await.map_err(|error| unreachable(&error))?;
    server(&store, &mut connection, findings).await.map_err(|error| lost(&error))?;

    if config.asks_figures {
        figures(&store, &mut connection, config, findings).await?;
    } else {
        findings.push(Finding::ok(WITHOUT_FIGURES));
    }
    // A failed examination may have left its transaction open.
    drop(connection);
    if config.asks_figures {
        findings.extend(rollup::counters(&store, config.stats_source).await);
    }

    let mut connection = store.dedicated().await.map_err(|error| unreachable(&error))?;
    findings.push(rights(&mut connection).await.map_err(|error| lost(&error))?);
    if config.keeps_outbox {
        findings.push(outbox::tables(&store).await);
        findings.extend(outbox_rights(&mut connection).await.map_err(|error| lost(&error))?);
    }
    findings.push(if between(&store, connection).await? {
        Finding::ok("behind a transaction pooler; every query is a transaction of its own, so that is fine")
    } else {
        Finding::ok("no transaction pooler in between")
    });
    if let Some(source) = &config.listen {
        findings.extend(ear(&store, source).await);
    }
    Ok(())
}

/// Both queries of the statistics, and how they would be run.
async fn figures(
    store: &PostgresStore,
    connection: &mut PgConnection,
    config: &DatabaseConfig,
    findings: &mut Vec<Finding>,
) -> Result<(), Finding> {
    match store.examine(connection).await {
        Ok(examined) => {
            findings.push(Finding::ok(format!("ids are of type {}", examined.id_name())));
            findings.push(statistics_plan(&examined, config.stats_sql.is_none()));
            if config.stats_sql.is_none() {
                findings.extend(visibility(connection).await.map_err(|error| lost(&error))?);
            }
            if let Some(plan) = &examined.owner_plan_without_scan {
                findings.push(ownership_plan(plan, config.owner_sql.is_none()));
            }
        }
        Err(error) => findings.push(not_as_needed(&error)),
    }
    Ok(())
}

async fn server(
    store: &PostgresStore,
    connection: &mut PgConnection,
    findings: &mut Vec<Finding>,
) -> Result<(), sqlx::Error> {
    let row = connection
        .fetch_one("SELECT current_setting('server_version') AS version, current_user::text AS role, current_database()::text AS name")
        .await?;
    findings.push(Finding::ok(format!(
        "connected to PostgreSQL {} at {}, database {}, as {}",
        row.try_get::<String, _>("version")?,
        options::address(store.options()),
        row.try_get::<String, _>("name")?,
        row.try_get::<String, _>("role")?,
    )));
    if !options::is_verified_or_local(store.options()) {
        findings.push(Finding::warning(
            "the server's certificate is not checked: anybody in between may read and change the figures",
            "add sslmode=verify-full to DATABASE_URL, and sslrootcert=/path/to/ca.crt unless a public authority signed it",
        ));
    }
    Ok(())
}

fn statistics_plan(examined: &Examined, shipped: bool) -> Finding {
    let create = if shipped {
        format!("{CREATE_INDEX}  (sql/index.postgres.sql)")
    } else {
        "create an index whose first column is the one compared with $1 and which holds every other column of STATS_SQL"
            .to_owned()
    };
    let (plan, forced) = (&examined.stats_plan, &examined.stats_plan_without_scan);
    if plan.contains("Index Only Scan") {
        return Finding::ok(format!("the statistics query is index-only{}", index_name(plan)));
    }
    if forced.contains("Index Only Scan") {
        if plan.contains("Seq Scan") {
            return Finding::ok(format!(
                "the table is small enough to be read whole; when it grows, the query is index-only{}",
                index_name(forced)
            ));
        }
        let index = index_name(forced);
        return Finding::warning(format!("the statistics query has its index{index} but reads the table too"), VACUUM);
    }
    if uses_index(forced) {
        return Finding::warning(
            format!(
                "the statistics query uses an index{} but reads every row of the business from the table too",
                index_name(forced)
            ),
            create,
        );
    }
    Finding::warning("no index serves the statistics query: every read scans the whole table", create)
}

fn ownership_plan(plan: &str, shipped: bool) -> Finding {
    if uses_index(plan) {
        return Finding::ok("the ownership query answers, by an index");
    }
    let create = if shipped {
        "CREATE UNIQUE INDEX CONCURRENTLY negocios_id ON negocios (id);"
    } else {
        "create an index on the column that OWNER_SQL compares with $1"
    };
    Finding::warning("the ownership query answers, but no index serves it", create)
}

/// An index-only scan visits the table all the same for pages that VACUUM has not marked.
async fn visibility(connection: &mut PgConnection) -> Result<Option<Finding>, sqlx::Error> {
    let row =
        connection.fetch_one("SELECT relpages, relallvisible FROM pg_class WHERE oid = to_regclass('citas')").await?;
    let (pages, visible): (i32, i32) = (row.try_get("relpages")?, row.try_get("relallvisible")?);
    let unmarked = pages >= WORTH_VACUUM && visible < pages / 2;
    let what =
        || format!("citas has not been vacuumed lately: {visible} of its {pages} pages are marked as visible to all");
    Ok(unmarked.then(|| Finding::warning(what(), VACUUM)))
}

/// What the role may do beyond reading.
async fn rights(connection: &mut PgConnection) -> Result<Finding, sqlx::Error> {
    let row = connection
        .fetch_one(
            "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS super,
                    COALESCE(bool_or(has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')), false) AS writes
               FROM pg_class WHERE oid IN (to_regclass('citas'), to_regclass('negocios'))",
        )
        .await?;
    let (superuser, writes): (bool, bool) = (row.try_get("super")?, row.try_get("writes")?);
    let advice = "Pulso only reads. Give it a role of its own: CREATE ROLE pulso LOGIN PASSWORD '…'; \
                  GRANT SELECT ON citas, negocios TO pulso;";
    Ok(match (superuser, writes) {
        (true, _) => Finding::warning("the role is a superuser", advice),
        (false, true) => Finding::warning("the role may change citas or negocios", advice),
        (false, false) => Finding::ok("the role may not change citas or negocios"),
    })
}

/// What the role lacks for Pulso's own tables, if they are there.
async fn outbox_rights(connection: &mut PgConnection) -> Result<Option<Finding>, sqlx::Error> {
    let row = connection
        .fetch_one(
            "SELECT COALESCE(bool_and(has_table_privilege(oid, needed)), true)
                AND COALESCE(has_sequence_privilege(to_regclass('pulso_outbox_version')::oid, 'USAGE'), true) AS suffices
               FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed
              WHERE oid IN (to_regclass('pulso_outbox'), to_regclass('pulso_idempotency'))",
        )
        .await?;
    let suffices: bool = row.try_get("suffices")?;
    Ok((!suffices).then(|| Finding::problem("the role may not use Pulso's own tables", Some(OUTBOX_GRANTS))))
}

async fn between(store: &PostgresStore, mut one: PgConnection) -> Result<bool, Finding> {
    let mut other = store.dedicated().await.map_err(|error| unreachable(&error))?;
    let pooled = pooler::detect(&mut one, &mut other).await.map_err(|error| lost(&error))?;
    // Dropped, not closed in order: after a detection either may have an answer outstanding.
    Ok(pooled)
}

async fn ear(store: &PostgresStore, source: &ListenSource) -> Vec<Finding> {
    let channel = &source.channel;
    let mut findings = vec![match listen::probe(source).await {
        Ok(()) => Finding::ok(format!("notifications on {channel} arrive")),
        Err(reason) => Finding::problem(format!("LISTEN on {channel}: {reason}"), None),
    }];
    if channel != SHIPPED_CHANNEL {
        return findings;
    }
    let Ok(mut connection) = store.dedicated().await else { return findings };
    let triggers = connection
        .fetch_one(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass('citas') AND tgenabled <> 'D'
                AND tgname IN ('pulso_citas_insert', 'pulso_citas_update', 'pulso_citas_delete')",
        )
        .await
        .and_then(|row| row.try_get::<i64, _>(0));
    if triggers.is_ok_and(|count| count < 3) {
        findings.push(Finding::warning(
            "the trigger that feeds the channel is not there",
            "run sql/listen.postgres.sql as the owner of citas, or unset LISTEN_CHANNEL",
        ));
    }
    findings
}

fn not_as_needed(error: &ContactError) -> Finding {
    match error {
        ContactError::Missing(reason) => {
            Finding::problem(reason, Some("`pulso serve` starts all the same and waits for it"))
        }
        ContactError::WrongQuery { .. } => {
            Finding::problem(error.to_string(), Some("mend the file; the shipped queries in sql/ say what is needed"))
        }
        ContactError::Store(error) => Finding::problem(error.to_string(), None),
    }
}

fn unreachable(error: &StoreError) -> Finding {
    Finding::problem(
        error.to_string(),
        Some("check host, port, user and password of DATABASE_URL, and that the server runs"),
    )
}

fn lost(error: &sqlx::Error) -> Finding {
    Finding::problem(crate::store::postgres::failure::of_query(error).to_string(), None)
}

fn uses_index(plan: &str) -> bool {
    plan.contains("Index Scan") || plan.contains("Index Only Scan")
}

/// " (name)" of the first index in a plan, or nothing.
fn index_name(plan: &str) -> String {
    let name = plan
        .lines()
        .find(|line| line.contains("Index"))
        .and_then(|line| line.split(" using ").nth(1).or_else(|| line.split(" Scan on ").nth(1)))
        .and_then(|rest| rest.split_ascii_whitespace().next());
    name.map(|name| format!(" ({name})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::index_name;

    #[test]
    fn an_index_is_named_in_every_kind_of_plan() {
        assert_eq!(index_name("Aggregate\n  ->  Index Only Scan using a_b on citas  (cost=0)"), " (a_b)");
        assert_eq!(index_name("Aggregate\n  ->  Bitmap Index Scan on a_b  (cost=0)"), " (a_b)");
        assert_eq!(index_name("Seq Scan on citas"), "");
    }
}
