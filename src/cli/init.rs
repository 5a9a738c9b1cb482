//! `pulso init`: from a database to settings that work, with a question for whatever cannot be known.
//!
//! Must not change anything in the database, nor write over a file.

mod files;
mod guess;
mod interview;
mod texts;

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rand::Rng as _;

use super::{EXIT_USAGE, block_on, check, complain};
use crate::config::env::{self, Given};
use crate::config::{DatabaseConfig, Feed, MIN_SECRET_BYTES, Mistake, zone};
use crate::feeds::definition::Table as Asked;
use crate::store::inspect::tables::{Column, Kind, Table, tables, values};

use files::Draft;
use guess::{Guess, Role};
use interview::Interview;
use texts::{Appointments, Dialect};

const SETTINGS: &str = ".env";
/// Where the query files go.
const FOLDER: &str = "pulso-sql";
const STATS: &str = "STATS_SQL";
const OWNER: &str = "OWNER_SQL";
const DEVICES: &str = "DEVICE_SQL";
/// What is answered by who has no key yet.
const FRESH: &str = "a fresh one";
const FIRST_STEPS: &str = "\
The first steps:
  DATABASE_URL=postgres://user:password@host:5432/database pulso init
  pulso serve";

/// Write a .env that works with your database: finds its tables, makes keys, asks what it cannot know
///
/// Looks for the tables of appointments, businesses and devices, whatever they are called; where they are not those of
/// sql/schema, writes the queries for them into pulso-sql/, to be looked at and changed. Writes .env (mode 600) with fresh keys,
/// and then does what `pulso check` does. What is set in the environment (DATABASE_URL, JWT_SECRET, NOTIFY_API_KEY, TIMEZONE) is
/// not asked for. An .env or a query file that is there is never written over, and nothing is changed in the database.
///
/// Exits as `pulso check` does: with 0 when all is well, 1 when something would not work, 64 when nothing was written.
#[derive(Debug, Args)]
#[command(after_long_help = FIRST_STEPS)]
pub(super) struct InitArgs {
    /// Ask nothing: take what the environment says, what is found and safe defaults
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn run(args: &InitArgs) -> ExitCode {
    if Path::new(SETTINGS).symlink_metadata().is_ok() {
        complain(&[
            ".env: it is there already, and stays as it is. See what it lacks with `pulso check`, or move it away first",
        ]);
        return ExitCode::from(EXIT_USAGE);
    }
    if !args.yes && !io::stdin().is_terminal() {
        let said =
            "there is nobody to ask: run `pulso init` in a terminal, or `pulso init --yes` with DATABASE_URL set";
        complain(&[said]);
        return ExitCode::from(EXIT_USAGE);
    }
    let mut is_written = false;
    let code = block_on(async {
        let interview = Interview::new(io::stdin().lock(), io::stdout(), args.yes);
        match set_up(interview, &env::load_given()).await {
            Ok(()) => {
                is_written = true;
                ExitCode::SUCCESS
            }
            Err(error) => {
                complain(&[format!("{error}. Nothing was written")]);
                ExitCode::from(EXIT_USAGE)
            }
        }
    });
    if is_written { check::run() } else { code }
}

async fn set_up<I: BufRead, O: Write>(mut interview: Interview<I, O>, given: &Given) -> io::Result<()> {
    let (url, database) = database(&mut interview, given)?;
    let tables = tables(&database).await.map_err(io::Error::other)?;
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    interview.say(&match names.as_slice() {
        [] => "The database has no table that its role sees by its name alone.".to_owned(),
        names => format!("The database has: {}", names.join(", ")),
    })?;
    let dialect = Dialect::of(&database.url);
    let mut queries = Vec::new();
    let appointments = look_for(&mut interview, Role::Appointments, &tables)?;
    if let Some(guess) = &appointments {
        queries.extend(stats(&mut interview, &database, dialect, guess).await?);
        let businesses = look_for(&mut interview, Role::Businesses, &tables)?;
        queries.extend(owner(&mut interview, dialect, businesses.as_ref())?);
    }
    let devices = look_for(&mut interview, Role::Devices, &tables)?;
    if let Some(guess) = &devices {
        queries.extend(kiosks(&mut interview, &database, dialect, guess).await?);
    }
    let (on, off) = feeds(appointments.is_some(), devices.is_some());
    if !off.is_empty() {
        interview.say(&format!("Off for want of a table, until it is named and FEEDS has them: {}", off.join(", ")))?;
    }
    let (zone, jwt, hook) = (ask_zone(&mut interview, given)?, ask_secret(&mut interview, given)?, hook_key(given));
    let mut settings = vec![("DATABASE_URL", url), ("JWT_SECRET", jwt), ("NOTIFY_API_KEY", hook), ("TIMEZONE", zone)];
    settings.extend((!off.is_empty()).then(|| ("FEEDS", on.join(","))));
    let mistakes = env::mistakes_with(&settings);
    if !mistakes.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, listed(&mistakes, "\n")));
    }
    settings.extend(queries.iter().map(|(variable, draft)| (*variable, draft.path.display().to_string())));
    let mut text = "# Written by `pulso init`. All other settings: pulso serve --help\n".to_owned();
    for (name, value) in settings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}={}", files::value(&value));
    }
    let mut drafts: Vec<Draft> = queries.into_iter().map(|(_, draft)| draft).collect();
    drafts.push(Draft { path: SETTINGS.into(), text, is_secret: true });
    files::write(&drafts)?;
    let written: Vec<String> = drafts.iter().map(|draft| draft.path.display().to_string()).collect();
    interview.say(&format!("Written: {}", written.join(", ")))?;
    interview.say("Your API signs tokens with JWT_SECRET and calls the hooks with NOTIFY_API_KEY: both are in .env\n")
}

