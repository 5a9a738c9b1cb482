//! `min_gap`: the least time from the beginning of one read to the next.

use super::*;

const GAP: Duration = Duration::from_secs(10);

async fn world() -> World {
    let mut slow = LiveQuery::clone(&query("q"));
    slow.min_gap = GAP;
    World::with_queries(vec![Arc::new(slow)]).await
}

#[tokio::test(start_paused = true)]
async fn coming_and_going_is_no_way_around_it() {
    let world = world().await;
    let n = live_of("n");
    drop(world.subscribe(&n));
    let first = world.subscribe(&n);
    sleep(Duration::from_millis(100)).await;
    drop(first);
    sleep(Duration::from_secs(3)).await;
    world.model.commit(&n);
    world.refresher.hint(&n);
    sleep(Duration::from_secs(3)).await;
    let mut second = world.subscribe(&n);
    sleep(Duration::from_millis(100)).await;
    second.read();
    assert_eq!((second.seen.last().unwrap().total, world.queries()), (0, 1), "it is kept though nobody watched");
    sleep(GAP).await;
    second.read();
    assert_eq!((second.seen.last().unwrap().total, world.queries()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn notices_share_the_read_at_its_end_and_who_cannot_wait_is_told_so() {
    let world = world().await;
    let n = live_of("n");
    let mut screen = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    world.model.commit(&n);
    let by = |seconds| Instant::now() + Duration::from_secs(seconds);
    let began = Instant::now();
    assert!(matches!(world.refresher.notice_by(&n, by(5)).await, Ok(Noticed::Later)));
    assert!(began.elapsed() < Duration::from_millis(10));
    assert!(matches!(world.refresher.notice_by(&n, by(20)).await, Ok(Noticed::Read(_))));
    assert!(began.elapsed() + Duration::from_secs(1) >= GAP);
    screen.read();
    assert_eq!((screen.seen.last().unwrap().total, world.queries()), (1, 2));
    let nobody = world.refresher.notice_by(&live_of("nobody"), by(5)).await;
    assert!(matches!(nobody, Ok(Noticed::Unwatched)));
}
