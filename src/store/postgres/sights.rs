//! What a snapshot says of transactions that callers name.
//!
//! Asked before a read: what is over then is seen by every snapshot that is taken later. A primary's snapshot lists what is under
//! way; a standby's does not, and there the log of commits is asked, which knows a transaction as committed only when
//! everybody sees it. Must not know who names them.

use std::fmt::Write as _;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::store::{Sight, StoreError};

/// PostgreSQL 13, the first whose transactions have a number of 64 bits that anybody may ask about.
pub(super) const SINCE: u32 = 130_000;
/// Below are numbers of no transaction of anybody.
const FIRST_XID: u64 = 3;

/// The column of the answer, a letter for each.
pub(super) const COLUMN: &str = "sights";

/// One row that says it of `xids`, as text that [`read`] takes apart.
pub(super) fn question(xids: &[u64]) -> String {
    let mut list = String::new();
    for xid in askable(xids) {
        let separator = if list.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(list, "{separator}{xid}");
    }
    format!(
        "SELECT pg_catalog.string_agg(CASE \
             WHEN (head OPERATOR(pg_catalog.-) xid::pg_catalog.text::pg_catalog.int8) \
                  OPERATOR(pg_catalog.>) 2147483648::pg_catalog.int8 THEN 'x' \
             WHEN xid::pg_catalog.text::pg_catalog.int8 OPERATOR(pg_catalog.>=) head THEN 'o' \
             WHEN is_standby THEN CASE WHEN pg_catalog.pg_xact_status(xid) OPERATOR(pg_catalog.=) 'in progress' \
                  THEN 'o' ELSE 's' END \
             WHEN pg_catalog.pg_visible_in_snapshot(xid, seen) THEN 's' ELSE 'o' END, '' ORDER BY n) AS {COLUMN} \
         FROM (SELECT pg_catalog.pg_current_snapshot() AS seen, pg_catalog.pg_is_in_recovery() AS is_standby, \
                      pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.text::pg_catalog.int8 \
                      AS head OFFSET 0) AS moment, \
              pg_catalog.unnest('{{{list}}}'::pg_catalog.xid8[]) WITH ORDINALITY AS asked (xid, n)"
    )
}

/// What the answer to [`question`] says of each of `xids`.
pub(super) fn read(xids: &[u64], row: Option<&PgRow>) -> Result<Vec<Sight>, StoreError> {
    let letters = match row.map(|row| row.try_get::<Option<String>, _>(COLUMN)) {
        Some(Ok(letters)) => letters.unwrap_or_default(),
        Some(Err(error)) => return Err(StoreError::Refused(error.to_string())),
        None => String::new(),
    };
    let mut letters = letters.bytes();
    let sights = xids.iter().map(|&xid| {
        if xid < FIRST_XID {
            return Ok(Sight::TooOld);
        }
        if !is_askable(xid) {
            return Ok(Sight::Open);
        }
        match letters.next() {
            Some(b's') => Ok(Sight::Over),
            Some(b'o') => Ok(Sight::Open),
            Some(b'x') => Ok(Sight::TooOld),
            _ => Err(StoreError::Refused("the database says nothing of a transaction".to_owned())),
        }
    });
    sights.collect()
}

fn askable(xids: &[u64]) -> impl Iterator<Item = u64> {
    xids.iter().copied().filter(|&xid| is_askable(xid))
}

/// No database has begun, nor will begin, one beyond the half of all numbers; the server can count with the others.
fn is_askable(xid: u64) -> bool {
    xid >= FIRST_XID && i64::try_from(xid).is_ok()
}
