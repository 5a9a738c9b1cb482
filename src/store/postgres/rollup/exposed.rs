//! The triggers' function as earlier releases installed it: with the rights of its owner, it looked names up where others may
//! create things, and whoever did so ran code with these rights.
//!
//! Must not change anything: who owns the function does.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::Row as _;
use sqlx::postgres::PgArguments;
use tracing::error;

use super::super::{PostgresStore, failure};
use crate::store::StoreError;

/// What to do about one.
pub(in crate::store) const ADVICE: &str =
    "run `pulso migrate --rollup rebuild` as its owner, or `pulso migrate --rollup remove`";

/// In every schema, whoever may read it. Of the path only this very one is safe.
const EXPOSED: &str = "
    SELECT pg_catalog.format('%I.%I()', nspname, proname) AS function
      FROM pg_catalog.pg_proc JOIN pg_catalog.pg_namespace ON pg_namespace.oid = pronamespace
     WHERE proname = 'pulso_stats_count'::name AND prosecdef
       AND NOT coalesce('search_path=pg_catalog, pg_temp'::text = ANY (proconfig), false)
     ORDER BY 1";

/// The functions in this database that are still so.
pub(in crate::store) async fn exposed(store: &PostgresStore) -> Result<Vec<String>, StoreError> {
    let rows = store.rows(&EXPOSED.into(), PgArguments::default()).await?;
    let names: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get("function")).collect();
    names.map_err(|error| failure::of_query(&error))
}

/// Says so once, at the first contact.
#[derive(Default)]
pub(in crate::store::postgres) struct Warning(AtomicBool);

impl Warning {
    pub(crate) async fn say(&self, store: &PostgresStore) {
        if self.0.load(Ordering::Relaxed) {
            return;
        }
        // Asked again at the next contact if it was not answered.
        let Ok(functions) = exposed(store).await else { return };
        self.0.store(true, Ordering::Relaxed);
        for function in functions {
            error!(
                function,
                "who may create things in its schema can run code with the rights of this function's owner; {ADVICE}"
            );
        }
    }
}
