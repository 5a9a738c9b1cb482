//! A database that is a model, for the tests of the figures: it can commit, fail and dawdle at every possible moment.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use tokio::time::sleep;

use crate::negocio::{IdType, NegocioId};
use crate::store::{ContactError, Figures, Ownership, Store, StoreError};

/// A database of counters. `citas_hoy` of an answer is the model's event number at which the read began.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) events: AtomicI64,
    pub(super) state: Mutex<ModelState>,
}

#[derive(Debug, Default)]
pub(super) struct ModelState {
    pub(super) committed: HashMap<NegocioId, i64>,
    pub(super) under_way: HashSet<NegocioId>,
    pub(super) queries: usize,
    pub(super) failures: Vec<Failure>,
    /// Whose figures are always refused.
    pub(super) refused: HashSet<NegocioId>,
    /// How many were asked for at once, where it was more than one.
    pub(super) together: Vec<usize>,
    pub(super) dawdle: Dawdle,
    pub(super) shows_events: bool,
    pub(super) days: Vec<Date>,
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
}

impl Model {
    pub(super) fn state(&self) -> MutexGuard<'_, ModelState> {
        self.state.lock().unwrap()
    }

    pub(super) fn commit(&self, negocio: &NegocioId) -> i64 {
        self.events.fetch_add(1, SeqCst);
        let mut state = self.state();
        let committed = state.committed.entry(negocio.clone()).or_default();
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
        let begun = self.event();
        let (dawdle, failure, shows_events) = {
            let mut state = self.state();
            assert!(state.under_way.insert(negocio.clone()), "two queries of one business at once");
            state.queries += 1;
            state.days.push(today);
            (state.dawdle, state.failures.pop(), state.shows_events)
        };
        sleep(Duration::from_millis(dawdle.before)).await;
        let total = self.state().committed.get(negocio).copied().unwrap_or_default();
        sleep(Duration::from_millis(dawdle.after)).await;
        self.state().under_way.remove(negocio);
        if self.state().refused.contains(negocio) {
            return Err(StoreError::Refused("model".into()));
        }
        match failure {
            None => Ok(Figures {
                total_citas: total,
                citas_hoy: if shows_events { begun } else { 0 },
                ..Figures::default()
            }),
            Some(Failure::Unreachable) => Err(StoreError::Unreachable("model".into())),
            Some(Failure::TimedOut) => Err(StoreError::TimedOut("model".into())),
            Some(Failure::Refused) => Err(StoreError::Refused("model".into())),
        }
    }

    fn most_at_once(&self) -> usize {
        3
    }

    async fn figures_of_several(&self, negocios: &[NegocioId], today: Date) -> Result<Vec<Figures>, StoreError> {
        self.state().together.push(negocios.len());
        let mut figures = Vec::new();
        for negocio in negocios {
            figures.push(self.figures(negocio, today).await?);
        }
        Ok(figures)
    }

    async fn owners(&self, _: &[Ownership]) -> Result<HashSet<Ownership>, StoreError> {
        Ok(HashSet::new())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
