//! The promise of the product, tried over random interleavings: after the last accepted notice, the last figures that
//! every subscriber has come from a read that began after it.
//!
//! The database here is a model, because only a model can commit, fail and dawdle at every possible moment; the real
//! databases are tried by the integration tests.

mod clocks;
mod failing;
mod gaps;
mod model;
mod newcomers;
mod ordered;
mod several;
mod together;
mod transactions;
mod unwatched;
mod world;

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::hub::Hub;
use crate::model::QueryName;
use crate::queries::LiveQuery;
use crate::queries::keeper::learn;
use crate::queries::tests::query;

use model::{Dawdle, Failure, Model};
use world::{Subscriber, World, figures_of, key_of, live_of, seen};

#[derive(Clone, Debug)]
enum Op {
    /// Notify; the commit comes first, or so many milliseconds later, or never (nothing changed).
    Notice {
        who: usize,
        commits: Option<u64>,
    },
    Subscribe(usize),
    Leave(usize),
    Dawdle(u64, u64),
    Fail(u8, Vec<u8>),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..3_usize, prop::option::of(prop_oneof![3 => Just(0), 1 => 1..250_u64]))
            .prop_map(|(who, commits)| Op::Notice { who, commits }),
        2 => (0..3_usize).prop_map(Op::Subscribe),
        1 => any::<usize>().prop_map(Op::Leave),
        2 => (0..400_u64, 0..400_u64).prop_map(|(before, after)| Op::Dawdle(before, after)),
        1 => (0..3_u8, prop::collection::vec(0..3_u8, 1..6)).prop_map(|(kind, more)| Op::Fail(kind, more)),
        5 => (0..500_u64).prop_map(Op::Pass),
    ]
}

fn failure(kind: u8) -> Failure {
    [Failure::Unreachable, Failure::TimedOut, Failure::Refused][usize::from(kind)]
}

/// What is watched.
type Kind = fn(&str) -> Channel;

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(figures_of as Kind), Just(live_of as Kind)]
}

async fn play(kind: Kind, ops: Vec<Op>, connections: u32, shows_events: bool, completed: Option<u64>) {
    let world = World::with_connections(connections, shows_events, completed).await;
    let who = ["a", "b", "c"].map(kind);
    let mut subscribers: Vec<(usize, Subscriber)> = Vec::new();
    let mut notices = Vec::new();
    let last_noticed = [const { AtomicI64::new(0) }; 3];
    for op in ops {
        match op {
            Op::Notice { who: index, commits } => {
                match commits {
                    None => {}
                    Some(0) => {
                        world.model.commit(&who[index]);
                    }
                    Some(delay) => {
                        let (model, channel) = (Arc::clone(&world.model), who[index].clone());
                        tokio::spawn(async move {
                            sleep(Duration::from_millis(delay)).await;
                            model.commit(&channel);
                        });
                    }
                }
                let at = world.model.event();
                last_noticed[index].store(at, SeqCst);
                let (refresher, channel) = (Arc::clone(&world.refresher), who[index].clone());
                notices.push(tokio::spawn(async move {
                    let answer = refresher.notice(&channel).await;
                    if let Ok(Some(reading)) = answer
                        && shows_events
                    {
                        assert!(seen(&reading).begun > at, "answered by a read that began before the notice");
                    }
                }));
                // Let the notice be accepted here, in this order.
                tokio::task::yield_now().await;
            }
            Op::Subscribe(index) => subscribers.push((index, world.subscribe(&who[index]))),
            Op::Leave(any) if !subscribers.is_empty() => {
                let place = any % subscribers.len();
                drop(subscribers.swap_remove(place));
            }
            Op::Leave(_) => {}
            Op::Dawdle(before, after) => world.model.state().dawdle = Dawdle { before, after },
            Op::Fail(kind, more) => {
                let failures = std::iter::once(kind).chain(more).map(failure);
                world.model.state().failures.extend(failures);
            }
            Op::Pass(millis) => sleep(Duration::from_millis(millis)).await,
        }
        for (_, subscriber) in &mut subscribers {
            subscriber.read();
        }
    }
    world.model.state().failures.clear();
    // What fails by itself is tried every 30 s at least.
    sleep(Duration::from_secs(70)).await;
    for notice in notices {
        notice.await.unwrap();
    }
    for (index, subscriber) in &mut subscribers {
        subscriber.read();
        let last = *subscriber.seen.last().expect("every subscriber has figures");
        let committed = world.model.state().committed.get(&who[*index]).copied().unwrap_or_default();
        assert_eq!(last.total, committed, "the last figures are not the last committed ones");
        if shows_events {
            assert!(
                last.begun > last_noticed[*index].load(SeqCst),
                "the last broadcast was read before the last notice"
            );
        }
    }
}

