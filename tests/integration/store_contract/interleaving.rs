//! Whatever the order of changes, pulls, confirmations and restarts, the outbox does what a simple model says: nothing
//! is lost, and nothing confirmed that should not be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult, TestRunner};
use pulso::model::{Confirmation, Entity, Pending};
use pulso::store::Store;
use pulso::store::outbox::Handed;
use tokio::runtime::Runtime;

use super::changes::{change, keep};
use crate::backend::Prepared;

const TENANTS: usize = 2;
const IDS: [&str; 3] = ["a", "b", "c"];

/// What is a change of: tenant, entity, id.
type Key = (usize, Entity, &'static str);

#[derive(Clone, Debug)]
enum Step {
    Keep(Key),
    Pull {
        tenant: usize,
        confirmed: Vec<(Entity, &'static str, Which)>,
        to: Option<&'static str>,
        only: Option<Entity>,
        at_most: u32,
    },
    Restart,
}

/// Which version a confirmation names.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// None at all.
    Unsaid,
    Newest,
    /// One that the id had before, the newest but so many.
    Older(usize),
    /// The newest of the same id at the other tenant.
    Strangers,
    Never,
}

fn entity() -> impl Strategy<Value = Entity> {
    prop_oneof![3 => Just(Entity::Order), 1 => Just(Entity::Customer)]
}

fn step() -> impl Strategy<Value = Step> {
    let key = || (0..TENANTS, entity(), prop::sample::select(&IDS[..]));
    let which = prop_oneof![
        4 => Just(Which::Unsaid),
        3 => Just(Which::Newest),
        2 => (1..4_usize).prop_map(Which::Older),
        1 => Just(Which::Strangers),
        1 => Just(Which::Never),
    ];
    let confirmed = prop::collection::vec((entity(), prop::sample::select(&IDS[..]), which), 0..5);
    prop_oneof![
        8 => key().prop_map(Step::Keep),
        8 => (
            0..TENANTS,
            confirmed,
            prop::option::weighted(0.8, prop::sample::select(&["GET", "POST", "POST more"][..])),
            prop::option::weighted(0.3, entity()),
            prop_oneof![1 => 0..4_u32, 2 => Just(100)]
        )
            .prop_map(|(tenant, confirmed, to, only, at_most)| Step::Pull { tenant, confirmed, to, only, at_most }),
        1 => Just(Step::Restart),
    ]
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<Key, Row>,
    /// Every version that a key had, oldest first.
    given: BTreeMap<Key, Vec<i64>>,
    last: i64,
}

struct Row {
    version: i64,
    payload: String,
    /// To whom this version was handed out, events but once.
    handed: Vec<Option<&'static str>>,
}

impl Model {
    fn keep(&mut self, key: Key, version: i64, payload: String) {
        self.last = version;
        self.given.entry(key).or_default().push(version);
        self.rows.insert(key, Row { version, payload, handed: Vec::new() });
    }

    fn version(&self, key: Key, which: Which) -> Option<i64> {
        let given = |key: Key| self.given.get(&key).map_or(&[][..], Vec::as_slice);
        match which {
            Which::Unsaid => None,
            Which::Newest => given(key).last().copied().or(Some(-1)),
            Which::Older(by) => given(key).iter().rev().nth(by).copied().or(Some(-1)),
            Which::Strangers => given((1 - key.0, key.1, key.2)).last().copied().or(Some(-1)),
            Which::Never => Some(self.last + 1_000),
        }
    }

    fn confirm(&mut self, key: Key, version: Option<i64>, by: Option<&'static str>) {
        let is_meant = |row: &Row| match version {
            Some(version) => version == row.version,
            None => row.handed.len() > 1 || row.handed.iter().any(|to| to.is_some() && by.is_some() && *to != by),
        };
        if self.rows.get(&key).is_some_and(is_meant) {
            self.rows.remove(&key);
        }
    }

    fn pull(&mut self, tenant: usize, to: Option<&'static str>, only: Option<Entity>, at_most: u32) -> Vec<Pending> {
        let mut left: Vec<_> =
            self.rows.iter_mut().filter(|(key, _)| key.0 == tenant && only.is_none_or(|only| only == key.1)).collect();
        left.sort_by_key(|(_, row)| row.version);
        left.into_iter()
            .take(at_most as usize)
            .map(|(&(_, entity, id), row)| {
                if to.is_some() || !row.handed.contains(&None) {
                    row.handed.push(to);
                }
                Pending { entity, id: id.to_owned(), version: row.version, payload: row.payload.clone() }
            })
            .collect()
    }
}

/// Plays `steps` with tenants of this `case` alone.
async fn play(prepared: &Prepared, case: usize, steps: Vec<Step>) -> TestCaseResult {
    let tenant = |tenant: usize| format!("{case}-{tenant}");
    let (mut store, mut model): (Arc<dyn Store>, _) = (prepared.store(), Model::default());
    let failed = |error| TestCaseError::fail(format!("{error}"));
    for (number, step) in steps.into_iter().enumerate() {
        let outbox = store.outbox().unwrap();
        match step {
            Step::Keep(key) => {
                let payload = format!("{{\"total\":{number}.50}}");
                let version = keep(outbox, &change(&tenant(key.0), key.1, key.2, &payload)).await.map_err(failed)?;
                prop_assert!(version > model.last, "{version} after {}", model.last);
                model.keep(key, version, payload);
            }
            Step::Pull { tenant: of, confirmed, to, only, at_most } => {
                let said = confirmed.iter().map(|&(entity, id, which)| {
                    let version = model.version((of, entity, id), which);
                    Confirmation { entity, id: id.to_owned(), version }
                });
                let said: Vec<_> = said.collect();
                for (&(entity, id, _), Confirmation { version, .. }) in confirmed.iter().zip(&said) {
                    model.confirm((of, entity, id), *version, to);
                }
                let pulled =
                    outbox.pull(&tenant(of), &said, to.map_or(Handed::Event, Handed::Answer), only, at_most).await;
                prop_assert_eq!(pulled.map_err(failed)?, model.pull(of, to, only, at_most));
            }
            Step::Restart => store = prepared.store(),
        }
        for of in 0..TENANTS {
            let is_pending = store.outbox().unwrap().has_pending(&tenant(of)).await.map_err(failed)?;
            prop_assert_eq!(is_pending, model.rows.keys().any(|key| key.0 == of));
        }
    }
    Ok(())
}

/// Plays many cases on one database.
fn interleave(prepare: impl Future<Output = Prepared>) {
    let runtime = Runtime::new().unwrap();
    let prepared = runtime.block_on(async {
        let prepared = prepare.await;
        prepared.migrated().await;
        prepared
    });
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    let cases = AtomicUsize::new(0);
    let played = TestRunner::new(config).run(&prop::collection::vec(step(), 1..40), |steps| {
        runtime.block_on(play(&prepared, cases.fetch_add(1, Ordering::Relaxed), steps))
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

#[test]
fn postgres_does_what_the_model_says() {
    interleave(Prepared::postgres());
}

#[test]
fn postgres_behind_a_pooler_does_what_the_model_says() {
    interleave(Prepared::pooled());
}

#[test]
fn sqlite_does_what_the_model_says() {
    interleave(Prepared::sqlite());
}
