//! Changes until they are confirmed, and how calls were answered.
//!
//! Locks are always taken in one order, so that nobody waits in a circle: a call's key, an id's turn, its row; or a
//! tenant's turn to pull, then its rows.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};

use super::bind::add;
use super::write::Write;
use super::{PostgresStore, migrate};
use crate::model::{Answered, Change, Confirmation, Entity, Once, Pending};
use crate::store::StoreError;
use crate::store::migrations::{Migration, Step};
use crate::store::outbox::{Backlog, Handed, Kept, Outbox, PRUNED_AT_ONCE, entity_of_row};

/// The turn comes first, so that a row's versions follow the order of its writes even across its deletion.
const KEEP: &str = "WITH turn AS MATERIALIZED (
         SELECT pg_advisory_xact_lock(hashtextextended('pulso_outbox ' || $2 || ' ' || $1 || ' ' || $3, 0)))
     INSERT INTO pulso_outbox (tenant, entity, id, version, payload)
     SELECT $1, $2, $3, nextval('pulso_outbox_version'), $4 FROM turn
     ON CONFLICT (tenant, entity, id)
        DO UPDATE SET version = excluded.version, payload = excluded.payload, changed_at = now()
     RETURNING version";

/// Two pulls of one tenant at once would lock the same rows in any order.
const TURN: &str = "SELECT pg_advisory_xact_lock(hashtextextended('pulso_outbox pull ' || $1, 0))";

const CONFIRM: &str = "DELETE FROM pulso_outbox AS kept
      USING unnest($2::text[], $3::text[], $4::bigint[]) AS confirmed (entity, id, version)
      WHERE kept.tenant = $1 AND kept.entity = confirmed.entity AND kept.id = confirmed.id
        AND (kept.version = confirmed.version
             OR confirmed.version IS NULL AND kept.version = kept.handed
                AND (kept.handed_twice OR kept.handed_by <> $5))";

/// Marked as far as it can be: a second answer is worth noting, a second event is not.
const PENDING: &str = "SELECT entity, id, version, payload, handed IS NOT DISTINCT FROM version
            AND (handed_twice OR handed_by IS NULL AND $4::text IS NULL) AS is_marked
       FROM pulso_outbox WHERE tenant = $1 AND ($3 = '' OR entity = $3) ORDER BY version LIMIT $2";

/// What changed since it was read has another version by now and stays unmarked.
const MARK: &str = "UPDATE pulso_outbox AS kept
        SET handed = kept.version,
            handed_by = CASE WHEN kept.handed = kept.version THEN kept.handed_by ELSE $3::text END,
            handed_twice = kept.handed IS NOT DISTINCT FROM kept.version
                AND (kept.handed_twice OR COALESCE(kept.handed_by, $3::text) IS NOT NULL)
       FROM unnest($2::bigint[]) AS handed (version)
      WHERE kept.tenant = $1 AND kept.version = handed.version";

const HAS_PENDING: &str = "SELECT EXISTS (SELECT 1 FROM pulso_outbox WHERE tenant = $1)";

const BACKLOG: &str = "SELECT count(*) AS changes,
            COALESCE(GREATEST(EXTRACT(EPOCH FROM now() - min(changed_at)), 0), 0)::bigint AS seconds
       FROM pulso_outbox";

const RECALL: &str = "SELECT status, body FROM pulso_idempotency
      WHERE path = $1 AND key = $2 AND answered_at > now() - make_interval(secs => $3)";

const REMEMBER: &str = "INSERT INTO pulso_idempotency AS known (path, key, status, body) VALUES ($1, $2, $3, $4)
     ON CONFLICT (path, key)
        DO UPDATE SET status = excluded.status, body = excluded.body, answered_at = excluded.answered_at
        WHERE known.answered_at <= now() - make_interval(secs => $5)
     RETURNING true";

/// Two that prune at once would lock the same rows in any order: the other one does it.
const MAY_PRUNE: &str = "SELECT pg_try_advisory_xact_lock(hashtextextended('pulso_idempotency prune', 0))";
const PRUNE_OLD: &str = "DELETE FROM pulso_idempotency WHERE (path, key) IN (
         SELECT path, key FROM pulso_idempotency WHERE answered_at <= now() - make_interval(secs => $1)
          ORDER BY answered_at LIMIT $2)
     RETURNING true";
