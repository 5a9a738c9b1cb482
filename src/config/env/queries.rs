//! `QUERIES_DIR`: the files are read with the settings, so that their mistakes are reported with all others.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use crate::config::reader::Reader;
use crate::config::{DatabaseConfig, DatabaseUrl, QueriesConfig};
use crate::queries::folder::Folder;
use crate::queries::scan::Dialect;

/// `zone`: whose day it is where a file says none.
pub(super) fn read(reader: &mut Reader<'_>, database: Option<&DatabaseConfig>, zone: &TimeZone) -> QueriesConfig {
    let Some(path) = reader.text("QUERIES_DIR") else { return QueriesConfig::default() };
    let folder = Folder { path: PathBuf::from(path), zone: zone.clone(), dialect: dialect(database) };
    let defined = match folder.read() {
        Ok(defined) => defined,
        Err(mistakes) => {
            reader.mistakes.extend(mistakes);
            return QueriesConfig::default();
        }
    };
    reader.warnings.extend(defined.warnings);
    QueriesConfig { folder: Some(folder), defined: defined.queries }
}

/// What the files of queries are written in.
pub(super) fn dialect(database: Option<&DatabaseConfig>) -> Dialect {
    match database.map(|database| &database.url) {
        Some(DatabaseUrl::Sqlite(_)) => Dialect::Sqlite,
        Some(DatabaseUrl::Postgres(_)) | None => Dialect::Postgres,
    }
}
