//! `pulso serve`: the server, as the environment configures it.

use std::process::ExitCode;

use super::signals::{self, HangUp};
use super::{EXIT_USAGE, block_on, cannot_start, log_warnings, or_complain};
use crate::config::Config;
use crate::server::{Server, StartError};
use crate::store;
use crate::telemetry::log;

pub(super) fn run() -> ExitCode {
    let (config, warnings) = match or_complain(Config::load()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if let Err(error) = log::init(config.log.format, &config.log.level) {
        return cannot_start(&error);
    }
    log_warnings(&warnings);
    block_on(async {
        match serve(config).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{error}");
                ExitCode::from(if error.is_the_operators() { EXIT_USAGE } else { 1 })
            }
        }
    })
}

async fn serve(config: Config) -> Result<(), StartError> {
    let stop = signals::stop_on_signals(HangUp::Ignored)?;
    let store = store::open(&config.database)?;
    Server::bind(config, store)?.run(stop).await
}
