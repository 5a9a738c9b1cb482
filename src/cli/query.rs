//! `pulso query`: one live query read once, with what it cost; or watched, as a subscriber would.

mod watch;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::signals::{self, HangUp};
use super::{EXIT_USAGE, block_on, complain, or_complain};
use crate::clock::Clock;
use crate::config::{DatabaseConfig, Mistake, QueriesConfig, StatsConfig, env, nearest, quote};
use crate::model::Consulta;
use crate::queries::LiveQuery;
use crate::store::inspect::{plan_of, read};
use crate::store::{self, ContactError, Learnt, LiveRead, LiveResult, Store, StoreError};

/// Run a live query for one key and print its result, rows, bytes, time and plan
///
/// Uses DATABASE_URL (and DB_CONNECT_TIMEOUT, DB_STATEMENT_TIMEOUT), QUERIES_DIR and TIMEZONE, from the environment or a .env
/// file. Nothing is changed, and no server need run. The first line is the result as it would be sent.
///
/// With --watch it stays: to the output goes what a subscriber would get, to the error output why each read was made.
///
/// Exits with 0 when it was read, 1 when it cannot be, 64 when a file, the name or the key is wrong.
#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    /// Its name: that of its file in QUERIES_DIR, without .sql
    name: String,
    /// The key that it is read for; none for one with `key: none`
    key: Option<String>,
    /// Stay, and print what a subscriber would get and why each read was made
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(args: &QueryArgs) -> ExitCode {
    let (database, queries, stats) = match or_complain(env::load_queries()) {
        Ok((database, queries, stats, warnings)) => {
            complain(&warnings);
            (database, queries, stats)
        }
        Err(code) => return code,
    };
    let query = match or_complain(find(&queries, &args.name).map_err(|mistake| vec![mistake])) {
        Ok(query) => query,
        Err(code) => return code,
    };
    block_on(async {
        match answer(&database, &query, args, stats).await {
            Ok(()) => ExitCode::SUCCESS,
            Err((said, code)) => {
                complain(&[said]);
                ExitCode::from(code)
            }
        }
    })
}

/// What one read brought.
struct Told {
    result: LiveResult,
    time: Duration,
    plan: Result<String, StoreError>,
}

fn find(queries: &QueriesConfig, name: &str) -> Result<Arc<LiveQuery>, Mistake> {
    if queries.folder.is_none() {
        return Err(Mistake::new("QUERIES_DIR", "it is not set", "Name the folder with the live queries"));
    }
    queries.defined.iter().find(|query| query.name.as_str() == name).cloned().ok_or_else(|| {
        let names: Vec<&str> = queries.defined.iter().map(|query| query.name.as_str()).collect();
        let meant = nearest(name, names.iter().copied(), 2).map(|meant| format!("Did you mean {meant}? "));
        let remedy = format!("{}There are: {}", meant.unwrap_or_default(), names.join(", "));
        Mistake::new("QUERIES_DIR", format!("{} is no live query", quote(name)), remedy)
    })
}

/// What is wrong, with the exit code, if anything is.
async fn answer(
    database: &DatabaseConfig,
    query: &Arc<LiveQuery>,
    args: &QueryArgs,
    stats: StatsConfig,
) -> Result<(), (String, u8)> {
    let clock = Clock::system(stats.zone.clone());
    let store = store::open(database).map_err(|error| (error.to_string(), EXIT_USAGE))?;
    let learnt = store.learn(query).await.map_err(|error| match error {
        ContactError::WrongQuery { reason, .. } => (reason, EXIT_USAGE),
        error => (error.to_string(), 1),
    })?;
    let key = key_of(query, &learnt, args.key.as_deref()).map_err(|problem| (problem, EXIT_USAGE))?;
    let lost = |error: io::Error| (error.to_string(), 1);
    if args.watch {
        let stop = signals::stop_on_signals(HangUp::Stops).map_err(lost)?;
        let watched = Consulta::new(query.name.clone(), key.as_deref());
        return watch::watch((store, database), (query, watched), (stats, clock), stop).await.map_err(lost);
    }
    let read = read(query, key.as_deref(), clock.now());
    let begun = Instant::now();
    let result = ask(&*store, &read).await.map_err(|error| (error.to_string(), 1))?;
    let time = begun.elapsed();
    report(&Told { result, time, plan: plan_of(database, &read).await }).map_err(lost)
}

/// The key in its one form.
fn key_of(query: &LiveQuery, learnt: &Learnt, key: Option<&str>) -> Result<Option<String>, String> {
    let name = query.name.as_str();
    match (query.is_keyed, key, learnt.key) {
        (false, None, _) => Ok(None),
        (false, Some(_), _) => Err(format!("{name} has no key (key: none)")),
        (true, None, _) => Err(format!("{name} is read for a key: pulso query {name} <key>")),
        (true, Some(raw), Some(kind)) => match kind.canonical(raw) {
            Some(key) => Ok(Some(key)),
            None => Err(format!("{} cannot be a key of {name}, which is of type {}", quote(raw), kind.sql())),
        },
        (true, Some(_), None) => Err(format!("the database has not said what a key of {name} is")),
    }
}

async fn ask(store: &dyn Store, read: &LiveRead) -> Result<LiveResult, StoreError> {
    let mut answers = store.live(std::slice::from_ref(read)).await?;
    answers.pop().unwrap_or_else(|| Err(StoreError::Refused("there is no answer".to_owned())))
}

fn report(told: &Told) -> io::Result<()> {
    let Told { result, time, plan } = told;
    let mut out = io::stdout().lock();
    writeln!(out, "{}\n", result.data)?;
    let rows = if result.rows == 1 { "1 row".to_owned() } else { format!("{} rows", result.rows) };
    writeln!(out, "{rows}, {} bytes, {:.1} ms", result.data.len(), time.as_secs_f64() * 1_000.0)?;
    if let Some(at) = result.next_change_at {
        writeln!(out, "changes by itself at {at}")?;
    }
    match plan {
        Ok(plan) => writeln!(out, "\n{plan}"),
        Err(error) => writeln!(out, "\nthe plan cannot be had: {error}"),
    }
}
