//! What can be replayed, and that the rest is said to be missing.

use tokio::time::advance;

use super::*;
use crate::negocio::RestauranteId;
use crate::publication::Frame;

const FIRST: u64 = 1_000;

fn channel(name: &str) -> Channel {
    Channel::Restaurante(RestauranteId::new(name))
}

fn keep(history: &mut History, name: &str) -> u64 {
    history.keep(|id| Publication::event(channel(name), id, "", Frame::text("{}"))).version
}

fn missed(history: &mut History, names: &[&str], since: u64) -> Result<Vec<u64>, Gap> {
    let channels: Vec<Channel> = names.iter().map(|name| channel(name)).collect();
    let events = history.missed(&channels, Since::After(since))?;
    Ok(events.iter().map(|event| event.version).collect())
}

#[tokio::test(start_paused = true)]
async fn what_came_after_is_replayed_in_order_over_all_channels() {
    let mut history = History::new(FIRST);
    let ids: Vec<u64> = ["a", "b", "a", "c"].map(|name| keep(&mut history, name)).to_vec();
    assert_eq!(missed(&mut history, &["a", "b"], ids[0]), Ok(vec![ids[1], ids[2]]));
    assert_eq!(missed(&mut history, &["a", "b"], ids[3]), Ok(vec![]));
    assert_eq!(missed(&mut history, &["silent"], FIRST), Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_run_or_of_nobody_is_a_gap() {
    let mut history = History::new(FIRST);
    let last = keep(&mut history, "a");
    assert_eq!(missed(&mut history, &["a"], FIRST - 1), Err(Gap));
    assert_eq!(missed(&mut history, &["silent"], FIRST - 1), Err(Gap));
    assert_eq!(missed(&mut history, &["a"], last + 1), Err(Gap));
    assert_eq!(history.missed(&[channel("a")], Since::Unknown).err(), Some(Gap));
    assert!(history.missed(&[channel("a")], Since::Now).is_ok_and(|events| events.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn the_last_256_of_a_channel_are_kept_whatever_others_do() {
    let mut history = History::new(FIRST);
    let of_a = keep(&mut history, "a");
    let of_b: Vec<u64> = (0..=KEPT_EVENTS).map(|_| keep(&mut history, "b")).collect();
    assert_eq!(missed(&mut history, &["b"], of_b[0]).map(|events| events.len()), Ok(KEPT_EVENTS));
    assert_eq!(missed(&mut history, &["b"], of_a), Err(Gap));
    assert_eq!(missed(&mut history, &["a"], FIRST), Ok(vec![of_a]));
}

#[tokio::test(start_paused = true)]
async fn after_ten_minutes_an_event_is_gone_and_its_bytes_too() {
    let mut history = History::new(FIRST);
    let old = keep(&mut history, "a");
    advance(KEPT_FOR / 2).await;
    let young = keep(&mut history, "a");
    advance(KEPT_FOR / 2 + Duration::from_secs(1)).await;
    assert_eq!(missed(&mut history, &["a"], FIRST), Err(Gap));
    assert_eq!(missed(&mut history, &["a"], old), Ok(vec![young]));
    advance(KEPT_FOR).await;
    history.sweep();
    assert_eq!(history.bytes, 0);
    assert_eq!(missed(&mut history, &["a"], young), Ok(vec![]));
    assert_eq!(missed(&mut history, &["a"], old), Err(Gap));
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_all_channels_are_bounded() {
    let mut history = History::new(FIRST);
    let big = Frame::text(&"x".repeat(1024 * 1024));
    for number in 0..100 {
        let name = format!("r{number}");
        history.keep(|id| Publication::event(channel(&name), id, "", big.clone()));
    }
    assert!(history.bytes <= KEPT_BYTES);
    assert_eq!(missed(&mut history, &["r99"], FIRST), Err(Gap));
    assert_eq!(missed(&mut history, &["r0"], FIRST), Ok(vec![FIRST + 1]));
}

#[test]
fn a_position_is_read_as_it_was_written() {
    assert_eq!(Since::parse(""), Since::Now);
    assert_eq!(Since::parse("17"), Since::After(17));
    for text in ["-1", "+1", "01", "x", "1 ", "99999999999999999999", "1.0"] {
        assert_eq!(Since::parse(text), Since::Unknown, "{text}");
    }
}
