//! `FEEDS`, and what the sister feeds need: `POS_SINGLE_BUSINESS`, `CLOUD_API_KEY(S)`, the clinic's and the publishing
//! surface's limits.

use std::collections::HashSet;
use std::time::Duration;

use crate::config::reader::{Reader, quote};
use crate::config::{ClinicConfig, Feed, Feeds, PublishConfig, Secret, SyncConfig};
use crate::model::Tenant;

const KEYS: &str = "CLOUD_API_KEYS";
/// A tenant's name, in bytes.
const MAX_TENANT_BYTES: usize = 100;

pub(super) fn feeds(reader: &mut Reader<'_>) -> Feeds {
    let Some(listed) = reader.list("FEEDS") else { return Feeds::all() };
    let mut feeds = Feeds::none();
    for word in listed {
        let Some((feed, is_old)) = Feed::from_word(&word) else {
            let known: Vec<_> = Feed::ALL.iter().map(|feed| feed.word()).collect();
            let mend = format!("Write some of: {}", known.join(", "));
            reader.mistake("FEEDS", format!("{} is not a feed", quote(&word)), mend);
            continue;
        };
        if is_old {
            reader
                .warn("FEEDS", format!("{} is called {} now; the old word goes on working", quote(&word), feed.word()));
        }
        feeds.switch_on(feed);
    }
    feeds
}

pub(super) fn sync(reader: &mut Reader<'_>) -> SyncConfig {
    let default = SyncConfig::default();
    let mut keys = Vec::new();
    let single = reader.secret("CLOUD_API_KEY");
    let listed = reader.secret(KEYS);
    if single.is_some() && listed.is_some() {
        reader.mistake(KEYS, "it is set and CLOUD_API_KEY is too", "Set one of them");
    }
    if let Some(key) = single {
        check_key(reader, "CLOUD_API_KEY", &key);
        keys.push((Tenant::new(""), key));
    }
    for pair in listed.iter().flat_map(|listed| listed.expose().split(',')).map(str::trim) {
        let Some((tenant, key)) = pair.split_once(':').filter(|(tenant, key)| !tenant.is_empty() && !key.is_empty())
        else {
            reader.mistake(KEYS, "a part of it is not tenant:key", "Write tenant:key,tenant:key,…");
            continue;
        };
        if tenant.len() > MAX_TENANT_BYTES || tenant.chars().any(char::is_control) {
            reader.mistake(KEYS, "a tenant's name is too long or has control characters", "Use a shorter name");
            continue;
        }
        let key = Secret::new(key);
        check_key(reader, KEYS, &key);
        keys.push((Tenant::new(tenant), key));
    }
    let (mut tenants, mut secrets) = (HashSet::new(), HashSet::new());
    if !keys.iter().all(|(tenant, key)| tenants.insert(tenant.as_str()) && secrets.insert(key.expose())) {
        reader.mistake(KEYS, "a tenant or a key stands there twice", "Give every tenant one key of its own");
    }
    SyncConfig {
        keys,
        pull_limit: reader.number("SYNC_PULL_LIMIT", default.pull_limit, 1..=10_000),
        max_body_bytes: reader.number("SYNC_MAX_BODY_BYTES", default.max_body_bytes, 256..=16_777_216),
    }
}

fn check_key(reader: &mut Reader<'_>, variable: &str, key: &Secret) {
    if !key.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        let mend = "Use letters, digits and punctuation only, without spaces";
        reader.mistake(variable, "it has characters that an HTTP header cannot carry", mend);
    }
}

pub(super) fn clinic(reader: &mut Reader<'_>) -> ClinicConfig {
    let default = ClinicConfig::default();
    let recheck = super::MILLIS_100..=Duration::from_secs(50);
    ClinicConfig {
        bad_devices_per_minute: reader.number("BAD_DEVICES_PER_MINUTE", default.bad_devices_per_minute, 1..=100_000),
        device_recheck: reader.duration("DEVICE_RECHECK", default.device_recheck, recheck),
    }
}

pub(super) fn publish(reader: &mut Reader<'_>) -> PublishConfig {
    let default = PublishConfig::default();
    PublishConfig {
        max_batch: reader.number("MAX_PUBLISH_BATCH", default.max_batch, 1..=10_000),
        single_business: reader.flag("POS_SINGLE_BUSINESS"),
    }
}
