//! First contact: what its queries look like to this database, and whether they may be run.
//!
//! Must not decide what is done about a failure.

use std::sync::Arc;

use jiff::civil::Date;
use sqlx::PgConnection;
use sqlx::postgres::PgArguments;
use tracing::debug;

use super::description::{Descriptions, OwnerDescription, StatsDescription};
use super::inlined::{Inlined, Literal};
use super::transaction::{ask, describe, explain, plan};
use super::{bind, failure};
use crate::model::IdType;
use crate::store::queries::{DEVICE_SQL, OWNER_SQL, Queries, STATS_SQL};
use crate::store::{ContactError, StoreError};

/// Refuses the planner what a small table makes it prefer, to see whether an index could serve.
pub(super) const WITHOUT_SCAN: &str = "; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off";

/// Any would do.
const A_DAY: Date = Date::constant(2000, 1, 1);

/// What contact found, with the plans (JSON), for a person.
pub(in crate::store) struct Examined {
    pub id: IdType,
    pub stats_plan: String,
    pub stats_plan_without_scan: String,
    pub owner_plan_without_scan: Option<String>,
}

/// Describes the queries that are asked and proves that they may be run.
pub(super) async fn learn(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    queries: &Queries,
    inlined: Option<&Inlined>,
    asks_figures: bool,
    asks_ownership: bool,
) -> Result<Descriptions, ContactError> {
    if !asks_figures {
        let asked = ask(connection, begin, &"SELECT 1".into(), PgArguments::default()).await;
        asked.map_err(|(error, _)| failure::of_query(&error))?;
        return Ok(Descriptions { stats: None, owner: None });
    }
    let stats = Some(learn_stats(connection, begin, queries, inlined).await?);
    let owner = if asks_ownership { Some(learn_owner(connection, begin, queries).await?) } else { None };
    Ok(Descriptions { stats, owner })
}

/// As [`learn`] where figures are asked for, and how the queries would be run.
pub(super) async fn examine(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    queries: &Queries,
    asks_ownership: bool,
) -> Result<Examined, ContactError> {
    let stats = learn_stats(connection, begin, queries, None).await?;
    let forced: Arc<str> = format!("{begin}{WITHOUT_SCAN}").into();
    let of_stats = |(error, _)| failure::of_contact(&error, STATS_SQL);
    let of_owner = |(error, _)| failure::of_contact(&error, OWNER_SQL);
    let owner_plan_without_scan = if asks_ownership {
        let owner = learn_owner(connection, begin, queries).await?;
        Some(plan(connection, &forced, &queries.owner, owner_sample(owner)?).await.map_err(of_owner)?)
    } else {
        None
    };
    Ok(Examined {
        id: stats.id,
        stats_plan: plan(connection, begin, &queries.stats, stats_sample(stats)?).await.map_err(of_stats)?,
        stats_plan_without_scan: plan(connection, &forced, &queries.stats, stats_sample(stats)?)
            .await
            .map_err(of_stats)?,
        owner_plan_without_scan,
    })
}

/// As [`examine`], of the query for devices: its plan without a scan.
pub(super) async fn examine_devices(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    queries: &Queries,
) -> Result<String, ContactError> {
    let failed = |(error, _)| failure::of_contact(&error, DEVICE_SQL);
    let described = describe(connection, begin, &queries.devices).await.map_err(failed)?;
    let description =
        described.devices().map_err(|reason| ContactError::WrongQuery { variable: DEVICE_SQL, reason })?;
    let mut arguments = PgArguments::default();
    bind::ids(&mut arguments, description.uid, &[sample(description.uid)])?;
    bind::ids(&mut arguments, description.id, &[sample(description.id)])?;
    let forced: Arc<str> = format!("{begin}; SET LOCAL enable_seqscan = off").into();
    plan(connection, &forced, &queries.devices, arguments).await.map_err(failed)
}

async fn learn_stats(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    queries: &Queries,
    inlined: Option<&Inlined>,
) -> Result<StatsDescription, ContactError> {
    let failed = |(error, _)| failure::of_contact(&error, STATS_SQL);
    let described = describe(connection, begin, &queries.stats).await.map_err(failed)?;
    let description = described.stats().map_err(|reason| ContactError::WrongQuery { variable: STATS_SQL, reason })?;
    explain(connection, begin, &queries.stats, stats_sample(description)?).await.map_err(failed)?;
    let Some(inlined) = inlined else { return Ok(description) };
    let day = Literal::today(description.today, A_DAY);
    let sample: Arc<str> = inlined.with(&[&Literal::id(description.id, sample(description.id))?, &day])?.into();
    let may_be_written = match describe(connection, begin, &sample).await {
        Ok(filled) => filled.parameters.is_empty() && filled.columns == described.columns,
        Err((error, usable)) if !usable => return Err(failed((error, usable))),
        Err((error, _)) => {
            debug!(error = failure::plain(&error), "{STATS_SQL} is asked with its parameters beside it");
            false
        }
    };
    Ok(StatsDescription { may_be_written, ..description })
}

async fn learn_owner(
    connection: &mut PgConnection,
    begin: &Arc<str>,
    queries: &Queries,
) -> Result<OwnerDescription, ContactError> {
    let failed = |(error, _)| failure::of_contact(&error, OWNER_SQL);
    let described = describe(connection, begin, &queries.owner).await.map_err(failed)?;
    let description = described.owner().map_err(|reason| ContactError::WrongQuery { variable: OWNER_SQL, reason })?;
    explain(connection, begin, &queries.owner, owner_sample(description)?).await.map_err(failed)?;
    Ok(description)
}

fn stats_sample(description: StatsDescription) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    bind::id(&mut arguments, description.id, sample(description.id))?;
    bind::today(&mut arguments, description.today, A_DAY)?;
    Ok(arguments)
}

fn owner_sample(description: OwnerDescription) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    bind::ids(&mut arguments, description.negocio, &[sample(description.negocio)])?;
    bind::ids(&mut arguments, description.user, &[sample(description.user)])?;
    Ok(arguments)
}

/// An id that any column of this type can hold.
pub(super) fn sample(id: IdType) -> &'static str {
    match id {
        IdType::Uuid => "00000000-0000-0000-0000-000000000000",
        IdType::Text | IdType::Char | IdType::Int2 | IdType::Int4 | IdType::Int8 => "0",
    }
}
