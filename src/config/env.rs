//! Settings from the environment: reads every variable, reports every mistake at once.
//!
//! Must not act on a setting. The tables of names and meanings are in `settings`.

mod auth;
mod database;
mod feeds;
mod limits;
mod listen;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing_subscriber::EnvFilter;

use super::dotenv::Environment;
use super::reader::{Reader, quote};
use super::{
    AccessPolicy, Config, DEFAULT_SHUTDOWN_GRACE, DatabaseConfig, Feed, LogConfig, LogFormat, Mistake, SETTINGS,
    Secret, Warning, spelling,
};

/// The feeds whose clients have tokens.
const TOKEN_FEEDS: [Feed; 5] = [Feed::Stats, Feed::Pos, Feed::Restaurant, Feed::Clinic, Feed::Channels];

const MILLIS_100: Duration = Duration::from_millis(100);

impl Config {
    /// The settings of this process: its environment, and `.env` in the current directory behind it.
    pub fn load() -> Result<(Self, Vec<Warning>), Vec<Mistake>> {
        let environment = environment();
        let read = Self::from_env(&|name: &str| environment.get(name));
        let mut mistakes = environment.mistakes.clone();
        match read {
            Ok((config, mut warnings)) if mistakes.is_empty() => {
                warnings.extend(misspelt(environment.names()));
                Ok((config, warnings))
            }
            Ok(_) => Err(mistakes),
            Err(more) => {
                mistakes.extend(more);
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
        // Synchronisation alone, or what is left of the feeds, may do without tokens.
        let needs_tokens = sync.keys.is_empty() && feeds.has_any(&TOKEN_FEEDS);
        let auth = auth::read(&mut reader, needs_tokens);
        let listen = listen::read(&mut reader);
        let hooks = limits::hooks(&mut reader);
        let connections = limits::connections(&mut reader);
        let client = limits::client(&mut reader);
        let stats = limits::stats(&mut reader);
        let log = log(&mut reader);
        let io_uring = reader.choice("IO_URING", &[("auto", true), ("off", false)], true);
        let grace = Duration::from_secs(1)..=Duration::from_mins(5);
        let shutdown_grace = reader.duration("SHUTDOWN_GRACE", DEFAULT_SHUTDOWN_GRACE, grace);
        let Reader { mistakes, warnings, .. } = reader;
        match (database, auth) {
            (Some(mut database), Some(auth)) if mistakes.is_empty() => {
                database.asks_figures = feeds.has(Feed::Stats);
                database.keeps_outbox = feeds.has(Feed::Sync) && !sync.keys.is_empty();
                database.asks_ownership = auth.access == AccessPolicy::Owner;
                let config = Self {
                    feeds,
                    listen,
                    database,
                    auth,
                    hooks,
                    publish,
                    sync,
                    clinic,
                    connections,
                    client,
                    stats,
                    log,
                    io_uring,
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
pub fn load_database() -> Result<DatabaseConfig, Vec<Mistake>> {
    let environment = environment();
    let vars = |name: &str| environment.get(name);
    let mut reader = Reader::new(&vars);
    let database = database::read(&mut reader);
    let mistakes: Vec<_> = environment.mistakes.iter().cloned().chain(reader.mistakes).collect();
    match database {
        Some(database) if mistakes.is_empty() => Ok(database),
        _ => Err(mistakes),
    }
}

/// How to log, for the subcommands that need no other setting. Mistakes fall back to the default.
pub fn load_log() -> LogConfig {
    let environment = environment();
    log(&mut Reader::new(&|name: &str| environment.get(name)))
}

/// `JWT_SECRET` by the rules of `serve`, for signing a development token.
pub fn load_signing_secret() -> Result<Secret, Vec<Mistake>> {
    let environment = environment();
    let vars = |name: &str| environment.get(name);
    let mut reader = Reader::new(&vars);
    let secret = auth::read_signing_secret(&mut reader);
    let mistakes: Vec<_> = environment.mistakes.iter().cloned().chain(reader.mistakes).collect();
    match secret {
        Some(secret) if mistakes.is_empty() => Ok(secret),
        _ => Err(mistakes),
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
    names.filter(|name| name.len() >= 6 && !is_ours(name)).filter_map(|name| {
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
            let mend = "Write error, warn, info, debug, trace or directives such as info,pulso::stats=debug";
            reader.mistake("LOG_LEVEL", format!("{} is not a log level", quote(&level)), mend);
            default.level
        }
    };
    LogConfig { format, level }
}

/// `TIMEZONE`: unset is UTC and worth a warning.
fn zone(reader: &mut Reader<'_>) -> TimeZone {
    let Some(name) = reader.text("TIMEZONE") else {
        reader.warn(
            "TIMEZONE",
            "unset, so \"today\" is UTC's calendar day; set the business's zone, such as America/Guayaquil",
        );
        return TimeZone::UTC;
    };
    TimeZone::get(&name).unwrap_or_else(|_| {
        let mend = match nearest_zone(&name) {
            Some(zone) => format!("Did you mean {zone}? Write an IANA zone name"),
            None => "Write an IANA zone name such as America/Guayaquil".to_owned(),
        };
        reader.mistake("TIMEZONE", format!("{} is not a time zone", quote(&name)), mend);
        TimeZone::UTC
    })
}

/// The zone with this city (`guayaquil`, `America/Bogotà`), or one spelt nearly so.
fn nearest_zone(name: &str) -> Option<String> {
    let zones: Vec<String> = jiff::tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
    let city = |zone: &str| zone.rsplit('/').next().unwrap_or(zone).replace([' ', '-'], "_");
    let wanted = city(name);
    zones
        .iter()
        .find(|zone| city(zone).eq_ignore_ascii_case(&wanted))
        .cloned()
        .or_else(|| spelling::nearest(name, zones.iter().map(String::as_str), 3).map(str::to_owned))
}
