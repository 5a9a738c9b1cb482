//! What every engine of a log has to keep: the same tests for each.
//!
//! Time passes by `tokio`'s clock, so that an engine in memory may have it paused.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use crate::broker::log::{
    Append, Appended, Call, Engine, Identity, Line, Logged, Lost, NodeId, Position, PutBack, Stream, Trouble,
};
use crate::config::MAX_DISMISSED;

const ANA: NodeId = NodeId(0xa1);
const BEA: NodeId = NodeId(0xb2);
const LONG: Duration = Duration::from_mins(1);
/// What is remembered for so long is over soon after.
const SHORT: Duration = Duration::from_millis(60);
const LAPSED: Duration = Duration::from_millis(150);

/// All of them for one engine. `$log` makes a log of its own for each: `(impl Engine, whatever must live as long)`.
macro_rules! contract {
    ($log:expr) => {
        $crate::broker::tests::contract::contract! { @each $log;
            ids_are_of_one_count_and_above_every_floor,
            what_is_appended_is_read_by_every_line_in_one_order,
            who_reads_on_misses_nothing_and_is_given_nothing_twice,
            who_waits_is_woken_and_waits_no_longer_than_it_said,
            a_call_has_its_effect_once_whoever_repeats_it,
            a_log_is_born_once_and_nothing_gets_into_another,
            what_is_put_back_is_there_in_its_order,
            what_is_put_back_again_is_there_once,
            what_others_have_put_back_is_left_out,
            nothing_is_put_back_into_another_log,
            what_a_log_lacks_is_told_by_first_ids,
            the_later_of_two_dismissals_counts,
            the_newest_dismissals_are_remembered,
            who_watches_is_counted_until_its_time_is_over,
            listeners_are_counted_on_all_other_nodes,
            a_duty_is_held_by_one_node_at_a_time,
            a_register_never_falls,
            names_may_be_anything,
        }
    };
    (@each $log:expr; $($promise:ident,)*) => {
        $(#[tokio::test]
        async fn $promise() {
            let (engine, _alive) = $log;
            $crate::broker::tests::contract::$promise(&engine).await;
        })*
    };
}
pub(in crate::broker) use contract;

fn entry<'a>(identity: &'a Identity, body: &'a Bytes) -> Append<'a> {
    Append { stream: Stream::Events, body, ids: 1, floor: 0, born: &identity.born, call: None, watched: None }
}

async fn append(line: &dyn Line, append: Append<'_>) -> u64 {
    match line.append(append).await.unwrap() {
        Appended::At { first, .. } => first,
        repeated @ Appended::Repeated(_) => panic!("{repeated:?}"),
    }
}

/// All that is there now behind a position, read `most` at a time.
async fn read_all(line: &dyn Line, mut position: Position, most: usize) -> Vec<Logged> {
    let mut all = Vec::new();
    loop {
        let some = line.read(position, most, Duration::ZERO).await.unwrap();
        if some.is_empty() {
            return all;
        }
        position = some.iter().fold(position, Position::behind);
        all.extend(some);
    }
}

fn texts(logged: &[Logged]) -> Vec<String> {
    logged.iter().map(|entry| String::from_utf8(entry.body.to_vec()).unwrap()).collect()
}

pub(in crate::broker) async fn ids_are_of_one_count_and_above_every_floor(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    let identity = ana.identity().await.unwrap();
    let body = Bytes::from_static(b"x");
    let first = append(&*ana, entry(&identity, &body)).await;
    assert!(first >= identity.now, "{first} and {}", identity.now);
    let batch = append(&*ana, Append { ids: 100, ..entry(&identity, &body) }).await;
    let next = append(&*bea, Append { stream: Stream::Now, ..entry(&identity, &body) }).await;
    assert!(first < batch && batch + 99 < next, "{first} {batch} {next}");
    // A second ahead of the engine's clock: a node has seen more than this log has.
    let floor = next + 1_000_000;
    let above = append(&*bea, Append { floor, ..entry(&identity, &body) }).await;
    let behind = append(&*ana, Append { stream: Stream::Now, ..entry(&identity, &body) }).await;
    assert!(floor < above && above < behind, "{floor} {above} {behind}");
    assert_eq!(ana.identity().await.unwrap().newest, behind);
}

