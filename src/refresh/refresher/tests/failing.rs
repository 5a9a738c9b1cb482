//! Live queries that fail by themselves, that are defined anew, that the database refuses.

use super::*;

#[tokio::test(start_paused = true)]
async fn who_watches_is_told_once_that_it_fails_and_the_result_follows() {
    let world = World::new(false).await;
    let n = live_of("n");
    let mut screen = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    screen.read();
    world.model.state().refused.insert(n.clone());
    assert_eq!(world.refresher.notice(&n).await.map(|_| ()), Err(Unavailable));
    assert_eq!(world.refresher.notice(&n).await.map(|_| ()), Err(Unavailable));
    sleep(Duration::from_secs(20)).await;
    let mut newcomer = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    for screen in [&mut screen, &mut newcomer] {
        screen.read();
        assert_eq!(screen.errors, 1);
    }
    assert!(world.queries() < 8, "ever more seldom, whoever asks");
    world.model.state().refused.clear();
    sleep(Duration::from_secs(40)).await;
    for (screen, results) in [(&mut screen, 2), (&mut newcomer, 1)] {
        screen.read();
        assert_eq!((screen.errors, screen.seen.len()), (1, results), "also where it says what it said before");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_fails_keeps_no_other_from_being_read() {
    let world = World::new(false).await;
    let keys = ["a", "b", "c"].map(live_of);
    let mut screens: Vec<Subscriber> = keys.iter().map(|key| world.subscribe(key)).collect();
    sleep(Duration::from_secs(1)).await;
    shown(&mut screens);
    world.model.state().refused.insert(keys[1].clone());
    for _ in 0..5 {
        for key in &keys {
            world.model.commit(key);
            assert_eq!(world.refresher.notice(key).await.is_ok(), *key != keys[1]);
        }
        sleep(Duration::from_secs(3)).await;
    }
    assert_eq!(shown(&mut screens), [5, 0, 5]);
}

/// What each screen shows.
fn shown(screens: &mut [Subscriber]) -> Vec<i64> {
    screens.iter_mut().for_each(Subscriber::read);
    screens.iter().map(|screen| screen.seen.last().unwrap().total).collect()
}

#[tokio::test(start_paused = true)]
async fn a_query_that_fails_is_tried_on_one_key_and_when_it_works_all_are_read() {
    let world = World::new(false).await;
    let keys: Vec<Channel> = (0..20).map(|number| live_of(&number.to_string())).collect();
    let mut screens: Vec<Subscriber> = keys.iter().map(|key| world.subscribe(key)).collect();
    sleep(Duration::from_secs(1)).await;
    world.model.state().refused.extend(keys.iter().cloned());
    world.refresher.hint_all(&QueryName::parse("q").unwrap());
    sleep(Duration::from_millis(500)).await;
    let before = world.queries();
    sleep(Duration::from_mins(1)).await;
    assert!((1..10).contains(&(world.queries() - before)), "{} reads in a minute", world.queries() - before);
    for (key, screen) in keys.iter().zip(&mut screens) {
        world.model.commit(key);
        screen.read();
    }
    world.model.state().refused.clear();
    sleep(Duration::from_secs(65)).await;
    assert_eq!(shown(&mut screens), [1; 20]);
    assert!(screens.iter().all(|screen| screen.errors == 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_defined_anew_is_read_anew_and_nothing_of_before_is_sent() {
    let world = World::new(false).await;
    let n = live_of("n");
    let mut screen = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    screen.read();
    world.model.state().dawdle = Dawdle { before: 50, after: 50 };
    world.model.commit(&n);
    world.refresher.hint(&n);
    sleep(Duration::from_millis(60)).await;
    let mut other = LiveQuery::clone(&query("q"));
    other.fingerprint += 1;
    world.queries.replace([Arc::new(other)]);
    learn(&world.queries, &world.refresher.database, world.queries.all()).await;
    world.model.commit(&n);
    sleep(Duration::from_secs(2)).await;
    screen.read();
    let totals: Vec<i64> = screen.seen.iter().map(|seen| seen.total).collect();
    assert_eq!((totals, screen.errors), (vec![0, 2], 0));
    world.queries.replace([]);
    sleep(Duration::from_secs(2)).await;
    screen.read();
    assert_eq!(screen.errors, 1, "there is no such query any more");
}
