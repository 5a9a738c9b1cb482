//! Who announces a change with its transaction is answered by a read that shows it.

use super::*;

impl World {
    fn seen_by(&self, channel: &Channel, xid: u64, within: u64) -> tokio::task::JoinHandle<Result<Noticed, Unseen>> {
        let (refresher, channel) = (Arc::clone(&self.refresher), channel.clone());
        let deadline = Instant::now() + Duration::from_secs(within);
        tokio::spawn(async move { refresher.notice_seen(&channel, xid, deadline).await })
    }

    fn begin(&self, xid: u64) {
        self.model.state().open.insert(xid);
    }

    fn end(&self, channel: &Channel, xid: u64) {
        self.model.commit(channel);
        self.model.state().open.remove(&xid);
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_read_that_shows_it_counts_and_nobody_else_waits() {
    for kind in [figures_of as Kind, live_of] {
        let world = World::new(false).await;
        let n = kind("n");
        let mut screen = world.subscribe(&n);
        sleep(Duration::from_secs(1)).await;
        world.begin(500);
        let waits = world.seen_by(&n, 500, 10);
        sleep(Duration::from_millis(100)).await;
        assert!(world.refresher.notice(&n).await.unwrap().is_some());
        assert!(!waits.is_finished());
        world.end(&n, 500);
        let Ok(Noticed::Read(reading)) = waits.await.unwrap() else { panic!("it was not read") };
        assert_eq!(seen(&reading).total, 1);
        screen.read();
        assert_eq!(screen.seen.last().unwrap().total, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn while_nobody_else_wants_it_a_repetition_asks_for_visibility_alone() {
    let world = World::new(false).await;
    let n = live_of("n");
    let _screen = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    world.begin(500);
    let before = world.queries();
    let waits = world.seen_by(&n, 500, 10);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.queries() - before, 1);
    assert!((6..20).contains(&world.model.state().looks), "{} looks", world.model.state().looks);
    world.end(&n, 500);
    assert!(waits.await.unwrap().is_ok());
    assert_eq!(world.queries() - before, 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_end_is_looked_for_when_its_call_was_answered_and_not_for_ever() {
    let world = World::new(false).await;
    let n = live_of("n");
    let mut screen = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    world.begin(500);
    world.begin(501);
    assert_eq!(world.seen_by(&n, 500, 5).await.unwrap().map(|_| ()), Err(Unseen::Unavailable(Unavailable)));
    sleep(Duration::from_secs(20)).await;
    world.end(&n, 500);
    sleep(Duration::from_secs(2)).await;
    screen.read();
    assert_eq!(screen.seen.last().unwrap().total, 1);
    let _ = world.seen_by(&n, 501, 5).await;
    sleep(Duration::from_mins(1)).await;
    let looks = world.model.state().looks;
    sleep(Duration::from_mins(1)).await;
    assert_eq!(world.model.state().looks, looks);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_watches_it_is_remembered_for_whoever_comes() {
    for kind in [figures_of as Kind, live_of] {
        let world = World::new(false).await;
        let n = kind("n");
        world.begin(500);
        assert!(matches!(world.seen_by(&n, 500, 5).await.unwrap(), Ok(Noticed::Unwatched)));
        assert_eq!((world.queries(), world.model.state().looks), (0, 0));
        sleep(Duration::from_secs(5)).await;
        let mut screen = world.subscribe(&n);
        sleep(Duration::from_secs(2)).await;
        screen.read();
        assert_eq!(screen.seen.last().unwrap().total, 0, "a newcomer does not wait for it");
        world.end(&n, 500);
        sleep(Duration::from_secs(2)).await;
        screen.read();
        assert_eq!(screen.seen.last().unwrap().total, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn sixty_four_wait_for_a_key_and_no_more() {
    let world = World::new(false).await;
    let n = live_of("n");
    let _screen = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    (500..600).for_each(|xid| world.begin(xid));
    let waiting: Vec<_> = (500..564).map(|xid| world.seen_by(&n, xid, 10)).collect();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(world.seen_by(&n, 564, 10).await.unwrap().map(|_| ()), Err(Unseen::TooMany));
    (500..600).for_each(|xid| world.end(&n, xid));
    for waits in waiting {
        assert!(matches!(waits.await.unwrap(), Ok(Noticed::Read(_))));
    }
    assert!(world.seen_by(&n, 564, 10).await.unwrap().is_ok(), "there is room again");
}

#[tokio::test(start_paused = true)]
async fn one_that_stays_open_keeps_no_other_from_being_answered() {
    let world = World::new(false).await;
    let n = live_of("n");
    let _screen = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    (500..550).for_each(|xid| world.begin(xid));
    let waiting: Vec<_> = (500..550).map(|xid| world.seen_by(&n, xid, 20)).collect();
    sleep(Duration::from_millis(200)).await;
    (501..550).for_each(|xid| world.end(&n, xid));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(waiting.iter().filter(|waits| waits.is_finished()).count(), 49);
    sleep(Duration::from_secs(9)).await;
    world.end(&n, 500);
    for waits in waiting {
        assert!(matches!(waits.await.unwrap(), Ok(Noticed::Read(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn one_whose_number_lacks_its_epoch_is_refused() {
    let world = World::new(false).await;
    let n = live_of("n");
    let _screen = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.seen_by(&n, 7, 10).await.unwrap().map(|_| ()), Err(Unseen::TooOld));
}
