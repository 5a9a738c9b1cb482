//! A database that is a model, for the tests of the figures: it can commit, fail and dawdle at every possible moment.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use crate::model::{Channel, Figures, IdType, NegocioId, Ownership};
use crate::queries::LiveQuery;
use crate::store::{ContactError, Counted, Learnt, LiveRead, LiveResult, Sight, Store, StoreError};

/// A database of counters. `citas_hoy` of an answer is the model's event number at which the read began.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) events: AtomicI64,
    pub(super) state: Mutex<ModelState>,
}

#[derive(Debug, Default)]
pub(super) struct ModelState {
    pub(super) committed: HashMap<Channel, i64>,
    pub(super) under_way: HashSet<Channel>,
    pub(super) queries: usize,
    pub(super) failures: Vec<Failure>,
    /// Whose figures are always refused.
    pub(super) refused: HashSet<Channel>,
    /// How many were asked for at once, where it was more than one.
    pub(super) together: Vec<usize>,
    pub(super) dawdle: Dawdle,
    pub(super) shows_events: bool,
    /// Several nodes read it.
    pub(super) is_shared: bool,
    /// How many transactions are completed, where the database tells.
    pub(super) completed: Option<u64>,
    pub(super) days: Vec<Date>,
    /// The `$3` of each read of a live query.
    pub(super) times: Vec<Timestamp>,
    /// What each key of a live query says of when it changes next.
    pub(super) next_change_at: Option<Timestamp>,
    /// Or how soon after each read.
    pub(super) changes_within: Option<SignedDuration>,
    /// Transactions that are not over.
    pub(super) open: HashSet<u64>,
    /// How often it was asked about transactions alone.
    pub(super) looks: usize,
    /// What live queries say beside their counters.
    pub(super) padding: usize,
}

/// Milliseconds before a read takes its snapshot, and after.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dawdle {
    pub(super) before: u64,
    pub(super) after: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    Unreachable,
    TimedOut,
    Refused,
    Panic,
}

impl Model {
    pub(super) fn state(&self) -> MutexGuard<'_, ModelState> {
        self.state.lock().unwrap()
    }

    pub(super) fn commit(&self, channel: &Channel) -> i64 {
        self.events.fetch_add(1, SeqCst);
        let mut state = self.state();
        state.completed = state.completed.map(|completed| completed + 1);
        let committed = state.committed.entry(channel.clone()).or_default();
        *committed += 1;
        *committed
    }

    pub(super) fn event(&self) -> i64 {
        self.events.fetch_add(1, SeqCst) + 1
    }
}

#[async_trait]
impl Store for Model {
    async fn contact(&self) -> Result<IdType, ContactError> {
        Ok(IdType::Text)
    }

    async fn figures(&self, negocio: &NegocioId, today: Date) -> Result<Figures, StoreError> {
        Ok(self.figures_of(std::slice::from_ref(negocio), today).await?[0].figures)
    }

    fn most_at_once(&self) -> usize {
        3
    }

    async fn figures_of(&self, negocios: &[NegocioId], today: Date) -> Result<Vec<Counted>, StoreError> {
        if negocios.len() > 1 {
            self.state().together.push(negocios.len());
        }
        let mut counted = Vec::new();
        for negocio in negocios {
            counted.push(self.read(&Channel::Estadisticas(negocio.clone()), today).await?);
        }
        Ok(counted)
    }

    async fn learn(&self, _: &LiveQuery) -> Result<Learnt, ContactError> {
        Ok(Learnt { key: Some(IdType::Text), columns: Vec::new() })
    }

    fn most_live_at_once(&self) -> usize {
        3
    }

    async fn live(&self, reads: &[LiveRead]) -> Result<Vec<Result<LiveResult, StoreError>>, StoreError> {
        if reads.len() > 1 {
            self.state().together.push(reads.len());
        }
        let mut results = Vec::new();
        for LiveRead { consulta, today, now, xids, .. } in reads {
            self.state().times.push(*now);
            let seen = self.sights_of(xids);
            match self.read(&Channel::Consulta(consulta.clone()), *today).await {
                Err(failure @ StoreError::Unreachable(_)) => return Err(failure),
                Err(failure) => results.push(Err(failure)),
                Ok(Counted { figures: Figures { total_citas, citas_hoy, .. }, order, .. }) => {
                    let state = self.state();
                    let padding = "x".repeat(state.padding);
                    let data =
                        format!(r#"{{"total_citas":{total_citas},"citas_hoy":{citas_hoy},"padding":"{padding}"}}"#);
                    let soon = state.changes_within.map(|within| *now + within);
                    let next_change_at = soon.or(state.next_change_at);
                    results.push(Ok(LiveResult { data: data.into(), rows: 1, next_change_at, order, seen }));
                }
            }
        }
        Ok(results)
    }

    fn knows_transactions(&self) -> bool {
        true
    }

    async fn sights(&self, xids: &[u64]) -> Result<Vec<Sight>, StoreError> {
        self.state().looks += 1;
        Ok(self.sights_of(xids))
    }

    async fn owners(&self, _: &[Ownership]) -> Result<HashSet<Ownership>, StoreError> {
        Ok(HashSet::new())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Model {
    fn sights_of(&self, xids: &[u64]) -> Vec<Sight> {
        let state = self.state();
        let sight = |xid: &u64| match xid {
            0..100 => Sight::TooOld,
            xid if state.open.contains(xid) => Sight::Open,
            _ => Sight::Over,
        };
        xids.iter().map(sight).collect()
    }

    async fn read(&self, channel: &Channel, today: Date) -> Result<Counted, StoreError> {
        let begun = self.event();
        let (dawdle, failure, shows_events) = {
            let mut state = self.state();
            let is_alone = state.under_way.insert(channel.clone());
            assert!(is_alone || state.is_shared, "two queries of one business at once");
            state.queries += 1;
            state.days.push(today);
            (state.dawdle, state.failures.pop(), state.shows_events)
        };
        sleep(Duration::from_millis(dawdle.before)).await;
        let (total, order) = {
            let state = self.state();
            (state.committed.get(channel).copied().unwrap_or_default(), state.completed)
        };
        sleep(Duration::from_millis(dawdle.after)).await;
        self.state().under_way.remove(channel);
        if self.state().refused.contains(channel) {
            return Err(StoreError::Refused("model".into()));
        }
        match failure {
            None => {
                let citas_hoy = if shows_events { begun } else { 0 };
                let figures = Figures { total_citas: total, citas_hoy, ..Figures::default() };
                Ok(Counted { order, ..figures.into() })
            }
            Some(Failure::Unreachable) => Err(StoreError::Unreachable("model".into())),
            Some(Failure::TimedOut) => Err(StoreError::TimedOut("model".into())),
            Some(Failure::Panic) => panic!("on purpose"),
            Some(Failure::Refused) => Err(StoreError::Refused("model".into())),
        }
    }
}