const PRUNE_MANY: &str = "DELETE FROM pulso_idempotency WHERE (path, key) IN (
         SELECT path, key FROM pulso_idempotency
          ORDER BY answered_at DESC, path, key OFFSET $1 LIMIT $2)
     RETURNING true";

#[async_trait]
impl Outbox for PostgresStore {
    async fn missing(&self) -> Result<Vec<Step>, StoreError> {
        migrate::missing(self).await
    }

    async fn migrate(&self) -> Result<Migration, StoreError> {
        migrate::migrate(self).await
    }

    async fn keep(&self, change: &Change, once: Option<&Once>) -> Result<Kept, StoreError> {
        self.within(async {
            let mut write = Write::begin(self).await?;
            if let Some(once) = once
                && !remember(&mut write, once).await?
            {
                let answered = answered(&write.rows(RECALL, call(&once.path, &once.key, once.max_age)?).await?)?;
                write.roll_back().await?;
                let forgotten = || StoreError::Refused("the first answer was forgotten this moment".to_owned());
                return Ok(Kept::Repeated(answered.ok_or_else(forgotten)?));
            }
            let mut arguments = PgArguments::default();
            for text in [&change.tenant, change.entity.as_str(), &change.id, &change.payload] {
                add(&mut arguments, text)?;
            }
            let version = first(&write.rows(KEEP, arguments).await?)?;
            write.commit().await?;
            Ok(Kept::As(version))
        })
        .await
    }

    async fn pull(
        &self,
        tenant: &str,
        confirmed: &[Confirmation],
        to: Handed<'_>,
        only: Option<Entity>,
        at_most: u32,
    ) -> Result<Vec<Pending>, StoreError> {
        match pull(self, tenant, confirmed, to, only, at_most).await {
            // An id that this database cannot hold is none of a change that it holds.
            Err(StoreError::Data(_)) => {
                let mut known = Vec::with_capacity(confirmed.len());
                for confirmation in confirmed {
                    if self.can_hold(&confirmation.id).await? {
                        known.push(confirmation.clone());
                    }
                }
                pull(self, tenant, &known, to, only, at_most).await
            }
            answer => answer,
        }
    }

    async fn has_pending(&self, tenant: &str) -> Result<bool, StoreError> {
        first(&self.rows(&HAS_PENDING.into(), of_tenant(tenant)?).await?)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let rows = self.rows(&BACKLOG.into(), PgArguments::default()).await?;
        let row = rows.first().ok_or_else(|| StoreError::Refused("the query returned no row".to_owned()))?;
        Ok(Backlog { changes: column(row, "changes")?, seconds: column(row, "seconds")? })
    }

    async fn recall(&self, path: &str, key: &str, max_age: Duration) -> Result<Option<Answered>, StoreError> {
        answered(&self.rows(&RECALL.into(), call(path, key, max_age)?).await?)
    }

    async fn remember(&self, once: &Once) -> Result<(), StoreError> {
        self.within(async {
            let mut write = Write::begin(self).await?;
            remember(&mut write, once).await?;
            write.commit().await
        })
        .await
    }

    async fn prune(&self, max_age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.within(async {
            let mut write = Write::begin(self).await?;
            if !first(&write.rows(MAY_PRUNE, PgArguments::default()).await?)? {
                write.roll_back().await?;
                return Ok(0);
            }
            let mut old = PgArguments::default();
            add(&mut old, max_age.as_secs_f64())?;
            add(&mut old, i64::from(PRUNED_AT_ONCE))?;
            let mut many = PgArguments::default();
            add(&mut many, i64::from(at_most))?;
            add(&mut many, i64::from(PRUNED_AT_ONCE))?;
            let forgotten = write.rows(PRUNE_OLD, old).await?.len() + write.rows(PRUNE_MANY, many).await?.len();
            write.commit().await?;
            Ok(forgotten as u64)
        })
        .await
    }
}

