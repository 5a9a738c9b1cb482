//! `pulso migrate`: Pulso's own tables, created when an operator says so and at no other time.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::{EXIT_USAGE, block_on, complain, or_complain};
use crate::config::{DatabaseConfig, env};
use crate::store::migrations::Migration;
use crate::store::{self, StoreError};

pub(super) fn run() -> ExitCode {
    let config = match or_complain(env::load_database()) {
        Ok(config) => config,
        Err(code) => return code,
    };
    block_on(migrate(&config))
}

async fn migrate(config: &DatabaseConfig) -> ExitCode {
    let store = match store::open(config) {
        Ok(store) => store,
        Err(error) => {
            complain(&[error]);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let migrated = match store.outbox() {
        Some(outbox) => outbox.migrate().await,
        None => Err(StoreError::Refused("this database cannot be migrated".to_owned())),
    };
    let told = match migrated {
        Ok(migration) => report(&migration),
        Err(error) => {
            complain(&[error]);
            return ExitCode::FAILURE;
        }
    };
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(Migration { created, applied }: &Migration) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if let Some(file) = created {
        writeln!(out, "created {file}")?;
    }
    for step in applied {
        writeln!(out, "applied {step}")?;
    }
    if applied.is_empty() {
        writeln!(out, "nothing to do")?;
    }
    Ok(())
}
