//! Waiting for a condition instead of for a time.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// More than anything a test waits for should ever take: a page or a client may wait 30 s before it connects again.
pub const LIMIT: Duration = Duration::from_mins(1);
pub const PAUSE: Duration = Duration::from_millis(10);

/// Returns once `condition` holds; panics with `what` when it does not within [`LIMIT`].
pub async fn until<F, Fut>(mut condition: F, what: &str)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = Instant::now() + LIMIT;
    loop {
        if condition().await {
            return;
        }
        assert!(Instant::now() < deadline, "waited {LIMIT:?} in vain: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
