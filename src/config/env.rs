//! Settings from the environment: reads every variable, reports every mistake at once.
//!
//! Must not act on a setting. The tables of names and meanings are in `settings`.

mod auth;
mod bridges;
mod certificate;
mod claims;
mod database;
mod feeds;
mod issuers;
mod issuers_file;
mod keys;
mod limits;
mod listen;
mod page;
mod queries;
mod redis;
mod traces;
pub(crate) mod zone;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::dotenv::Environment;
use super::known;
use super::reader::{Reader, quote};
use super::{
    AccessPolicy, AuthConfig, Config, DEFAULT_SHUTDOWN_GRACE, DatabaseConfig, LogConfig, LogFormat, Mistake, OwnTokens,
    QueriesConfig, SETTINGS, Secret, StatsConfig, Warning, spelling,
};
use crate::access::grant::Bounds;
use crate::feeds::definition::{Need, Table};

const MILLIS_100: Duration = Duration::from_millis(100);

impl Config {
    /// The settings of this process: its environment, and `.env` in the current directory behind it.
    pub fn load() -> Result<(Self, Vec<Warning>), Vec<Mistake>> {
        let environment = environment();
        let read = Self::from_env(&|name: &str| environment.get(name));
        match read {
            Ok((config, mut warnings)) if environment.mistakes.is_empty() => {
                warnings.extend(environment.warnings.iter().cloned());
                warnings.extend(misspelt(environment.names()));
                Ok((config, warnings))
            }
            Ok(_) => Err(environment.mistakes),
            Err(more) => {
                let mut mistakes: Vec<_> = environment.causes().chain(more).collect();
                // Among mistakes a misspelt name is likely one of their causes.
                mistakes.extend(
                    nearly_ours(environment.names()).map(|(name, meant)| {
                        Mistake::new(name, "it is not a setting", format!("Did you mean {meant}?"))
                    }),
                );
                Err(mistakes)
            }
        }
    }

    /// The settings in `vars`. A variable set to the empty string counts as unset.
    pub fn from_env(vars: &impl Fn(&str) -> Option<String>) -> Result<(Self, Vec<Warning>), Vec<Mistake>> {
        let mut reader = Reader::new(vars);
        let feeds = feeds::feeds(&mut reader);
        let sync = feeds::sync(&mut reader);
        let clinic = feeds::clinic(&mut reader);
        let publish = feeds::publish(&mut reader);
        let database = database::read(&mut reader);
        let redis = self::redis::read(&mut reader, database.as_ref());
        let bridges = bridges::read(&mut reader, redis.as_ref());
        let node_name = self::redis::node_name(&mut reader);
        // Synchronisation alone, or what is left of the feeds, may do without tokens.
        let needs_tokens = sync.keys.is_empty() && feeds.any(|feed| feed.needs.contains(&Need::Tokens));
        let auth = auth::read(&mut reader, needs_tokens);
        let listen = listen::read(&mut reader);
        let hooks = limits::hooks(&mut reader);
        let connections = limits::connections(&mut reader);
        let client = limits::client(&mut reader);
        let stats = limits::stats(&mut reader);
        let queries = queries::read(&mut reader, database.as_ref(), &stats.zone);
        let page = page::read(&mut reader, database.as_ref());
        known::refuse(&mut reader);
        let log = log(&mut reader);
        let traces = traces::read(&mut reader, node_name.as_deref());
        let io_uring = reader.choice("IO_URING", &[("auto", true), ("off", false)], true);
        let grace = Duration::from_secs(1)..=Duration::from_mins(5);
        let shutdown_grace = reader.duration("SHUTDOWN_GRACE", DEFAULT_SHUTDOWN_GRACE, grace);
        let shutdown_delay = reader.duration("SHUTDOWN_DELAY", Duration::ZERO, Duration::ZERO..=Duration::from_mins(5));
        let Reader { mistakes, warnings, .. } = reader;
        match (database, auth) {
            (Some(mut database), Some(auth)) if mistakes.is_empty() => {
                database.asks_figures = feeds.ask(Table::Figures);
                database.asks_devices = feeds.ask(Table::Devices);
                database.keeps_outbox = feeds.ask(Table::Outbox) && !sync.keys.is_empty();
                database.asks_ownership = auth.access == AccessPolicy::Owner;
                database.zone = stats.zone.clone();
                database.orders_reads = redis.is_some();
                let config = Self {
                    feeds,
                    listen,
                    page,
                    database,
                    node_name,
                    redis,
                    bridges,
                    auth,
                    hooks,
                    publish,
                    sync,
                    clinic,
                    connections,
                    client,
                    stats,
                    queries,
                    log,
                    traces,
                    io_uring,
                    shutdown_delay,
                    shutdown_grace,
                };
                Ok((config, warnings))
            }
            _ => Err(mistakes),
        }
    }
}

/// The listening address of `pulso demo`, which needs nothing else configured.
pub fn load_demo_listen() -> Result<super::ListenConfig, Vec<Mistake>> {
    let environment = environment();
    let vars = |name: &str| environment.get(name);
    let mut reader = Reader::new(&vars);
    let listen = listen::read_demo(&mut reader);
    let mistakes: Vec<_> = environment.mistakes.iter().cloned().chain(reader.mistakes).collect();
    if mistakes.is_empty() { Ok(listen) } else { Err(mistakes) }
}

/// The database of `pulso migrate`, which needs nothing else configured.
pub fn load_database() -> Result<(DatabaseConfig, Vec<Warning>), Vec<Mistake>> {
    let environment = environment();
    let vars = |name: &str| environment.get(name);
    let mut reader = Reader::new(&vars);
    let database = database::read(&mut reader);
    match database {
        Some(database) if environment.mistakes.is_empty() && reader.mistakes.is_empty() => {
            Ok((database, environment.warnings))
        }
        _ => Err(environment.causes().chain(reader.mistakes).collect()),
    }
}

