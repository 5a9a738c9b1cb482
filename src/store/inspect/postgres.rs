//! PostgreSQL: rights, plans, poolers.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tokio::time::timeout;

use super::table::Relation;
use super::{Finding, WITHOUT_FIGURES, outbox, plans, rollup};
use crate::config::{DatabaseConfig, ListenSource};
use crate::store::postgres::failure::OUTBOX_GRANTS;
use crate::store::postgres::{PostgresStore, pooler};
use crate::store::{ContactError, StoreError, listen};

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
    findings.extend(rollup::exposure(&store).await);

    let mut connection = store.dedicated().await.map_err(|error| unreachable(&error))?;
    findings.push(rights(&store, &mut connection).await.map_err(|error| lost(&error))?);
    if config.asks_devices {
        findings.push(devices(&store, &mut connection, config).await?);
        connection = store.dedicated().await.map_err(|error| unreachable(&error))?;
    }
    if config.keeps_outbox {
        findings.push(outbox::tables(&store).await);
        findings.extend(outbox_rights(&store, &mut connection).await.map_err(|error| lost(&error))?);
        findings.extend(standby(&store, &mut connection).await.map_err(|error| lost(&error))?);
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
            findings.push(Finding::ok(format!("ids are of type {}", examined.id.sql())));
            let citas = relation(store, connection, "citas", config.stats_sql.is_none()).await?;
            let plan = plans::statistics(store, connection, &examined, citas.as_ref()).await;
            findings.push(plan.map_err(|error| lost(&error))?);
            if let Some(citas) = &citas {
                findings.extend(visibility(store, connection, citas).await.map_err(|error| lost(&error))?);
            }
            if let Some(plan) = &examined.owner_plan_without_scan {
                let negocios = relation(store, connection, "negocios", config.owner_sql.is_none()).await?;
                let own = || "create an index on the column that OWNER_SQL compares with $1".to_owned();
                let create = negocios.map_or_else(own, |table| table.index_advice("negocios_id", "id"));
                findings.push(plans::lookup("ownership", plan, create));
            }
        }
        Err(error) => findings.push(not_as_needed(&error)),
    }
    Ok(())
}

/// What the shipped query reads from under this name.
async fn relation(
    store: &PostgresStore,
    connection: &mut PgConnection,
    name: &'static str,
    is_shipped: bool,
) -> Result<Option<Relation>, Finding> {
    if !is_shipped {
        return Ok(None);
    }
    Relation::find(store, connection, name).await.map_err(|error| lost(&error))
}

/// The query for kiosks.
async fn devices(
    store: &PostgresStore,
    connection: &mut PgConnection,
    config: &DatabaseConfig,
) -> Result<Finding, Finding> {
    let plan = match store.examine_devices(connection).await {
        Ok(plan) => plan,
        Err(error) => return Ok(without_devices(&error)),
    };
    let table = relation(store, connection, "devices", config.device_sql.is_none()).await?;
    let own = || "create an index on each of the columns that DEVICE_SQL compares with $1 and $2".to_owned();
    let create = table.map_or_else(own, |table| table.index_advice("devices_uid", "device_uid"));
    Ok(plans::lookup("devices", &plan, create))
}

fn without_devices(error: &ContactError) -> Finding {
    let text = error.to_string();
    let advice = match error {
        ContactError::Missing(_) => "until then no kiosk gets in; the shipped sql/schema.postgres.sql has the table",
        ContactError::WrongQuery { .. } => "mend the file; the shipped sql/devices.postgres.sql says what is needed",
        ContactError::Store(StoreError::Refused(text)) if text.contains("42501") => {
            "GRANT SELECT (id, device_uid, is_active) ON devices TO pulso;  (the role of DATABASE_URL)"
        }
        ContactError::Store(_) => return Finding::problem(text, None),
    };
    Finding::problem(format!("kiosks cannot be looked up: {text}"), Some(advice))
}

