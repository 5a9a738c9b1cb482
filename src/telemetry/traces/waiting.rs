//! Spans that wait to be sent: bounded, and never waited for.
//!
//! Must not know where they are sent.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::Notify;

#[derive(Debug)]
pub(super) struct Waiting {
    spans: Mutex<VecDeque<Span>>,
    most: usize,
    batch: usize,
    is_full: Notify,
}

impl Waiting {
    /// Takes `most`; says so when there is a `batch`.
    pub(super) fn new(most: usize, batch: usize) -> Self {
        Self { spans: Mutex::default(), most, batch, is_full: Notify::new() }
    }

    /// False where there is no room: the span is lost.
    pub(super) fn put(&self, span: Span) -> bool {
        let mut spans = self.spans();
        if spans.len() >= self.most {
            return false;
        }
        spans.push_back(span);
        if spans.len() == self.batch {
            self.is_full.notify_one();
        }
        true
    }

    /// A batch, or what there is.
    pub(super) fn take(&self) -> Vec<Span> {
        let mut spans = self.spans();
        let count = spans.len().min(self.batch);
        spans.drain(..count).collect()
    }

    pub(super) fn has_batch(&self) -> bool {
        self.spans().len() >= self.batch
    }

    /// Returns when a batch has come together.
    pub(super) async fn until_batch(&self) {
        self.is_full.notified().await;
    }

    fn spans(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
