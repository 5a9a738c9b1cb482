//! Figures from the counters that triggers keep, while these are there and were not found wrong.
//!
//! The plain query is the truth and always at hand: whatever is the matter with the counters, it answers instead, and the
//! log says why. Must not know who asks.

mod change;
mod exposed;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use super::{PostgresStore, description, failure};
use crate::model::Figures;
use crate::model::NegocioId;
use crate::store::queries::{self, Queries, STATS_COLUMNS, STATS_ROLLUP};
use crate::store::{Counted, StoreError};

pub(super) use change::change;
pub(super) use exposed::Warning as ExposedWarning;
pub(in crate::store) use exposed::{ADVICE as EXPOSED_ADVICE, exposed};

/// How often counters that are not read are looked for: an operator builds them while the server runs.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// What the comment on the first table begins with. The rest tells one building from another.
const MARK: &str = "pulso rollup 1, ";
/// As sql/rollup.postgres.sql creates them.
const TRIGGERS: i64 = 4;

/// What there is of it, in one row.
const LOOK: &str = "
    SELECT pg_catalog.obj_description(pg_catalog.to_regclass('pulso_stats_total')::oid, 'pg_class'::name) AS building,
           (SELECT count(*) FROM pg_catalog.pg_trigger
             WHERE tgrelid = pg_catalog.to_regclass('citas')::oid AND tgenabled IN ('O', 'A')
               AND tgname IN ('pulso_stats_insert', 'pulso_stats_update', 'pulso_stats_delete', 'pulso_stats_truncate'))
               AS triggers,
           (SELECT count(*) = 3::bigint AND bool_and(pg_catalog.has_table_privilege(oid, 'SELECT'::text))
              FROM pg_catalog.pg_class
             WHERE oid IN (pg_catalog.to_regclass('pulso_stats_total')::oid, pg_catalog.to_regclass('pulso_stats_day')::oid,
                           pg_catalog.to_regclass('pulso_stats_delta')::oid))
               AS readable,
           (SELECT bool_and(theirs.atttypid = ours.atttypid)
              FROM pg_catalog.pg_attribute AS theirs JOIN pg_catalog.pg_attribute AS ours USING (attname)
             WHERE theirs.attrelid = pg_catalog.to_regclass('citas')::oid
               AND ours.attrelid = pg_catalog.to_regclass('pulso_stats_delta')::oid
               AND attname IN ('negocio_id', 'fecha')) AS fits";

/// Whether counters say what the appointments say, for a few businesses that are quickly counted: of those with changes that
/// are not folded, for what counts twice leaves such changes. Citas comes first, as it does for everybody who locks it.
const SAMPLE: &str = "
    WITH locked AS (SELECT FROM citas), waiting AS (
        SELECT DISTINCT negocio_id FROM (SELECT negocio_id FROM pulso_stats_delta LIMIT 200) AS changes
    ), chosen AS MATERIALIZED (
        SELECT negocio_id FROM (
            SELECT negocio_id, coalesce((SELECT sum(citas) FROM pulso_stats_total AS total
                                          WHERE total.negocio_id = waiting.negocio_id), 0::numeric) AS folded
              FROM waiting) AS sizes
         WHERE folded < 20000::numeric ORDER BY folded LIMIT 5
    )
    SELECT coalesce(bool_or((SELECT count(*) FROM citas WHERE citas.negocio_id = chosen.negocio_id)::numeric
              <> coalesce((SELECT sum(total.citas) FROM pulso_stats_total AS total
                            WHERE total.negocio_id = chosen.negocio_id), 0::numeric)
               + coalesce((SELECT sum(delta.citas) FROM pulso_stats_delta AS delta
                            WHERE delta.negocio_id = chosen.negocio_id), 0::numeric)), false) AS differs
      FROM chosen";

/// The counters, where `STATS_SOURCE` asks for them.
pub(super) struct Rollup {
    query: Arc<str>,
    /// Both queries as one, so that they see the same moment.
    comparison: Arc<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The building that figures are read from.
    used: Option<String>,
    /// The one that was found wrong.
    wrong: Option<String>,
    looked: Option<Instant>,
    /// Why they are not read, as the log was told last.
    told: Option<String>,
}

