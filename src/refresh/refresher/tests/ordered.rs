//! A database that tells which of two reads is newer.

use super::*;

async fn world() -> World {
    World::with_connections(8, false, Some(5_000)).await
}

impl World {
    /// The database loses the last changes of a business, and transactions of others with them.
    fn restore(&self, channel: &Channel, lost: i64, transactions: u64) {
        let mut state = self.model.state();
        *state.committed.entry(channel.clone()).or_default() -= lost;
        state.completed = state.completed.map(|completed| completed - transactions);
    }
}

#[tokio::test(start_paused = true)]
async fn seq_counts_the_transactions_of_the_database() {
    let world = world().await;
    let n = figures_of("n");
    let mut subscriber = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    subscriber.read();
    let first = subscriber.version;
    for _ in 0..3 {
        world.model.commit(&n);
    }
    let told = world.refresher.notice(&n).await.unwrap().unwrap();
    assert_eq!(told.version, first + 3);
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_told_though_no_transaction_came_in_between() {
    let world = world().await;
    let n = figures_of("n");
    let mut subscriber = world.subscribe(&n);
    sleep(Duration::from_secs(1)).await;
    subscriber.read();
    world.refresher.notice(&n).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    subscriber.read();
    assert_eq!(subscriber.seen.len(), 2, "one on subscribing, one for the notice");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_has_lost_transactions_moves_every_screen() {
    let world = world().await;
    let (a, b) = (figures_of("a"), figures_of("b"));
    let mut screens = [world.subscribe(&a), world.subscribe(&b)];
    for _ in 0..9 {
        world.model.commit(&a);
        world.model.commit(&b);
    }
    for channel in [&a, &b] {
        world.refresher.notice(channel).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    world.restore(&a, 2, 3);
    world.restore(&b, 3, 4);
    // Of one business alone anybody is told.
    world.refresher.notice(&a).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    screens.iter_mut().for_each(Subscriber::read);
    assert_eq!(screens.each_ref().map(|screen| screen.seen.last().unwrap().total), [7, 6]);
}

#[tokio::test(start_paused = true)]
async fn where_it_stops_telling_for_a_while_nothing_goes_back() {
    let world = world().await;
    let n = figures_of("n");
    let mut subscriber = world.subscribe(&n);
    for completed in [Some(5_100), None, Some(5_101), None, None, Some(4_000)] {
        world.model.commit(&n);
        world.model.state().completed = completed;
        world.refresher.notice(&n).await.unwrap();
        subscriber.read();
    }
    assert_eq!(subscriber.seen.last().unwrap().total, 6);
}
