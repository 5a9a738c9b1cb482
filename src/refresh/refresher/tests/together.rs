//! Which reads are made together, and that nobody suffers from whom it was read with.

use super::*;

/// Three businesses that have been read once, with one connection between them.
async fn three_businesses() -> (World, [Channel; 3], Vec<Subscriber>) {
    let world = World::with_connections(1, false, None).await;
    let three = ["a", "b", "c"].map(figures_of);
    let screens = three.iter().map(|channel| world.subscribe(channel)).collect();
    sleep(Duration::from_secs(1)).await;
    assert_eq!((world.queries(), world.model.state().together.len()), (3, 0), "how long they take was not known");
    world.model.state().dawdle = Dawdle { before: 5, after: 5 };
    (world, three, screens)
}

#[tokio::test(start_paused = true)]
async fn quick_reads_that_wait_for_a_connection_are_made_together() {
    let (world, [a, b, c], mut screens) = three_businesses().await;
    for channel in [&a, &b, &c] {
        world.model.commit(channel);
    }
    let answers = tokio::join!(world.refresher.notice(&a), world.refresher.notice(&b), world.refresher.notice(&c));
    assert!(answers.0.is_ok() && answers.1.is_ok() && answers.2.is_ok());
    assert_eq!((world.queries(), world.model.state().together.clone()), (6, vec![2]));
    for screen in &mut screens {
        screen.read();
        assert_eq!(screen.seen.last().unwrap().total, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_fails_for_its_own_business_only() {
    let (world, [a, b, c], mut screens) = three_businesses().await;
    world.model.state().refused.insert(b.clone());
    world.model.commit(&c);
    let answers = tokio::join!(world.refresher.notice(&a), world.refresher.notice(&b), world.refresher.notice(&c));
    assert!(answers.0.is_ok() && answers.2.is_ok());
    assert!(answers.1.is_err());
    assert_eq!(world.model.state().together, [2]);
    screens[2].read();
    assert_eq!(screens[2].seen.last().unwrap().total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_is_made_alone() {
    let (world, [a, b, c], _screens) = three_businesses().await;
    world.model.state().dawdle = Dawdle { before: 60, after: 0 };
    for expected in [&[2][..], &[2]] {
        let _ = tokio::join!(world.refresher.notice(&a), world.refresher.notice(&b), world.refresher.notice(&c));
        assert_eq!(world.model.state().together, expected, "together once, and never again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_panics_is_counted_and_its_businesses_are_read_again() {
    let (world, [a, b, c], mut screens) = three_businesses().await;
    // Of those that are read together, too.
    for panics in [1, 2] {
        for channel in [&a, &b, &c] {
            world.model.commit(channel);
        }
        world.model.state().failures.push(Failure::Panic);
        let answers = tokio::join!(world.refresher.notice(&a), world.refresher.notice(&b), world.refresher.notice(&c));
        assert!(answers.0.is_err() || answers.1.is_err() || answers.2.is_err(), "who waited is told");
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.refresher.metrics.runner_panics.get(), panics);
        for screen in &mut screens {
            screen.read();
            assert_eq!(screen.seen.last().unwrap().total, i64::try_from(panics).unwrap());
        }
        world.model.state().dawdle = Dawdle::default();
        world.model.state().under_way.clear();
    }
}
