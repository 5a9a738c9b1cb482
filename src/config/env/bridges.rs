//! `BRIDGE_*`.

use crate::config::reader::{Reader, quote};
use crate::config::{Bridge, DjangoBridge, DjangoLayer, DjangoSerializer, RedisConfig, RedisServers, defaults};

const DJANGO: &str = "BRIDGE_DJANGO";
const SOCKETIO: &str = "BRIDGE_SOCKETIO";
const ENCRYPTION: &str = "BRIDGE_DJANGO_SYMMETRIC_ENCRYPTION_KEYS";
const MAX_PREFIX_BYTES: usize = 64;

pub(super) fn read(reader: &mut Reader<'_>, redis: Option<&RedisConfig>) -> Vec<Bridge> {
    let layers = [("core", Some(DjangoLayer::Core)), ("pubsub", Some(DjangoLayer::PubSub))];
    let layer = reader.choice(DJANGO, &layers, None);
    let own = prefix(reader, "BRIDGE_DJANGO_PREFIX").unwrap_or_else(|| defaults::DJANGO_PREFIX.to_owned());
    let serializers = [("msgpack", DjangoSerializer::Msgpack), ("json", DjangoSerializer::Json)];
    let serializer = reader.choice("BRIDGE_DJANGO_SERIALIZER", &serializers, DjangoSerializer::Msgpack);
    if reader.secret(ENCRYPTION).is_some() {
        let remedy = "Unset it, and symmetric_encryption_keys in Django's CHANNEL_LAYERS";
        reader.mistake(ENCRYPTION, "encrypted messages of channels_redis cannot be read", remedy);
    }
    let django = layer.map(|layer| (DJANGO, Bridge::Django(DjangoBridge { layer, prefix: own, serializer })));
    let socketio = prefix(reader, SOCKETIO).map(|key| (SOCKETIO, Bridge::SocketIo(key)));
    let is_named = ["REDIS_URL", "REDIS_HOST"].iter().any(|name| reader.secret(name).is_some());
    let mut bridges = Vec::new();
    for (variable, bridge) in django.into_iter().chain(socketio) {
        match redis.map(|redis| &redis.servers) {
            // What is wrong with it was said.
            None if is_named => {}
            None => {
                let remedy = "Set REDIS_URL to the Redis that this producer writes to, or unset it";
                reader.mistake(variable, "there is no Redis to listen at", remedy);
            }
            Some(RedisServers::Cluster(_)) => {
                let remedy = "Use redis:// or redis+sentinel:// in REDIS_URL, or unset it";
                reader.mistake(variable, "what these producers publish does not cross a Redis Cluster", remedy);
            }
            Some(RedisServers::One(_) | RedisServers::Sentinel { .. }) => bridges.push(bridge),
        }
    }
    bridges
}

fn prefix(reader: &mut Reader<'_>, variable: &str) -> Option<String> {
    let prefix = reader.text(variable)?;
    if prefix.len() > MAX_PREFIX_BYTES || prefix.chars().any(char::is_control) {
        let remedy = format!("Write at most {MAX_PREFIX_BYTES} bytes without control characters");
        reader.mistake(variable, format!("{} cannot begin a key", quote(&prefix)), remedy);
    }
    Some(prefix)
}

#[cfg(test)]
mod tests {
    use crate::config::{Bridge, Config, DjangoBridge, DjangoLayer, DjangoSerializer};

    fn read(more: &[(&str, &str)]) -> Result<Vec<Bridge>, Vec<String>> {
        let usual = [
            ("DATABASE_URL", "postgres://pulso@127.0.0.1/negocio"),
            ("JWT_SECRET", "a secret for tests, longer than 32 bytes"),
            ("REDIS_URL", "redis://cache"),
        ];
        let vars = |name: &str| {
            let found = more.iter().chain(&usual).find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        match Config::from_env(&vars) {
            Ok((config, _)) => Ok(config.bridges),
            Err(mistakes) => Err(mistakes.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn a_bridge_is_off_until_it_is_set_and_has_its_producers_defaults() {
        let django = |layer, prefix: &str, serializer| {
            Bridge::Django(DjangoBridge { layer, prefix: prefix.to_owned(), serializer })
        };
        assert_eq!(read(&[]), Ok(vec![]));
        assert_eq!(
            read(&[("BRIDGE_DJANGO", "core"), ("BRIDGE_SOCKETIO", "socket.io")]),
            Ok(vec![
                django(DjangoLayer::Core, "asgi", DjangoSerializer::Msgpack),
                Bridge::SocketIo("socket.io".to_owned())
            ])
        );
        let mine = [
            ("BRIDGE_DJANGO", "PubSub"),
            ("BRIDGE_DJANGO_PREFIX", "mine"),
            ("BRIDGE_DJANGO_SERIALIZER", "json"),
            ("REDIS_URL", "redis+sentinel://s/m"),
        ];
        assert_eq!(read(&mine), Ok(vec![django(DjangoLayer::PubSub, "mine", DjangoSerializer::Json)]));
    }

    #[test]
    fn a_bridge_needs_a_redis_that_is_no_cluster_and_messages_that_can_be_read() {
        for (vars, said) in [
            (&[("BRIDGE_DJANGO", "core"), ("REDIS_URL", "")][..], "BRIDGE_DJANGO: there is no Redis"),
            (&[("BRIDGE_SOCKETIO", "s"), ("REDIS_URL", "")], "BRIDGE_SOCKETIO: there is no Redis"),
            (&[("BRIDGE_SOCKETIO", "s"), ("REDIS_URL", "redis+cluster://a")], "does not cross a Redis Cluster"),
            (&[("BRIDGE_SOCKETIO", "s"), ("REDIS_URL", "redis://h/x")], "REDIS_URL"),
            (&[("BRIDGE_DJANGO_SYMMETRIC_ENCRYPTION_KEYS", "hunter2pw")], "cannot be read"),
        ] {
            let mistakes = read(vars).unwrap_err();
            assert!(mistakes.len() == 1 && mistakes[0].contains(said), "{vars:?}: {mistakes:?}");
            assert!(!mistakes[0].contains("hunter2pw"), "{mistakes:?}");
        }
    }
}