async fn pull(
    store: &PostgresStore,
    tenant: &str,
    confirmed: &[Confirmation],
    to: Handed<'_>,
    only: Option<Entity>,
    at_most: u32,
) -> Result<Vec<Pending>, StoreError> {
    store
        .within(async {
            let mut write = Write::begin(store).await?;
            write.rows(TURN, of_tenant(tenant)?).await?;
            if !confirmed.is_empty() {
                write.rows(CONFIRM, confirmations(tenant, confirmed, to)?).await?;
            }
            let mut arguments = of_tenant(tenant)?;
            add(&mut arguments, i64::from(at_most))?;
            add(&mut arguments, only.map_or("", Entity::as_str))?;
            add(&mut arguments, to.answer())?;
            let rows = write.rows(PENDING, arguments).await?;
            let (mut handed, mut unmarked) = (Vec::with_capacity(rows.len()), Vec::new());
            for row in &rows {
                let (pending, is_marked) = pending(row)?;
                if !is_marked {
                    unmarked.push(pending.version);
                }
                handed.push(pending);
            }
            if !unmarked.is_empty() {
                let mut arguments = of_tenant(tenant)?;
                add(&mut arguments, unmarked)?;
                add(&mut arguments, to.answer())?;
                write.rows(MARK, arguments).await?;
            }
            write.commit().await?;
            Ok(handed)
        })
        .await
}

/// Whether the call was not answered before. Waits for one under way with the same key.
async fn remember(write: &mut Write<'_>, once: &Once) -> Result<bool, StoreError> {
    let mut arguments = PgArguments::default();
    add(&mut arguments, &once.path)?;
    add(&mut arguments, &once.key)?;
    add(&mut arguments, i32::from(once.answered.status))?;
    add(&mut arguments, &once.answered.body)?;
    add(&mut arguments, once.max_age.as_secs_f64())?;
    Ok(!write.rows(REMEMBER, arguments).await?.is_empty())
}

fn of_tenant(tenant: &str) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    add(&mut arguments, tenant)?;
    Ok(arguments)
}

fn call(path: &str, key: &str, max_age: Duration) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    add(&mut arguments, path)?;
    add(&mut arguments, key)?;
    add(&mut arguments, max_age.as_secs_f64())?;
    Ok(arguments)
}

/// Three arrays side by side. PostgreSQL's text holds no NUL, so no id that has one is known.
fn confirmations(tenant: &str, confirmed: &[Confirmation], to: Handed<'_>) -> Result<PgArguments, StoreError> {
    let known = || confirmed.iter().filter(|confirmation| !confirmation.id.contains('\0'));
    let mut arguments = of_tenant(tenant)?;
    add(&mut arguments, known().map(|confirmation| confirmation.entity.as_str()).collect::<Vec<_>>())?;
    add(&mut arguments, known().map(|confirmation| confirmation.id.as_str()).collect::<Vec<_>>())?;
    add(&mut arguments, known().map(|confirmation| confirmation.version).collect::<Vec<_>>())?;
    add(&mut arguments, to.answer())?;
    Ok(arguments)
}

/// With whether there is nothing to note about its being handed out.
fn pending(row: &PgRow) -> Result<(Pending, bool), StoreError> {
    let entity = entity_of_row(column(row, "entity")?)?;
    let pending =
        Pending { entity, id: column(row, "id")?, version: column(row, "version")?, payload: column(row, "payload")? };
    Ok((pending, column(row, "is_marked")?))
}

fn answered(rows: &[PgRow]) -> Result<Option<Answered>, StoreError> {
    let Some(row) = rows.first() else { return Ok(None) };
    let status: i32 = column(row, "status")?;
    let status = u16::try_from(status).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(Some(Answered { status, body: column(row, "body")? }))
}

fn column<'r, T>(row: &'r PgRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(name).map_err(|error| StoreError::Refused(error.to_string()))
}

/// The one value of a query that always returns one.
fn first<T>(rows: &[PgRow]) -> Result<T, StoreError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let row = rows.first().ok_or_else(|| StoreError::Refused("the query returned no row".to_owned()))?;
    row.try_get(0).map_err(|error| StoreError::Refused(error.to_string()))
}
