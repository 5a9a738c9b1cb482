//! The one message on its way from a stream's task to whoever writes it: what waits beyond that waits in the mailbox.
//!
//! Must not know what is in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;

/// A place for one message, empty, and its two ends.
pub fn handover() -> (Giver, Taker) {
    let place = Arc::new(Place::default());
    (Giver(Arc::clone(&place)), Taker(place))
}

/// Ends what is handed over when it is dropped; what is in the place is taken first.
#[derive(Debug)]
pub struct Giver(Arc<Place>);

#[derive(Debug)]
pub struct Taker(Arc<Place>);

/// The other end is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

#[derive(Debug, Default)]
struct Place {
    inner: Mutex<Inner>,
    giver: AtomicWaker,
    taker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Inner {
    message: Option<Bytes>,
    /// One of the ends is gone.
    is_over: bool,
}

impl Giver {
    /// Waits until the place is empty.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        // Registered before looking: what is taken in between wakes a task that is about to sleep.
        self.0.giver.register(cx.waker());
        let inner = self.0.lock();
        match (&inner.message, inner.is_over) {
            (_, true) => Poll::Ready(Err(Gone)),
            (None, false) => Poll::Ready(Ok(())),
            (Some(_), false) => Poll::Pending,
        }
    }

    /// Waits until nobody takes anything any more.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<Gone> {
        self.0.giver.register(cx.waker());
        if self.0.lock().is_over { Poll::Ready(Gone) } else { Poll::Pending }
    }

    /// Gives a message if the place is empty.
    pub fn give(&self, message: Bytes) {
        self.0.lock().message.get_or_insert(message);
        self.0.taker.wake();
    }
}

impl Taker {
    /// The next message; `None` after the last one.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.taker.register(cx.waker());
        let mut inner = self.0.lock();
        match (inner.message.take(), inner.is_over) {
            (Some(message), _) => {
                drop(inner);
                self.0.giver.wake();
                Poll::Ready(Some(message))
            }
            (None, true) => Poll::Ready(None),
            (None, false) => Poll::Pending,
        }
    }
}

impl Drop for Giver {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.taker.wake();
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.giver.wake();
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn what_is_given_is_taken_in_its_order_and_the_last_one_outlives_its_giver() {
        let (giver, taker) = handover();
        let giving = tokio::spawn(async move {
            for number in 0..100_u8 {
                poll_fn(|cx| giver.poll_ready(cx)).await.unwrap();
                giver.give(Bytes::from(vec![number]));
            }
        });
        for number in 0..100_u8 {
            assert_eq!(poll_fn(|cx| taker.poll_next(cx)).await, Some(Bytes::from(vec![number])));
        }
        assert_eq!(poll_fn(|cx| taker.poll_next(cx)).await, None);
        giving.await.unwrap();
    }

    #[tokio::test]
    async fn who_gives_hears_that_nobody_takes_any_more_while_the_place_is_empty_and_while_it_is_full() {
        for full in [false, true] {
            let (giver, taker) = handover();
            if full {
                giver.give(Bytes::from_static(b"x"));
            }
            let giving = tokio::spawn(async move {
                if full {
                    assert_eq!(poll_fn(|cx| giver.poll_ready(cx)).await, Err(Gone));
                } else {
                    assert_eq!(poll_fn(|cx| giver.poll_gone(cx)).await, Gone);
                }
            });
            tokio::task::yield_now().await;
            drop(taker);
            giving.await.unwrap();
        }
    }
}