/// Why counters are not to be read, and what an operator can do about it.
pub(in crate::store) struct Unfit {
    pub reason: String,
    pub advice: &'static str,
}

impl Rollup {
    pub(super) fn new(queries: &Queries) -> Self {
        let counted = STATS_COLUMNS.map(|name| format!("counted.{name} AS counted_{name}")).join(", ");
        // citas comes first, as it does for everybody who locks several of these tables.
        let comparison = format!(
            "SELECT truth.*, {counted}, pg_catalog.obj_description('pulso_stats_total'::regclass::oid, 'pg_class'::name) AS building
               FROM (\n{}\n) AS truth, (\n{STATS_ROLLUP}\n) AS counted",
            queries.stats
        );
        Self { query: STATS_ROLLUP.into(), comparison: comparison.into(), state: Mutex::default() }
    }

    pub(super) fn is_used(&self) -> bool {
        self.state().used.is_some()
    }

    /// What the counters say; `None` if the plain query must be asked.
    pub(super) async fn figures(
        &self,
        store: &PostgresStore,
        negocio: &NegocioId,
        today: Date,
    ) -> Option<Result<Counted, StoreError>> {
        if !self.is_used() {
            if !self.may_look() {
                return None;
            }
            self.look(store).await;
            self.is_used().then_some(())?;
        }
        let rows = store.rows_about(&self.query, negocio, today).await;
        let counted = |(rows, order): (Vec<PgRow>, _)| Ok(Counted { order, ..description::figures(&rows)?.into() });
        match rows.and_then(counted) {
            Err(StoreError::Refused(reason)) => {
                self.give_up(reason);
                None
            }
            answer => Some(answer),
        }
    }

    /// What the appointments say, and whether the counters say the same; `None` if these are not read anyway.
    pub(super) async fn verified(
        &self,
        store: &PostgresStore,
        negocio: &NegocioId,
        today: Date,
    ) -> Option<Result<Counted, StoreError>> {
        self.is_used().then_some(())?;
        let (rows, order) = match store.rows_about(&self.comparison, negocio, today).await {
            Ok(seen) => seen,
            Err(StoreError::Refused(reason)) => {
                self.give_up(reason);
                return None;
            }
            // Too many rows for the plain query is what counters are for.
            Err(StoreError::TimedOut(reason)) => {
                warn!(?negocio, reason, "the rollup could not be verified within DB_STATEMENT_TIMEOUT");
                return None;
            }
            Err(lost) => return Some(Err(lost)),
        };
        let figures = match description::figures(&rows) {
            Ok(figures) => figures,
            Err(refused) => return Some(Err(refused)),
        };
        // Counters that make no sense, such as negative ones, are as wrong as others.
        let drifted = counted(&rows).ok() != Some(figures);
        if drifted {
            let building = rows.first().and_then(|row| row.try_get("building").ok()).flatten();
            self.distrust(negocio, building);
        }
        Some(Ok(Counted { figures, drifted, order }))
    }

    /// Reads the counters from now on if they are fit to be read, or says why not.
    pub(super) async fn look(&self, store: &PostgresStore) {
        self.state().looked = Some(Instant::now());
        let found = look(store).await;
        let differs = match &found {
            Ok(Ok(building)) if self.state().is_new(building) => differs(store).await,
            _ => false,
        };
        let mut state = self.state();
        match found {
            Ok(Ok(building)) if differs => {
                error!(
                    "the rollup is wrong: figures are read by the plain query until it was rebuilt (pulso migrate \
                     --rollup rebuild); a restore of data alone, for one, counts twice"
                );
                (state.used, state.wrong) = (None, Some(building));
            }
            Ok(Ok(building)) if state.wrong.as_deref() == Some(&*building) => state.used = None,
            Ok(Ok(building)) => {
                if state.used.as_ref() != Some(&building) {
                    info!("figures are read from the rollup");
                }
                *state = State { used: Some(building), looked: state.looked, ..State::default() };
            }
            Ok(Err(Unfit { reason, advice })) => state.leave(format!("{reason}; {advice}")),
            // Nothing is known about the counters; whatever is the matter, the next question meets it too.
            Err(_) => {}
        }
    }

