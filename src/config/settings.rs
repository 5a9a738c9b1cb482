//! The table of all settings, for `--help`, for the README's test and for finding misspelt names. `env` reads exactly
//! these variables; a test holds the two together.

use std::fmt::Write as _;

use crate::feeds::Feed;
use crate::feeds::definition::Definition;

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
    set("FEEDS", "unset", "feeds that are on, by commas, of those below; unset: all"),
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
    set(
        "JWT_ALGORITHMS",
        "unset",
        "how tokens may be signed, by commas; unset: HS256 by JWT_SECRET; RS256, ES256, EdDSA by public keys",
    ),
    set(
        "JWKS_URL",
        "unset",
        "where the provider of the tokens publishes its keys (JWKS); needs JWT_ISSUER and JWT_AUDIENCE",
    ),
    set("JWKS_FILE", "unset", "or a file with them; needs JWT_AUDIENCE"),
    set("JWKS_ALLOW_HTTP", "false", "fetch keys without TLS from other hosts than this one, in a private network"),
    set("JWT_PUBLIC_KEY", "unset", "or one public key: PEM, or a file with it"),
    set(
        "OIDC_ISSUER",
        "unset",
        "or the provider's issuer, whose discovery says where the keys are; needs JWT_AUDIENCE",
    ),
    set("JWT_ISSUER", "unset", "issuer (iss) that tokens must name, or several by commas; unset: not checked"),
    set(
        "JWT_AUDIENCE",
        "unset",
        "audience (aud) that tokens must name, or several by commas; unset, or *: not checked",
    ),
    set("JWT_ISSUERS_FILE", "unset", "or a JSON file with several issuers at once"),
    set("CLAIM_USER", "id,user_id,sub,userId", "claims that name the user; the first is her id"),
    set("CLAIM_NEGOCIO", "negocio_id", "claim that names a business: a path such as app_metadata.negocio_id"),
    set("CLAIM_NEGOCIOS", "negocios", "claim with an array of businesses"),
    set("CLAIM_RESTAURANT", "restaurantId", "claim that names the restaurant"),
    set("CLAIM_ROLE", "unset", "claim with the role or an array of roles; unset: role, roles, is_staff, is_superuser"),
    set("STAFF_ROLES", "STAFF,ADMIN", "roles that make somebody staff of a clinic, in any case"),
    set("JWT_MAX_TTL", "366d", "tokens that expire later than this from now are refused"),
    set("MAX_TOKEN_BYTES", "8192", "longest token"),
    set("SUBSCRIBE_ACCESS", "owner", "who may watch a business: owner, or authenticated for every valid token"),
    set("ACCESS_CACHE", "5s", "how long an answer about ownership is believed; meanwhile asking again costs nothing"),
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
    set(
        "HINTS_CHANNEL",
        "pulso_hints",
        "PostgreSQL channel of the triggers that `pulso migrate --listen` installs for live queries",
    ),
    set("QUERIES_DIR", "unset", "folder with the live queries, a file <name>.sql each"),
    set(
        "REDIS_URL",
        "unset",
        "Redis or Valkey between several nodes: redis://user:password@host:port/0; rediss:// for TLS",
    ),
    set("REDIS_HOST", "unset", "or its host alone, with REDIS_PORT"),
    set("REDIS_PORT", "6379", "port of REDIS_HOST"),
    set(
        "REDIS_CA",
        "unset",
        "file with the authority of a rediss:// server's certificate; unset: those everybody trusts",
    ),
    set("REDIS_PREFIX", "pulso", "what every key in Redis begins with"),
    set("BRIDGE_DJANGO", "unset", "layer of Django's channels_redis to listen to at REDIS_URL: core or pubsub"),
    set("BRIDGE_DJANGO_PREFIX", "asgi", "prefix of that layer"),
    set("BRIDGE_DJANGO_SERIALIZER", "msgpack", "its serializer_format: msgpack or json"),
    set("BRIDGE_DJANGO_SYMMETRIC_ENCRYPTION_KEYS", "unset", "refused: encrypted messages cannot be read"),
    set("BRIDGE_SOCKETIO", "unset", "key of Socket.IO's Redis emitter and adapter to listen to, usually socket.io"),
    set("NODE_NAME", "unset", "what people call this node; unset: its host's name and port"),
    set("HOOK_MAX_BODY_BYTES", "16384", "longest body of a hook call"),
    set(
        "MAX_HOOKS",
        "1024",
        "hook calls under way at once, and as many without a key, and as many bodies; beyond it 503",
    ),
    set("HOOK_TIMEOUT", "4500ms", "every hook call is answered by then"),
    set("MAX_PUBLISH_BATCH", "100", "messages of one call to /api/publish"),
    set("SYNC_PULL_LIMIT", "500", "changes handed out by one pull, oldest first"),
    set("SYNC_MAX_BODY_BYTES", "262144", "longest list of confirmations"),
    set(
        "BAD_DEVICES_PER_MINUTE",
        "30",
        "unknown or inactive device ids from one address (IPv6: one /64); beyond them 429",
    ),
    set("DEVICE_RECHECK", "20s", "how often connected kiosks are looked up again"),
    set("MAX_CONNECTIONS", "20000", "WebSockets open at once"),
    set("MAX_CONNECTIONS_PER_ADDRESS", "unset", "connections of one address; unset: only MAX_CONNECTIONS counts"),
    set("CONNECTS_PER_ADDRESS", "unset", "clients that an address may begin a second, sustained; beyond it 429"),
    set("CONNECTS_BURST", "100", "and at once, where CONNECTS_PER_ADDRESS is set"),
    set("MAX_HTTP_CONNECTIONS", "2048", "kept-alive connections that carry no client (hooks, health)"),
    set("MAX_UNAUTHENTICATED", "512", "clients that have not presented a token yet; beyond it the oldest goes"),
    set("HANDSHAKE_TIMEOUT", "10s", "for a whole request head"),
    set("HTTP_IDLE_TIMEOUT", "75s", "for a kept-alive connection between two requests"),
    set("AUTH_TIMEOUT", "10s", "for the first auth message of a connection without a token"),
    set("MAX_MESSAGE_BYTES", "16384", "longest message from a client"),
    set("MAX_MESSAGE_FRAGMENTS", "64", "frames one message may come in"),
    set("MESSAGE_BURST", "200", "messages, pings and unasked pongs a client may send at once"),
    set("MESSAGE_RATE", "20", "messages a second from a client, sustained"),
    set("MAX_CHANNELS", "100", "subscriptions of one connection"),
    set("OUTBOUND_BUFFER", "256", "messages that may wait for a client that does not read, of 1 MiB in all"),
    set("IO_URING", "auto", "many sends by one system call where the kernel allows it; off: one call a send"),
    set(
        "OWNERSHIP_BURST",
        "100",
        "ownership look-ups a user may cause at once, over all connections; beyond it each waits its turn",
    ),
    set(
        "OWNERSHIP_RATE",
        "10",
        "ownership look-ups a second of a user, sustained; who would wait longer than 10s is refused",
    ),
    set("WRITE_TIMEOUT", "10s", "for one write to a socket"),
    set("PING_INTERVAL", "25s", "silence after which a peer is asked whether it is there"),
    set("PONG_TIMEOUT", "20s", "silence after the question that ends the connection"),
    set("TRAILING_REREAD", "300ms", "after a burst of notices, when to look again for a commit that came late"),
    set("SNAPSHOT_MAX_AGE", "5s", "a new subscriber is given figures no older than this"),
    set("SENTINEL_INTERVAL", "30s", "how often a few watched businesses are read unasked; 0 is never"),
    set("SENTINEL_SAMPLE", "3", "how many of them each time"),
    set(
        "RESULTS_BYTES",
        "67108864",
        "results of live queries that are kept for newcomers, in all; beyond it each costs a read",
    ),
    set("SHUTDOWN_DELAY", "0s", "after the signal, how long all is still served while /ready says no"),
    set("SHUTDOWN_GRACE", "8s", "from the end of that delay to the exit, whatever peers do"),
    set("LOG_FORMAT", "text", "text, or json for one object a line"),
    set("LOG_LEVEL", "info", "error, warn, info, debug, trace, or directives such as info,pulso::store=debug"),
];

/// The table as text, for `pulso serve --help`.
pub fn settings_help() -> String {
    let width = SETTINGS.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    let mut out = String::from("Settings, from the environment or a .env file in the current directory:\n");
    for Setting { name, default, meaning } in SETTINGS {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {name:width$}  {meaning} [{default}]");
    }
    out.push_str("\nFeeds:\n");
    for Definition { word, about, .. } in Feed::ALL.map(Feed::definition) {
        let _ = writeln!(out, "  {word:width$}  {about}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_setting_and_every_feed_on_a_line_of_its_own() {
        let help = settings_help();
        assert_eq!(help.lines().count(), SETTINGS.len() + Feed::ALL.len() + 3);
        assert!(Feed::ALL.iter().all(|feed| help.contains(&format!("\n  {} ", feed.word()))));
        assert!(SETTINGS.iter().all(|setting| help.contains(setting.name) && help.contains(setting.meaning)));
    }
}
