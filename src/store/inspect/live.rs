//! What `pulso check` finds out about live queries: each is described, explained and run, and changes nothing.
//!
//! Must not know who may watch one, nor what announces that it has changed.

mod hints;
mod plan;
mod postgres;
mod result;
mod sqlite;
mod text;
mod written;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::Finding;
use crate::clock::Clock;
use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::model::{Consulta, QueryName};
use crate::queries::{AccessRule, LiveQuery, PairsQuery, names};
use crate::store::{ContactError, Learnt, LiveRead, LiveResult, Store, StoreError};

/// A read that takes longer is worth a word.
const SLOW: Duration = Duration::from_millis(100);
/// Between two reads that are compared.
const BETWEEN: Duration = Duration::from_secs(1);

/// Everything there is to say about `queries`, in their order.
pub async fn inspect_queries(config: &DatabaseConfig, queries: &[Arc<LiveQuery>], clock: &Clock) -> Vec<Finding> {
    if queries.is_empty() {
        return Vec::new();
    }
    let inspected = match &config.url {
        DatabaseUrl::Postgres(_) => postgres::inspect(config, queries, clock).await,
        DatabaseUrl::Sqlite(_) => sqlite::inspect(config, queries, clock).await,
    };
    inspected.unwrap_or_else(|error| vec![Finding::problem(format!("live queries: {error}"), None)])
}

/// How the database runs `read`, for a person.
pub async fn plan_of(config: &DatabaseConfig, read: &LiveRead) -> Result<String, StoreError> {
    match &config.url {
        DatabaseUrl::Postgres(_) => postgres::plan_of(config, read).await,
        DatabaseUrl::Sqlite(_) => sqlite::plan_of(config, read).await,
    }
}

/// A query that the database knows, and the keys that it is tried with.
struct Case {
    query: Arc<LiveQuery>,
    learnt: Learnt,
    keys: Vec<String>,
    /// Whether the keys are those with most rows.
    are_biggest: bool,
}

impl Case {
    fn read(&self, key: Option<&str>, now: Timestamp) -> LiveRead {
        read(&self.query, key, now)
    }

    /// Those that it is tried with; nothing but nothing for a query without a key.
    fn tried(&self) -> Vec<Option<&str>> {
        if self.query.is_keyed { self.keys.iter().map(|key| Some(key.as_str())).collect() } else { vec![None] }
    }
}

/// A read of `query` at `now`; `key` in its one form.
pub fn read(query: &Arc<LiveQuery>, key: Option<&str>, now: Timestamp) -> LiveRead {
    LiveRead {
        query: Arc::clone(query),
        consulta: Consulta::new(query.name.clone(), key),
        today: now.to_zoned(query.zone.clone()).date(),
        now,
        xids: Vec::new(),
    }
}

/// What the database makes of a query; or what is wrong with it.
async fn learn(store: &dyn Store, query: &LiveQuery) -> Result<Learnt, Finding> {
    let learnt = store.learn(query).await;
    let learnt = if is_of_names(query) { learnt.and_then(names::checked) } else { learnt };
    learnt.map_err(|error| {
        let why = match &error {
            ContactError::WrongQuery { reason, .. } => reason.clone(),
            other => other.to_string(),
        };
        let (what, advice) = (format!("{}: {why}", query.name.as_str()), match &error {
            ContactError::WrongQuery { .. } => "mend the file: `pulso serve` does not start with it",
            ContactError::Missing(_) => "`pulso serve` starts all the same; the query is off until that is there",
            ContactError::Store(StoreError::Refused(_)) => {
                "the query is off until the database takes it; for a missing right: GRANT SELECT ON … TO the role of \
                 DATABASE_URL"
            }
            ContactError::Store(_) => "look into the database's log",
        });
        Finding::problem(what, Some(advice))
    })
}

/// Whether the queries of `access: sql` answer, each once.
async fn pairs(store: &dyn Store, queries: &[Arc<LiveQuery>]) -> Vec<Finding> {
    let mut asked: Vec<&Arc<PairsQuery>> = Vec::new();
    let mut findings = Vec::new();
    for rule in queries.iter().flat_map(|query| &query.access) {
        let AccessRule::Sql(pairs) = rule else { continue };
        if asked.contains(&pairs) {
            continue;
        }
        asked.push(pairs);
        let file = pairs.file.display();
        findings.push(match store.pairs(pairs, &[("0".to_owned(), "0".to_owned())]).await {
            Ok(_) => Finding::ok(format!("{file} answers who may watch")),
            Err(error) => {
                let advice = "nobody may watch what asks it; return the columns of OWNER_SQL, as text";
                Finding::problem(format!("{file}: {error}"), Some(advice))
            }
        });
    }
    findings
}