fn database<I: BufRead, O: Write>(
    interview: &mut Interview<I, O>,
    given: &Given,
) -> io::Result<(String, DatabaseConfig)> {
    let read = |url: &str| match env::database_at(url) {
        Ok(config) => Ok((url.to_owned(), config)),
        Err(mistakes) => Err(listed(&mistakes, "; ")),
    };
    match &given.database_url {
        Some(url) => read(url.expose()).map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem)),
        None => interview.ask("DATABASE_URL (postgres://user:password@host:port/database or sqlite://path)", "", read),
    }
}

fn listed(mistakes: &[Mistake], between: &str) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// The table for a role, with its columns; `None` where there is none.
fn look_for<I: BufRead, O: Write>(
    interview: &mut Interview<I, O>,
    role: Role,
    tables: &[Table],
) -> io::Result<Option<Guess>> {
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let likely = role.find(tables);
    let likely = likely.as_ref().map(|guess| guess.table.name.as_str());
    let chosen = interview.choose(&format!("Table of {}", role.name()), &names, likely)?;
    let Some(table) = chosen.and_then(|chosen| tables.iter().find(|table| table.name == chosen)) else {
        interview.say(&format!("{}: none", role.name()))?;
        return Ok(None);
    };
    let mut guess = role.read(table);
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    for ((meaning, _), column) in role.columns().iter().zip(&mut guess.columns) {
        if column.is_none() {
            let chosen = interview.choose(&format!("Column of {} with {meaning}", table.name), &columns, None)?;
            *column = table.columns.iter().find(|column| Some(&column.name) == chosen.as_ref()).cloned();
        }
    }
    let shown: Vec<String> = role
        .columns()
        .iter()
        .zip(&guess.columns)
        .map(|((meaning, _), column)| {
            format!("{meaning}: {}", column.as_ref().map_or("none", |column| column.name.as_str()))
        })
        .collect();
    let suffices = role.suffices(&guess);
    let left_out = if suffices { "" } else { " (left out: it lacks a column)" };
    interview.say(&format!("{}: {} ({}){left_out}", role.name(), table.name, shown.join(", ")))?;
    Ok(suffices.then_some(guess))
}

/// The query of the figures, where the tables are not those that Pulso's own asks.
async fn stats<I: BufRead, O: Write>(
    interview: &mut Interview<I, O>,
    database: &DatabaseConfig,
    dialect: Dialect,
    guess: &Guess,
) -> io::Result<Option<(&'static str, Draft)>> {
    let [Some(business), Some(day), state] = guess.columns.as_slice() else { return Ok(None) };
    let table = &guess.table;
    let seen = match state {
        Some(state) => values(database, &table.name, &state.name).await,
        None => Vec::new(),
    };
    let (done, cancelled) = guess::states(&seen);
    let is_known = |found: &[String], own: &str| seen.is_empty() || found == [own];
    let is_ours = is_named(table, &guess.columns, "citas", &["negocio_id", "fecha", "estado"])
        && is_comparable(dialect, day)
        && is_known(&done, "atendida")
        && is_known(&cancelled, "cancelada");
    if is_ours {
        return Ok(None);
    }
    for (values, figure) in [(&done, "citas_completadas"), (&cancelled, "citas_canceladas")] {
        if values.is_empty() {
            let path = path_of(STATS);
            interview.say(&format!("{figure} stays 0 until {} says which state it counts", path.display()))?;
        }
    }
    let (state, done, cancelled) = (state.as_ref(), done.as_slice(), cancelled.as_slice());
    let text = texts::stats(dialect, &Appointments { table, business, day, state, done, cancelled });
    Ok(Some(draft(STATS, text)))
}

