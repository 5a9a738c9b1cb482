//! Changes until they are confirmed, and how calls were answered.
//!
//! Every write takes the file's write lock first, so that one follows the other.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::write::Value::{Integer, Text};
use super::write::Write;
use super::{SqliteStore, migrate};
use crate::model::{Answered, Change, Confirmation, Entity, Once, Pending};
use crate::store::StoreError;
use crate::store::migrations::{Migration, Step};
use crate::store::outbox::{Backlog, Handed, Kept, Outbox, PRUNED_AT_ONCE, entity_of_row};

const NEXT_VERSION: &str = "UPDATE pulso_outbox_version SET last = last + 1 RETURNING last";

const KEEP: &str = "INSERT INTO pulso_outbox (tenant, entity, id, version, payload) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant, entity, id)
        DO UPDATE SET version = excluded.version, payload = excluded.payload, changed_at = excluded.changed_at";

const CONFIRM: &str = "DELETE FROM pulso_outbox WHERE tenant = $1 AND entity = $2 AND id = $3 AND version = $4";
const CONFIRM_HANDED: &str =
    "DELETE FROM pulso_outbox WHERE tenant = $1 AND entity = $2 AND id = $3 AND version = handed
        AND (handed_twice OR handed_by <> NULLIF($4, ''))";

/// Marked as far as it can be: a second answer is worth noting, a second event is not.
const PENDING: &str = "SELECT entity, id, version, payload,
            handed IS version AND (handed_twice OR handed_by IS NULL AND $4 = '') AS is_marked
       FROM pulso_outbox WHERE tenant = $1 AND ($3 = '' OR entity = $3) ORDER BY version LIMIT $2";

/// Exactly what was handed out: the oldest, up to the last of them.
const MARK: &str = "UPDATE pulso_outbox
        SET handed = version,
            handed_by = CASE WHEN handed = version THEN handed_by ELSE NULLIF($4, '') END,
            handed_twice = handed IS version AND (handed_twice OR COALESCE(handed_by, NULLIF($4, '')) IS NOT NULL)
      WHERE tenant = $1 AND version <= $2 AND ($3 = '' OR entity = $3)";

const HAS_PENDING: &str = "SELECT EXISTS (SELECT 1 FROM pulso_outbox WHERE tenant = $1)";

const BACKLOG: &str = "SELECT count(*) AS changes, COALESCE(MAX(unixepoch() - MIN(changed_at), 0), 0) AS seconds
       FROM pulso_outbox";

const RECALL: &str = "SELECT status, body FROM pulso_idempotency
      WHERE path = $1 AND key = $2 AND answered_at > unixepoch() - $3";

const REMEMBER: &str = "INSERT INTO pulso_idempotency (path, key, status, body) VALUES ($1, $2, $3, $4)
     ON CONFLICT (path, key)
        DO UPDATE SET status = excluded.status, body = excluded.body, answered_at = excluded.answered_at
        WHERE pulso_idempotency.answered_at <= unixepoch() - $5
     RETURNING 1";

const PRUNE_OLD: &str = "DELETE FROM pulso_idempotency WHERE rowid IN (
         SELECT rowid FROM pulso_idempotency WHERE answered_at <= unixepoch() - $1 ORDER BY answered_at LIMIT $2)
     RETURNING 1";
const PRUNE_MANY: &str = "DELETE FROM pulso_idempotency WHERE rowid IN (
         SELECT rowid FROM pulso_idempotency ORDER BY answered_at DESC, rowid DESC LIMIT $2 OFFSET $1)
     RETURNING 1";

#[async_trait]
impl Outbox for SqliteStore {
    async fn missing(&self) -> Result<Vec<Step>, StoreError> {
        migrate::missing(self).await
    }

    async fn migrate(&self) -> Result<Migration, StoreError> {
        migrate::migrate(self).await
    }