pub(in crate::broker) async fn what_is_appended_is_read_by_every_line_in_one_order(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    let identity = ana.identity().await.unwrap();
    let mut ids = Vec::new();
    for number in 0..20 {
        let (line, stream) = if number % 3 == 0 { (&ana, Stream::Now) } else { (&bea, Stream::Events) };
        let body = Bytes::from(format!("entry {number}"));
        ids.push(append(&**line, Append { stream, ..entry(&identity, &body) }).await);
    }
    let wanted: Vec<String> = (0..20).map(|number| format!("entry {number}")).collect();
    for line in [&ana, &bea] {
        let read = line.read(Position::default(), 100, Duration::ZERO).await.unwrap();
        assert_eq!(texts(&read), wanted);
        assert_eq!(read.iter().map(|entry| entry.id).collect::<Vec<_>>(), ids);
        let streams = read.iter().filter(|entry| entry.stream == Stream::Now).count();
        assert_eq!(streams, 7);
    }
}

pub(in crate::broker) async fn who_reads_on_misses_nothing_and_is_given_nothing_twice(engine: &impl Engine) {
    let line = engine.dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let mut wanted = BTreeSet::new();
    for number in 0..25 {
        let stream = if number % 2 == 0 { Stream::Now } else { Stream::Events };
        let body = Bytes::from(format!("entry {number}"));
        wanted.insert(append(&*line, Append { stream, ids: 1 + number % 3, ..entry(&identity, &body) }).await);
    }
    let read: Vec<u64> = read_all(&*line, Position::default(), 3).await.iter().map(|entry| entry.id).collect();
    assert_eq!(read.len(), wanted.len());
    assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), wanted);
    let newest = *wanted.last().unwrap();
    let nothing = line.read(Position { events: newest, now: newest }, 100, Duration::ZERO).await.unwrap();
    assert!(nothing.is_empty(), "{nothing:?}");
}

pub(in crate::broker) async fn who_waits_is_woken_and_waits_no_longer_than_it_said(engine: &impl Engine) {
    let (reader, writer) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    let identity = writer.identity().await.unwrap();
    let from = Instant::now();
    assert!(reader.read(Position::default(), 10, Duration::from_millis(100)).await.unwrap().is_empty());
    let waited = from.elapsed();
    assert!((Duration::from_millis(90)..Duration::from_secs(5)).contains(&waited), "{waited:?}");

    let body = Bytes::from_static(b"at last");
    let late = async {
        sleep(Duration::from_millis(50)).await;
        append(&*writer, Append { stream: Stream::Now, ..entry(&identity, &body) }).await
    };
    let (read, _) = tokio::join!(reader.read(Position::default(), 10, LONG), late);
    assert_eq!(texts(&read.unwrap()), ["at last"]);
}

pub(in crate::broker) async fn a_call_has_its_effect_once_whoever_repeats_it(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    let identity = ana.identity().await.unwrap();
    let (body, answers) =
        (Bytes::from_static(b"effect"), [Bytes::from_static(b"from ana"), Bytes::from_static(b"from bea")]);
    let keyed = |answer| Append { call: Some(Call { name: "0aF9", answer }), ..entry(&identity, &body) };
    let (of_ana, of_bea) = tokio::join!(ana.append(keyed(&answers[0])), bea.append(keyed(&answers[1])));
    let (first, repeated) = match (of_ana.unwrap(), of_bea.unwrap()) {
        (Appended::At { .. }, Appended::Repeated(answer)) => (&answers[0], answer),
        (Appended::Repeated(answer), Appended::At { .. }) => (&answers[1], answer),
        both => panic!("{both:?}"),
    };
    assert_eq!(*first, repeated);
    let again = ana.append(keyed(&answers[1])).await.unwrap();
    assert_eq!(again, Appended::Repeated(first.clone()));
    let empty = Bytes::new();
    let other = Append { call: Some(Call { name: "0aF8", answer: &empty }), ..entry(&identity, &body) };
    append(&*ana, other).await;
    assert_eq!(bea.append(other).await.unwrap(), Appended::Repeated(empty.clone()));
    assert_eq!(read_all(&*bea, Position::default(), 100).await.len(), 2);
}

