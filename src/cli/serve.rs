//! `pulso serve`: the server, as the environment configures it.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::Notify;

use super::signals::{self, HangUp};
use super::{EXIT_USAGE, block_on, cannot_start, log_warnings, or_complain};
use crate::config::Config;
use crate::server::{Server, StartError, Supervisor};
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
                for line in error.to_string().lines() {
                    tracing::error!("{line}");
                }
                ExitCode::from(if error.is_the_operators() { EXIT_USAGE } else { 1 })
            }
        }
    })
}

async fn serve(config: Config) -> Result<(), StartError> {
    let reload = Arc::<Notify>::default();
    let stop = signals::stop_on_signals(HangUp::Reads(Arc::clone(&reload)))?;
    let store = store::open(&config.database)?;
    Server::bind(config, store)?.with_reload(reload).with_supervisor(Supervisor::of_environment()).run(stop).await
}
