//! What `pulso check` finds out about a Redis: whether every question of ours is answered, and whether it will keep what it is given.
//!
//! Tries everything under keys of its own, which it takes away again. Must not print.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use redis::Value;

use super::Redis;
use super::connection::{ANSWERED_WITHIN, Connection};
use super::greeting::field;
use super::keys::Keys;
use super::line::RedisLine;
use super::reply::{bytes, list, text};
use crate::broker::log::{Append, Call, Line, NodeId, Position, Stream, Trouble};
use crate::config::{RedisConfig, RedisServers};
use crate::finding::Finding;

/// What a user has to be allowed, as `ACL SETUSER` takes it; for `REDIS_PREFIX=pulso`.
pub const RIGHTS: &str = include_str!("rights.txt");
/// Ids begin at Redis's clock, so that a node's own should be no further from it.
const MOST_SKEW: Duration = Duration::from_secs(1);

/// Everything there is to say, in the order in which it was found. `now`: this machine's wall clock.
pub async fn inspect(config: &RedisConfig, now: impl Fn() -> Timestamp) -> Vec<Finding> {
    let keys = Arc::new(Keys::of_a_try(&config.prefix));
    let redis = Redis { config: Arc::new(config.clone()), keys: Arc::clone(&keys) };
    let line = match redis.line().await {
        Ok(line) => line,
        Err(trouble) => return vec![Finding::problem(trouble.to_string(), Some(&advice(&trouble, config)))],
    };
    let mut findings = Vec::new();
    let connection = line.connection();
    // Before the rest: a line on which something is refused has ended.
    let mut said = vec![version(connection).await, eviction(connection).await, persistence(connection).await];
    if matches!(config.servers, RedisServers::Sentinel { .. }) {
        said.extend(replicas(connection).await);
    }
    match rehearse(&line, &keys).await {
        Ok(clock) => {
            findings.push(Finding::ok(format!("{} answers all that Pulso asks", connection.server())));
            findings.extend(skew(clock, now()));
        }
        Err(trouble) => findings.push(Finding::problem(trouble.to_string(), Some(&advice(&trouble, config)))),
    }
    findings.extend(said);
    findings
}

/// Asks everything once; returns the server's clock in µs.
async fn rehearse(line: &RedisLine, keys: &Keys) -> Result<u64, Trouble> {
    let (node, lasting) = (NodeId(rand::random()), Duration::from_secs(1));
    let names = ["check".to_owned()];
    let body = Bytes::from_static(b"check");
    let tried = async {
        let identity = line.identity().await?;
        for stream in [Stream::Events, Stream::Now] {
            let call = Some(Call { name: "check", answer: &body }).filter(|_| stream == Stream::Events);
            let watched = Some("check");
            line.append(Append { stream, body: &body, ids: 1, floor: 0, born: &identity.born, call, watched }).await?;
        }
        line.read(Position::default(), 1, Duration::from_millis(1)).await?;
        line.lacks(&[1]).await?;
        line.remember_dismissed(&[("check".to_owned(), 0)]).await?;
        line.dismissed().await?;
        line.watch(&names, node, lasting).await?;
        line.unwatch(&names, node).await?;
        line.tell_listeners(node, &[("check".to_owned(), 1)], lasting).await?;
        line.listeners(&names, NodeId(0)).await?;
        line.forget_listeners(node).await?;
        line.hold("check", node, lasting).await?;
        line.release("check", node).await?;
        line.raise("check", 1).await?;
        Ok(identity.now)
    };
    let told = tried.await;
    let mut forget = redis::cmd("DEL");
    for key in [&keys.meta, &keys.events, &keys.now, &keys.calls, &keys.order, &keys.dismissed, &keys.nodes] {
        forget.arg(key);
    }
    let forgotten = line.connection().ask(&forget, ANSWERED_WITHIN).await;
    told.and_then(|clock| forgotten.map(|_| clock))
}

fn advice(trouble: &Trouble, config: &RedisConfig) -> String {
    match trouble {
        Trouble::Away(_) | Trouble::Unanswered(_) => {
            "Look at host and port of REDIS_URL, at bind and protected-mode of the server, and at what is between; with TLS \
             the URL begins with rediss://, without with redis://. `pulso serve` starts all the same, and waits for it up to 10 s"
                .to_owned()
        }
        Trouble::Refused(_) => format!(
            "Look at {} in REDIS_URL, and at REDIS_CA. A user of its own needs these rights:\n\
             ACL SETUSER pulso on >PASSWORD {}",
            told(config),
            RIGHTS.trim().replace("{pulso}", &format!("{{{}}}", config.prefix))
        ),
        Trouble::Full(_) => "Give it more memory (maxmemory), or see why it cannot write to its disk".to_owned(),
        Trouble::Foreign(_) | Trouble::Reborn => {
            "Somebody else writes to our keys: give each installation a REDIS_PREFIX of its own".to_owned()
        }
        Trouble::Moved(_) => {
            "Name the master, or all Sentinels (redis+sentinel://…/master), or members of the Cluster (redis+cluster://…). Where \
             min-replicas-to-write is set, see what has become of the replicas"
                .to_owned()
        }
    }
}

