//! Which connection a line of the log is about: one span, `connection`, around every line that is written while a
//! connection's task works.
//!
//! The span is made by who writes a line and gone with it: one that lived as long as its connection would cost some
//! hundred bytes, one for each time that its task works would cost more than most of that work. Must not know what a
//! connection carries.

use std::fmt;

use tokio::task_local;
use tracing::{Event, Subscriber, error_span};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::address::Address;
use crate::model::ConnectionId;

/// Of the span. No filter may take it from a line that is written: see [`super::filter`].
pub(super) const TARGET: &str = "pulso::connection";

task_local! {
    static WORKING_FOR: Connection;
}

/// A connection as the log names it.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    pub id: ConnectionId,
    pub address: Address,
}

impl Connection {
    /// What is logged while `work` works is about this connection.
    pub fn scope<W: Future>(self, work: W) -> impl Future<Output = W::Output> + use<W> {
        WORKING_FOR.scope(self, work)
    }

    /// As [`Self::scope`], of what is done at once.
    pub fn during<R>(self, work: impl FnOnce() -> R) -> R {
        WORKING_FOR.sync_scope(self, work)
    }
}

/// Writes a line as `E` does, within the span of the connection that it is about.
pub(super) struct Spanned<E>(pub(super) E);

impl<S, N, E> FormatEvent<S, N> for Spanned<E>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    E: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match WORKING_FOR.try_with(|connection| *connection) {
            Ok(Connection { id, address }) => error_span!(target: TARGET, "connection", %id, %address)
                .in_scope(|| self.0.format_event(context, writer, event)),
            Err(_) => self.0.format_event(context, writer, event),
        }
    }
}
