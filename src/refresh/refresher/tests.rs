//! The promise of the product, tried over random interleavings: after the last accepted notice, the last figures that
//! every subscriber has come from a read that began after it.
//!
//! The database here is a model, because only a model can commit, fail and dawdle at every possible moment; the real
//! databases are tried by the integration tests.

mod model;
mod ordered;
mod several;
mod together;

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::{DatabaseConfig, DatabaseUrl, Secret};
use crate::hub::mailbox::{Mailbox, Next, Outgoing};
use crate::hub::{Hub, Membership};
use crate::model::IdType;
use crate::publication::Encoding;
use crate::store::Store;

use model::{Dawdle, Failure, Model};

/// A subscriber that reads everything and checks the order as it goes.
struct Subscriber {
    mailbox: Arc<Mailbox>,
    _membership: Membership,
    version: u64,
    seen: Vec<Seen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    total: i64,
    begun: i64,
}

impl Subscriber {
    fn read(&mut self) {
        while let Some(Next::Message(Outgoing::Published(state), _)) = self.mailbox.try_next() {
            let is_newer = state.version > self.version || (state.version == self.version && state.is_again());
            assert!(is_newer, "older figures after newer ones");
            self.version = state.version;
            self.seen.push(seen(&state));
        }
    }
}

fn seen(reading: &Publication) -> Seen {
    let message: serde_json::Value = serde_json::from_str(&reading.payload).unwrap();
    Seen {
        total: message["data"]["total_citas"].as_i64().unwrap(),
        begun: message["data"]["citas_hoy"].as_i64().unwrap(),
    }
}

struct World {
    model: Arc<Model>,
    hub: Arc<Hub>,
    refresher: Arc<Refresher>,
    wall: Arc<AtomicI64>,
    stop: CancellationToken,
}

impl World {
    async fn new(shows_events: bool) -> Self {
        Self::with_connections(8, shows_events, None).await
    }

    /// `completed`: how many transactions a database has completed that tells.
    async fn with_connections(connections: u32, shows_events: bool, completed: Option<u64>) -> Self {
        let model = Arc::new(Model::default());
        model.state().shows_events = shows_events;
        model.state().completed = completed;
        let alone = |hub: &Arc<Hub>, clock: &Clock, _: &Arc<Metrics>| {
            Broker::of_one_node(Arc::clone(hub), Arc::default(), clock)
        };
        Self::around(model, connections, completed.is_some(), alone).await
    }

    /// A node of one of several.
    async fn around(
        model: Arc<Model>,
        connections: u32,
        orders_reads: bool,
        broker: impl FnOnce(&Arc<Hub>, &Clock, &Arc<Metrics>) -> Broker,
    ) -> Self {
        let metrics = Arc::new(Metrics::new());
        let mut config = DatabaseConfig::new(DatabaseUrl::Sqlite(Secret::new("sqlite::memory:")));
        config.max_connections = connections;
        config.orders_reads = orders_reads;
        let store: Arc<dyn Store> = model.clone();
        let database = Arc::new(Database::new(store, &config, Arc::clone(&metrics)));
        database.contact().await.unwrap();
        let hub = Arc::new(Hub::new(Arc::clone(&metrics)));
        let zone = TimeZone::get("America/Guayaquil").unwrap();
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let (clock, wall) = Clock::manual(zone, start);
        let config = StatsConfig { sentinel_interval: Duration::ZERO, ..StatsConfig::default() };
        let broker = Arc::new(broker(&hub, &clock, &metrics));
        let refresher = Refresher::new(Arc::clone(&database), broker, clock, config, metrics);
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&refresher).keep_up(database.state(), stop.clone()));
        tokio::spawn({
            let stop = stop.clone();
            async move { database.monitor(stop).await }
        });
        Self { model, hub, refresher, wall, stop }
    }

    /// Joins, then asks for the snapshot, as a client does.
    fn subscribe(&self, channel: &Channel) -> Subscriber {
        let mailbox = Arc::new(Mailbox::new(256, Encoding::Frames { with_ids: false }));
        let membership = self.hub.join(channel.clone(), &mailbox);
        let (refresher, channel, theirs) = (Arc::clone(&self.refresher), channel.clone(), Arc::clone(&mailbox));
        tokio::spawn(async move {
            if let Ok(reading) = refresher.snapshot(&channel).await {
                theirs.push(&reading);
            }
        });
        Subscriber { mailbox, _membership: membership, version: 0, seen: Vec::new() }
    }

    fn queries(&self) -> usize {
        self.model.state().queries
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn figures_of(name: &str) -> Channel {
    Channel::Estadisticas(IdType::Text.parse(name).unwrap())
}

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

async fn play(ops: Vec<Op>, connections: u32, shows_events: bool, completed: Option<u64>) {
    let world = World::with_connections(connections, shows_events, completed).await;
    let who = [figures_of("a"), figures_of("b"), figures_of("c")];
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
    sleep(Duration::from_secs(20)).await;
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
        ops in prop::collection::vec(op(), 1..60),
        connections in 1..4_u32,
    ) {
        run_paused(play(ops, connections, true, None));
    }

    #[test]
    fn the_last_figures_on_every_screen_are_the_last_committed(
        ops in prop::collection::vec(op(), 1..60),
        connections in 1..4_u32,
    ) {
        run_paused(play(ops, connections, false, None));
    }

    #[test]
    fn so_they_are_where_the_database_tells_which_read_is_newer(
        ops in prop::collection::vec(op(), 1..60),
        connections in 1..4_u32,
    ) {
        run_paused(play(ops, connections, false, Some(1_000)));
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
