//! Everything an operator may set, with its default. One struct a concern; `env` reads them all from the environment
//! and reports every mistake at once.
//!
//! Must not act on a setting: nothing here connects, listens or logs. Secrets never appear in `Debug`.

mod algorithm;
mod authority;
mod bridges;
mod claim_map;
mod connections;
mod currency;
mod defaults;
mod dotenv;
pub mod duration;
pub mod env;
mod fixed;
mod issuer;
mod known;
pub mod origin;
mod postgres_url;
mod reader;
mod redis_url;
mod remote_keys;
mod secret;
mod settings;
mod source;
mod spelling;
mod traces;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::feeds::definition::Need;
use crate::model::Tenant;
use crate::queries::LiveQuery;
use crate::queries::folder::Folder;

pub use crate::feeds::{Feed, Feeds};
pub use algorithm::Algorithm;
pub use authority::UrlProblem;
pub use bridges::{Bridge, DjangoBridge, DjangoLayer, DjangoSerializer};
pub use claim_map::{ClaimMap, ClaimPath, PathProblem};
pub use connections::ConnectionLimits;
pub use defaults::DEFAULT_SHUTDOWN_GRACE;
pub(crate) use env::zone;
pub use fixed::{MAX_BRIDGE_WAITING, MAX_DISMISSED, MAX_HEAD_BYTES, MAX_KEY_BYTES, MAX_VERIFIED, MIN_SECRET_BYTES};
pub use issuer::{Audience, IssuerConfig, IssuerKeys, OwnTokens, USUAL_ALGORITHMS};
pub use known::{DEMO_CLOUD_KEY, DEMO_HOOK_KEY, DEMO_SECRET};
pub use postgres_url::{PostgresUrl, SessionAttrs};
pub(crate) use reader::quote;
pub use reader::{Mistake, Warning};
pub use redis_url::{RedisConfig, RedisHost, RedisServers};
pub use remote_keys::{KeysAt, RemoteKeys};
pub use secret::Secret;
pub use settings::{SETTINGS, Setting, settings_help};
pub use source::StatsSource;
pub(crate) use spelling::nearest;
pub use traces::{SamplerConfig, TracesConfig};

/// All settings of `pulso serve`.
#[derive(Clone, Debug)]
pub struct Config {
    /// `FEEDS`.
    pub feeds: Feeds,
    pub listen: ListenConfig,
    pub page: PageConfig,
    pub database: DatabaseConfig,
    /// `NODE_NAME`: what people call this node; `None` for its host's name and its port.
    pub node_name: Option<String>,
    /// `REDIS_URL` or `REDIS_HOST`: what stands between several nodes; `None` where there is one.
    pub redis: Option<RedisConfig>,
    /// `BRIDGE_*`: other producers that are listened to.
    pub bridges: Vec<Bridge>,
    pub auth: AuthConfig,
    pub hooks: HookConfig,
    pub publish: PublishConfig,
    pub sync: SyncConfig,
    pub clinic: ClinicConfig,
    pub connections: ConnectionLimits,
    pub client: ClientLimits,
    pub stats: StatsConfig,
    pub queries: QueriesConfig,
    pub log: LogConfig,
    /// `OTEL_…`: `None` where no span is sent.
    pub traces: Option<TracesConfig>,
    /// `IO_URING`: whether it may be used where it is to be had.
    pub io_uring: bool,
    /// `SHUTDOWN_DELAY`: for so long after the signal everything is still served while `/ready` says no.
    pub shutdown_delay: Duration,
    /// `SHUTDOWN_GRACE`: from the end of the delay to exit, whatever peers do.
    pub shutdown_grace: Duration,
}

impl Config {
    /// The variable without which a feed cannot work.
    pub fn missing_setting(&self, feed: Feed) -> Option<&'static str> {
        let is_missing = |need: &Need| match need {
            Need::Tokens => !self.auth.takes_tokens(),
            Need::HookKey => self.hooks.key.is_none(),
            Need::CloudKeys => self.sync.keys.is_empty(),
        };
        feed.definition().needs.iter().copied().find(is_missing).map(Need::variable)
    }
}

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `LOG_FORMAT`.
    pub format: LogFormat,
    /// `LOG_LEVEL`: a level, or directives such as `info,pulso::store=debug`.
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

/// What the page is told, and by whom it may be framed.
#[derive(Clone, Debug, Default)]
pub struct PageConfig {
    /// `EMBED_ORIGINS`: serialised origins in lower case; nobody's where there is none.
    pub embedders: Vec<String>,
    /// `CURRENCY`: a code of ISO 4217.
    pub currency: Option<&'static str>,
    /// `NAME_SQL`: what a business is called.
    pub name: Option<Arc<LiveQuery>>,
}

/// `DATABASE_URL` and what bounds its use.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says what is asked for, whatever the others are")]
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
    /// `HINTS_CHANNEL`: where the triggers of live queries' `hints` are heard; `None` on a database that has no such thing.
    pub hints: Option<ListenSource>,
    /// Whether anybody wants figures: else neither their tables nor those of ownership need to be there.
    pub asks_figures: bool,
    /// Whether kiosks are looked up, so that `pulso check` looks for their table.
    pub asks_devices: bool,
    /// Whether changes are kept for a back end to pull, so that `pulso check` looks for the tables.
    pub keeps_outbox: bool,
    /// `TIMEZONE`: what the clocks of the database's sessions show.
    pub zone: TimeZone,
    /// Whether ownership is asked at all: else (`SUBSCRIBE_ACCESS`) its table may be missing.
    pub asks_ownership: bool,
    /// Whether a read of figures is to say where it stands among others, which costs a statement: where several nodes read.
    pub orders_reads: bool,
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
    /// `JWT_SECRET` first, then `JWT_SECRET_PREVIOUS`: any may have signed. Empty where no feed has tokens, or others sign.
    pub secrets: Vec<Secret>,
    /// What is asked of tokens that one of the secrets signed.
    pub own: OwnTokens,
    /// Who else signs. Where there are several, a token is judged by its `iss` alone.
    pub issuers: Vec<IssuerConfig>,
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

impl AuthConfig {
    /// Whether there is any key: without one no token is good.
    pub fn takes_tokens(&self) -> bool {
        !self.secrets.is_empty() || !self.issuers.is_empty()
    }
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
    /// `MAX_HOOKS`: calls under way at once, as many without a key, and as many bodies of each; beyond it 503.
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
    /// `OWNERSHIP_BURST`: ownership look-ups a user may cause at once, over all connections.
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

/// `QUERIES_DIR`: the live queries.
#[derive(Clone, Debug, Default)]
pub struct QueriesConfig {
    /// Where they are defined; `None` where there are none.
    pub folder: Option<Folder>,
    /// What the files there said when the settings were read.
    pub defined: Vec<Arc<LiveQuery>>,
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
    /// `RESULTS_BYTES`: results of live queries that are kept, in all; of what is beyond a hash is kept.
    pub results_bytes: usize,
}
