//! The rollup: whether it is there, and whether it says what the appointments say.

use std::time::Duration;

use sqlx::Row as _;

use super::Finding;
use crate::config::StatsSource;
use crate::store::StoreError;
use crate::store::postgres::{PostgresStore, failure, rollup};

/// For the comparison, which reads every appointment of the businesses compared.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Appointments up to which all businesses are compared.
const SMALL: i64 = 2_000_000;
/// Changes of one business that are not folded, above which something keeps them from being so.
const UNFOLDED: i64 = 5_000;

/// Both sides in one statement, so that they see the same moment. Totals and days are kept apart, and compared apart: what
/// is right cancels out. `%CHOSEN%` narrows it to a sample.
const COMPARE: &str = "
    WITH chosen AS MATERIALIZED (%SAMPLE%
    ), truth AS MATERIALIZED (
        SELECT negocio_id, fecha, coalesce(estado::text, ''::text) AS estado, count(*) AS citas
          FROM citas WHERE negocio_id IS NOT NULL %CHOSEN% GROUP BY 1, 2, 3
    ), totals AS (SELECT negocio_id, estado, citas FROM pulso_stats_total WHERE true %CHOSEN%
    ), days AS (SELECT negocio_id, fecha, estado, citas FROM pulso_stats_day WHERE true %CHOSEN%
    ), deltas AS MATERIALIZED (SELECT negocio_id, fecha, estado, citas FROM pulso_stats_delta WHERE true %CHOSEN%
    ), wrong AS (
        SELECT negocio_id FROM (SELECT negocio_id, estado, citas FROM truth
                                UNION ALL SELECT negocio_id, estado, -citas FROM totals
                                UNION ALL SELECT negocio_id, estado, -citas FROM deltas) AS sums
         GROUP BY negocio_id, estado HAVING sum(citas) <> 0::numeric
        UNION
        SELECT negocio_id FROM (SELECT negocio_id, fecha, estado, citas FROM truth
                                UNION ALL SELECT negocio_id, fecha, estado, -citas FROM days
                                UNION ALL SELECT negocio_id, fecha, estado, -citas FROM deltas) AS sums
         WHERE fecha IS NOT NULL GROUP BY negocio_id, fecha, estado HAVING sum(citas) <> 0::numeric
    )
    SELECT (SELECT count(*) FROM (SELECT negocio_id FROM truth UNION SELECT negocio_id FROM totals
                                  UNION SELECT negocio_id FROM deltas) AS compared) AS compared,
           (SELECT count(*) FROM wrong) AS wrong,
           (SELECT coalesce(max(count), 0::bigint) FROM (SELECT count(*) FROM deltas GROUP BY negocio_id) AS waiting) AS waiting";

/// By their appointments, so that big businesses are likely among them, and by their counters, so that those are too that
/// have no appointments any more.
const SAMPLE: &str = "
    (SELECT negocio_id FROM (SELECT DISTINCT negocio_id FROM citas TABLESAMPLE SYSTEM (1)
                              WHERE negocio_id IS NOT NULL) AS busy ORDER BY random() LIMIT 10)
    UNION
    (SELECT negocio_id FROM (SELECT DISTINCT negocio_id FROM pulso_stats_total) AS counted ORDER BY random() LIMIT 10)";
const CHOSEN: &str = "AND negocio_id = ANY (ARRAY(SELECT negocio_id FROM chosen))";

/// Functions of an earlier release that give their owner's rights away.
pub(super) async fn exposure(store: &PostgresStore) -> Vec<Finding> {
    let say = |function: &String| {
        let what =
            format!("who may create things in the schema of {function} can run code with the rights of its owner");
        Finding::problem(what, Some(rollup::EXPOSED_ADVICE))
    };
    match rollup::exposed(store).await {
        Ok(functions) => functions.iter().map(say).collect(),
        Err(error) => vec![Finding::problem(error.to_string(), None)],
    }
}

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
        (Ok(Err(unfit)), StatsSource::Rollup) => vec![Finding::warning(
            format!("STATS_SOURCE is rollup, but {}: figures come from the plain query", unfit.reason),
            unfit.advice,
        )],
        (Ok(Err(_)), StatsSource::Query) => Vec::new(),
        (Err(error), _) => vec![Finding::problem(error.to_string(), None)],
    }
}

async fn compare(store: &PostgresStore) -> Result<Finding, StoreError> {
    let mut connection = store.dedicated().await?;
    let failed = |error: sqlx::Error| failure::of_query(&error);
    let appointments = "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass('citas')::oid";
    let appointments = store.ask(&mut connection, appointments).await.map_err(failed)?;
    let appointments = appointments.first().map_or(Ok(0), |row| row.try_get::<i64, _>(0)).map_err(failed)?;
    let is_sampled = appointments > SMALL;
    let (sample, chosen) = if is_sampled { (SAMPLE, CHOSEN) } else { ("SELECT 1", "") };
    let sql = COMPARE.replace("%SAMPLE%", sample).replace("%CHOSEN%", chosen);
    let rows = store.ask_for(&mut connection, &sql, PATIENCE).await.map_err(failed)?;
    let row = rows.first().ok_or_else(|| StoreError::Refused("no answer about the rollup".to_owned()))?;
    let number = |name| row.try_get::<i64, _>(name).map_err(failed);
    Ok(judge(number("compared")?, number("wrong")?, number("waiting")?, is_sampled))
}

fn judge(compared: i64, wrong: i64, waiting: i64, is_sampled: bool) -> Finding {
    let which = if is_sampled { "a sample of " } else { "all " };
    if wrong > 0 {
        return Finding::problem(
            format!(
                "the rollup differs from the appointments in {wrong} of {compared} businesses ({which}them compared)"
            ),
            Some(
                "run `pulso migrate --rollup rebuild`, and look for what writes citas without firing triggers \
                 (session_replication_role, replication, partitions written directly)",
            ),
        );
    }
    if waiting > UNFOLDED {
        return Finding::warning(
            format!("the rollup is right, but {waiting} changes of one business are not folded into its sums"),
            "look for transactions that stay open, or that are all SERIALIZABLE; `pulso migrate --rollup rebuild` folds all",
        );
    }
    Finding::ok(format!("the rollup says what the appointments say, for {which}{compared} businesses"))
}

fn uncompared(error: &StoreError) -> Finding {
    match error {
        StoreError::TimedOut(_) => Finding::warning(
            format!("the rollup could not be compared with the appointments within {PATIENCE:?}"),
            "check again at a quieter moment; VACUUM (ANALYZE) citas; lets the comparison read the index alone",
        ),
        error => Finding::problem(error.to_string(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::inspect::Level;

    #[test]
    fn the_verdict_says_how_many_were_compared_and_which() {
        assert_eq!(judge(7, 0, 3, false).what, "the rollup says what the appointments say, for all 7 businesses");
        assert!(judge(20, 0, 3, true).what.contains("a sample of 20"));
        assert_eq!(judge(20, 2, 0, true).level, Level::Problem);
        assert_eq!(judge(20, 0, UNFOLDED + 1, true).level, Level::Warning);
    }
}
