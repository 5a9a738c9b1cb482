//! Which member of a Cluster owns the slot that everything of ours lies in.

use futures_util::future::join_all;
use redis::Value;

use super::connection::{Connection, DIALLED_WITHIN};
use super::reply::{list, number, text};
use crate::broker::log::Trouble;
use crate::config::{RedisConfig, RedisHost};

const SLOTS: u16 = 16_384;

/// Asks all `members` that are named; what most of them say counts, for one that was cut off knows it late.
pub(super) async fn owner(config: &RedisConfig, members: &[RedisHost]) -> Result<RedisHost, Trouble> {
    let slot = slot(config.prefix.as_bytes());
    let mut votes: Vec<(RedisHost, usize)> = Vec::new();
    let mut trouble = None;
    for said in join_all(members.iter().map(|member| owner_as_seen_by(config, member, slot))).await {
        match said {
            Ok(host) => match votes.iter_mut().find(|(other, _)| *other == host) {
                Some((_, count)) => *count += 1,
                None => votes.push((host, 1)),
            },
            Err(said) => trouble = Some(said),
        }
    }
    let most = votes.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(host, _)| host)
        .ok_or_else(|| trouble.unwrap_or_else(|| Trouble::Away("no member of the Cluster is named".to_owned())))
}

async fn owner_as_seen_by(config: &RedisConfig, member: &RedisHost, slot: u16) -> Result<RedisHost, Trouble> {
    let connection = Connection::open(config, member, true).await?;
    let ranges = connection.ask(redis::cmd("CLUSTER").arg("SLOTS"), DIALLED_WITHIN).await?;
    find(ranges, slot, member).ok_or_else(|| Trouble::Away(format!("{}: nobody owns slot {slot}", connection.server())))
}

/// Ranges are `[first, last, [host, port, …], replicas…]`; a member that does not know its own name leaves it out.
fn find(ranges: Value, slot: u16, asked: &RedisHost) -> Option<RedisHost> {
    list(ranges).into_iter().find_map(|range| {
        let mut range = list(range).into_iter();
        let (first, last) = (number(range.next()?)?, number(range.next()?)?);
        if !(first..=last).contains(&slot.into()) {
            return None;
        }
        let mut owner = list(range.next()?).into_iter();
        let name = owner.next().and_then(text).filter(|name| !name.is_empty() && name != "?");
        let port = u16::try_from(number(owner.next()?)?).ok()?;
        Some(RedisHost { name: name.unwrap_or_else(|| asked.name.clone()), port })
    })
}

/// CRC16 (XMODEM) of what is in the braces.
fn slot(tag: &[u8]) -> u16 {
    let crc = tag.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_what_every_cluster_takes_it_for() {
        assert_eq!(slot(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12_182);
    }

    #[test]
    fn the_owner_is_who_has_the_range() {
        let host = |name: &str, port| Value::Array(vec![Value::BulkString(name.into()), Value::Int(port)]);
        let range =
            |first, last, owner| Value::Array(vec![Value::Int(first), Value::Int(last), owner, host("replica", 9)]);
        let ranges = || Value::Array(vec![range(0, 99, host("a", 1)), range(100, 16_383, host("", 2))]);
        let asked = RedisHost { name: "asked".to_owned(), port: 3 };
        assert_eq!(find(ranges(), 99, &asked), Some(RedisHost { name: "a".to_owned(), port: 1 }));
        assert_eq!(find(ranges(), 100, &asked), Some(RedisHost { name: "asked".to_owned(), port: 2 }));
        assert_eq!(find(Value::Nil, 5, &asked), None);
    }
}
