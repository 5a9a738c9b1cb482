//! Everything an operator may set, with its default. One struct a concern; `env` reads them all from the environment
//! and reports every mistake at once.
//!
//! Must not act on a setting: nothing here connects, listens or logs. Secrets never appear in `Debug`.

mod dotenv;
pub mod duration;
pub mod env;
mod feeds;
pub mod origin;
mod reader;
mod secret;
mod settings;
mod source;
mod spelling;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::negocio::Tenant;

pub use feeds::{Feed, Feeds};
pub use reader::{Mistake, Warning};
pub use secret::Secret;
pub use settings::{SETTINGS, Setting, settings_help};
pub use source::StatsSource;

/// All settings of `pulso serve`.
#[derive(Clone, Debug)]
pub struct Config {
    /// `FEEDS`.
    pub feeds: Feeds,
    pub listen: ListenConfig,
    pub database: DatabaseConfig,
    pub auth: AuthConfig,
    pub hooks: HookConfig,
    pub publish: PublishConfig,
    pub sync: SyncConfig,
    pub clinic: ClinicConfig,
    pub connections: ConnectionLimits,
    pub client: ClientLimits,
    pub stats: StatsConfig,
    pub log: LogConfig,
    /// `IO_URING`: whether it may be used where it is to be had.
    pub io_uring: bool,
    /// `SHUTDOWN_GRACE`: from the signal to exit, whatever peers do.
    pub shutdown_grace: Duration,
}

impl Config {
    /// The variable without which a feed cannot work.
    pub fn lacks(&self, feed: Feed) -> Option<&'static str> {
        if feed == Feed::Sync && self.sync.keys.is_empty() {
            return Some("CLOUD_API_KEY");
        }
        if feed != Feed::Sync && self.auth.secrets.is_empty() {
            return Some("JWT_SECRET");
        }
        // The one hook that carries no data works without.
        (feed != Feed::Stats && self.hooks.key.is_none()).then_some("NOTIFY_API_KEY")
    }
}

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `LOG_FORMAT`.
    pub format: LogFormat,
    /// `LOG_LEVEL`: a level, or directives such as `info,pulso::stats=debug`.
    pub level: String,
}

/// `LOG_FORMAT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// One JSON object a line.
    Json,
}

/// Where to listen: `LISTEN_ADDR`, `PORT`; `WS_ALLOWED_ORIGINS`; `TRUSTED_PROXIES`.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    pub address: IpAddr,
    pub port: u16,
    pub origins: AllowedOrigins,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// `WS_ALLOWED_ORIGINS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Unset: the request's own host, and localhost.
    SameOriginAndLocalhost,
    /// `*`, spelled out.
    Any,
    /// Serialised origins in lower case (`https://panel.example.com`), and `null` only if listed.
    Listed(Vec<String>),
}

/// `DATABASE_URL` and what bounds its use.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    pub url: DatabaseUrl,
    /// `DB_MAX_CONNECTIONS`: queries under way at once.
    pub max_connections: u32,
    /// `DB_CONNECT_TIMEOUT`: for one new connection.
    pub connect_timeout: Duration,
    /// `DB_STATEMENT_TIMEOUT`: for one query, enforced by the server and, a little later, by Pulso.
    pub statement_timeout: Duration,
    /// `STATS_SQL`: a file to read instead of `sql/stats.sql`.
    pub stats_sql: Option<PathBuf>,
    /// `STATS_SOURCE`.
    pub stats_source: StatsSource,
    /// `OWNER_SQL`: a file to read instead of `sql/owner.*.sql`.
    pub owner_sql: Option<PathBuf>,
    /// `DEVICE_SQL`: a file to read instead of `sql/devices.*.sql`.
    pub device_sql: Option<PathBuf>,
    /// `LISTEN_CHANNEL`: listen for notices from the trigger in `sql/`; off when unset.
    pub listen: Option<ListenSource>,
    /// Whether anybody wants figures: without the statistics feed neither its tables nor those of ownership need to be
    /// there.
    pub asks_figures: bool,
    /// Whether changes are kept for a back end to pull, so that `pulso check` looks for the tables.
    pub keeps_outbox: bool,
    /// Whether ownership is asked at all: not when `SUBSCRIBE_ACCESS` lets everybody in, and then its table may be
    /// missing.
    pub asks_ownership: bool,
}

