//! What is announced though nobody watches it.

use super::*;

/// Until what is spent has been looked at.
const FORGOTTEN: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_keys_that_nobody_watches_cost_no_read_and_leave_nothing() {
    let world = World::new(false).await;
    let kept = || {
        let kept = world.refresher.lock();
        (kept.channels.len(), kept.channels.capacity())
    };
    let few = kept();
    for _ in 0..100_000 {
        let key = live_of(&format!("{:032x}", rand::random::<u128>()));
        world.refresher.hint(&key);
        world.refresher.triggered(&key);
        assert_eq!(world.refresher.notice(&key).await.map(|reading| reading.is_some()), Ok(false));
    }
    sleep(FORGOTTEN).await;
    let (left, room) = kept();
    assert!(left == few.0 && room <= few.1.max(4_096), "{left} keys are kept, and room for {room}");
    assert_eq!(world.queries(), 0);
}
