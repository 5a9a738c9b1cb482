//! What an operator's environment turns into.

mod issuers;
mod known;
mod traces;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::config::{
    AccessPolicy, AllowedOrigins, ClientLimits, ConnectionLimits, DatabaseUrl, Feed, Feeds, RedisHost, RedisServers,
    StatsSource,
};

const SECRET: &str = "a-development-secret-of-32-bytes-and-more";
const DSN: &str = "postgres://pulso:hunter2pw@127.0.0.1:5432/negocio?sslmode=require";

type Read = Result<(Config, Vec<Warning>), Vec<Mistake>>;

/// `DATABASE_URL` and `JWT_SECRET` are set unless overridden.
fn read(vars: &[(&str, &str)]) -> Read {
    let mut map = BTreeMap::from([("DATABASE_URL", DSN), ("JWT_SECRET", SECRET)]);
    map.extend(vars.iter().copied());
    Config::from_env(&|name: &str| map.get(name).map(|value| (*value).to_owned()))
}

fn config(vars: &[(&str, &str)]) -> Config {
    read(vars).unwrap().0
}

fn warnings(vars: &[(&str, &str)]) -> String {
    read(vars).unwrap().1.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The one mistake in `vars`, as its line.
fn mistake(vars: &[(&str, &str)]) -> String {
    let mistakes = read(vars).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert_eq!(mistakes[0].variable, vars[0].0);
    mistakes[0].to_string()
}

#[test]
fn two_variables_are_enough() {
    let config = config(&[]);
    assert_eq!(config.listen.address.to_string(), "0.0.0.0");
    assert_eq!(config.listen.port, 8080);
    assert_eq!(config.listen.origins, AllowedOrigins::SameOriginAndLocalhost);
    assert_eq!(config.connections.max_websockets, ConnectionLimits::default().max_websockets);
    assert_eq!(config.client.outbound_buffer, ClientLimits::default().outbound_buffer);
    assert_eq!(config.auth.access, AccessPolicy::Owner);
    assert_eq!((config.shutdown_delay, config.shutdown_grace), (Duration::ZERO, Duration::from_secs(8)));
}

#[test]
fn every_mistake_is_reported_at_once_with_its_variable_and_its_mend() {
    let wrong = [
        ("DATABASE_URL", "mysql://root@localhost/x"),
        ("JWT_SECRET", "short"),
        ("PORT", "70000"),
        ("LISTEN_ADDR", "localhost"),
        ("TIMEZONE", "Guayaquil"),
        ("NOTIFY_API_KEY", "a b"),
        ("NOTIFY_CITA_OPEN", "maybe"),
        ("WS_ALLOWED_ORIGINS", "https://a.example/"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("SUBSCRIBE_ACCESS", "all"),
        ("STATS_SQL", "/nonexistent.sql"),
        ("OWNER_SQL", "/"),
        ("NAME_SQL", "/"),
        ("EMBED_ORIGINS", "https://a.example/"),
        ("CURRENCY", "EURO"),
        ("DEVICE_SQL", "/nonexistent.sql"),
        ("LISTEN_CHANNEL", "Citas;"),
        ("HOOK_TIMEOUT", "5s"),
        ("SHUTDOWN_DELAY", "6m"),
        ("SHUTDOWN_GRACE", "0"),
        ("MAX_CONNECTIONS", "0"),
        ("MAX_CHANNELS", "-1"),
        ("OUTBOUND_BUFFER", "many"),
        ("ACCESS_CACHE", "20s"),
        ("PING_INTERVAL", "45s"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "pulso=loud"),
        ("JWT_MAX_TTL", "0"),
        ("DB_MAX_CONNECTIONS", "0"),
        ("JWT_SECRET_PREVIOUS", "tiny"),
        ("FEEDS", "stats,ventas"),
        ("CLOUD_API_KEYS", "norte:one,sur"),
        ("POS_SINGLE_BUSINESS", "perhaps"),
        ("SYNC_PULL_LIMIT", "0"),
        ("DEVICE_RECHECK", "2m"),
        ("REDIS_URL", "redis://h/x"),
        ("REDIS_PORT", "0"),
        ("REDIS_CA", "/nonexistent.pem"),
        ("REDIS_PREFIX", "a{b}"),
        ("NODE_NAME", "a\tb"),
        ("BRIDGE_DJANGO", "redis"),
        ("BRIDGE_DJANGO_PREFIX", "a\tb"),
        ("BRIDGE_DJANGO_SERIALIZER", "pickle"),
        ("BRIDGE_DJANGO_SYMMETRIC_ENCRYPTION_KEYS", "k"),
        ("BRIDGE_SOCKETIO", "a\tb"),
    ];
    let mistakes = read(&wrong).unwrap_err();
    let found: BTreeSet<_> = mistakes.iter().map(|mistake| mistake.variable.as_str()).collect();
    let mut expected: BTreeSet<_> = wrong.iter().map(|(name, _)| *name).collect();
    // Sums are reported under the second variable.
    expected.remove("ACCESS_CACHE");
    expected.remove("PING_INTERVAL");
    expected.extend(["ACCESS_RECHECK", "PONG_TIMEOUT"]);
    assert_eq!(found, expected);
    for mistake in &mistakes {
        assert!(!mistake.problem.is_empty() && !mistake.remedy.is_empty(), "{mistake:?}");
        assert_eq!(mistake.to_string().lines().count(), 1, "{mistake}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let secrets = ["hunter2pw", "tiny-key", "short-old", "key with space", "listenpw", "redispw"];
    let vars = [
        ("DATABASE_URL", "postgres://pulso:hunter2pw@127.0.0.1:port/negocio"),
        ("JWT_SECRET", "tiny-key"),
        ("JWT_SECRET_PREVIOUS", "short-old"),
        ("NOTIFY_API_KEY", "key with space"),
        ("LISTEN_DATABASE_URL", "postgres://pulso:listenpw@127.0.0.1/negocio#x"),
        ("LISTEN_CHANNEL", "citas"),
        ("REDIS_URL", "redis://u:redispw@h:x"),
    ];
    let mistakes = read(&vars).unwrap_err();
    let mut shown = format!("{mistakes:?}");
    for mistake in &mistakes {
        shown += &mistake.to_string();
    }
    let good = [
        ("DATABASE_URL", DSN),
        ("NOTIFY_API_KEY", "hook-key"),
        ("JWT_SECRET", "tiny-key"),
        ("ALLOW_SHORT_JWT_SECRET", "true"),
        ("JWT_SECRET_PREVIOUS", "short-old"),
        ("LISTEN_DATABASE_URL", "postgres://p:listenpw@h/n"),
        ("LISTEN_CHANNEL", "c"),
        ("REDIS_URL", "redis://u:redispw@h"),
    ];
    let (config, warnings) = read(&good).unwrap();
    shown = format!("{shown}{config:?}{warnings:?}");
    for secret in secrets.into_iter().chain(["hook-key"]) {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let all_empty: Vec<_> = SETTINGS.iter().map(|setting| (setting.name, "")).collect();
    let mistakes = read(&all_empty).unwrap_err();
    let variables: Vec<_> = mistakes.iter().map(|mistake| mistake.variable.as_str()).collect();
    assert_eq!(variables, ["DATABASE_URL", "JWT_SECRET"]);
}

#[test]
fn the_table_names_exactly_the_variables_that_are_read_and_their_true_defaults() {
    let asked = RefCell::new(BTreeSet::new());
    let required = |name: &str| match name {
        "DATABASE_URL" => Some(DSN.to_owned()),
        "JWT_SECRET" => Some(SECRET.to_owned()),
        _ => None,
    };
    let (unset, _) = Config::from_env(&|name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        required(name)
    })
    .unwrap();
    let names: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name.to_owned()).collect();
    assert_eq!(asked.into_inner(), names);

    let (spelt_out, _) = Config::from_env(&|name: &str| {
        let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
        required(name).or_else(|| (setting.default != "unset").then(|| setting.default.to_owned()))
    })
    .unwrap();
    assert_eq!(format!("{unset:?}"), format!("{spelt_out:?}"));
}

#[test]
fn database_urls_are_checked_without_being_shown() {
    for good in [DSN, "postgresql://h/n", "postgres:///n?host=/run/postgresql"] {
        assert!(matches!(config(&[("DATABASE_URL", good)]).database.url, DatabaseUrl::Postgres(_)), "{good}");
    }
    for good in ["sqlite://citas.db", "sqlite::memory:", "sqlite:///var/lib/citas.db?mode=rwc"] {
        assert!(matches!(config(&[("DATABASE_URL", good)]).database.url, DatabaseUrl::Sqlite(_)), "{good}");
    }
    for bad in [
        "citas",
        "mysql://h/n",
        "postgres://u:p@h:port/n",
        "postgres://u:p#w@h/n",
        "postgres://h/n?sslmode=strict",
        "postgres://h/n?sslrootcert=/nonexistent.pem",
        "postgres://h/n?port=x",
        "sqlite://x?mode=fast",
        "sqlite://",
        "sqlite:",
        "sqlite://?mode=rwc",
        " postgres://h/n",
    ] {
        assert!(mistake(&[("DATABASE_URL", bad)]).starts_with("DATABASE_URL: "), "{bad}");
    }
}

#[test]
fn a_short_secret_needs_the_operators_word() {
    assert!(mistake(&[("JWT_SECRET", &SECRET[..31])]).contains("ALLOW_SHORT_JWT_SECRET=true"));
    assert!(!warnings(&[("JWT_SECRET", &SECRET[..32])]).contains("JWT_SECRET"));
    let allowed = [("JWT_SECRET", "short"), ("ALLOW_SHORT_JWT_SECRET", "true")];
    assert!(warnings(&allowed).contains("JWT_SECRET: is shorter"));
}

#[test]
fn previous_secrets_are_tried_after_the_current_one() {
    let previous = format!("{SECRET}-1,{SECRET}-2");
    let secrets = config(&[("JWT_SECRET_PREVIOUS", &previous)]).auth.secrets;
    let texts: Vec<_> = secrets.iter().map(Secret::expose).collect();
    assert_eq!(texts, [SECRET, &format!("{SECRET}-1"), &format!("{SECRET}-2")]);
}

#[test]
fn a_wrong_zone_is_answered_with_the_right_one() {
    assert_eq!(config(&[("TIMEZONE", "America/Guayaquil")]).stats.zone.iana_name(), Some("America/Guayaquil"));
    for wrong in ["Guayaquil", "America/Guayaqil", "america/guayaquill", "Ecuador/Guayaquil"] {
        assert!(mistake(&[("TIMEZONE", wrong)]).contains("Did you mean America/Guayaquil?"), "{wrong}");
    }
    assert!(mistake(&[("TIMEZONE", "a galaxy far away")]).contains("such as America/Guayaquil"));
    assert!(warnings(&[]).contains("TIMEZONE: unset"));
    assert!(!warnings(&[("TIMEZONE", "UTC")]).contains("TIMEZONE"));
}

#[test]
fn a_zone_of_hours_is_taken_and_said_with_its_offset() {
    assert_eq!(config(&[("TIMEZONE", "Etc/GMT-5")]).stats.zone.iana_name(), Some("Etc/GMT-5"));
    let said = warnings(&[("TIMEZONE", "Etc/GMT-5")]);
    assert!(said.contains("UTC+05:00 today") && said.contains("sign") && said.contains("America/Guayaquil"), "{said}");
    assert!(warnings(&[("TIMEZONE", "Etc/GMT+5")]).contains("UTC-05:00 today"));
    assert!(warnings(&[("TIMEZONE", "EST")]).contains("UTC-05:00 today"));
    assert!(mistake(&[("TIMEZONE", "GMT-5")]).contains("of UTC-05:00 are America/Guayaquil"));
}

#[test]
fn an_open_hook_is_said_aloud() {
    assert!(warnings(&[]).contains("/notify/cita"));
    assert!(!warnings(&[("NOTIFY_API_KEY", "k")]).contains("/notify/cita"));
}

#[test]
fn origins_are_bare() {
    let listed = |text| config(&[("WS_ALLOWED_ORIGINS", text)]).listen.origins;
    assert_eq!(listed("*"), AllowedOrigins::Any);
    assert_eq!(
        listed("https://Panel.example.com, http://localhost:4200,null,File://"),
        AllowedOrigins::Listed(
            ["https://panel.example.com", "http://localhost:4200", "null", "file://"].map(str::to_owned).to_vec()
        )
    );
    let file = mistake(&[("WS_ALLOWED_ORIGINS", "file:///")]);
    assert!(file.ends_with("Write \"file://\""), "{file}");
    let slash = mistake(&[("WS_ALLOWED_ORIGINS", "https://panel.example.com/app")]);
    assert!(slash.contains("slash") && slash.ends_with("Write \"https://panel.example.com\""), "{slash}");
    mistake(&[("WS_ALLOWED_ORIGINS", "panel.example.com")]);
    mistake(&[("WS_ALLOWED_ORIGINS", "*,https://panel.example.com")]);
}

#[test]
fn proxies_are_addresses_and_networks() {
    let nets = config(&[("TRUSTED_PROXIES", "10.1.2.3/8, 192.168.0.7,::1")]).listen.trusted_proxies;
    let texts: Vec<_> = nets.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["10.0.0.0/8", "192.168.0.7/32", "::1/128"]);
}

#[test]
fn listening_needs_postgres_and_may_go_around_the_pooler() {
    let source = config(&[("LISTEN_CHANNEL", "pulso_citas")]).database.listen.unwrap();
    assert_eq!((source.channel.as_str(), source.url.expose()), ("pulso_citas", DSN));
    let direct = [("LISTEN_CHANNEL", "c"), ("LISTEN_DATABASE_URL", "postgres://direct/n")];
    assert_eq!(config(&direct).database.listen.unwrap().url.expose(), "postgres://direct/n");
    assert!(config(&direct[1..]).database.listen.is_none());
    assert!(warnings(&direct[1..]).contains("LISTEN_DATABASE_URL: has no effect"));
    mistake(&[("LISTEN_CHANNEL", "c"), ("DATABASE_URL", "sqlite://citas.db")]);
    mistake(&[("LISTEN_DATABASE_URL", "sqlite://citas.db")]);
    for bad in ["Citas", "1c", "a b", "c\"; DROP", &"c".repeat(64)] {
        mistake(&[("LISTEN_CHANNEL", bad)]);
    }
}

#[test]
fn the_rollup_needs_postgres_and_the_built_in_query() {
    assert_eq!(config(&[]).database.stats_source, StatsSource::Query);
    let rollup = ("STATS_SOURCE", "rollup");
    assert_eq!(config(&[rollup]).database.stats_source, StatsSource::Rollup);
    assert!(mistake(&[rollup, ("DATABASE_URL", "sqlite://citas.db")]).contains("needs PostgreSQL"));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/stats.sql");
    assert!(mistake(&[rollup, ("STATS_SQL", file)]).contains("STATS_SQL names another"));
    assert!(mistake(&[("STATS_SOURCE", "counters")]).contains("query, rollup"));
}

#[test]
fn a_withdrawn_right_and_a_dead_peer_are_gone_in_time() {
    assert!(read(&[("ACCESS_CACHE", "4s"), ("ACCESS_RECHECK", "20s")]).is_ok());
    assert!(read(&[("ACCESS_CACHE", "5s"), ("ACCESS_RECHECK", "20s")]).is_err());
    assert!(read(&[("PING_INTERVAL", "40s"), ("PONG_TIMEOUT", "20s")]).is_ok());
    assert!(read(&[("PING_INTERVAL", "41s"), ("PONG_TIMEOUT", "20s")]).is_err());
    assert!(mistake(&[("HOOK_TIMEOUT", "4501ms")]).contains("4500ms"));
}

#[test]
fn zero_is_refused_only_where_it_makes_no_sense() {
    for name in
        ["MAX_CONNECTIONS", "MAX_HOOKS", "MESSAGE_RATE", "OUTBOUND_BUFFER", "WRITE_TIMEOUT", "DB_STATEMENT_TIMEOUT"]
    {
        assert!(mistake(&[(name, "0")]).contains(" from "), "{name}");
    }
    let config =
        config(&[("PORT", "0"), ("SENTINEL_INTERVAL", "0"), ("MAX_UNAUTHENTICATED", "0"), ("ACCESS_CACHE", "0")]);
    assert_eq!(config.listen.port, 0);
    assert_eq!(config.stats.sentinel_interval, Duration::ZERO);
}

#[test]
fn misspelt_variables_are_noticed_and_others_are_left_alone() {
    let names = ["JWT_SECERT", "TIME_ZONE", "DATABASE_URI", "PATH", "HOME", "PORTS", "JWT_SECRET", "LANG", "DB_HOST"];
    let warnings: Vec<_> = misspelt(names.into_iter()).iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "JWT_SECERT: unknown variable; did you mean JWT_SECRET?",
            "TIME_ZONE: unknown variable; did you mean TIMEZONE?",
            "DATABASE_URI: unknown variable; did you mean DATABASE_URL?",
        ]
    );
}