/// Runs every case on its keys, and on the first one twice.
async fn run(store: &dyn Store, cases: &[Case], clock: &Clock, findings: &mut Vec<Finding>) {
    let mut firsts = Vec::new();
    for case in cases {
        let now = clock.now();
        let (mut longest, mut told) = (Duration::ZERO, None);
        for key in case.tried() {
            let begun = Instant::now();
            let answer = one(store, &case.read(key, now)).await;
            longest = longest.max(begun.elapsed());
            match answer {
                Ok(result) => {
                    firsts.extend(told.is_none().then(|| (case, key, now, Arc::clone(&result.data))));
                    findings.extend(result::warnings(&case.query, &case.learnt, &result.data));
                    told.get_or_insert(result);
                }
                Err(refused @ StoreError::Data(_)) if !case.are_biggest => {
                    findings.push(untried(&case.query, &refused));
                }
                Err(error) => findings.push(failed(&case.query, key, &error)),
            }
        }
        findings.extend(told.map(|result| ran(case, &result, longest)));
    }
    if firsts.is_empty() {
        return;
    }
    sleep(BETWEEN).await;
    for (case, key, now, before) in firsts {
        if one(store, &case.read(key, now)).await.is_ok_and(|again| again.data != before) {
            let what = format!("{} says another thing a second later", case.query.name.as_str());
            let advice = "if nobody has written meanwhile: give its rows an order, and use $2 and $3 for today and now";
            findings.push(Finding::warning(what, advice));
        }
    }
}

async fn one(store: &dyn Store, read: &LiveRead) -> Result<LiveResult, StoreError> {
    let mut answers = store.live(std::slice::from_ref(read)).await?;
    answers.pop().unwrap_or_else(|| Err(StoreError::Refused("there is no answer".to_owned())))
}

/// The one that nobody watches: the page asks it for a business's name.
fn is_of_names(query: &LiveQuery) -> bool {
    query.name == QueryName::of_names()
}

fn failed(query: &LiveQuery, key: Option<&str>, error: &StoreError) -> Finding {
    let of = key.map(|key| format!(" for {key:?}")).unwrap_or_default();
    let advice = match error {
        _ if is_of_names(query) => {
            "the page shows the business's id until it can be read; sql/name.sql is such a query"
        }
        StoreError::Unsendable(_) => "return less, or raise max_rows and max_bytes; watchers get an `error` until then",
        StoreError::TimedOut(_) => "it takes longer than DB_STATEMENT_TIMEOUT: see whether an index serves it",
        _ => "watchers get an `error` until it can be read",
    };
    Finding::problem(format!("{} cannot be read{of}: {error}", query.name.as_str()), Some(advice))
}

/// No key of it is known, and one that was made up is none.
fn untried(query: &LiveQuery, refused: &StoreError) -> Finding {
    let name = query.name.as_str();
    let what = format!("{name} is not tried, for no key of it is known: {refused}");
    Finding::warning(what, format!("see what `pulso query {name} <key>` prints"))
}

/// What a query takes and returns, and how long that took.
fn ran(case: &Case, result: &LiveResult, longest: Duration) -> Finding {
    let name = case.query.name.as_str();
    let columns: Vec<String> = case.learnt.columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    let key = case.learnt.key.map_or_else(|| "no key".to_owned(), |key| format!("key {}", key.sql()));
    let on = match (case.tried().len(), case.are_biggest) {
        (_, true) => " on its biggest keys",
        _ => "",
    };
    let what = format!(
        "{name}: {key}; {}; {} rows, {} bytes in {}{on}",
        columns.join(", "),
        result.rows,
        result.data.len(),
        spelt(longest),
    );
    if longest > SLOW {
        return Finding::warning(what, "that is long for what is read at every change: see whether an index serves it");
    }
    Finding::ok(what)
}

fn spelt(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