/// `LISTEN_CHANNEL`, and `LISTEN_DATABASE_URL` (a direct connection where `DATABASE_URL` is a pooler's).
#[derive(Clone, Debug)]
pub struct ListenSource {
    pub channel: String,
    pub url: Secret,
}

/// Which store a `DATABASE_URL` names. The URL may hold a password.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    Postgres(Secret),
    Sqlite(Secret),
}

/// `JWT_SECRET` and its companions.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// `JWT_SECRET` first, then `JWT_SECRET_PREVIOUS`: a token signed with any of them is good. Empty where no feed that
    /// has tokens is configured.
    pub secrets: Vec<Secret>,
    /// `JWT_AUDIENCE`: checked only when set.
    pub audience: Option<String>,
    /// `JWT_MAX_TTL`: an `exp` further away is refused.
    pub max_ttl: Duration,
    /// `MAX_TOKEN_BYTES`.
    pub max_token_bytes: usize,
    /// `SUBSCRIBE_ACCESS`.
    pub access: AccessPolicy,
    /// `ACCESS_CACHE`: how long an answer about ownership is believed.
    pub cache: Duration,
    /// `ACCESS_RECHECK`: how often a live subscription's ownership is asked again.
    pub recheck: Duration,
}

/// `SUBSCRIBE_ACCESS`: who may subscribe to a business's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    /// `owner`: the token names the business, or the database says that the user owns it.
    Owner,
    /// `authenticated`: anybody with a good token.
    AnyAuthenticated,
}

/// The hooks the REST API calls.
#[derive(Clone, Debug)]
pub struct HookConfig {
    /// `NOTIFY_API_KEY`.
    pub key: Option<Secret>,
    /// `NOTIFY_CITA_OPEN`: `/notify/cita` stays keyless although a key is set.
    pub cita_open: bool,
    /// `HOOK_MAX_BODY_BYTES`.
    pub max_body_bytes: usize,
    /// `MAX_HOOKS`: calls under way at once; beyond it 503.
    pub max_concurrent: usize,
    /// `HOOK_TIMEOUT`: every call is answered by then. At most 4.5 s: callers give up after 5.
    pub timeout: Duration,
}

/// What the hooks that carry data may say.
#[derive(Clone, Debug)]
pub struct PublishConfig {
    /// `MAX_PUBLISH_BATCH`: messages of one call to `/api/publish`.
    pub max_batch: usize,
    /// `POS_SINGLE_BUSINESS`: point-of-sale events name no business and go to every token.
    pub single_business: bool,
}

/// Order synchronisation.
#[derive(Clone, Debug)]
pub struct SyncConfig {
    /// `CLOUD_API_KEY` (its tenant has no name), or `CLOUD_API_KEYS`. Empty: nobody connects.
    pub keys: Vec<(Tenant, Secret)>,
    /// `SYNC_PULL_LIMIT`: changes handed out at once, oldest first.
    pub pull_limit: u32,
    /// `SYNC_MAX_BODY_BYTES`: longest list of confirmations.
    pub max_body_bytes: usize,
}

/// The clinic's kiosks.
#[derive(Clone, Debug)]
pub struct ClinicConfig {
    /// `BAD_DEVICES_PER_MINUTE`: device ids that are not good, from one address; beyond them 429.
    pub bad_devices_per_minute: u32,
    /// `DEVICE_RECHECK`: how often connected kiosks are looked up again.
    pub device_recheck: Duration,
}

/// What bounds connections before they are clients.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// `MAX_CONNECTIONS`: WebSockets open at once.
    pub max_websockets: usize,
    /// `MAX_CONNECTIONS_PER_ADDRESS`: connections of one address; unset, only `MAX_CONNECTIONS` counts.
    pub max_per_address: Option<usize>,
    /// `MAX_HTTP_CONNECTIONS`: room kept for connections that are not WebSockets (hooks, health).
    pub max_http: usize,
    /// `MAX_UNAUTHENTICATED`: WebSockets that have not presented a token yet.
    pub max_unauthenticated: usize,
    /// `HANDSHAKE_TIMEOUT`: for a whole request head.
    pub handshake_timeout: Duration,
    /// `HTTP_IDLE_TIMEOUT`: for a kept-alive connection between two requests.
    pub http_idle_timeout: Duration,
}

