//! The figures from the appointments themselves: one business, or several in one message.

use std::sync::Arc;

use jiff::civil::Date;
use sqlx::postgres::{PgArguments, PgRow};

use super::description::StatsDescription;
use super::inlined::{Inlined, Literal};
use super::order::{self, Order};
use super::{Ask, PostgresStore, bind, description, sights};
use crate::model::Figures;
use crate::model::{IdType, NegocioId};
use crate::store::{Counted, Sight, StoreError};

impl PostgresStore {
    /// The statistics query without parameters, if this database takes it so.
    pub(super) fn inlined(&self, stats: StatsDescription) -> Option<&Inlined> {
        self.inlined.as_ref().filter(|_| stats.may_be_written)
    }

    /// From the rollup or the appointments.
    pub(super) async fn counted(&self, negocio: &NegocioId, today: Date) -> Result<Counted, StoreError> {
        let counted = match &self.rollup {
            Some(rollup) => rollup.figures(self, negocio, today).await,
            None => None,
        };
        let counted = match counted {
            Some(counted) => counted,
            None => self.plain_figures(negocio, today).await,
        };
        self.or_of_nothing(negocio, counted).await
    }

    /// From the appointments themselves.
    async fn plain_figures(&self, negocio: &NegocioId, today: Date) -> Result<Counted, StoreError> {
        if self.inlined(self.stats_shape()?).is_some() {
            let counted = self.figures_together(std::slice::from_ref(negocio), today).await?;
            return Ok(counted.first().copied().unwrap_or_else(|| Figures::default().into()));
        }
        let (rows, order) = self.rows_about(&self.queries.stats, negocio, today).await?;
        Ok(Counted { order, ..description::figures(&rows)?.into() })
    }

    pub(super) async fn figures_together(
        &self,
        negocios: &[NegocioId],
        today: Date,
    ) -> Result<Vec<Counted>, StoreError> {
        let queries = self.written_figures(negocios, today)?;
        let (answers, order) = self.rows_at_one_moment(&queries).await?;
        each_counted(&answers, order)
    }

    /// What the reads, made in the same message, have seen of `xids`, and the figures. `None` where there is no such message:
    /// a transaction of one moment has its moment before it could ask.
    pub(super) async fn figures_with_sights(
        &self,
        negocios: &[NegocioId],
        today: Date,
        xids: &[u64],
    ) -> Option<Result<(Vec<Counted>, Vec<Sight>), StoreError>> {
        if self.rollup.is_some() || self.tells_order() || self.inlined(self.stats_shape().ok()?).is_none() {
            return None;
        }
        let asking = async {
            let mut queries = vec![sights::question(xids)];
            queries.extend(self.written_figures(negocios, today)?);
            let mut answers = self.rows_at_once(&queries).await?;
            let seen = sights::read(xids, answers.remove(0).first())?;
            Ok((each_counted(&answers, None)?, seen))
        };
        Some(asking.await)
    }

    fn written_figures(&self, negocios: &[NegocioId], today: Date) -> Result<Vec<String>, StoreError> {
        let stats = self.stats_shape()?;
        let alone = || StoreError::Refused("this query can be asked for one business at a time".to_owned());
        let written = self.inlined(stats).ok_or_else(alone)?;
        let today = Literal::today(stats.today, today);
        let query = |negocio: &NegocioId| written.with(&[&Literal::id(stats.id, negocio.as_str())?, &today]);
        negocios.iter().map(query).collect()
    }

    /// The rows of each of several queries with their parameters in them, and where they stand among other reads where that
    /// is asked for.
    async fn rows_at_one_moment(&self, queries: &[String]) -> Result<(Vec<Vec<PgRow>>, Option<u64>), StoreError> {
        if !self.tells_order() {
            return Ok((self.rows_at_once(queries).await?, None));
        }
        let mut answers = self.answer(Ask::Inlined(self.limits.ordered_transaction(queries).into())).await?;
        if answers.len() != queries.len() + 1 {
            return Err(StoreError::Refused(format!("{} answers to {} questions", answers.len(), queries.len())));
        }
        let order = order::completed(&answers.remove(0));
        Ok((answers, order))
    }

    fn tells_order(&self) -> bool {
        self.order.as_ref().is_some_and(Order::is_known)
    }

    /// A business whose id no column here can hold has no rows; whatever else is wrong with a value is the query's fault.
    pub(super) async fn or_of_nothing(
        &self,
        negocio: &NegocioId,
        read: Result<Counted, StoreError>,
    ) -> Result<Counted, StoreError> {
        match read {
            Err(StoreError::Data(said)) if self.can_hold(negocio.as_str()).await? => Err(StoreError::Refused(said)),
            Err(StoreError::Data(_)) => Ok(Figures::default().into()),
            read => read,
        }
    }

    /// The rows of a query that takes what the statistics query takes, and where they stand among other reads where that is
    /// asked for.
    pub(super) async fn rows_about(
        &self,
        sql: &Arc<str>,
        negocio: &NegocioId,
        today: Date,
    ) -> Result<(Vec<PgRow>, Option<u64>), StoreError> {
        let stats = self.stats_shape()?;
        let mut arguments = PgArguments::default();
        bind::id(&mut arguments, stats.id, negocio.as_str())?;
        bind::today(&mut arguments, stats.today, today)?;
        if !self.tells_order() {
            return Ok((self.rows(sql, arguments).await?, None));
        }
        let mut answers = self.answer(Ask::Bound(self.limits.begin_ordered(), sql, arguments)).await?;
        let rows = answers.pop().unwrap_or_default();
        Ok((rows, answers.pop().and_then(|opening| order::completed(&opening))))
    }

    /// Whether a text column could hold it at all, whatever the database's encoding.
    pub(super) async fn can_hold(&self, text: &str) -> Result<bool, StoreError> {
        if text.is_ascii() {
            return Ok(true);
        }
        let written = Literal::id(IdType::Text, text)?;
        match self.rows_at_once(&[format!("SELECT {written}")]).await {
            Ok(_) => Ok(true),
            Err(StoreError::Data(_)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}

fn each_counted(answers: &[Vec<PgRow>], order: Option<u64>) -> Result<Vec<Counted>, StoreError> {
    answers.iter().map(|rows| Ok(Counted { order, ..description::figures(rows)?.into() })).collect()
}
