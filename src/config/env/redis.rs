//! `REDIS_*` and `NODE_NAME`. A URL is never quoted: it may hold a password.

use super::certificate;
use crate::config::reader::{Reader, quote};
use crate::config::{DatabaseConfig, DatabaseUrl, RedisConfig, RedisHost, RedisServers, UrlProblem, defaults};

const MAX_NAME_BYTES: usize = 100;
const MAX_PREFIX_BYTES: usize = 64;

/// `None` where one node stands alone.
pub(super) fn read(reader: &mut Reader<'_>, database: Option<&DatabaseConfig>) -> Option<RedisConfig> {
    let prefix = prefix(reader);
    let authority = certificate::authority(reader, "REDIS_CA");
    let config = servers(reader)?;
    if database.is_some_and(|database| matches!(database.url, DatabaseUrl::Sqlite(_))) {
        let problem = "it is for several nodes, and they cannot share an SQLite file";
        reader.mistake("REDIS_URL", problem, "Unset it, or use a postgres:// DATABASE_URL");
    }
    if authority.is_some() && !config.has_tls {
        reader.mistake("REDIS_CA", "it is of no use without TLS", "Unset it, or write a rediss:// REDIS_URL");
    }
    Some(RedisConfig { authority, prefix, ..config })
}

/// What people call this node.
pub(super) fn node_name(reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.text("NODE_NAME")?;
    if name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        let remedy = format!("Write at most {MAX_NAME_BYTES} bytes without control characters, such as pulso-1");
        reader.mistake("NODE_NAME", format!("{} is not a name", quote(&name)), remedy);
    }
    Some(name)
}

fn servers(reader: &mut Reader<'_>) -> Option<RedisConfig> {
    let port = reader.number("REDIS_PORT", defaults::DEFAULT_REDIS_PORT, 1..=u16::MAX);
    let host = reader.text("REDIS_HOST");
    let Some(url) = reader.secret("REDIS_URL") else {
        let name = host?;
        // One colon is a port's: an IPv6 address has more.
        if name.contains(['/', '@', ' ', ',']) || name.matches(':').count() == 1 {
            let remedy = "Write the host's name or address; a port belongs into REDIS_PORT, user, password and the rest into REDIS_URL";
            reader.mistake("REDIS_HOST", "it is not a host", remedy);
        }
        let name = name.trim_matches(['[', ']']).to_owned();
        return Some(RedisConfig { servers: RedisServers::One(RedisHost { name, port }), ..RedisConfig::default() });
    };
    if host.is_some() {
        reader.mistake("REDIS_HOST", "REDIS_URL is set too, and names its own", "Unset one of them");
    }
    if url.expose().trim() != url.expose() {
        reader.mistake("REDIS_URL", "it begins or ends with white space", "Remove the white space");
        return None;
    }
    match RedisConfig::parse(url.expose()) {
        Ok(config) => Some(config),
        Err(UrlProblem { problem, remedy }) => {
            reader.mistake("REDIS_URL", problem, remedy);
            None
        }
    }
}

fn prefix(reader: &mut Reader<'_>) -> String {
    let Some(prefix) = reader.text("REDIS_PREFIX") else { return defaults::REDIS_PREFIX.to_owned() };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if prefix.len() > MAX_PREFIX_BYTES || !prefix.bytes().all(is_plain) {
        let remedy = format!("Write letters, digits, -, _, . and :, at most {MAX_PREFIX_BYTES}");
        reader.mistake("REDIS_PREFIX", format!("{} cannot begin a key", quote(&prefix)), remedy);
    }
    prefix
}
