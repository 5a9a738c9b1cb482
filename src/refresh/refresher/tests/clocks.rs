//! What is read because time has passed.

use super::*;

impl World {
    fn set_clock(&self, at: &str) {
        let at: Timestamp = at.parse().unwrap();
        self.wall.store(at.as_millisecond(), SeqCst);
    }

    fn times(&self) -> Vec<Timestamp> {
        self.model.state().times.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_read_when_it_says_that_it_changes_and_never_for_a_time_before() {
    let world = World::new(false).await;
    let at: Timestamp = "2026-03-01T12:00:30.0003Z".parse().unwrap();
    world.model.state().next_change_at = Some(at);
    let _screen = world.subscribe(&live_of("n"));
    sleep(Duration::from_secs(5)).await;
    world.set_clock("2026-03-01T12:00:30.000Z");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.times().len(), 1, "a third of a millisecond is missing");
    world.set_clock("2026-03-01T12:00:30.001Z");
    sleep(Duration::from_secs(2)).await;
    let times = world.times();
    assert_eq!(times.len(), 2);
    assert!(times[1] >= at);
    world.set_clock("2026-03-01T12:00:31.000Z");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.times().len(), 2, "what should have changed already is looked at after a second");
    world.set_clock("2026-03-01T12:00:31.001Z");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.times().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_changes_each_millisecond_is_read_every_tenth_of_a_second_and_one_that_is_late_each_second() {
    for (within, most) in [(1, 100), (0, 10), (-3_600_000, 10)] {
        let world = World::new(false).await;
        world.model.state().changes_within = Some(jiff::SignedDuration::from_millis(within));
        let _screen = world.subscribe(&live_of("n"));
        for _ in 0..10_000 {
            world.wall.fetch_add(1, SeqCst);
            sleep(Duration::from_millis(1)).await;
        }
        let reads = world.times().len();
        assert!((most * 9 / 10..=most + 1).contains(&reads), "{within} ms: {reads} reads in 10 s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_is_followed_both_ways() {
    let world = World::new(false).await;
    world.model.state().next_change_at = Some("2026-03-01T12:30:00Z".parse().unwrap());
    let _screen = world.subscribe(&live_of("n"));
    sleep(Duration::from_secs(5)).await;
    world.set_clock("2026-03-01T13:00:00Z");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.times().len(), 2);
    world.set_clock("2026-03-01T12:00:00Z");
    sleep(Duration::from_secs(2)).await;
    let times = world.times();
    assert_eq!(times.len(), 3, "what was read was of a later time");
    assert_eq!(times[2], times[0]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_by_a_clock_that_nobody_watches() {
    let world = World::new(false).await;
    world.model.state().next_change_at = Some("2026-03-01T12:30:00Z".parse().unwrap());
    let screen = world.subscribe(&live_of("n"));
    sleep(Duration::from_secs(1)).await;
    drop(screen);
    world.set_clock("2026-03-01T12:30:00Z");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.times().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_so_often_is_spread() {
    let mut often = LiveQuery::clone(&query("q"));
    often.every = Some(Duration::from_secs(10));
    let world = World::with_queries(vec![Arc::new(often)]).await;
    let _screens: Vec<Subscriber> = (0..100).map(|number| world.subscribe(&live_of(&number.to_string()))).collect();
    sleep(Duration::from_millis(100)).await;
    // One or the other is due at once, or twice.
    assert!((100..=105).contains(&world.queries()));
    let mut before = world.queries();
    for _ in 0..10 {
        sleep(Duration::from_secs(10)).await;
        assert!((95..=105).contains(&(world.queries() - before)), "each once");
        before = world.queries();
        sleep(Duration::from_secs(5)).await;
        assert!((20..80).contains(&(world.queries() - before)), "not all together");
        sleep(Duration::from_secs(5)).await;
        before = world.queries();
    }
}

#[tokio::test(start_paused = true)]
async fn the_sentinel_comes_by_every_query() {
    let world = World::with_queries(vec![query("q"), query("r")]).await;
    let _many: Vec<Subscriber> = (0..1_000).map(|number| world.subscribe(&live_of(&number.to_string()))).collect();
    let forgotten = key_of("r", "n");
    let mut screen = world.subscribe(&forgotten);
    sleep(Duration::from_secs(1)).await;
    let before = world.queries();
    world.model.commit(&forgotten);
    world.refresher.sample();
    sleep(Duration::from_secs(5)).await;
    screen.read();
    assert_eq!(screen.seen.last().unwrap().total, 1);
    assert_eq!(world.queries() - before, 1 + world.refresher.config.sentinel_sample);
    let label = crate::telemetry::metrics::QueryLabel::of(&QueryName::parse("r").unwrap());
    assert_eq!(world.refresher.metrics.live.drift.get_or_create(&label).get(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_day_of_a_query_ends_where_its_zone_is() {
    let mut far = LiveQuery::clone(&query("q"));
    far.zone = TimeZone::get("Asia/Tokyo").unwrap();
    let world = World::with_queries(vec![Arc::new(far)]).await;
    let _screen = world.subscribe(&live_of("n"));
    world.set_clock("2026-03-01T14:59:59Z");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.queries(), 1);
    world.set_clock("2026-03-01T15:00:00Z");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.queries(), 2);
    assert_eq!(world.model.state().days.last().unwrap().to_string(), "2026-03-02");
}
