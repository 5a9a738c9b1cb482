//! What is asked on a new connection: whether it is a master that we can work with, and which run of it.
//!
//! A managed Redis may not let itself be asked: then each connection counts as to another server.

use redis::Cmd;

use super::connection::{Connection, DIALLED_WITHIN};
use super::reply::{bytes, list};
use crate::broker::log::Trouble;

/// The oldest Redis that has all we use (`XTRIM MINID`, `ZADD GT`).
const OLDEST: (u32, u32) = (6, 2);

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Drawn by us where it does not say.
    pub run: String,
    /// As it says it: `7.0.15`; empty where it does not.
    pub version: String,
}

/// An error if it is no master, or too old. `database`: which one of its is meant.
pub(super) async fn greet(connection: &Connection, database: u32) -> Result<Greeting, Trouble> {
    if database > 0 {
        connection.ask(redis::cmd("SELECT").arg(database), DIALLED_WITHIN).await?;
    }
    let ask = async |command: &Cmd| connection.ask_if_allowed(command, DIALLED_WITHIN).await;
    let role = ask(&redis::cmd("ROLE")).await?.and_then(|role| list(role).into_iter().next());
    match role.and_then(bytes).as_deref() {
        None | Some(b"master") => {}
        Some(b"sentinel") => return Err(Trouble::Moved(format!("{}: it is a Sentinel", connection.server()))),
        Some(_) => return Err(Trouble::Moved(format!("{}: it is a replica", connection.server()))),
    }
    let info = ask(redis::cmd("INFO").arg("server")).await?.and_then(bytes).unwrap_or_default();
    let info = String::from_utf8_lossy(&info);
    let run = field(&info, "run_id").map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned);
    let version = field(&info, "redis_version").unwrap_or_default().to_owned();
    if is_too_old(&version) {
        let (major, minor) = OLDEST;
        return Err(Trouble::Refused(format!(
            "{}: it is Redis {version}, and {major}.{minor} is the oldest that will do",
            connection.server()
        )));
    }
    Ok(Greeting { run, version })
}

/// A line `name:value` of `INFO`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// False where it cannot be told.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) < OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_too_old("6.0.16") && is_too_old("5.0.7"));
        assert!(!is_too_old("6.2.0") && !is_too_old("7.0.15") && !is_too_old("10.0.1") && !is_too_old("managed"));
        assert_eq!(field("# Server\r\nredis_version:7.0.15\r\nrun_id:ab\r\n", "run_id"), Some("ab"));
    }
}
