//! Which devices exist. Their table belongs to one feed only, so how to ask is learnt when somebody first does, and
//! again after a refusal: the table may be missing, appear, or change.

use std::sync::PoisonError;

use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use tokio::time::timeout_at;

use super::description::DeviceDescription;
use super::{Attempt, PostgresStore, bind, failure};
use crate::model::Device;
use crate::store::asked::Asked;
use crate::store::queries::DEVICE_SQL;
use crate::store::{ContactError, StoreError};

/// The devices named.
pub(super) async fn find(store: &PostgresStore, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
    let deadline = store.limits.deadline();
    timeout_at(deadline, ask(store, uids, ids)).await.unwrap_or_else(|_| Err(store.failure(Attempt::TimedOut)))
}

async fn ask(store: &PostgresStore, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
    let known = *store.device_description.read().unwrap_or_else(PoisonError::into_inner);
    let description = match known {
        Some(description) => description,
        None => learn(store).await?,
    };
    let mut found = Vec::new();
    let mut parts = vec![(uids, ids)];
    while let Some((uids, ids)) = parts.pop() {
        match together(store, description, uids, ids).await {
            Ok(devices) => found.extend(devices),
            // One of them is nothing that the database could know: whoever that is has no device, the others have theirs.
            Err(StoreError::Data(_)) if uids.len() + ids.len() > 1 => parts.extend(halves(uids, ids)),
            Err(StoreError::Data(_)) => {}
            Err(refused @ StoreError::Refused(_)) => {
                remember(store, None);
                return Err(refused);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

async fn together(
    store: &PostgresStore,
    description: DeviceDescription,
    uids: &[String],
    ids: &[String],
) -> Result<Vec<Device>, StoreError> {
    let asked = Asked::new(uids, description.uid, ids, description.id);
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let mut arguments = PgArguments::default();
    bind::ids(&mut arguments, description.uid, &asked.uids())?;
    bind::ids(&mut arguments, description.id, &asked.ids())?;
    let rows = store.rows(&store.queries.devices, arguments).await?;
    let found = rows.iter().filter_map(|row| device(row).transpose()).collect::<Result<Vec<_>, _>>()?;
    Ok(asked.confirmed(found.into_iter()))
}

/// Two smaller questions for one.
fn halves<'a>(uids: &'a [String], ids: &'a [String]) -> [(&'a [String], &'a [String]); 2] {
    let ((some, others), (ones, rest)) = (uids.split_at(uids.len() / 2), ids.split_at(ids.len() / 2));
    match (uids.len(), ids.len()) {
        (1, 1) => [(uids, &[]), (&[], ids)],
        _ => [(some, ones), (others, rest)],
    }
}

async fn learn(store: &PostgresStore) -> Result<DeviceDescription, StoreError> {
    let described = store.describe(&store.queries.devices).await?;
    let described = described.map_err(|error| failure::of_contact(&error, DEVICE_SQL).into_refusal())?;
    let wrong = |reason| ContactError::WrongQuery { variable: DEVICE_SQL, reason }.into_refusal();
    let description = described.devices().map_err(wrong)?;
    remember(store, Some(description));
    Ok(description)
}

fn remember(store: &PostgresStore, description: Option<DeviceDescription>) {
    *store.device_description.write().unwrap_or_else(PoisonError::into_inner) = description;
}

/// A row without an id or a name is nobody's.
fn device(row: &PgRow) -> Result<Option<Device>, StoreError> {
    let refuse = |error: sqlx::Error| StoreError::Refused(error.to_string());
    let text = |name| row.try_get::<Option<String>, _>(name).map_err(refuse);
    let is_active = row.try_get::<Option<bool>, _>("is_active").map_err(refuse)?.unwrap_or(false);
    Ok(text("device_id")?.zip(text("device_uid")?).map(|(id, uid)| Device { id, uid, is_active }))
}