async fn server(
    store: &PostgresStore,
    connection: &mut PgConnection,
    findings: &mut Vec<Finding>,
) -> Result<(), sqlx::Error> {
    let row = one(
        store,
        connection,
        "SELECT current_setting('server_version') AS version, current_user::text AS role, current_database()::text AS name",
    )
    .await?;
    findings.push(Finding::ok(format!(
        "connected to PostgreSQL {} at {}, database {}, as {}",
        row.try_get::<String, _>("version")?,
        store.servers().address(),
        row.try_get::<String, _>("name")?,
        row.try_get::<String, _>("role")?,
    )));
    if !store.servers().are_verified_or_local() {
        findings.push(Finding::warning(
            "the server's certificate is not checked: anybody in between may read and change the figures",
            "add sslmode=verify-full to DATABASE_URL, and sslrootcert=/path/to/ca.crt unless a public authority signed it",
        ));
    }
    Ok(())
}

/// An index-only scan visits the table all the same for pages that VACUUM has not marked.
async fn visibility(
    store: &PostgresStore,
    connection: &mut PgConnection,
    citas: &Relation,
) -> Result<Option<Finding>, sqlx::Error> {
    let sql = "SELECT relpages, relallvisible FROM pg_class WHERE oid = to_regclass('citas')::oid";
    let row = one(store, connection, sql).await?;
    let (pages, visible): (i32, i32) = (row.try_get("relpages")?, row.try_get("relallvisible")?);
    let unmarked = pages >= WORTH_VACUUM && visible < pages / 2;
    let what =
        || format!("citas has not been vacuumed lately: {visible} of its {pages} pages are marked as visible to all");
    Ok(unmarked.then(|| Finding::warning(what(), citas.vacuum_advice())))
}

/// What the role may do beyond reading.
async fn rights(store: &PostgresStore, connection: &mut PgConnection) -> Result<Finding, sqlx::Error> {
    let row = one(
        store,
        connection,
        "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS super,
                    COALESCE(bool_or(has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')), false) AS writes
               FROM pg_class WHERE oid IN (to_regclass('citas')::oid, to_regclass('negocios')::oid)",
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
async fn outbox_rights(store: &PostgresStore, connection: &mut PgConnection) -> Result<Option<Finding>, sqlx::Error> {
    let row = one(
            store,
            connection,
            "SELECT COALESCE(bool_and(has_table_privilege(oid, needed)), true)
                AND COALESCE(has_sequence_privilege(to_regclass('pulso_outbox_version')::oid, 'USAGE'), true) AS suffices
               FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed
              WHERE oid IN (to_regclass('pulso_outbox')::oid, to_regclass('pulso_idempotency')::oid)",
        )
        .await?;
    let suffices: bool = row.try_get("suffices")?;
    Ok((!suffices).then(|| Finding::problem("the role may not use Pulso's own tables", Some(OUTBOX_GRANTS))))
}

/// Changes are kept in tables, which a standby does not let anybody write.
async fn standby(store: &PostgresStore, connection: &mut PgConnection) -> Result<Option<Finding>, sqlx::Error> {
    let row = one(store, connection, "SELECT pg_catalog.pg_is_in_recovery()").await?;
    let is_standby: bool = row.try_get(0)?;
    Ok(is_standby.then(|| {
        Finding::problem(
            "this is a standby that only reads: changes of the order synchronisation cannot be kept here",
            Some(
                "let DATABASE_URL lead to the primary; with several hosts in it, target_session_attrs=read-write finds \
                 the primary",
            ),
        )
    }))
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
    let triggers = one(
        store,
        &mut connection,
        "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass('citas')::oid AND tgenabled <> 'D'
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

/// The one row of a question of ours.
async fn one(store: &PostgresStore, connection: &mut PgConnection, sql: &str) -> Result<PgRow, sqlx::Error> {
    store.ask(connection, sql).await?.pop().ok_or(sqlx::Error::RowNotFound)
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