/// What of a URL a server may not be content with.
fn told(config: &RedisConfig) -> &'static str {
    match &config.servers {
        RedisServers::Sentinel { .. } => {
            "user, password, the master's name and the database's number, at whether its hosts are Sentinels (one server alone is redis://…)"
        }
        RedisServers::Cluster(_) => {
            "user and password, at whether its hosts are members of a Cluster (one server alone is redis://…)"
        }
        RedisServers::One(_) if config.database > 0 => {
            "user, password and the database's number (the server's `databases`)"
        }
        RedisServers::One(_) => "user and password",
    }
}

fn skew(clock: u64, now: Timestamp) -> Option<Finding> {
    let ours = u64::try_from(now.as_microsecond()).unwrap_or_default();
    let skew = Duration::from_micros(ours.abs_diff(clock));
    (skew > MOST_SKEW).then(|| {
        let what = format!("the server's clock and this machine's are {:.1} s apart", skew.as_secs_f64());
        Finding::warning(what, "Let both follow one time server (NTP): ids of events begin at the server's clock")
    })
}

async fn version(connection: &Connection) -> Finding {
    let Some(info) = info(connection, "server").await else { return unsaid("its version", "6.2 or newer") };
    if let Some(version) = field(&info, "valkey_version") {
        return Finding::ok(format!("it is Valkey {version}"));
    }
    match field(&info, "redis_version") {
        Some(version) => Finding::ok(format!("it is Redis {version}")),
        None => unsaid("its version", "6.2 or newer"),
    }
}

async fn eviction(connection: &Connection) -> Finding {
    let info = info(connection, "memory").await.unwrap_or_default();
    match (field(&info, "maxmemory_policy"), field(&info, "maxmemory")) {
        (Some("noeviction"), _) => Finding::ok("it evicts nothing (maxmemory-policy noeviction)"),
        (Some(policy), Some("0")) => Finding::warning(
            format!("its maxmemory-policy is {policy}, which does nothing while maxmemory is 0"),
            "CONFIG SET maxmemory-policy noeviction, before somebody sets maxmemory",
        ),
        (Some(policy), _) => Finding::warning(
            format!("its maxmemory-policy is {policy}: what it evicts of Pulso's is gone"),
            "CONFIG SET maxmemory-policy noeviction; a cache that has to evict belongs on another server",
        ),
        (None, _) => unsaid("its maxmemory-policy", "noeviction"),
    }
}

async fn persistence(connection: &Connection) -> Finding {
    let info = info(connection, "persistence").await.unwrap_or_default();
    match field(&info, "aof_enabled") {
        Some("1") => Finding::ok("it keeps an append-only file"),
        Some(_) => Finding::warning(
            "it keeps no append-only file: after a restart, what was accepted before is there only as far as living nodes put it \
             back",
            "CONFIG SET appendonly yes, with appendfsync everysec",
        ),
        None => unsaid("whether it keeps an append-only file", "appendonly yes, appendfsync everysec"),
    }
}

/// During a network split the old master would go on taking events that nobody else hears of.
async fn replicas(connection: &Connection) -> Option<Finding> {
    let command = || redis::cmd("CONFIG").arg("GET").arg("min-replicas-to-write").clone();
    let wanted = "min-replicas-to-write 1 and min-replicas-max-lag 10";
    let Ok(Some(said)) = connection.ask_if_allowed(&command(), ANSWERED_WITHIN).await else {
        return Some(unsaid("min-replicas-to-write", wanted));
    };
    let said = <[Value; 2]>::try_from(list(said)).ok().and_then(|[_, value]| text(value));
    (said.as_deref() == Some("0")).then(|| {
        Finding::warning(
            "it takes writes also when no replica has them",
            format!("CONFIG SET {}, on all servers", wanted.replace(" and ", " ")),
        )
    })
}

async fn info(connection: &Connection, section: &str) -> Option<String> {
    let said = connection.ask_if_allowed(redis::cmd("INFO").arg(section), ANSWERED_WITHIN).await.ok()??;
    bytes(said).map(|said| String::from_utf8_lossy(&said).into_owned())
}

/// A managed server keeps some things to itself.
fn unsaid(what: &str, wanted: &str) -> Finding {
    Finding::warning(
        format!("the server does not let itself be asked: {what}"),
        format!("Look for it in your provider's console; Pulso wants {wanted}"),
    )
}
