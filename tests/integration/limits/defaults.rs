//! The defaults that ordinary use never meets, as promised to operators.

use pulso::config::{AuthConfig, ClientLimits, ConnectionLimits, DEFAULT_SHUTDOWN_GRACE, HookConfig, Secret};

use crate::business::pulso;

/// Every limit and its default, as `pulso serve --help` says them.
const DEFAULTS: &[(&str, &str)] = &[
    ("HOOK_MAX_BODY_BYTES", "16384"),
    ("MAX_HOOKS", "1024"),
    ("HOOK_TIMEOUT", "4500ms"),
    ("MAX_CONNECTIONS", "20000"),
    ("MAX_CONNECTIONS_PER_ADDRESS", "unset"),
    ("MAX_HTTP_CONNECTIONS", "2048"),
    ("MAX_UNAUTHENTICATED", "512"),
    ("HANDSHAKE_TIMEOUT", "10s"),
    ("HTTP_IDLE_TIMEOUT", "75s"),
    ("AUTH_TIMEOUT", "10s"),
    ("MAX_MESSAGE_BYTES", "16384"),
    ("MAX_MESSAGE_FRAGMENTS", "64"),
    ("MESSAGE_BURST", "200"),
    ("MAX_CHANNELS", "100"),
    ("OUTBOUND_BUFFER", "256"),
    ("OWNERSHIP_BURST", "100"),
    ("WRITE_TIMEOUT", "10s"),
    ("SHUTDOWN_GRACE", "8s"),
    ("ACCESS_RECHECK", "10s"),
];

#[test]
fn every_limit_is_named_with_its_default() {
    let output = pulso("sqlite::memory:").command(&["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for (name, default) in DEFAULTS {
        let line = help.lines().find(|line| line.split_ascii_whitespace().next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in the help"));
        assert!(line.ends_with(&format!("[{default}]")), "{line}");
    }
}

#[test]
fn ordinary_use_meets_no_limit() {
    let connections = ConnectionLimits::default();
    assert_eq!((connections.max_websockets, connections.max_per_address), (20_000, None));
    let client = ClientLimits::default();
    assert_eq!((client.max_message_bytes, client.message_burst), (16 * 1024, 200));
    assert_eq!((client.max_channels, client.outbound_buffer, client.ownership_burst), (100, 256, 100));
    assert!(client.ping_interval + client.pong_timeout <= std::time::Duration::from_mins(1));
    let hooks = HookConfig::default();
    assert_eq!((hooks.max_concurrent, hooks.timeout.as_millis()), (1_024, 4_500));
    assert_eq!(DEFAULT_SHUTDOWN_GRACE.as_secs(), 8);
    let auth = AuthConfig::new(Secret::new("x"));
    assert!((auth.cache + auth.recheck).as_secs() <= 30, "withdrawn rights end a subscription within 30 s");
}