    async fn keep(&self, change: &Change, once: Option<&Once>) -> Result<Kept, StoreError> {
        self.within(async {
            let mut write = self.begin().await?;
            if let Some(once) = once
                && !remember(&mut write, once).await?
            {
                let call = [Text(&once.path), Text(&once.key), seconds(once.max_age)];
                let answered = answered(&write.rows(RECALL, &call).await?)?;
                write.roll_back().await?;
                let forgotten = || StoreError::Refused("the first answer was forgotten this moment".to_owned());
                return Ok(Kept::Repeated(answered.ok_or_else(forgotten)?));
            }
            let version = first(&write.rows(NEXT_VERSION, &[]).await?)?;
            let (entity, payload) = (change.entity.as_str(), &change.payload);
            let row = [Text(&change.tenant), Text(entity), Text(&change.id), Integer(version), Text(payload)];
            write.rows(KEEP, &row).await?;
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
        self.within(async {
            let only = Text(only.map_or("", Entity::as_str));
            let to = Text(to.answer().unwrap_or_default());
            let mut write = self.begin().await?;
            for Confirmation { entity, id, version } in confirmed {
                let (sql, by) = match *version {
                    Some(version) => (CONFIRM, Integer(version)),
                    None => (CONFIRM_HANDED, to),
                };
                write.rows(sql, &[Text(tenant), Text(entity.as_str()), Text(id), by]).await?;
            }
            let rows = write.rows(PENDING, &[Text(tenant), Integer(at_most.into()), only, to]).await?;
            let (mut handed, mut is_marked) = (Vec::with_capacity(rows.len()), true);
            for row in &rows {
                handed.push(pending(row)?);
                is_marked &= column::<bool>(row, "is_marked")?;
            }
            if let Some(last) = handed.last().filter(|_| !is_marked) {
                write.rows(MARK, &[Text(tenant), Integer(last.version), only, to]).await?;
            }
            write.commit().await?;
            Ok(handed)
        })
        .await
    }

    async fn has_pending(&self, tenant: &str) -> Result<bool, StoreError> {
        first(&self.read(HAS_PENDING, &[Text(tenant)]).await?)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let rows = self.read(BACKLOG, &[]).await?;
        let row = rows.first().ok_or_else(|| StoreError::Refused("the query returned no row".to_owned()))?;
        Ok(Backlog { changes: column(row, "changes")?, seconds: column(row, "seconds")? })
    }

    async fn recall(&self, path: &str, key: &str, max_age: Duration) -> Result<Option<Answered>, StoreError> {
        answered(&self.read(RECALL, &[Text(path), Text(key), seconds(max_age)]).await?)
    }

    async fn remember(&self, once: &Once) -> Result<(), StoreError> {
        self.within(async {
            let mut write = self.begin().await?;
            remember(&mut write, once).await?;
            write.commit().await
        })
        .await
    }

    async fn prune(&self, max_age: Duration, at_most: u32) -> Result<u64, StoreError> {
        self.within(async {
            let mut write = self.begin().await?;
            let portion = Integer(PRUNED_AT_ONCE.into());
            let old = write.rows(PRUNE_OLD, &[seconds(max_age), portion]).await?;
            let many = write.rows(PRUNE_MANY, &[Integer(at_most.into()), portion]).await?;
            write.commit().await?;
            Ok((old.len() + many.len()) as u64)
        })
        .await
    }
}

/// Whether the call was not answered before.
async fn remember(write: &mut Write<'_>, once: &Once) -> Result<bool, StoreError> {
    let Answered { status, body } = &once.answered;
    let row = [Text(&once.path), Text(&once.key), Integer((*status).into()), Text(body), seconds(once.max_age)];
    Ok(!write.rows(REMEMBER, &row).await?.is_empty())
}

fn seconds(age: Duration) -> super::write::Value<'static> {
    Integer(i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}

fn pending(row: &SqliteRow) -> Result<Pending, StoreError> {
    let entity: String = column(row, "entity")?;
    Ok(Pending {
        entity: entity_of_row(&entity)?,
        id: column(row, "id")?,
        version: column(row, "version")?,
        payload: column(row, "payload")?,
    })
}

fn answered(rows: &[SqliteRow]) -> Result<Option<Answered>, StoreError> {
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Answered { status: column(row, "status")?, body: column(row, "body")? }))
}

fn column<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(name).map_err(|error| StoreError::Refused(error.to_string()))
}

/// The one value of a query that always returns one.
fn first<T>(rows: &[SqliteRow]) -> Result<T, StoreError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    let row = rows.first().ok_or_else(|| StoreError::Refused("the query returned no row".to_owned()))?;
    row.try_get(0).map_err(|error| StoreError::Refused(error.to_string()))
}