#[test]
fn log_settings_are_checked() {
    let config = config(&[("LOG_FORMAT", "JSON"), ("LOG_LEVEL", "warn,pulso::feeds::appointments=debug")]);
    assert_eq!(
        config.log,
        LogConfig { format: LogFormat::Json, level: "warn,pulso::feeds::appointments=debug".into() }
    );
}

#[test]
fn all_feeds_are_on_unless_some_are_named() {
    assert_eq!(config(&[]).feeds, Feeds::all());
    let feeds = config(&[("FEEDS", "pos, Clinic")]).feeds;
    let on: Vec<_> = Feed::ALL.into_iter().filter(|feed| feeds.has(*feed)).collect();
    assert_eq!(on, [Feed::Pos, Feed::Clinic]);
}

#[test]
fn a_feed_may_be_named_by_its_older_word_and_the_operator_is_told_the_new_one() {
    let (config, warnings) = read(&[("FEEDS", "stats,pos")]).unwrap();
    assert!(config.feeds.has(Feed::Appointments) && config.feeds.has(Feed::Pos));
    let told = warnings.iter().filter(|warning| warning.to_string().contains("\"stats\" is called appointments now"));
    assert_eq!(told.count(), 1);
    let (_, warnings) = read(&[("FEEDS", "appointments")]).unwrap();
    assert!(warnings.iter().all(|warning| warning.variable != "FEEDS"));
}

