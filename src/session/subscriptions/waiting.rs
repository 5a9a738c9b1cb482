//! What a connection waits for beside its socket: checks of access, figures, the database.
//!
//! Must not know what becomes of it.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::access::ownership::Unanswered;
use crate::refresh::{Reading, Unavailable};

/// Unallocated while nothing is waited for: most of the time, for most.
#[derive(Default)]
pub(super) struct Waiting(Option<Box<FuturesUnordered<BoxFuture<'static, Settled>>>>);

/// Something that was waited for.
#[derive(Debug)]
pub(crate) enum Settled {
    Checked {
        key: u32,
        verdict: Result<bool, Unanswered>,
    },
    /// `had`: the version that somebody had who asked again.
    Read {
        key: u32,
        had: Option<u64>,
        reading: Result<Reading, Unavailable>,
    },
    /// The database is back.
    Database,
    /// Live queries are defined otherwise than before, or stand otherwise.
    Queries,
}

impl Waiting {
    /// To be followed by a poll, which is what wakes the task.
    pub(super) fn push(&mut self, settled: impl Future<Output = Settled> + Send + 'static) {
        self.0.get_or_insert_default().push(Box::pin(settled));
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Settled> {
        let Some(waiting) = &mut self.0 else { return Poll::Pending };
        let next = waiting.poll_next_unpin(cx);
        if waiting.is_empty() {
            self.0 = None;
        }
        match next {
            Poll::Ready(Some(settled)) => Poll::Ready(settled),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