/// What bounds one WebSocket client.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// `AUTH_TIMEOUT`: for the first `auth` message of a connection without a token.
    pub auth_timeout: Duration,
    /// `MAX_MESSAGE_BYTES`.
    pub max_message_bytes: usize,
    /// `MAX_MESSAGE_FRAGMENTS`: frames one message may come in.
    pub max_message_fragments: usize,
    /// `MESSAGE_BURST`: messages a client may send at once.
    pub message_burst: u32,
    /// `MESSAGE_RATE`: messages a second, sustained.
    pub message_rate: u32,
    /// `MAX_CHANNELS`: subscriptions of one connection.
    pub max_channels: usize,
    /// `OUTBOUND_BUFFER`: messages that may wait for a client that does not read.
    pub outbound_buffer: usize,
    /// `OWNERSHIP_BURST`: ownership look-ups a connection may cause at once.
    pub ownership_burst: u32,
    /// `OWNERSHIP_RATE`: ownership look-ups a second, sustained.
    pub ownership_rate: u32,
    /// `WRITE_TIMEOUT`: for one write to the socket.
    pub write_timeout: Duration,
    /// `PING_INTERVAL`: silence after which a peer is asked whether it is there.
    pub ping_interval: Duration,
    /// `PONG_TIMEOUT`: silence after the question that ends the connection.
    pub pong_timeout: Duration,
}

/// How the figures are kept current.
#[derive(Clone, Debug)]
pub struct StatsConfig {
    /// `TIMEZONE`: whose calendar day "today" is.
    pub zone: TimeZone,
    /// `TRAILING_REREAD`: after the last notice of a burst, when to look again for a commit that came late.
    pub trailing_reread: Duration,
    /// `SNAPSHOT_MAX_AGE`: a new subscriber is given figures no older than this.
    pub snapshot_max_age: Duration,
    /// `SENTINEL_INTERVAL`: how often a few watched negocios are read unasked; zero switches it off.
    pub sentinel_interval: Duration,
    /// `SENTINEL_SAMPLE`: how many each time.
    pub sentinel_sample: usize,
}

/// `SHUTDOWN_GRACE` when unset.
pub const DEFAULT_SHUTDOWN_GRACE: Duration = Duration::from_secs(8);

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_websockets: 20_000,
            max_per_address: None,
            max_http: 2_048,
            max_unauthenticated: 512,
            handshake_timeout: Duration::from_secs(10),
            http_idle_timeout: Duration::from_secs(75),
        }
    }
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            auth_timeout: Duration::from_secs(10),
            max_message_bytes: 16 * 1024,
            max_message_fragments: 64,
            message_burst: 200,
            message_rate: 20,
            max_channels: 100,
            outbound_buffer: 256,
            ownership_burst: 100,
            ownership_rate: 10,
            write_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(20),
        }
    }
}

impl Default for StatsConfig {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            trailing_reread: Duration::from_millis(300),
            snapshot_max_age: Duration::from_secs(5),
            sentinel_interval: Duration::from_secs(30),
            sentinel_sample: 3,
        }
    }
}

impl Default for HookConfig {
    fn default() -> Self {
        Self {
            key: None,
            cita_open: false,
            max_body_bytes: 16 * 1024,
            max_concurrent: 1_024,
            timeout: Duration::from_millis(4_500),
        }
    }
}

impl Default for PublishConfig {
    fn default() -> Self {
        Self { max_batch: 100, single_business: false }
    }
}

impl Default for SyncConfig {
    fn default() -> Self {
        Self { keys: Vec::new(), pull_limit: 500, max_body_bytes: 256 * 1024 }
    }
}

impl Default for ClinicConfig {
    fn default() -> Self {
        Self { bad_devices_per_minute: 30, device_recheck: Duration::from_secs(20) }
    }
}

impl DatabaseConfig {
    /// Defaults for everything but the URL.
    pub fn new(url: DatabaseUrl) -> Self {
        Self {
            url,
            max_connections: 8,
            connect_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(3),
            stats_sql: None,
            stats_source: StatsSource::Query,
            owner_sql: None,
            device_sql: None,
            listen: None,
            asks_figures: true,
            keeps_outbox: false,
            asks_ownership: true,
        }
    }
}

impl AuthConfig {
    /// Defaults for everything but the secret.
    pub fn new(secret: Secret) -> Self {
        Self {
            secrets: vec![secret],
            audience: None,
            max_ttl: Duration::from_hours(366 * 24),
            max_token_bytes: 8 * 1024,
            access: AccessPolicy::Owner,
            cache: Duration::from_secs(5),
            recheck: Duration::from_secs(10),
        }
    }
}