#[test]
fn a_key_of_synchronisation_belongs_to_one_tenant() {
    let keys = |vars: &[(&str, &str)]| -> Vec<(String, String)> {
        let keys = config(vars).sync.keys;
        keys.iter().map(|(tenant, key)| (tenant.as_str().to_owned(), key.expose().to_owned())).collect()
    };
    assert_eq!(keys(&[("CLOUD_API_KEY", "k1")]), [(String::new(), "k1".to_owned())]);
    let two = [("norte".to_owned(), "k1".to_owned()), ("sur".to_owned(), "k:2".to_owned())];
    assert_eq!(keys(&[("CLOUD_API_KEYS", "norte:k1, sur:k:2")]), two);
    for wrong in ["norte:k1,norte:k2", "norte:k1,sur:k1", "k1", ":k1", "norte:", "norte:a b"] {
        mistake(&[("CLOUD_API_KEYS", wrong)]);
    }
    assert!(mistake(&[("CLOUD_API_KEYS", "norte:k1"), ("CLOUD_API_KEY", "k2")]).contains("one of them"));
}

#[test]
fn tokens_need_a_key_unless_no_feed_that_works_has_any() {
    assert!(mistake(&[("JWT_SECRET", "")]).contains("not set"));
    assert!(config(&[("JWT_SECRET", ""), ("CLOUD_API_KEY", "k1")]).auth.secrets.is_empty());
    assert!(config(&[("JWT_SECRET", ""), ("FEEDS", "sync")]).auth.secrets.is_empty());
    assert!(mistake(&[("JWT_SECRET", "short"), ("CLOUD_API_KEY", "k1")]).contains("32 bytes"));
}

