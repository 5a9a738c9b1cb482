//! The table of all settings, for `--help`, for the README's test and for finding misspelt names. `env` reads exactly
//! these variables; a test holds the two together.

use std::fmt::Write as _;

/// One environment variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    /// As an operator would write it, or `required` or `unset`.
    pub default: &'static str,
    pub meaning: &'static str,
}

const fn set(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}

/// Every variable `pulso serve` reads, in the order of the README.
pub const SETTINGS: &[Setting] = &[
    set("DATABASE_URL", "required", "postgres://user:password@host:port/database or sqlite://path"),
    set("JWT_SECRET", "required", "key of the tokens (HS256), at least 32 bytes"),
    set("PORT", "8080", "port to listen on; 0 takes any free one"),
    set("LISTEN_ADDR", "0.0.0.0", "address to listen on"),
    set("TIMEZONE", "UTC", "whose calendar day is \"today\": an IANA name such as America/Guayaquil"),
    set("NOTIFY_API_KEY", "unset", "key that hook calls must carry (Authorization: Bearer or X-API-Key)"),
    set("NOTIFY_CITA_OPEN", "false", "/notify/cita needs no key although NOTIFY_API_KEY is set"),
    set("FEEDS", "unset", "feeds that are on, by commas: stats, pos, restaurant, sync, clinic, channels; unset: all"),
    set("POS_SINGLE_BUSINESS", "false", "one shop: its events name no negocio_id and go to every token"),
    set("CLOUD_API_KEY", "unset", "key of the one back end that synchronises orders"),
    set("CLOUD_API_KEYS", "unset", "or tenant:key,… for several businesses"),
    set(
        "WS_ALLOWED_ORIGINS",
        "unset",
        "browser origins that may connect, by commas; unset: same origin and localhost; * is any",
    ),
    set("TRUSTED_PROXIES", "unset", "addresses or networks whose X-Forwarded-For is believed, by commas"),
    set("JWT_SECRET_PREVIOUS", "unset", "older keys still accepted, by commas, for rotation"),
    set("ALLOW_SHORT_JWT_SECRET", "false", "accept keys under 32 bytes"),
    set("JWT_AUDIENCE", "unset", "audience (aud) that tokens must name; unset: not checked"),
    set("JWT_MAX_TTL", "366d", "tokens that expire later than this from now are refused"),
    set("MAX_TOKEN_BYTES", "8192", "longest token"),
    set("SUBSCRIBE_ACCESS", "owner", "who may watch a business: owner, or authenticated for every valid token"),
    set("ACCESS_CACHE", "5s", "how long an answer about ownership is believed"),
    set("ACCESS_RECHECK", "10s", "how often a live subscription's ownership is asked again"),
    set("DB_MAX_CONNECTIONS", "8", "database connections at most"),
    set("DB_CONNECT_TIMEOUT", "2s", "for one new database connection"),
    set("DB_STATEMENT_TIMEOUT", "3s", "for one query"),
    set("STATS_SQL", "unset", "file with the statistics query, instead of the built-in one"),
    set("STATS_SOURCE", "query", "query, or rollup: read the counters that `pulso migrate --rollup` installs"),
    set("OWNER_SQL", "unset", "file with the ownership query, instead of the built-in one"),
    set("DEVICE_SQL", "unset", "file with the query for devices (kiosks), instead of the built-in one"),
    set("LISTEN_CHANNEL", "unset", "PostgreSQL channel to LISTEN on, fed by the trigger in sql/"),
    set("LISTEN_DATABASE_URL", "unset", "direct connection for LISTEN where DATABASE_URL is a transaction pooler's"),
    set("HOOK_MAX_BODY_BYTES", "16384", "longest body of a hook call"),
    set("MAX_HOOKS", "1024", "hook calls under way at once; beyond it 503"),
    set("HOOK_TIMEOUT", "4500ms", "every hook call is answered by then"),
    set("MAX_PUBLISH_BATCH", "100", "messages of one call to /api/publish"),
    set("SYNC_PULL_LIMIT", "500", "changes handed out by one pull, oldest first"),
    set("SYNC_MAX_BODY_BYTES", "262144", "longest list of confirmations"),
    set("BAD_DEVICES_PER_MINUTE", "30", "unknown or inactive device ids from one address; beyond them 429"),
    set("DEVICE_RECHECK", "20s", "how often connected kiosks are looked up again"),
    set("MAX_CONNECTIONS", "20000", "WebSockets open at once"),
    set("MAX_CONNECTIONS_PER_ADDRESS", "unset", "connections of one address; unset: only MAX_CONNECTIONS counts"),
    set("MAX_HTTP_CONNECTIONS", "2048", "connections that are not WebSockets (hooks, health)"),
    set("MAX_UNAUTHENTICATED", "512", "WebSockets that have not presented a token yet"),
    set("HANDSHAKE_TIMEOUT", "10s", "for a whole request head"),
    set("HTTP_IDLE_TIMEOUT", "75s", "for a kept-alive connection between two requests"),
    set("AUTH_TIMEOUT", "10s", "for the first auth message of a connection without a token"),
    set("MAX_MESSAGE_BYTES", "16384", "longest message from a client"),
    set("MAX_MESSAGE_FRAGMENTS", "64", "frames one message may come in"),
    set("MESSAGE_BURST", "200", "messages a client may send at once"),
    set("MESSAGE_RATE", "20", "messages a second from a client, sustained"),
    set("MAX_CHANNELS", "100", "subscriptions of one connection"),
    set("OUTBOUND_BUFFER", "256", "messages that may wait for a client that does not read"),
    set("IO_URING", "auto", "many sends by one system call where the kernel allows it; off: one call a send"),
    set("OWNERSHIP_BURST", "100", "ownership look-ups a connection may cause at once"),
    set("OWNERSHIP_RATE", "10", "ownership look-ups a second of a connection, sustained"),
    set("WRITE_TIMEOUT", "10s", "for one write to a socket"),
    set("PING_INTERVAL", "25s", "silence after which a peer is asked whether it is there"),
    set("PONG_TIMEOUT", "20s", "silence after the question that ends the connection"),
    set("TRAILING_REREAD", "300ms", "after a burst of notices, when to look again for a commit that came late"),
    set("SNAPSHOT_MAX_AGE", "5s", "a new subscriber is given figures no older than this"),
    set("SENTINEL_INTERVAL", "30s", "how often a few watched businesses are read unasked; 0 is never"),
    set("SENTINEL_SAMPLE", "3", "how many of them each time"),
    set("SHUTDOWN_GRACE", "8s", "from the signal to the exit, whatever peers do"),
    set("LOG_FORMAT", "text", "text, or json for one object a line"),
    set("LOG_LEVEL", "info", "error, warn, info, debug, trace, or directives such as info,pulso::stats=debug"),
];

/// The table as text, for `pulso serve --help`.
pub fn settings_help() -> String {
    let width = SETTINGS.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    let mut out = String::from("Settings, from the environment or a .env file in the current directory:\n");
    for Setting { name, default, meaning } in SETTINGS {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {name:width$}  {meaning} [{default}]");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_setting_on_a_line_of_its_own() {
        let help = settings_help();
        assert_eq!(help.lines().count(), SETTINGS.len() + 1);
        assert!(SETTINGS.iter().all(|setting| help.contains(setting.name) && help.contains(setting.meaning)));
    }
}
