//! What can be replayed, and that the rest is said to be missing.

use tokio::time::advance;

use super::*;
use crate::model::RestauranteId;
use crate::publication::Encoding;

const FIRST: u64 = 1_000;

fn channel(name: &str) -> Channel {
    Channel::Restaurante(RestauranteId::new(name))
}

fn keep_this(history: &mut History, name: &str, event: &'static str, payload: &str) -> Arc<Publication> {
    let id = history.last_id() + 1;
    history.keep(Publication::event(channel(name), id, event, payload))
}

fn keep(history: &mut History, name: &str) -> u64 {
    keep_this(history, name, "", "{}").version
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
    let big = "x".repeat(1024 * 1024);
    for number in 0..100 {
        let name = format!("r{number}");
        keep_this(&mut history, &name, "", &big);
    }
    assert!(history.bytes <= KEPT_BYTES);
    assert!(history.bytes >= 63 * 1024 * 1024);
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

#[tokio::test(start_paused = true)]
async fn small_events_count_with_all_that_is_beside_them_and_give_it_back() {
    let mut history = History::new(FIRST);
    for _ in 0..KEPT_EVENTS * 2 {
        keep(&mut history, "a");
    }
    let least = KEPT_EVENTS * (size_of::<Publication>() + size_of::<Kept>());
    assert!(history.bytes > least, "{}", history.bytes);
    assert_eq!(history.channels[&channel("a")].events.capacity(), KEPT_EVENTS, "no room for more than are kept");
    advance(KEPT_FOR / 2).await;
    let young = keep(&mut history, "a");
    advance(KEPT_FOR / 2 + Duration::from_secs(1)).await;
    history.sweep();
    assert!(history.bytes < least / 20, "{}", history.bytes);
    assert_eq!(missed(&mut history, &["a"], young - 1), Ok(vec![young]));
    advance(KEPT_FOR).await;
    history.sweep();
    assert_eq!(history.bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_made_of_an_event_for_its_readers_is_shared_by_them_and_not_kept() {
    let mut history = History::new(FIRST);
    let sent = keep_this(&mut history, "a", "sale", r#"{"a":1}"#);
    let replay = |history: &mut History| history.missed(&[channel("a")], Since::After(FIRST)).unwrap().remove(0);
    let made = Arc::downgrade(&sent);
    let with_id = b"\x81\x13{\"id\":\"1001\",\"a\":1}".as_slice();
    assert_eq!(sent.encoded(Encoding::Frames { with_ids: true }), with_id);
    assert!(Arc::ptr_eq(&replay(&mut history), &sent));
    drop(sent);
    assert_eq!(made.strong_count(), 0);
    let (one, other) = (replay(&mut history), replay(&mut history));
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!((one.event, one.encoded(Encoding::Frames { with_ids: true }).as_ref()), ("sale", with_id));
}

#[tokio::test(start_paused = true)]
async fn a_position_that_is_a_little_ahead_is_none_of_another_run_where_there_are_other_nodes() {
    let mut history = History::new(FIRST);
    history.allow_ahead(100);
    let last = keep(&mut history, "a");
    assert_eq!(missed(&mut history, &["a"], last + 100), Ok(vec![]));
    assert_eq!(missed(&mut history, &["a"], last + 101), Err(Gap));
    let floors = [last - 1, last + 100, last + 101].map(|since| history.floor(Since::After(since)));
    assert_eq!(floors, [last, last + 100, last], "what it has is not given to it again");
}

#[tokio::test(start_paused = true)]
async fn a_position_in_doubt_is_a_gap_and_those_beside_it_are_not() {
    let mut history = History::new(FIRST);
    let ids: Vec<u64> = (0..4).map(|_| keep(&mut history, "a")).collect();
    history.doubt(ids[0], ids[2]);
    assert_eq!(missed(&mut history, &["a"], ids[0]), Ok(ids[1..].to_vec()));
    assert_eq!(missed(&mut history, &["a"], ids[1]), Err(Gap));
    assert_eq!(missed(&mut history, &["a"], ids[2]), Err(Gap));
    assert_eq!(missed(&mut history, &["a"], ids[3]), Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_happened_elsewhere_is_a_gap_in_every_channel() {
    let mut history = History::new(FIRST);
    let of_a = keep(&mut history, "a");
    history.forget_until(of_a + 10);
    assert_eq!(missed(&mut history, &["a"], of_a), Err(Gap));
    assert_eq!(missed(&mut history, &["silent"], of_a), Err(Gap));
    let newer = keep(&mut history, "a");
    assert_eq!(missed(&mut history, &["a"], of_a + 10), Ok(vec![newer]));
}
