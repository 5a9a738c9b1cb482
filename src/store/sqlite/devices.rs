//! Which devices exist. Their table belongs to one feed only, so its query is checked when somebody first asks, and
//! again after a refusal.

use std::sync::atomic::Ordering;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tokio::time::timeout;

use super::{GRACE, SqliteStore, check, json};
use crate::negocio::IdType;
use crate::store::queries::{DEVICE_COLUMNS, DEVICE_SQL};
use crate::store::{ContactError, Device, StoreError};

/// The devices named.
pub(super) async fn find(store: &SqliteStore, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
    if !store.knows_devices.load(Ordering::Relaxed) {
        learn(store).await?;
        store.knows_devices.store(true, Ordering::Relaxed);
    }
    let (uids, ids) = (plausible(uids), plausible(ids));
    if uids.is_empty() && ids.is_empty() {
        return Ok(Vec::new());
    }
    let answer = store.rows(&store.queries.devices, &[json(&uids), json(&ids)]).await;
    if matches!(answer, Err(StoreError::Refused(_))) {
        store.knows_devices.store(false, Ordering::Relaxed);
    }
    let found = answer?.iter().filter_map(|row| device(row).transpose()).collect::<Result<Vec<_>, _>>()?;
    // A query of the operator's own may return more.
    let is_asked = |device: &Device| uids.contains(&device.uid.as_str()) || ids.contains(&device.id.as_str());
    Ok(found.into_iter().filter(is_asked).collect())
}

async fn learn(store: &SqliteStore) -> Result<(), StoreError> {
    let checking = async {
        let mut connection = store.connection().await?;
        check(&mut connection, &store.queries.devices, DEVICE_SQL, &DEVICE_COLUMNS).await
    };
    let limit = store.statement_timeout + GRACE;
    let checked = timeout(limit, checking).await.unwrap_or_else(|_| Err(store.late().into()));
    checked.map_err(ContactError::into_refusal)
}

/// Without what no column holds.
fn plausible(asked: &[String]) -> Vec<&str> {
    asked.iter().map(String::as_str).filter(|id| IdType::Text.canonical(id).is_some()).collect()
}

/// A row without an id or a name is nobody's. Unchecked: SQLite turns what a replaced query returns into text by itself.
fn device(row: &SqliteRow) -> Result<Option<Device>, StoreError> {
    let refuse = |error: sqlx::Error| StoreError::Refused(error.to_string());
    let text = |name| row.try_get_unchecked::<Option<String>, _>(name).map_err(refuse);
    let is_active = row.try_get_unchecked::<Option<i64>, _>("is_active").map_err(refuse)?;
    let named = text("device_id")?.zip(text("device_uid")?);
    Ok(named.map(|(id, uid)| Device { id, uid, is_active: is_active.is_some_and(|flag| flag != 0) }))
}
