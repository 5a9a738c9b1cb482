//! Which devices exist. Their table belongs to one feed only, so how to ask is learnt when somebody first does, and
//! again after a refusal: the table may be missing, appear, or change.

use std::sync::PoisonError;

use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use tokio::time::timeout_at;

use super::shape::DeviceShape;
use super::{Attempt, PostgresStore, bind, failure, transaction};
use crate::negocio::IdType;
use crate::store::queries::DEVICE_SQL;
use crate::store::{ContactError, Device, StoreError};

/// The devices named.
pub(super) async fn find(store: &PostgresStore, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
    let deadline = store.limits.deadline();
    timeout_at(deadline, ask(store, uids, ids)).await.unwrap_or_else(|_| Err(store.blame(Attempt::TimedOut)))
}

async fn ask(store: &PostgresStore, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
    let known = *store.device_shape.read().unwrap_or_else(PoisonError::into_inner);
    let shape = match known {
        Some(shape) => shape,
        None => learn(store).await?,
    };
    let (uids, ids) = (spelt(uids, shape.uid), spelt(ids, shape.id));
    if uids.is_empty() && ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut arguments = PgArguments::default();
    bind::ids(&mut arguments, shape.uid, &uids.iter().map(String::as_str).collect::<Vec<_>>())?;
    bind::ids(&mut arguments, shape.id, &ids.iter().map(String::as_str).collect::<Vec<_>>())?;
    let answer = store.rows(&store.queries.devices, arguments).await;
    if matches!(answer, Err(StoreError::Refused(_))) {
        remember(store, None);
    }
    let found = answer?.iter().filter_map(|row| device(row).transpose()).collect::<Result<Vec<_>, _>>()?;
    // A query of the operator's own may return more.
    let is_asked = |device: &Device| uids.contains(&device.uid) || ids.contains(&device.id);
    Ok(found.into_iter().filter(is_asked).collect())
}

async fn learn(store: &PostgresStore) -> Result<DeviceShape, StoreError> {
    let _permit = store.permit().await?;
    let mut lease = store.connections.fresh().await?;
    let described = transaction::describe(&mut lease.connection, &store.limits.begin, &store.queries.devices).await;
    let described = described.map_err(|error| failure::of_contact(&error, DEVICE_SQL).into_refusal())?;
    lease.keep();
    let wrong = |reason| ContactError::WrongQuery { variable: DEVICE_SQL, reason }.into_refusal();
    let shape = described.devices().map_err(wrong)?;
    remember(store, Some(shape));
    Ok(shape)
}

fn remember(store: &PostgresStore, shape: Option<DeviceShape>) {
    *store.device_shape.write().unwrap_or_else(PoisonError::into_inner) = shape;
}

/// As the column spells them, without what it cannot hold.
fn spelt(asked: &[String], column: IdType) -> Vec<String> {
    asked.iter().filter_map(|id| column.canonical(id)).collect()
}

/// A row without an id or a name is nobody's.
fn device(row: &PgRow) -> Result<Option<Device>, StoreError> {
    let refuse = |error: sqlx::Error| StoreError::Refused(error.to_string());
    let text = |name| row.try_get::<Option<String>, _>(name).map_err(refuse);
    let is_active = row.try_get::<Option<bool>, _>("is_active").map_err(refuse)?.unwrap_or(false);
    Ok(text("device_id")?.zip(text("device_uid")?).map(|(id, uid)| Device { id, uid, is_active }))
}