fn run_paused(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_the_last_notice_the_last_broadcast_was_read_after_it(
        kind in kind(),
        ops in prop::collection::vec(op(), 1..60),
        connections in 1..4_u32,
    ) {
        run_paused(play(kind, ops, connections, true, None));
    }

    #[test]
    fn the_last_figures_on_every_screen_are_the_last_committed(
        kind in kind(),
        ops in prop::collection::vec(op(), 1..60),
        connections in 1..4_u32,
    ) {
        run_paused(play(kind, ops, connections, false, None));
    }

    #[test]
    fn so_they_are_where_the_database_tells_which_read_is_newer(
        kind in kind(),
        ops in prop::collection::vec(op(), 1..60),
        connections in 1..4_u32,
    ) {
        run_paused(play(kind, ops, connections, false, Some(1_000)));
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_newcomers_cost_one_query() {
    let world = World::new(false).await;
    world.model.state().dawdle = Dawdle { before: 20, after: 20 };
    let n = figures_of("n");
    let mut all: Vec<Subscriber> = (0..10_000).map(|_| world.subscribe(&n)).collect();
    sleep(Duration::from_secs(1)).await;
    for subscriber in &mut all {
        subscriber.read();
        assert_eq!(subscriber.seen.len(), 1);
    }
    assert_eq!(world.queries(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_gets_figures_read_now() {
    let world = World::new(false).await;
    let n = figures_of("n");
    let _subscriber = world.subscribe(&n);
    sleep(Duration::from_millis(10)).await;
    world.model.commit(&n);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(seen(&world.refresher.snapshot(&n).await.unwrap()).total, 0, "young enough for a newcomer");
    assert_eq!(seen(&world.refresher.snapshot_again(&n).await.unwrap()).total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_notices_costs_one_query_and_one_trailing() {
    let world = World::new(false).await;
    let n = figures_of("n");
    let _subscriber = world.subscribe(&n);
    sleep(Duration::from_secs(6)).await;
    let before = world.queries();
    world.model.state().dawdle = Dawdle { before: 50, after: 50 };
    let burst: Vec<_> = (0..1_000)
        .map(|_| {
            let (refresher, n) = (Arc::clone(&world.refresher), n.clone());
            tokio::spawn(async move { refresher.notice(&n).await })
        })
        .collect();
    for notice in burst {
        assert!(notice.await.unwrap().unwrap().is_some());
    }
    sleep(Duration::from_secs(2)).await;
    // The burst arrived before the first read began, so one read answers all of it.
    assert_eq!(world.queries() - before, 2);
}

#[tokio::test(start_paused = true)]
async fn nobody_subscribed_means_no_query_and_fresh_figures_for_the_next() {
    let world = World::new(false).await;
    let n = figures_of("n");
    let mut first = world.subscribe(&n);
    sleep(Duration::from_millis(10)).await;
    first.read();
    drop(first);
    let before = world.queries();
    world.model.commit(&n);
    assert_eq!(world.refresher.notice(&n).await.map(|reading| reading.is_none()), Ok(true));
    assert_eq!(world.queries(), before);
    let mut second = world.subscribe(&n);
    sleep(Duration::from_millis(10)).await;
    second.read();
    assert_eq!(second.seen.last().unwrap().total, 1);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_notice_is_broadcast_though_nothing_moved_and_the_trailing_read_is_not() {
    let world = World::new(false).await;
    let n = figures_of("n");
    let mut subscriber = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    subscriber.read();
    world.refresher.notice(&n).await.unwrap();
    subscriber.read();
    sleep(Duration::from_secs(1)).await;
    subscriber.read();
    assert_eq!(subscriber.seen.len(), 2, "one on subscribing, one for the notice");
    assert_eq!(world.queries(), 3, "the trailing read was made");
}

#[tokio::test(start_paused = true)]
async fn a_notice_before_its_commit_is_healed() {
    let world = World::new(false).await;
    let n = figures_of("n");
    let mut subscriber = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    world.refresher.notice(&n).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    world.model.commit(&n);
    sleep(Duration::from_secs(1)).await;
    subscriber.read();
    assert_eq!(subscriber.seen.last().unwrap().total, 1);
    assert_eq!(world.refresher.metrics.trailing_corrections.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_day_rolls_over_at_the_business_midnight_by_itself() {
    let world = World::new(false).await;
    let n = figures_of("n");
    let _subscriber = world.subscribe(&n);
    sleep(Duration::from_secs(2)).await;
    let before = world.queries();
    // 2026-03-02 00:00 in Guayaquil is 05:00 in UTC; the machine slept over the hours between.
    let just_before: Timestamp = "2026-03-02T04:59:59Z".parse().unwrap();
    world.wall.store(just_before.as_millisecond(), SeqCst);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.queries(), before);
    world.wall.fetch_add(1_000, SeqCst);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.queries(), before + 1);
    assert_eq!(world.model.state().days.last().unwrap().to_string(), "2026-03-02");
}

#[tokio::test(start_paused = true)]
async fn drift_is_pushed_and_counted_only_when_no_notice_explains_it() {
    let world = World::new(false).await;
    let n = figures_of("n");
    let mut subscriber = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;

    world.model.commit(&n);
    world.refresher.sample();
    sleep(Duration::from_secs(1)).await;
    world.refresher.notice(&n).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.refresher.metrics.drift.get(), 0, "the notice was only late");

    world.model.commit(&n);
    world.refresher.sample();
    sleep(Duration::from_secs(5)).await;
    subscriber.read();
    assert_eq!(subscriber.seen.last().unwrap().total, 2);
    assert_eq!(world.refresher.metrics.drift.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_answers_at_once_and_the_change_is_pushed_when_the_database_is_back() {
    let world = World::new(false).await;
    let n = figures_of("n");
    let mut subscriber = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    world.model.state().failures = vec![Failure::Unreachable; 8];
    world.model.commit(&n);
    assert_eq!(world.refresher.notice(&n).await.map(|_| ()), Err(Unavailable));
    sleep(Duration::from_secs(10)).await;
    subscriber.read();
    assert_eq!(subscriber.seen.last().unwrap().total, 1);
}
