//! The command line: what each subcommand needs, what it prints, how it exits.
//!
//! Must not know how anything is done; it composes and reports.

mod check;
mod demo;
mod destination;
mod health;
mod init;
mod issuers;
mod migrate;
mod query;
mod reference;
mod serve;
mod signals;
mod token;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::{Mistake, Warning, settings_help};
use crate::telemetry::log;

/// sysexits' EX_USAGE: the operator has to mend something before another try makes sense.
const EXIT_USAGE: u8 = 64;
/// How long who reads what is wrong has for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Pulso: the API says "something changed", every screen that watches has the new figures.
///
/// Try `pulso demo`: it needs nothing configured and prints a link to a live dashboard.
#[derive(Debug, Parser)]
#[command(version, about, long_about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve dashboards and hooks, configured by the environment (or a .env file)
    #[command(after_help = settings_help())]
    Serve,
    Demo(demo::DemoArgs),
    Init(init::InitArgs),
    Token(token::TokenArgs),
    /// Try the configuration against the real database and say what to mend
    ///
    /// Exits with 0 when all is well, 1 when something would not work, 64 when the configuration itself is wrong.
    #[command(after_help = settings_help())]
    Check,
    /// Create Pulso's own tables in the database, for the order synchronisation; with --rollup, counters for the figures
    ///
    /// Uses DATABASE_URL (and DB_CONNECT_TIMEOUT, DB_STATEMENT_TIMEOUT), from the environment or a .env file; nothing
    /// else need be configured. Prints each step that it applies, each in a transaction of its own, or "nothing to do";
    /// safe to run again and twice at once. The role needs the right to create tables in its schema; afterwards the
    /// role that serves needs no more than SELECT on pulso_migrations, SELECT, INSERT, UPDATE and DELETE on
    /// pulso_outbox and pulso_idempotency, and USAGE on the sequence pulso_outbox_version. A SQLite file that is not
    /// there is created. Nothing else ever migrates, and a server that runs notices by itself.
    ///
    /// With --rollup nothing of that is done, but the counters that STATS_SOURCE=rollup reads are installed on citas
    /// (PostgreSQL only), rebuilt or removed. Where STATS_SOURCE is rollup, a plain `pulso migrate` installs them too.
    /// That is the owner of citas' to do; nobody writes citas while its rows are counted. The role that serves needs
    /// SELECT on pulso_stats_total, pulso_stats_day and pulso_stats_delta.
    ///
    /// Exits with 0 when everything is there, 1 when a step failed, 64 when the configuration is wrong.
    Migrate(migrate::MigrateArgs),
    Query(query::QueryArgs),
    Reference(reference::ReferenceArgs),
    /// Ask the server on this machine whether it is alive (for a container's HEALTHCHECK)
    ///
    /// Uses PORT (8080) and LISTEN_ADDR. Exits with 0 when it is, 1 when it is not.
    Health,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let code = match Cli::parse().command {
        Command::Serve => serve::run(),
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Check => check::run(),
        Command::Migrate(args) => migrate::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Reference(args) => reference::run(args),
        Command::Health => health::run(),
    };
    log::finish();
    code
}

/// What was configured, or the exit code after saying all that is wrong with it.
fn or_complain<T>(loaded: Result<T, Vec<Mistake>>) -> Result<T, ExitCode> {
    loaded.map_err(|mistakes| {
        complain(&mistakes);
        ExitCode::from(EXIT_USAGE)
    })
}

/// Prints what is wrong, a line each. Who does not read it keeps nobody: the exit code says it too.
fn complain(lines: &[impl Display]) {
    let text = lines.iter().fold(String::new(), |text, line| format!("{text}{line}\n"));
    let (written, is_written) = sync_channel(1);
    let writer = thread::Builder::new().spawn(move || {
        // Nobody is left to be told of a closed stderr.
        let _ = io::stderr().lock().write_all(text.as_bytes());
        let _ = written.send(());
    });
    if writer.is_ok() {
        let _ = is_written.recv_timeout(PATIENCE);
    }
}

fn cannot_start(error: &io::Error) -> ExitCode {
    complain(&[format!("cannot start: {error}")]);
    ExitCode::FAILURE
}

/// Logs what the operator may want to mend.
fn log_warnings(warnings: &[Warning]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

/// Runs to completion on all cores.
fn block_on(future: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(future);
            // What has not ended by now is a peer's doing.
            runtime.shutdown_background();
            code
        }
        Err(error) => cannot_start(&error),
    }
}
