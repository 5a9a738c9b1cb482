//! Hooks, connections, clients and the refresher: numbers and durations, each with the range that makes sense.

use std::time::Duration;

use super::{MILLIS_100, zone};
use crate::config::reader::Reader;
use crate::config::{ClientLimits, ConnectionLimits, HookConfig, StatsConfig};

const MINUTE: Duration = Duration::from_mins(1);

pub(super) fn hooks(reader: &mut Reader<'_>) -> HookConfig {
    let default = HookConfig::default();
    let key = reader.secret("NOTIFY_API_KEY");
    let cita_open = reader.flag("NOTIFY_CITA_OPEN");
    match &key {
        None => reader.warn("NOTIFY_API_KEY", "unset, so anybody who reaches this port may call /notify/cita"),
        Some(key) if !key.expose().bytes().all(|b| b.is_ascii_graphic()) => {
            let remedy = "Use letters, digits and punctuation only, without spaces";
            reader.mistake("NOTIFY_API_KEY", "it has characters that an HTTP header cannot carry", remedy);
        }
        Some(_) => {}
    }
    HookConfig {
        key,
        cita_open,
        max_body_bytes: reader.number("HOOK_MAX_BODY_BYTES", default.max_body_bytes, 256..=1_048_576),
        max_concurrent: reader.number("MAX_HOOKS", default.max_concurrent, 1..=100_000),
        timeout: reader.duration("HOOK_TIMEOUT", default.timeout, MILLIS_100..=default.timeout),
    }
}

pub(super) fn connections(reader: &mut Reader<'_>) -> ConnectionLimits {
    let default = ConnectionLimits::default();
    ConnectionLimits {
        max_websockets: reader.number("MAX_CONNECTIONS", default.max_websockets, 1..=10_000_000),
        max_per_address: reader.number_or_unset("MAX_CONNECTIONS_PER_ADDRESS", 1..=10_000_000),
        connects_per_address: reader.number_or_unset("CONNECTS_PER_ADDRESS", 1..=1_000_000),
        connects_burst: reader.number("CONNECTS_BURST", default.connects_burst, 1..=1_000_000),
        max_http: reader.number("MAX_HTTP_CONNECTIONS", default.max_http, 1..=1_000_000),
        // Zero is a choice: the token must come with the request.
        max_unauthenticated: reader.number("MAX_UNAUTHENTICATED", default.max_unauthenticated, 0..=1_000_000),
        handshake_timeout: reader.duration("HANDSHAKE_TIMEOUT", default.handshake_timeout, MILLIS_100..=MINUTE),
        http_idle_timeout: reader.duration(
            "HTTP_IDLE_TIMEOUT",
            default.http_idle_timeout,
            MILLIS_100..=Duration::from_hours(1),
        ),
    }
}

pub(super) fn client(reader: &mut Reader<'_>) -> ClientLimits {
    let default = ClientLimits::default();
    let limits = ClientLimits {
        auth_timeout: reader.duration("AUTH_TIMEOUT", default.auth_timeout, MILLIS_100..=MINUTE),
        max_message_bytes: reader.number("MAX_MESSAGE_BYTES", default.max_message_bytes, 256..=16_777_216),
        max_message_fragments: reader.number("MAX_MESSAGE_FRAGMENTS", default.max_message_fragments, 1..=10_000),
        message_burst: reader.number("MESSAGE_BURST", default.message_burst, 1..=1_000_000),
        message_rate: reader.number("MESSAGE_RATE", default.message_rate, 1..=1_000_000),
        max_channels: reader.number("MAX_CHANNELS", default.max_channels, 1..=100_000),
        outbound_buffer: reader.number("OUTBOUND_BUFFER", default.outbound_buffer, 1..=65_536),
        ownership_burst: reader.number("OWNERSHIP_BURST", default.ownership_burst, 1..=1_000_000),
        ownership_rate: reader.number("OWNERSHIP_RATE", default.ownership_rate, 1..=1_000_000),
        write_timeout: reader.duration("WRITE_TIMEOUT", default.write_timeout, MILLIS_100..=MINUTE),
        ping_interval: reader.duration("PING_INTERVAL", default.ping_interval, MILLIS_100..=MINUTE),
        pong_timeout: reader.duration("PONG_TIMEOUT", default.pong_timeout, MILLIS_100..=MINUTE),
    };
    if limits.ping_interval + limits.pong_timeout > MINUTE {
        reader.mistake(
            "PONG_TIMEOUT",
            "together with PING_INTERVAL it is more than 60s, and a dead peer must be gone by then",
            "Lower one of them",
        );
    }
    limits
}

pub(super) fn stats(reader: &mut Reader<'_>) -> StatsConfig {
    let default = StatsConfig::default();
    let second_10 = Duration::from_secs(10);
    StatsConfig {
        zone: zone::read(reader),
        trailing_reread: reader.duration(
            "TRAILING_REREAD",
            default.trailing_reread,
            Duration::from_millis(10)..=second_10,
        ),
        snapshot_max_age: reader.duration("SNAPSHOT_MAX_AGE", default.snapshot_max_age, Duration::ZERO..=MINUTE),
        sentinel_interval: reader.duration(
            "SENTINEL_INTERVAL",
            default.sentinel_interval,
            Duration::ZERO..=Duration::from_hours(24),
        ),
        sentinel_sample: reader.number("SENTINEL_SAMPLE", default.sentinel_sample, 1..=10_000),
        results_bytes: reader.number("RESULTS_BYTES", default.results_bytes, 0..=1_099_511_627_776),
    }
}
