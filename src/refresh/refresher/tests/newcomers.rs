//! How fresh a newcomer's state is, and what a crowd costs.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_newcomer_has_what_is_there_at_once_and_soon_what_nobody_announced() {
    for kind in [figures_of as Kind, live_of] {
        let world = World::new(false).await;
        let n = kind("n");
        let mut first = world.subscribe(&n);
        sleep(Duration::from_secs(2)).await;
        first.read();
        world.model.commit(&n);
        let mut second = world.subscribe(&n);
        sleep(Duration::from_millis(1)).await;
        second.read();
        assert_eq!(second.seen.last().unwrap().total, 0);
        sleep(Duration::from_secs(1)).await;
        for screen in [&mut first, &mut second] {
            screen.read();
            assert_eq!(screen.seen.iter().map(|seen| seen.total).collect::<Vec<_>>(), [0, 1]);
        }
        assert_eq!(world.queries(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_read_just_now_is_not_read_again() {
    let world = World::new(false).await;
    let n = live_of("n");
    let _first = world.subscribe(&n);
    sleep(Duration::from_millis(200)).await;
    let _second = world.subscribe(&n);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.queries(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_comes_for_seconds_costs_two_reads_and_is_right() {
    let world = World::new(false).await;
    world.model.state().dawdle = Dawdle { before: 20, after: 20 };
    let n = live_of("n");
    let mut all = Vec::new();
    for round in 0..60 {
        all.push(world.subscribe(&n));
        if round == 30 {
            world.model.commit(&n);
        }
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_secs(1)).await;
    for screen in &mut all {
        screen.read();
        assert_eq!(screen.seen.last().unwrap().total, 1);
    }
    assert_eq!(world.queries(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_there_is_no_room_for_costs_a_newcomer_a_read_and_is_told_apart_all_the_same() {
    let world = World::new(false).await;
    world.model.state().padding = 200_000;
    let keys: Vec<Channel> = (0..8).map(|number| live_of(&number.to_string())).collect();
    let mut screens: Vec<Subscriber> = keys.iter().map(|key| world.subscribe(key)).collect();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(world.queries(), 8);
    let newcomers: Vec<Subscriber> = keys.iter().map(|key| world.subscribe(key)).collect();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(world.queries(), 8 + 3, "a mebibyte has room for five");
    drop(newcomers);
    for key in &keys {
        world.refresher.triggered(key);
    }
    sleep(Duration::from_secs(1)).await;
    for screen in &mut screens {
        screen.read();
        assert_eq!(screen.seen.len(), 1, "nothing has changed");
    }
}

#[tokio::test(start_paused = true)]
async fn hints_send_differences_alone_and_what_they_owe_survives_a_failed_read() {
    let world = World::new(false).await;
    let n = live_of("n");
    let mut screen = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    for _ in 0..10 {
        world.refresher.hint(&n);
        world.refresher.triggered(&n);
        sleep(Duration::from_millis(500)).await;
    }
    screen.read();
    assert_eq!(screen.seen.len(), 1, "nothing has changed");
    world.model.state().failures = vec![Failure::Unreachable; 3];
    world.model.commit(&n);
    world.refresher.hint_all(&QueryName::parse("q").unwrap());
    sleep(Duration::from_secs(10)).await;
    screen.read();
    assert_eq!((screen.seen.last().unwrap().total, screen.errors), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn hints_of_keys_that_nobody_watches_read_nothing_and_keep_nothing() {
    let world = World::new(false).await;
    for number in 0..20_000 {
        world.refresher.hint(&live_of(&number.to_string()));
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.queries(), 0);
    let kept = world.refresher.lock();
    assert!(kept.channels.is_empty() && kept.channels.capacity() < 5_000);
}
