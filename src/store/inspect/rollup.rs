//! The rollup: whether it is there, and whether it says what the appointments say.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use super::Finding;
use crate::config::StatsSource;
use crate::store::StoreError;
use crate::store::postgres::{PostgresStore, failure, rollup};

/// For the comparison, which reads every appointment of the businesses compared.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Appointments up to which all businesses are compared.
const SMALL: i64 = 2_000_000;
/// Businesses that are compared where there are more: half of them by their appointments, so that big ones are likely
/// among them, half by their counters, so that those are found that have no appointments any more.
const SAMPLE: i64 = 20;
/// Changes of one business that are not folded, above which something keeps them from being so.
const UNFOLDED: i64 = 5_000;

/// Both sides in one statement, so that they see the same moment. Days and totals are kept apart, and compared apart; in a
/// group that is right the appointments and the counters cancel out.
const COMPARE: &str = "
    WITH truth AS MATERIALIZED (
        SELECT negocio_id, fecha, coalesce(estado::text, '') AS estado, count(*) AS citas
          FROM citas WHERE negocio_id IS NOT NULL %CHOSEN% GROUP BY 1, 2, 3
    ), totals AS (SELECT negocio_id, estado, citas FROM pulso_stats_total WHERE true %CHOSEN%
    ), days AS (SELECT negocio_id, fecha, estado, citas FROM pulso_stats_day WHERE true %CHOSEN%
    ), deltas AS MATERIALIZED (SELECT negocio_id, fecha, estado, citas FROM pulso_stats_delta WHERE true %CHOSEN%
    ), wrong AS (
        SELECT negocio_id FROM (SELECT negocio_id, estado, citas FROM truth
                                UNION ALL SELECT negocio_id, estado, -citas FROM totals
                                UNION ALL SELECT negocio_id, estado, -citas FROM deltas) AS sums
         GROUP BY negocio_id, estado HAVING sum(citas) <> 0
        UNION
        SELECT negocio_id FROM (SELECT negocio_id, fecha, estado, citas FROM truth
                                UNION ALL SELECT negocio_id, fecha, estado, -citas FROM days
                                UNION ALL SELECT negocio_id, fecha, estado, -citas FROM deltas) AS sums
         WHERE fecha IS NOT NULL GROUP BY negocio_id, fecha, estado HAVING sum(citas) <> 0
    )
    SELECT (SELECT count(*) FROM (SELECT negocio_id FROM truth UNION SELECT negocio_id FROM totals
                                  UNION SELECT negocio_id FROM deltas) AS compared) AS compared,
           (SELECT count(*) FROM wrong) AS wrong,
           (SELECT coalesce(max(count), 0) FROM (SELECT count(*) FROM deltas GROUP BY negocio_id) AS waiting) AS waiting";

/// An id may come from either side, and none is there twice.
const CHOSEN: &str = "AND negocio_id = ANY (ARRAY(
    SELECT negocio_id FROM (SELECT DISTINCT negocio_id FROM citas TABLESAMPLE SYSTEM (1) REPEATABLE (%SEED%)
                             WHERE negocio_id IS NOT NULL LIMIT %HALF%) AS busy
     UNION
    SELECT negocio_id FROM (SELECT DISTINCT negocio_id FROM pulso_stats_total LIMIT 1000) AS counted
     ORDER BY 1 LIMIT %HALF%))";

/// What there is to say about the counters; nothing where they are neither there nor wanted.
pub(super) async fn counters(store: &PostgresStore, source: StatsSource) -> Vec<Finding> {
    match (rollup::look(store).await, source) {
        (Ok(Ok(_)), StatsSource::Rollup) => {
            let installed = Finding::ok("figures come from the rollup: its tables and triggers are there");
            vec![installed, compare(store).await.unwrap_or_else(|error| uncompared(&error))]
        }
        (Ok(Ok(_)), StatsSource::Query) => vec![Finding::warning(
            "the rollup is there and not used: every change of citas pays for it",
            "set STATS_SOURCE=rollup, or run `pulso migrate --rollup remove`",
        )],
        (Ok(Err(unfit)), StatsSource::Rollup) => vec![Finding::problem(
            format!("STATS_SOURCE is rollup, but {}: figures come from the plain query", unfit.reason),
            Some(unfit.advice),
        )],
        (Ok(Err(_)), StatsSource::Query) => Vec::new(),
        (Err(error), _) => vec![Finding::problem(error.to_string(), None)],
    }
}
