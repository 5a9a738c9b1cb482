//! `pulso check`: the configuration tried against the real database, the real Redis and the issuers of tokens, in sentences
//! to act on.

mod issuers;
mod queries;

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::{block_on, complain, or_complain};
use crate::broker::bridge::inspect::inspect as inspect_bridges;
use crate::broker::redis::inspect::inspect as inspect_redis;
use crate::clock::Clock;
use crate::config::Config;
use crate::feeds;
use crate::finding::{Finding, Level};
use crate::store::inspect::{inspect as inspect_database, inspect_queries};

pub(super) fn run() -> ExitCode {
    let (config, warnings) = match or_complain(Config::load()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    complain(&warnings);
    block_on(async {
        let clock = Clock::system(config.stats.zone.clone());
        let mut findings = inspect_database(&config.database).await;
        findings.extend(queries::inspect(&config));
        let queries: Vec<_> = config.queries.defined.iter().chain(&config.page.name).cloned().collect();
        findings.extend(inspect_queries(&config.database, &queries, &clock).await);
        if let Some(redis) = &config.redis {
            findings.extend(inspect_redis(redis, || clock.now()).await);
            findings.extend(inspect_bridges(redis, &config.bridges, &feeds::groups(config.feeds)).await);
        }
        findings.extend(issuers::inspect(&config.auth.issuers).await);
        let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
        if report(&findings, worst).is_err() || worst == Level::Problem {
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    })
}

fn report(findings: &[Finding], worst: Level) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for Finding { level, what, advice } in findings {
        let mark = match level {
            Level::Ok => "ok      ",
            Level::Warning => "warning ",
            Level::Problem => "PROBLEM ",
        };
        writeln!(out, "{mark} {what}")?;
        for line in advice.iter().flat_map(|advice| advice.lines()) {
            writeln!(out, "          {line}")?;
        }
    }
    let verdict = match worst {
        Level::Ok => "All is well.",
        Level::Warning => "Pulso works with this; the warnings are worth a look.",
        Level::Problem => "Pulso does not work like this: mend the problems and check again.",
    };
    writeln!(out, "\n{verdict}")
}
