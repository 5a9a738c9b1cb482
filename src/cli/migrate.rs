//! `pulso migrate`: Pulso's own tables and its triggers, created when an operator says so and at no other time.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::{EXIT_USAGE, block_on, complain, or_complain};
use crate::config::{DatabaseConfig, StatsSource, env};
use crate::store::migrations::Migration;
use crate::store::{self, HintChange, HintTrigger, RollupChange, Store, StoreError};

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Install the counters that STATS_SOURCE=rollup reads, count everything anew, or remove them
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, default_missing_value = "create")]
    rollup: Option<RollupChange>,
    /// Install a trigger that tells live queries which keys a statement has touched: on this table, of this column, on
    /// this subject of HINTS_CHANNEL
    #[arg(long, num_args = 3, value_names = ["TABLE", "COLUMN", "SUBJECT"], conflicts_with = "rollup")]
    listen: Option<Vec<String>>,
    /// Remove the trigger that --listen names
    #[arg(long, requires = "listen")]
    remove: bool,
}

/// What no trigger can tell.
const UNSEEN: &str = "not seen: rows of a partition that is written by its own name, and what is written under \
                      session_replication_role = replica; and transactions that are prepared (PREPARE TRANSACTION) are refused";

impl ValueEnum for RollupChange {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Create, Self::Rebuild, Self::Remove]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Create => Some(PossibleValue::new("create")),
            Self::Rebuild => Some(PossibleValue::new("rebuild")),
            Self::Remove => Some(PossibleValue::new("remove")),
            // Nobody has to ask for it.
            Self::Repair => None,
        }
    }
}

pub(super) fn run(args: &MigrateArgs) -> ExitCode {
    let config = match or_complain(env::load_database()) {
        Ok((config, warnings)) => {
            complain(&warnings);
            config
        }
        Err(code) => return code,
    };
    block_on(migrate(&config, args))
}

async fn migrate(config: &DatabaseConfig, args: &MigrateArgs) -> ExitCode {
    let store = match store::open(config) {
        Ok(store) => store,
        Err(error) => {
            complain(&[error]);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let migrated = match (&args.listen, args.rollup) {
        (Some(named), _) => listen(&*store, config, named, args.remove).await,
        (None, Some(change)) => store.change_rollup(change).await.map(|changed| said(change, changed)),
        (None, None) => everything(&*store, config.stats_source).await,
    };
    let told = match migrated {
        Ok(lines) => report(&lines),
        Err(error) => {
            complain(&[error]);
            return ExitCode::FAILURE;
        }
    };
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A trigger of live queries' hints.
async fn listen(
    store: &dyn Store,
    config: &DatabaseConfig,
    named: &[String],
    is_removed: bool,
) -> Result<Vec<String>, StoreError> {
    let [table, column, subject] = named else {
        return Err(StoreError::Refused("--listen takes a table, a column and a subject".to_owned()));
    };
    let Some(source) = &config.hints else {
        return Err(StoreError::Refused("SQLite has no NOTIFY, by which triggers tell of changes".to_owned()));
    };
    let trigger = HintTrigger {
        table: table.clone(),
        column: column.clone(),
        subject: subject.clone(),
        channel: source.channel.clone(),
    };
    let change = if is_removed { HintChange::Remove } else { HintChange::Create };
    let changed = store.change_hints(&trigger, change).await?;
    Ok(match change {
        _ if !changed => Vec::new(),
        HintChange::Remove => vec![format!("removed the trigger on {table} that told of {column} as {subject}")],
        HintChange::Create => vec![
            format!(
                "installed a trigger on {table} that tells of {column} on {}; write `hints: listen/{subject}`",
                source.channel
            ),
            UNSEEN.to_owned(),
        ],
    })
}

/// What the configuration asks for.
async fn everything(store: &dyn Store, source: StatsSource) -> Result<Vec<String>, StoreError> {
    let outbox = store.outbox().ok_or_else(|| StoreError::Refused("this database cannot be migrated".to_owned()))?;
    let Migration { created, applied } = outbox.migrate().await?;
    let created = created.map(|file| format!("created {file}"));
    let mut lines: Vec<String> =
        created.into_iter().chain(applied.iter().map(|step| format!("applied {step}"))).collect();
    let change = if source == StatsSource::Rollup { RollupChange::Create } else { RollupChange::Repair };
    match store.change_rollup(change).await {
        Ok(changed) => lines.extend(said(change, changed)),
        // Counters that nobody reads: what was asked for is done.
        Err(error) if change == RollupChange::Repair => complain(&[error]),
        Err(error) => {
            // What was applied before is there all the same, and said.
            if !lines.is_empty() {
                // Nobody is left to be told of a closed stdout.
                let _ = report(&lines);
            }
            return Err(error);
        }
    }
    Ok(lines)
}

fn said(change: RollupChange, changed: bool) -> Vec<String> {
    let line = match change {
        RollupChange::Create => "created the rollup",
        RollupChange::Rebuild => "rebuilt the rollup",
        RollupChange::Remove => "removed the rollup",
        RollupChange::Repair => "rebuilt the rollup, whose function gave the rights of its owner away",
    };
    if changed { vec![line.to_owned()] } else { Vec::new() }
}

fn report(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    if lines.is_empty() {
        writeln!(out, "nothing to do")?;
    }
    Ok(())
}