#[test]
fn redis_is_named_by_a_url_or_by_a_host() {
    assert_eq!(config(&[]).redis, None);
    assert!(!config(&[]).database.orders_reads);
    assert!(config(&[("REDIS_HOST", "cache")]).database.orders_reads, "so that figures of several nodes compare");
    let of = |vars: &[(&str, &str)]| config(vars).redis.unwrap();
    let host = |name: &str, port| RedisServers::One(RedisHost { name: name.to_owned(), port });
    assert_eq!(of(&[("REDIS_HOST", "cache")]).servers, host("cache", 6379));
    assert_eq!(of(&[("REDIS_HOST", "::1"), ("REDIS_PORT", "6390")]).servers, host("::1", 6390));
    let url = of(&[("REDIS_URL", "redis://cache:1"), ("REDIS_PREFIX", "tienda-2")]);
    assert_eq!((url.servers, url.prefix.as_str()), (host("cache", 1), "tienda-2"));
    assert_eq!(of(&[("REDIS_HOST", "cache")]).prefix, "pulso");
    assert!(mistake(&[("REDIS_HOST", "cache"), ("REDIS_URL", "redis://cache")]).contains("Unset one"));
    mistake(&[("REDIS_HOST", "redis://cache")]);
    assert!(mistake(&[("REDIS_HOST", "127.0.0.1:6379")]).contains("REDIS_PORT"));
    mistake(&[("REDIS_URL", " redis://cache")]);
    let ca = ("REDIS_CA", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    assert!(mistake(&[ca, ("REDIS_URL", "rediss://cache")]).contains("has no certificate"));
}

#[test]
fn several_nodes_need_one_database() {
    let sqlite = [("REDIS_URL", "redis://cache"), ("DATABASE_URL", "sqlite://citas.db")];
    assert!(mistake(&sqlite).contains("cannot share an SQLite file"));
}

#[test]
fn a_node_has_the_name_that_people_give_it() {
    assert_eq!(config(&[]).node_name, None);
    assert_eq!(config(&[("NODE_NAME", "caja norte")]).node_name.as_deref(), Some("caja norte"));
    mistake(&[("NODE_NAME", &"n".repeat(101))]);
}