/// What `pulso init` need not ask for.
#[derive(Debug)]
pub struct Given {
    pub database_url: Option<Secret>,
    pub jwt_secret: Option<Secret>,
    pub hook_key: Option<Secret>,
    pub zone: Option<String>,
}

pub fn load_given() -> Given {
    let environment = environment();
    let vars = |name: &str| environment.get(name);
    let reader = Reader::new(&vars);
    Given {
        database_url: reader.secret("DATABASE_URL"),
        jwt_secret: reader.secret("JWT_SECRET"),
        hook_key: reader.secret("NOTIFY_API_KEY"),
        zone: reader.text("TIMEZONE"),
    }
}

/// What is wrong with the settings of this process once these are in its `.env`, which it does not have yet.
pub fn mistakes_with(written: &[(&str, String)]) -> Vec<Mistake> {
    let environment = environment();
    let of_file = |name: &str| written.iter().find(|(of, _)| *of == name).map(|(_, value)| value.clone());
    let read = Config::from_env(&|name: &str| environment.get(name).or_else(|| of_file(name)));
    environment.mistakes.iter().cloned().chain(read.err().into_iter().flatten()).collect()
}

/// The database of this URL, with the usual bounds.
pub fn database_at(url: &str) -> Result<DatabaseConfig, Vec<Mistake>> {
    let vars = |name: &str| (name == "DATABASE_URL").then(|| url.to_owned());
    let mut reader = Reader::new(&vars);
    let database = database::read(&mut reader);
    database.filter(|_| reader.mistakes.is_empty()).ok_or(reader.mistakes)
}

/// The live queries, their database, and how they are kept current: for running one.
pub fn load_queries() -> Result<(DatabaseConfig, QueriesConfig, StatsConfig, Vec<Warning>), Vec<Mistake>> {
    let environment = environment();
    let vars = |name: &str| environment.get(name);
    let mut reader = Reader::new(&vars);
    let database = database::read(&mut reader);
    let stats = limits::stats(&mut reader);
    let queries = queries::read(&mut reader, database.as_ref(), &stats.zone);
    match database {
        Some(mut database) if environment.mistakes.is_empty() && reader.mistakes.is_empty() => {
            database.zone = stats.zone.clone();
            Ok((database, queries, stats, reader.warnings))
        }
        _ => Err(environment.causes().chain(reader.mistakes).collect()),
    }
}

/// How to log, for the subcommands that need no other setting. Mistakes fall back to the default.
pub fn load_log() -> LogConfig {
    let environment = environment();
    log(&mut Reader::new(&|name: &str| environment.get(name)))
}

/// `JWT_SECRET` by the rules of `serve`, what is asked of its tokens, and for how long one may be good: for signing one for
/// development.
pub fn load_signing() -> Result<(Secret, OwnTokens, Duration), Vec<Mistake>> {
    let environment = environment();
    let vars = |name: &str| environment.get(name);
    let mut reader = Reader::new(&vars);
    let signing = auth::read_signing(&mut reader);
    match signing {
        Some(signing) if environment.mistakes.is_empty() && reader.mistakes.is_empty() => Ok(signing),
        _ => Err(environment.causes().chain(reader.mistakes).collect()),
    }
}

/// Whose tokens are believed and what bounds what they open, for judging one.
pub fn load_tokens() -> Result<(AuthConfig, Bounds, Vec<Warning>), Vec<Mistake>> {
    let environment = environment();
    let vars = |name: &str| environment.get(name);
    let mut reader = Reader::new(&vars);
    let single_business = feeds::publish(&mut reader).single_business;
    let max_channels = limits::client(&mut reader).max_channels;
    let auth = auth::read(&mut reader, true);
    match auth {
        Some(auth) if environment.mistakes.is_empty() && reader.mistakes.is_empty() => {
            Ok((auth, Bounds { max_channels, single_business }, reader.warnings))
        }
        _ => Err(environment.causes().chain(reader.mistakes).collect()),
    }
}

/// Warnings for variables that are none of ours but nearly are.
pub fn misspelt<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Warning> {
    nearly_ours(names)
        .map(|(name, meant)| Warning {
            variable: name.to_owned(),
            text: format!("unknown variable; did you mean {meant}?"),
        })
        .collect()
}

/// Names that are not ours, each with ours that it nearly is. Short ones are left alone: everything is near them.
fn nearly_ours<'a>(names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (&'a str, &'static str)> {
    // OpenTelemetry's for logs are spelt nearly as those for spans.
    let is_anothers = |name: &str| name.starts_with("OTEL_BLRP_");
    names.filter(move |name| name.len() >= 6 && !is_ours(name) && !is_anothers(name)).filter_map(|name| {
        let meant = spelling::nearest(name, SETTINGS.iter().map(|setting| setting.name), 2)?;
        Some((name, meant))
    })
}

fn environment() -> Environment {
    Environment::load(Path::new(".env"), is_ours)
}

fn is_ours(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name)
}

fn log(reader: &mut Reader<'_>) -> LogConfig {
    let default = LogConfig::default();
    let format = reader.choice("LOG_FORMAT", &[("text", LogFormat::Text), ("json", LogFormat::Json)], default.format);
    let level = match reader.text("LOG_LEVEL") {
        None => default.level,
        Some(level) if EnvFilter::builder().parse(&level).is_ok() => level,
        Some(level) => {
            let remedy = "Write error, warn, info, debug, trace or directives such as info,pulso::store=debug";
            reader.mistake("LOG_LEVEL", format!("{} is not a log level", quote(&level)), remedy);
            default.level
        }
    };
    LogConfig { format, level }
}