/// Who owns what.
fn owner<I: BufRead, O: Write>(
    interview: &mut Interview<I, O>,
    dialect: Dialect,
    guess: Option<&Guess>,
) -> io::Result<Option<(&'static str, Draft)>> {
    let Some((table, [Some(id), Some(owner)])) = guess.map(|guess| (&guess.table, guess.columns.as_slice())) else {
        interview.say(
            "Without it nobody owns a business: tokens have to name those that they open (negocio_id, negocios)",
        )?;
        return Ok(Some(draft(OWNER, texts::no_owner(dialect))));
    };
    let is_ours = table.name == "negocios" && id.name == "id" && owner.name == "admin_negocio_id";
    Ok((!is_ours).then(|| draft(OWNER, texts::owner(dialect, table, id, owner))))
}

/// Which kiosks there are, where Pulso's own query does not say it.
async fn kiosks<I: BufRead, O: Write>(
    interview: &mut Interview<I, O>,
    database: &DatabaseConfig,
    dialect: Dialect,
    guess: &Guess,
) -> io::Result<Option<(&'static str, Draft)>> {
    let [Some(id), Some(uid), active] = guess.columns.as_slice() else { return Ok(None) };
    let (table, active) = (&guess.table, active.as_ref());
    let kind = active.map(|active| active.kind);
    let is_flag = kind == Some(Kind::Flag) || kind == Some(Kind::Number) && dialect == Dialect::Sqlite;
    if is_flag && is_named(table, &guess.columns, "devices", &["id", "device_uid", "is_active"]) {
        return Ok(None);
    }
    let seen = match active {
        Some(active) if kind == Some(Kind::Text) => values(database, &table.name, &active.name).await,
        _ => Vec::new(),
    };
    let in_use = guess::those_in_use(&seen);
    let who = match kind {
        None => Some("Every kiosk"),
        Some(Kind::Text) if in_use.is_empty() => Some("No kiosk"),
        Some(_) => None,
    };
    if let Some(who) = who {
        interview.say(&format!("{who} counts as in use until {} says which are", path_of(DEVICES).display()))?;
    }
    let text = texts::devices(dialect, &texts::Devices { table, id, uid, active, in_use: &in_use });
    Ok(Some(draft(DEVICES, text)))
}

/// Whether a table is the one that Pulso's own query asks.
fn is_named(table: &Table, found: &[Option<Column>], name: &str, columns: &[&str]) -> bool {
    let found: Vec<Option<&str>> = found.iter().map(|column| Some(column.as_ref()?.name.as_str())).collect();
    table.name == name && found.iter().copied().eq(columns.iter().copied().map(Some))
}

/// Whether Pulso's own query may compare it with a day.
fn is_comparable(dialect: Dialect, day: &Column) -> bool {
    day.kind == Kind::Day || day.kind == Kind::Text && dialect == Dialect::Sqlite
}

fn draft(variable: &'static str, text: String) -> (&'static str, Draft) {
    (variable, Draft { path: path_of(variable), text, is_secret: false })
}

fn path_of(variable: &str) -> PathBuf {
    let name = match variable {
        STATS => "stats.sql",
        OWNER => "owner.sql",
        _ => "devices.sql",
    };
    Path::new(FOLDER).join(name)
}

/// The feeds that work, and those that have no tables to ask: they would fail.
fn feeds(has_figures: bool, has_devices: bool) -> (Vec<&'static str>, Vec<&'static str>) {
    let works = |feed: &Feed| {
        let tables = feed.definition().tables;
        (has_figures || !tables.contains(&Asked::Figures)) && (has_devices || !tables.contains(&Asked::Devices))
    };
    let (on, off): (Vec<&Feed>, Vec<&Feed>) = Feed::ALL.iter().partition(|feed| works(feed));
    (on.into_iter().map(|feed| feed.word()).collect(), off.into_iter().map(|feed| feed.word()).collect())
}

fn ask_zone<I: BufRead, O: Write>(interview: &mut Interview<I, O>, given: &Given) -> io::Result<String> {
    let read = |name: &str| {
        zone::find(name).map(|_| name.to_owned()).map_err(|(problem, remedy)| format!("{problem}. {remedy}"))
    };
    match &given.zone {
        Some(zone) => read(zone).map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem)),
        None => interview.ask("Time zone whose day is \"today\", such as America/Guayaquil", "UTC", read),
    }
}

fn ask_secret<I: BufRead, O: Write>(interview: &mut Interview<I, O>, given: &Given) -> io::Result<String> {
    if let Some(secret) = &given.jwt_secret {
        return Ok(secret.expose().to_owned());
    }
    let read = |answer: &str| match answer {
        FRESH => Ok(fresh_key()),
        short if short.len() < MIN_SECRET_BYTES => Err(format!("it needs {MIN_SECRET_BYTES} bytes at least")),
        secret => Ok(secret.to_owned()),
    };
    interview.ask("Key by which your API signs its tokens (HS256)", FRESH, read)
}

fn hook_key(given: &Given) -> String {
    given.hook_key.as_ref().map_or_else(fresh_key, |key| key.expose().to_owned())
}

/// 256 bits that nobody knows, in hexadecimal.
fn fresh_key() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