pub(in crate::broker) async fn a_log_is_born_once_and_nothing_gets_into_another(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    let identity = ana.identity().await.unwrap();
    assert_eq!((identity.oldest, identity.newest), (0, 0));
    let same = bea.identity().await.unwrap();
    assert_eq!((&same.born, &same.server), (&identity.born, &identity.server));
    let body = Bytes::from_static(b"x");
    let other = "another log".to_owned();
    let refused = ana.append(Append { born: &other, ..entry(&identity, &body) }).await;
    assert_eq!(refused, Err(Trouble::Reborn));
    assert!(read_all(&*bea, Position::default(), 10).await.is_empty());
    // The line is as good as before.
    let first = append(&*ana, entry(&identity, &body)).await;
    append(&*ana, entry(&identity, &body)).await;
    assert_eq!(bea.identity().await.unwrap().oldest, first);
}

/// Puts back entries that each take so many ids, each under its own name. Returns the first ids of those that were not there.
async fn put_back(
    line: &dyn Line,
    identity: &Identity,
    floor: u64,
    entries: &[(&'static str, u64)],
) -> Vec<Option<u64>> {
    let (bodies, answer) = (entries.iter().map(|(name, _)| Bytes::from_static(name.as_bytes())), Bytes::new());
    let bodies: Vec<Bytes> = bodies.collect();
    let lost = entries.iter().zip(&bodies).map(|((name, ids), body)| {
        let call = Call { name, answer: &answer };
        Lost { body, ids: *ids, call }
    });
    let lost: Vec<Lost<'_>> = lost.collect();
    line.put_back(PutBack { born: &identity.born, floor, lost: &lost }).await.unwrap()
}

pub(in crate::broker) async fn what_is_put_back_is_there_in_its_order(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    let identity = ana.identity().await.unwrap();
    let body = Bytes::from_static(b"before");
    let before = append(&*bea, entry(&identity, &body)).await;
    let floor = before + 1_000_000;
    let firsts = put_back(&*ana, &identity, floor, &[("c", 1), ("a", 3), ("b", 1)]).await;
    let firsts: Vec<u64> = firsts.into_iter().map(Option::unwrap).collect();
    assert!(floor < firsts[0], "{floor} {firsts:?}");
    assert!(firsts[0] < firsts[1] && firsts[1] + 2 < firsts[2], "{firsts:?}");
    let read = read_all(&*bea, Position::default(), 100).await;
    assert_eq!(texts(&read), ["before", "c", "a", "b"]);
    assert_eq!(read.iter().map(|entry| entry.id).collect::<Vec<_>>()[1..], firsts);
    let behind = append(&*bea, entry(&identity, &body)).await;
    assert!(firsts[2] < behind, "{firsts:?} {behind}");
}

pub(in crate::broker) async fn what_is_put_back_again_is_there_once(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    let identity = ana.identity().await.unwrap();
    let lost = [("a", 2), ("b", 1), ("a", 2)];
    let firsts = put_back(&*ana, &identity, 0, &lost).await;
    assert!(firsts[0] < firsts[1] && firsts[2].is_none(), "{firsts:?}");
    let newest = ana.identity().await.unwrap().newest;
    // As if there had been no answer.
    for line in [&ana, &bea] {
        assert_eq!(put_back(&**line, &identity, 0, &lost).await, [None; 3]);
    }
    assert_eq!(bea.identity().await.unwrap().newest, newest);
    assert_eq!(texts(&read_all(&*bea, Position::default(), 100).await), ["a", "b"]);
}

pub(in crate::broker) async fn what_others_have_put_back_is_left_out(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    let identity = ana.identity().await.unwrap();
    let (body, answer) = (Bytes::from_static(b"d"), Bytes::from_static(b"as it was"));
    let call = Some(Call { name: "d", answer: &answer });
    append(&*bea, Append { call, ..entry(&identity, &body) }).await;
    put_back(&*bea, &identity, 0, &[("a", 1), ("b", 1)]).await;
    let firsts = put_back(&*ana, &identity, 0, &[("a", 1), ("c", 1), ("d", 1), ("b", 1), ("e", 1)]).await;
    assert_eq!(firsts.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, false, true]);
    assert_eq!(texts(&read_all(&*bea, Position::default(), 100).await), ["d", "a", "b", "c", "e"]);
    // Of what was put back the call is remembered, and of what was there the first answer.
    for (name, remembered) in [("e", Bytes::new()), ("d", answer.clone())] {
        let call = Some(Call { name, answer: &body });
        let again = ana.append(Append { call, ..entry(&identity, &body) }).await.unwrap();
        assert_eq!(again, Appended::Repeated(remembered));
    }
    assert!(put_back(&*ana, &identity, 0, &[]).await.is_empty());
}

pub(in crate::broker) async fn nothing_is_put_back_into_another_log(engine: &impl Engine) {
    let line = engine.dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let (body, other) = (Bytes::from_static(b"x"), "another log".to_owned());
    let lost = ["a", "b"].map(|name| Lost { body: &body, ids: 1, call: Call { name, answer: &body } });
    let refused = line.put_back(PutBack { born: &other, floor: 0, lost: &lost }).await;
    assert_eq!(refused, Err(Trouble::Reborn));
    assert!(read_all(&*line, Position::default(), 10).await.is_empty());
    assert_eq!(put_back(&*line, &identity, 0, &[("a", 1), ("b", 1)]).await.iter().flatten().count(), 2);
}

pub(in crate::broker) async fn what_a_log_lacks_is_told_by_first_ids(engine: &impl Engine) {
    let line = engine.dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let body = Bytes::from_static(b"x");
    let there = append(&*line, Append { ids: 3, ..entry(&identity, &body) }).await;
    let elsewhere = append(&*line, Append { stream: Stream::Now, ..entry(&identity, &body) }).await;
    let lacking = line.lacks(&[there - 1, there, there + 1, elsewhere]).await.unwrap();
    assert_eq!(lacking, [there - 1, there + 1, elsewhere]);
    let many: Vec<u64> = (there..there + 1_200).collect();
    assert_eq!(line.lacks(&many).await.unwrap(), many[1..]);
    assert!(line.lacks(&[]).await.unwrap().is_empty());
}

pub(in crate::broker) async fn the_later_of_two_dismissals_counts(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    let of = |user: &str, at: i64| (user.to_owned(), at);
    ana.remember_dismissed(&[of("7", 100), of("8", 300)]).await.unwrap();
    bea.remember_dismissed(&[of("7", 200), of("8", 250)]).await.unwrap();
    bea.remember_dismissed(&[]).await.unwrap();
    let remembered: BTreeSet<_> = ana.dismissed().await.unwrap().into_iter().collect();
    assert_eq!(remembered, [of("7", 200), of("8", 300)].into());
}

pub(in crate::broker) async fn the_newest_dismissals_are_remembered(engine: &impl Engine) {
    let line = engine.dial().await.unwrap();
    let most = i64::try_from(MAX_DISMISSED).unwrap();
    let all: Vec<(String, i64)> = (0..most + 50).map(|number| (format!("user {number}"), 1_000 + number)).collect();
    line.remember_dismissed(&all).await.unwrap();
    let remembered: BTreeSet<_> = line.dismissed().await.unwrap().into_iter().collect();
    assert!(all[50..].iter().all(|newest| remembered.contains(newest)), "{} are left", remembered.len());
}

pub(in crate::broker) async fn who_watches_is_counted_until_its_time_is_over(engine: &impl Engine) {
    let line = engine.dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let body = Bytes::from_static(b"bell");
    let watching = async |topic: &str| {
        let bell = Append { stream: Stream::Now, watched: Some(topic), ..entry(&identity, &body) };
        match line.append(bell).await.unwrap() {
            Appended::At { watching, .. } => watching,
            repeated @ Appended::Repeated(_) => panic!("{repeated:?}"),
        }
    };
    let topics = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(watching("42").await, 0);
    line.watch(&topics(&["42", "43"]), ANA, LONG).await.unwrap();
    line.watch(&topics(&["42"]), BEA, LONG).await.unwrap();
    line.watch(&topics(&["42"]), BEA, LONG).await.unwrap();
    assert_eq!((watching("42").await, watching("43").await, watching("4").await), (2, 1, 0));
    line.unwatch(&topics(&["42", "never watched"]), ANA).await.unwrap();
    assert_eq!((watching("42").await, watching("43").await), (1, 1));
    line.watch(&topics(&["44"]), ANA, SHORT).await.unwrap();
    line.watch(&topics(&["44"]), BEA, LONG).await.unwrap();
    assert_eq!(watching("44").await, 2);
    sleep(LAPSED).await;
    assert_eq!((watching("44").await, watching("42").await), (1, 1));
}

pub(in crate::broker) async fn listeners_are_counted_on_all_other_nodes(engine: &impl Engine) {
    let line = engine.dial().await.unwrap();
    let counts =
        |counts: &[(&str, u64)]| counts.iter().map(|&(name, count)| (name.to_owned(), count)).collect::<Vec<_>>();
    let channels: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
    let except = async |node| line.listeners(&channels, node).await.unwrap();
    assert_eq!(except(ANA).await, [0, 0, 0]);
    line.tell_listeners(ANA, &counts(&[("a", 3), ("b", 1)]), LONG).await.unwrap();
    line.tell_listeners(BEA, &counts(&[("b", 5)]), SHORT).await.unwrap();
    assert_eq!((except(NodeId(9)).await, except(ANA).await), (vec![3, 6, 0], vec![0, 5, 0]));
    line.tell_listeners(ANA, &counts(&[("a", 2), ("b", 0)]), LONG).await.unwrap();
    assert_eq!(except(BEA).await, [2, 0, 0]);
    line.tell_listeners(BEA, &[], LONG).await.unwrap();
    sleep(LAPSED).await;
    assert_eq!(except(ANA).await, [0, 5, 0]);
    line.tell_listeners(BEA, &[], SHORT).await.unwrap();
    sleep(LAPSED).await;
    assert_eq!(except(NodeId(9)).await, [2, 0, 0]);
    line.forget_listeners(ANA).await.unwrap();
    assert_eq!(except(NodeId(9)).await, [0, 0, 0]);
    assert!(line.listeners(&[], ANA).await.unwrap().is_empty());
}

pub(in crate::broker) async fn a_duty_is_held_by_one_node_at_a_time(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    assert!(ana.hold("ear", ANA, LONG).await.unwrap());
    assert!(ana.hold("ear", ANA, LONG).await.unwrap());
    assert!(!bea.hold("ear", BEA, LONG).await.unwrap());
    assert!(bea.hold("bridge", BEA, LONG).await.unwrap());
    bea.release("ear", BEA).await.unwrap();
    assert!(!bea.hold("ear", BEA, LONG).await.unwrap());
    ana.release("ear", ANA).await.unwrap();
    assert!(bea.hold("ear", BEA, SHORT).await.unwrap());
    sleep(LAPSED).await;
    assert!(ana.hold("ear", ANA, LONG).await.unwrap());
}

pub(in crate::broker) async fn a_register_never_falls(engine: &impl Engine) {
    let (ana, bea) = (engine.dial().await.unwrap(), engine.dial().await.unwrap());
    assert_eq!(ana.raise("era", 0).await.unwrap(), 0);
    assert_eq!(ana.raise("era", 1_800_000_000_000_007).await.unwrap(), 1_800_000_000_000_007);
    assert_eq!(bea.raise("era", 5).await.unwrap(), 1_800_000_000_000_007);
    assert_eq!(bea.raise("another", 5).await.unwrap(), 5);
    // Whatever it is called, it is no other thing of the log's.
    let identity = ana.identity().await.unwrap();
    assert_eq!(bea.raise("born", 7).await.unwrap(), 7);
    assert_eq!(ana.identity().await.unwrap().born, identity.born);
}

pub(in crate::broker) async fn names_may_be_anything(engine: &impl Engine) {
    let line = engine.dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let names: Vec<String> = ["{", "}", "{otro}", ":", "a:b", "\0", "ñ", " ", "", "*"]
        .map(str::to_owned)
        .into_iter()
        .chain(["n".repeat(200)])
        .collect();
    line.watch(&names, ANA, LONG).await.unwrap();
    let counts: Vec<(String, u64)> = names.iter().cloned().zip(1..).collect();
    line.tell_listeners(ANA, &counts, LONG).await.unwrap();
    let wanted: Vec<u64> = counts.iter().map(|(_, count)| *count).collect();
    assert_eq!(line.listeners(&names, BEA).await.unwrap(), wanted);
    let body = Bytes::from_static(b"\0{}\r\n\xff");
    for name in &names {
        let bell = Append { watched: Some(name), ..entry(&identity, &body) };
        assert!(matches!(line.append(bell).await.unwrap(), Appended::At { watching: 1, .. }), "{name:?}");
    }
    let read = read_all(&*line, Position::default(), 100).await;
    assert!(read.len() == names.len() && read.iter().all(|entry| entry.body == body));
}