    fn may_look(&self) -> bool {
        let mut state = self.state();
        let may = state.looked.is_none_or(|looked| looked.elapsed() >= LOOK_AGAIN);
        if may {
            state.looked = Some(Instant::now());
        }
        may
    }

    fn give_up(&self, reason: String) {
        let mut state = self.state();
        state.looked = Some(Instant::now());
        state.leave(reason);
    }

    fn distrust(&self, negocio: &NegocioId, building: Option<String>) {
        error!(
            ?negocio,
            "the rollup is wrong: figures are read by the plain query until it was rebuilt (pulso migrate --rollup rebuild)"
        );
        let mut state = self.state();
        state.used = None;
        state.wrong = building;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_new(&self, building: &String) -> bool {
        self.used.as_ref() != Some(building) && self.wrong.as_ref() != Some(building)
    }

    fn leave(&mut self, reason: String) {
        self.used = None;
        if self.told.as_ref() != Some(&reason) {
            warn!(
                reason,
                "the rollup cannot be read: figures are read by the plain query, which is right and may be slow"
            );
            self.told = Some(reason);
        }
    }
}

/// Whether counters that nobody has read yet are wrong. What cannot be found out in time the sentinel finds later.
async fn differs(store: &PostgresStore) -> bool {
    let sample = SAMPLE.into();
    let asked = store.rows(&sample, PgArguments::default());
    let Ok(Ok(rows)) = timeout(store.limits.statement / 2, asked).await else { return false };
    rows.first().is_some_and(|row| row.try_get("differs").unwrap_or(false))
}

/// The building that is complete and may be read, or what is the matter with it.
pub(in crate::store) async fn look(store: &PostgresStore) -> Result<Result<String, Unfit>, StoreError> {
    let rows = store.rows(&LOOK.into(), PgArguments::default()).await?;
    let row = rows.first().ok_or_else(|| StoreError::Refused("no answer about the rollup".to_owned()))?;
    judge(row).map_err(|error| failure::of_query(&error))
}

fn judge(row: &PgRow) -> Result<Result<String, Unfit>, sqlx::Error> {
    let unfit = |reason: String, advice| Ok(Err(Unfit { reason, advice }));
    let triggers: i64 = row.try_get("triggers")?;
    let Some(building) = row.try_get::<Option<String>, _>("building")? else {
        let advice = "run `pulso migrate --rollup` as the owner of citas, or set STATS_SOURCE=query";
        return unfit("the rollup is not there".to_owned(), advice);
    };
    let rebuild = "run `pulso migrate --rollup rebuild` as the owner of citas";
    if !building.starts_with(MARK) {
        return unfit("the rollup is of another release".to_owned(), rebuild);
    }
    if triggers != TRIGGERS {
        let reason = format!("{triggers} of the rollup's {TRIGGERS} triggers on citas are there and enabled");
        return unfit(reason, rebuild);
    }
    if row.try_get::<Option<bool>, _>("fits")? != Some(true) {
        let advice = "run `pulso migrate --rollup remove`, then `pulso migrate --rollup`";
        return unfit("the columns of citas have other types than the rollup's".to_owned(), advice);
    }
    if row.try_get::<Option<bool>, _>("readable")? != Some(true) {
        let advice =
            "let its owner say GRANT SELECT ON pulso_stats_total, pulso_stats_day, pulso_stats_delta TO pulso;";
        return unfit("the role may not read the rollup".to_owned(), advice);
    }
    Ok(Ok(building))
}

/// The second half of a comparison.
fn counted(rows: &[PgRow]) -> Result<Figures, StoreError> {
    queries::figures(rows, |row, name| {
        let counted = format!("counted_{name}");
        row.try_get(counted.as_str()).map_err(|error| StoreError::Refused(error.to_string()))
    })
}
