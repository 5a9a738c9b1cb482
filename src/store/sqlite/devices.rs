//! Which devices exist. Their table belongs to one feed only, so its query is checked when somebody first asks, and
//! again after a refusal.

use std::sync::atomic::Ordering;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tokio::time::timeout;

use super::{GRACE, SqliteStore, check, json};
use crate::model::Device;
use crate::model::IdType;
use crate::store::asked::Asked;
use crate::store::queries::{DEVICE_COLUMNS, DEVICE_SQL};
use crate::store::{ContactError, StoreError};

/// The devices named.
pub(super) async fn find(store: &SqliteStore, uids: &[String], ids: &[String]) -> Result<Vec<Device>, StoreError> {
    if !store.knows_devices.load(Ordering::Relaxed) {
        learn(store).await?;
        store.knows_devices.store(true, Ordering::Relaxed);
    }
    // SQLite's columns have no types of their own; what no column holds is left out.
    let asked = Asked::new(uids, IdType::Text, ids, IdType::Text);
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let answer = store.rows(&store.queries.devices, &[json(&asked.uids()), json(&asked.ids())]).await;
    if matches!(answer, Err(StoreError::Refused(_))) {
        store.knows_devices.store(false, Ordering::Relaxed);
    }
    let found = answer?.iter().filter_map(|row| device(row).transpose()).collect::<Result<Vec<_>, _>>()?;
    Ok(asked.confirmed(found.into_iter()))
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

/// A row without an id or a name is nobody's. Unchecked: SQLite turns what a replaced query returns into text by itself.
fn device(row: &SqliteRow) -> Result<Option<Device>, StoreError> {
    let refuse = |error: sqlx::Error| StoreError::Refused(error.to_string());
    let text = |name| row.try_get_unchecked::<Option<String>, _>(name).map_err(refuse);
    let is_active = row.try_get_unchecked::<Option<i64>, _>("is_active").map_err(refuse)?;
    let named = text("device_id")?.zip(text("device_uid")?);
    Ok(named.map(|(id, uid)| Device { id, uid, is_active: is_active.is_some_and(|flag| flag != 0) }))
}
