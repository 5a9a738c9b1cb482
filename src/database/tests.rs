//! The guard over a store that answers as it is told.

use std::collections::VecDeque;

use async_trait::async_trait;
use jiff::civil::date;

use super::*;
use crate::config::{DatabaseUrl, Secret};
use crate::model::Figures;

/// A store that answers as it is told, `Ok` when it is told nothing.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<StoreError>>,
    contacts: Mutex<usize>,
    is_away: AtomicBool,
}

impl Scripted {
    fn answer(&self) -> Result<(), StoreError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(StoreError::Unreachable("away".into()));
        }
        self.answers.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Store for Scripted {
    async fn contact(&self) -> Result<IdType, ContactError> {
        *self.contacts.lock().unwrap() += 1;
        Ok(self.answer().map(|()| IdType::Text)?)
    }

    async fn figures(&self, _: &NegocioId, _: Date) -> Result<Figures, StoreError> {
        self.answer().map(|()| Figures::default())
    }

    async fn owners(&self, _: &[Ownership]) -> Result<HashSet<Ownership>, StoreError> {
        self.answer().map(|()| HashSet::new())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.answer()
    }
}

struct Guarded {
    store: Arc<Scripted>,
    database: Arc<Database>,
    metrics: Arc<Metrics>,
}

async fn guarded() -> Guarded {
    let (store, metrics) = (Arc::new(Scripted::default()), Arc::new(Metrics::new()));
    let config = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new("sqlite://scripted")));
    let database = Database::new(Arc::clone(&store) as Arc<dyn Store>, &config, Arc::clone(&metrics));
    database.contact().await.unwrap();
    Guarded { store, database: Arc::new(database), metrics }
}

async fn read(database: &Database, urgency: Urgency) -> Result<Figures, StoreError> {
    let negocio = IdType::Text.parse("n").unwrap();
    let figures = database.admit(urgency).await?.figures(&[negocio], date(2026, 1, 1)).await?;
    Ok(figures[0].figures)
}

#[tokio::test(start_paused = true)]
async fn sql_errors_and_timeouts_never_open_the_breaker() {
    let Guarded { store, database, metrics } = guarded().await;
    let errors = [StoreError::Refused("x".into()), StoreError::TimedOut("x".into())];
    store.answers.lock().unwrap().extend(errors.into_iter().cycle().take(50));
    for _ in 0..50 {
        assert!(read(&database, Urgency::Background).await.is_err());
    }
    assert_eq!(metrics.breaker_opened.get(), 0);
    assert_eq!(read(&database, Urgency::Background).await, Ok(Figures::default()));
}

#[tokio::test(start_paused = true)]
async fn failures_to_connect_open_it_and_a_live_call_that_succeeds_closes_it() {
    let Guarded { store, database, metrics } = guarded().await;
    store.is_away.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(read(&database, Urgency::Background).await.is_err());
    }
    assert_eq!(metrics.breaker_open.get(), 1);
    assert!(database.is_down());
    store.is_away.store(false, Ordering::SeqCst);
    assert!(read(&database, Urgency::Background).await.is_err(), "the background waits for a probe");
    assert_eq!(read(&database, Urgency::Live).await, Ok(Figures::default()));
    assert_eq!(metrics.breaker_open.get(), 0);
    assert_eq!(read(&database, Urgency::Background).await, Ok(Figures::default()));
}

#[tokio::test(start_paused = true)]
async fn the_monitor_finds_out_that_the_database_is_back() {
    let Guarded { store, database, .. } = guarded().await;
    let stop = CancellationToken::new();
    let mut state = database.state();
    tokio::spawn({
        let (database, stop) = (Arc::clone(&database), stop.clone());
        async move { database.monitor(stop).await }
    });
    store.is_away.store(true, Ordering::SeqCst);
    state.wait_for(|state| state.down.is_some()).await.unwrap();
    sleep(Duration::from_mins(2)).await;
    store.is_away.store(false, Ordering::SeqCst);
    let since = Instant::now();
    state.wait_for(|state| state.down.is_none() && state.contacts == 2).await.unwrap();
    assert!(since.elapsed() <= Duration::from_secs(2));
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_refused_query_makes_the_monitor_look_at_the_tables_again() {
    let Guarded { store, database, .. } = guarded().await;
    let stop = CancellationToken::new();
    tokio::spawn({
        let (database, stop) = (Arc::clone(&database), stop.clone());
        async move { database.monitor(stop).await }
    });
    sleep(Duration::from_millis(1)).await;
    store.answers.lock().unwrap().push_back(StoreError::Refused("no such column".into()));
    assert!(read(&database, Urgency::Live).await.is_err());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*store.contacts.lock().unwrap(), 2);
    assert_eq!(database.state().borrow().contacts, 1, "nothing was missed meanwhile");
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_refused_question_that_is_optional_says_nothing_of_the_database() {
    let Guarded { store, database, metrics } = guarded().await;
    let stop = CancellationToken::new();
    tokio::spawn({
        let (database, stop) = (Arc::clone(&database), stop.clone());
        async move { database.monitor(stop).await }
    });
    sleep(Duration::from_millis(1)).await;
    for _ in 0..10 {
        let refusals = [StoreError::Refused("no such table".into()), StoreError::Data("no such character".into())];
        store.answers.lock().unwrap().extend(refusals);
        assert!(database.owners(&[]).await.is_err());
        assert!(database.owners(&[]).await.is_err());
        assert!(database.devices(&[], &[]).await.is_err(), "the store knows none");
        assert!(database.has_pending("t").await.is_err(), "nor keeps anything");
        let name = crate::model::QueryName::parse("cocina").unwrap();
        let admission = database.admit_for(&name, Urgency::Background).await.unwrap();
        assert!(admission.live(&[]).await.is_err(), "nor has live queries");
        sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(*store.contacts.lock().unwrap(), 1, "nobody looked again");
    assert!(!database.is_down());
    assert_eq!(metrics.breaker_opened.get(), 0);
    stop.cancel();
}
