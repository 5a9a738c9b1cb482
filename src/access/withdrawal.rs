//! Keys that left their set: who came in by a token that one of them signed goes at once, and comes back with another.
//!
//! Must not know connections: it ends them through the broker.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{pending, select_all};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::broker::Broker;
use crate::hub::Hub;
use crate::model::{Channel, CloseReason, KeyId};

/// Whenever one of `changes` moves, ends the connections of keys that nobody holds any more, until stopped. Who comes in
/// meanwhile looks for herself once she can be found.
pub async fn keep_watch(
    mut changes: Vec<watch::Receiver<u64>>,
    holds: impl Fn(KeyId) -> bool + Send,
    hub: Arc<Hub>,
    broker: Arc<Broker>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = any(&mut changes) => {}
        }
        let key = |channel| if let Channel::Key(key) = channel { Some(key) } else { None };
        for key in hub.watched().into_iter().filter_map(key).filter(|key| !holds(*key)) {
            let ended = broker.dismiss(&Channel::Key(key), CloseReason::KeyWithdrawn);
            info!(ended, "a key was withdrawn: the connections of its tokens end");
        }
    }
}

/// Waits for one of them to move.
async fn any(changes: &mut [watch::Receiver<u64>]) {
    if changes.is_empty() {
        return pending().await;
    }
    select_all(changes.iter_mut().map(|one| moves(one).boxed())).await;
}

/// Waits for it to move; whose sender is gone never does.
async fn moves(changes: &mut watch::Receiver<u64>) {
    if changes.changed().await.is_err() {
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use jiff::tz::TimeZone;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::clock::Clock;
    use crate::hub::mailbox::{Mailbox, Next};
    use crate::publication::Encoding;
    use crate::telemetry::metrics::Metrics;

    #[tokio::test(start_paused = true)]
    async fn who_came_by_a_key_that_is_gone_is_ended_and_nobody_else() {
        let hub = Arc::new(Hub::new(Arc::new(Metrics::new())));
        let broker = Arc::new(Broker::of_one_node(Arc::clone(&hub), Arc::default(), &Clock::system(TimeZone::UTC)));
        let (gone, kept) = (KeyId::new([1; 16]), KeyId::new([2; 16]));
        let held = Arc::new(Mutex::new(vec![gone, kept]));
        let (sender, other) = (watch::Sender::new(0), watch::Sender::new(0));
        let stop = CancellationToken::new();
        let holds = {
            let held = Arc::clone(&held);
            move |key| held.lock().unwrap().contains(&key)
        };
        let changes = vec![other.subscribe(), sender.subscribe()];
        let watch = tokio::spawn(keep_watch(changes, holds, Arc::clone(&hub), broker, stop.clone()));
        let join = |channel| {
            let mailbox = Arc::new(Mailbox::new(4, Encoding::Lines));
            let membership = hub.join(channel, &mailbox);
            (mailbox, membership)
        };
        let (first, second) = (join(Channel::Key(gone)), join(Channel::Key(kept)));
        drop(other);
        sender.send_modify(|moved| *moved += 1);
        sleep(Duration::from_secs(1)).await;
        assert!(first.0.try_next().is_none(), "nothing is gone yet");
        held.lock().unwrap().retain(|key| *key != gone);
        sender.send_modify(|moved| *moved += 1);
        sleep(Duration::from_secs(1)).await;
        assert!(matches!(first.0.try_next(), Some(Next::Dismissed(CloseReason::KeyWithdrawn))));
        assert!(second.0.try_next().is_none());
        stop.cancel();
        timeout(Duration::from_secs(1), watch).await.unwrap().unwrap();
    }
}
