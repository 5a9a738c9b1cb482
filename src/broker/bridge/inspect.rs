//! What `pulso check` finds out about the bridges: whether the user of Redis may do what each does.
//!
//! Writes under a name of its own only, and takes that away again. Must not print.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;

use super::listening::{patterns, probe, probes};
use super::{Groups, django};
use crate::broker::log::Trouble;
use crate::broker::redis::{Beside, Redis};
use crate::config::{Bridge, DjangoBridge, DjangoLayer, RedisConfig};
use crate::finding::Finding;

/// For what is published to come back.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// One finding a bridge that is on; none where there is no way to Redis, which is found out elsewhere.
pub async fn inspect(config: &RedisConfig, on: &[Bridge], groups: &Groups) -> Vec<Finding> {
    let redis = Redis::new(config.clone());
    let mut findings = Vec::new();
    for bridge in on {
        let Ok(beside) = redis.beside().await else { break };
        let tried = match core(bridge) {
            Some(django) => take(&beside, django, &config.prefix).await,
            None => hear(&beside, bridge, groups, &config.prefix).await,
        };
        let name = bridge.word();
        findings.push(match tried {
            Ok(()) => Finding::ok(format!("what the bridge {name} does is allowed")),
            Err(trouble) => Finding::problem(
                format!("the bridge {name}: {trouble}"),
                Some(&format!(
                    "A user of its own needs these rights too:\nACL SETUSER pulso {}",
                    rights(bridge, groups, &config.prefix)
                )),
            ),
        });
    }
    findings
}

fn core(bridge: &Bridge) -> Option<&DjangoBridge> {
    match bridge {
        Bridge::Django(django) if django.layer == DjangoLayer::Core => Some(django),
        _ => None,
    }
}

/// Everything that is asked of the core layer, of a group that nobody sends to.
async fn take(beside: &Beside<'_>, django: &DjangoBridge, prefix: &str) -> Result<(), Trouble> {
    let key = django::members_key(django, &format!("pulso.check.{:016x}", rand::random::<u64>()));
    let door = format!("{}{}", django.prefix, django::relay(prefix));
    beside.ask(&redis::cmd("TIME")).await?;
    beside.ask(redis::cmd("ZADD").arg(&key).arg(0).arg("check")).await?;
    beside.ask(redis::cmd("EXPIRE").arg(&key).arg(1)).await?;
    beside.ask(redis::cmd("ZSCORE").arg(&key).arg("check")).await?;
    beside.ask(redis::cmd("ZRANGE").arg(&door).arg(0).arg(0)).await?;
    beside.ask(redis::cmd("ZREM").arg(&key).arg("check")).await?;
    Ok(())
}

async fn hear(beside: &Beside<'_>, bridge: &Bridge, groups: &Groups, prefix: &str) -> Result<(), Trouble> {
    let probe = probe(prefix);
    let mut wanted = patterns(groups, bridge);
    wanted.push(probes(prefix));
    let mut messages = beside.listen(&wanted).await?;
    beside.ask(redis::cmd("PUBLISH").arg(&probe).arg("")).await?;
    let heard = async { while messages.next().await.is_some_and(|(channel, _)| channel != probe) {} };
    let deaf = |_| Trouble::Away("what is published is not heard".to_owned());
    timeout(HEARD_WITHIN, heard).await.map_err(deaf)
}

/// As `ACL SETUSER` takes them.
fn rights(bridge: &Bridge, groups: &Groups, prefix: &str) -> String {
    if let Some(django) = core(bridge) {
        return format!("~{}* +zadd +zrange +zrem +zscore +expire +time", django.prefix);
    }
    let heard = patterns(groups, bridge).into_iter().chain([probes(prefix)]);
    let heard: Vec<String> = heard.map(|pattern| format!("&{pattern}")).collect();
    format!("{} +psubscribe +publish +ping", heard.join(" "))
}
