//! What holds where an operator says nothing.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{
    AccessPolicy, AuthConfig, ClientLimits, ClinicConfig, DatabaseConfig, DatabaseUrl, HookConfig, LogConfig,
    LogFormat, OwnTokens, PublishConfig, RedisConfig, RedisHost, RedisServers, Secret, StatsConfig, StatsSource,
    SyncConfig,
};

/// `SHUTDOWN_GRACE` when unset.
pub const DEFAULT_SHUTDOWN_GRACE: Duration = Duration::from_secs(8);

/// `REDIS_PORT` when unset.
pub(super) const DEFAULT_REDIS_PORT: u16 = 6379;
/// `REDIS_PREFIX` when unset.
pub(super) const REDIS_PREFIX: &str = "pulso";
/// `HINTS_CHANNEL` when unset.
pub(super) const HINTS_CHANNEL: &str = "pulso_hints";
/// `BRIDGE_DJANGO_PREFIX` when unset, as `channels_redis` has it.
pub(super) const DJANGO_PREFIX: &str = "asgi";

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            servers: RedisServers::One(RedisHost { name: "localhost".to_owned(), port: DEFAULT_REDIS_PORT }),
            user: None,
            password: None,
            database: 0,
            has_tls: false,
            authority: None,
            prefix: REDIS_PREFIX.to_owned(),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
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
            results_bytes: 64 * 1024 * 1024,
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
            hints: None,
            asks_figures: true,
            asks_devices: false,
            keeps_outbox: false,
            asks_ownership: true,
            orders_reads: false,
            zone: TimeZone::UTC,
        }
    }
}

impl AuthConfig {
    /// Defaults for everything but the secret.
    pub fn new(secret: Secret) -> Self {
        Self {
            secrets: vec![secret],
            own: OwnTokens::default(),
            issuers: Vec::new(),
            max_ttl: Duration::from_hours(366 * 24),
            max_token_bytes: 8 * 1024,
            access: AccessPolicy::Owner,
            cache: Duration::from_secs(5),
            recheck: Duration::from_secs(10),
        }
    }
}
