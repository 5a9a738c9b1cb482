//! The texts of the queries, Pulso's own from `sql/` or the operator's files, and the columns they must return.
//!
//! Must not know what a database thinks of them.

use std::path::Path;
use std::sync::Arc;

use super::{Figures, SettingError, StoreError};
use crate::config::DatabaseConfig;

/// The variable that replaces the statistics query; errors in the query carry it.
pub(super) const STATS_SQL: &str = "STATS_SQL";
/// The variable that replaces the ownership query.
pub(super) const OWNER_SQL: &str = "OWNER_SQL";

/// The variable that replaces the query for devices.
pub(super) const DEVICE_SQL: &str = "DEVICE_SQL";

pub(super) const STATS_COLUMNS: [&str; 4] = ["total_citas", "citas_hoy", "citas_completadas", "citas_canceladas"];
pub(super) const OWNER_COLUMNS: [&str; 2] = ["negocio_id", "user_id"];
pub(super) const DEVICE_COLUMNS: [&str; 3] = ["device_id", "device_uid", "is_active"];

const STATS: &str = include_str!("../../sql/stats.sql");
/// The same figures from the counters of the rollup.
pub(super) const STATS_ROLLUP: &str = include_str!("../../sql/stats.rollup.sql");
const OWNER_POSTGRES: &str = include_str!("../../sql/owner.postgres.sql");
const OWNER_SQLITE: &str = include_str!("../../sql/owner.sqlite.sql");
const DEVICES_POSTGRES: &str = include_str!("../../sql/devices.postgres.sql");
const DEVICES_SQLITE: &str = include_str!("../../sql/devices.sqlite.sql");

/// The queries of one store.
#[derive(Clone, Debug)]
pub(super) struct Queries {
    pub stats: Arc<str>,
    pub owner: Arc<str>,
    pub devices: Arc<str>,
}

impl Queries {
    pub(super) fn for_postgres(config: &DatabaseConfig) -> Result<Self, SettingError> {
        Self::read(config, OWNER_POSTGRES, DEVICES_POSTGRES)
    }

    pub(super) fn for_sqlite(config: &DatabaseConfig) -> Result<Self, SettingError> {
        Self::read(config, OWNER_SQLITE, DEVICES_SQLITE)
    }

    fn read(config: &DatabaseConfig, owner: &str, devices: &str) -> Result<Self, SettingError> {
        Ok(Self {
            stats: text(config.stats_sql.as_deref(), STATS_SQL, STATS)?,
            owner: text(config.owner_sql.as_deref(), OWNER_SQL, owner)?,
            devices: text(config.device_sql.as_deref(), DEVICE_SQL, devices)?,
        })
    }
}

/// The figures in the one row that the statistics query returns. No row, and a `NULL`, count as zero: an integrator's
/// query may group or sum.
pub(super) fn figures<Row>(
    rows: &[Row],
    read: impl Fn(&Row, &str) -> Result<Option<i64>, StoreError>,
) -> Result<Figures, StoreError> {
    let row = match rows {
        [] => return Ok(Figures::default()),
        [row] => row,
        more => return Err(StoreError::Refused(format!("the statistics query returned {} rows, not one", more.len()))),
    };
    let figure = |name: &str| match read(row, name)?.unwrap_or(0) {
        negative if negative < 0 => Err(StoreError::Refused(format!("{name} is negative ({negative})"))),
        count => Ok(count),
    };
    Ok(Figures {
        total_citas: figure("total_citas")?,
        citas_hoy: figure("citas_hoy")?,
        citas_completadas: figure("citas_completadas")?,
        citas_canceladas: figure("citas_canceladas")?,
    })
}

/// Whether `names` are exactly `wanted`, in any order; or what must change.
pub(super) fn exact_columns(names: &[&str], wanted: &[&str]) -> Result<(), String> {
    let missing: Vec<&str> = wanted.iter().copied().filter(|name| !names.contains(name)).collect();
    if missing.is_empty() && names.len() == wanted.len() {
        return Ok(());
    }
    let mut reason =
        format!("returns the columns ({}); it must return exactly ({})", names.join(", "), wanted.join(", "));
    if !missing.is_empty() {
        reason.push_str("; missing: ");
        reason.push_str(&missing.join(", "));
    }
    Err(reason)
}

fn text(file: Option<&Path>, variable: &'static str, built_in: &str) -> Result<Arc<str>, SettingError> {
    let Some(file) = file else { return Ok(built_in.into()) };
    let refuse = |what: &str| SettingError { variable, reason: format!("{}: {what}", file.display()) };
    let text = std::fs::read_to_string(file).map_err(|error| refuse(&error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}').trim().trim_end_matches(';');
    if text.is_empty() {
        return Err(refuse("the file is empty; it must hold one SELECT (sql/ has Pulso's own to start from)"));
    }
    if text.contains('\0') {
        return Err(refuse("a NUL character stands in it, which no statement can hold; remove it"));
    }
    Ok(text.into())
}
