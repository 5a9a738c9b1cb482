//! What is counted of reads: of figures together, of live queries by name.

use std::time::Duration;

use tracing::{debug, warn};

use super::Refresher;
use super::live::{Said, Turn};
use crate::model::{Channel, QueryName};
use crate::refresh::answer::Answer;
use crate::refresh::state::{Finished, Unasked, Why};
use crate::store::StoreError;
use crate::telemetry::metrics::{QueryLabel, QueryRead, ReadReason};

impl Refresher {
    pub(super) fn count_begun(&self, turns: &[Turn]) {
        for turn in turns {
            match query(&turn.channel) {
                Some(query) => {
                    let read = QueryRead::of(query, reason(turn.beginning.why));
                    self.metrics.live.reads.get_or_create(&read).inc();
                }
                None => {
                    self.metrics.queries.inc();
                }
            }
        }
    }

    pub(super) fn count_read(&self, turn: &Turn, said: &Said, took: Duration) {
        let Some(query) = query(&turn.channel) else {
            self.metrics.query_seconds.observe(took.as_secs_f64());
            return;
        };
        let (label, live) = (QueryLabel::of(query), &self.metrics.live);
        live.seconds.get_or_create(&label).observe(took.as_secs_f64());
        live.rows.get_or_create(&label).inc_by(said.rows as u64);
        if let Answer::Data(data) = &said.answer {
            live.bytes.get_or_create(&label).inc_by(data.len() as u64);
        }
    }

    pub(super) fn count_finished(&self, channel: &Channel, finished: &Finished) {
        let Some(query) = query(channel) else {
            if finished.corrected {
                self.metrics.trailing_corrections.inc();
            }
            return;
        };
        if finished.corrected {
            self.metrics.live.corrections.get_or_create(&QueryLabel::of(query)).inc();
        }
        if finished.is_unchanged {
            self.metrics.live.unchanged.get_or_create(&QueryLabel::of(query)).inc();
        }
    }

    pub(in crate::refresh) fn count_drift(&self, channel: &Channel) {
        if let Some(query) = query(channel) {
            self.metrics.live.drift.get_or_create(&QueryLabel::of(query)).inc();
            warn!(
                channel = channel.to_string(),
                "a result changed and nothing announced it: some path of the API forgets it"
            );
        } else {
            self.metrics.drift.inc();
            warn!(
                channel = channel.to_string(),
                "figures changed without a notice: some path of the API forgets the hook"
            );
        }
    }

    pub(super) fn count_transaction(&self, channel: &Channel) {
        if let Some(query) = query(channel) {
            self.metrics.live.xid_waits.get_or_create(&QueryLabel::of(query)).inc();
        }
    }

    pub(super) fn note_failure(&self, channel: &Channel, failure: &StoreError) {
        match query(channel) {
            Some(query) => {
                let label = QueryLabel::of(query);
                self.metrics.live.failures.get_or_create(&label).inc();
                if matches!(failure, StoreError::Unsendable(_)) {
                    self.metrics.live.too_large.get_or_create(&label).inc();
                }
            }
            None => {
                self.metrics.query_failures.inc();
            }
        }
        match failure {
            // Said once for all by the database's monitor.
            StoreError::Unreachable(_) => debug!(channel = channel.to_string(), %failure, "not read"),
            StoreError::TimedOut(_) | StoreError::Refused(_) | StoreError::Data(_) | StoreError::Unsendable(_) => {
                warn!(channel = channel.to_string(), %failure, "not read");
            }
        }
    }
}

fn query(channel: &Channel) -> Option<&QueryName> {
    match channel {
        Channel::Consulta(consulta) => Some(consulta.query()),
        _ => None,
    }
}

fn reason(why: Why) -> ReadReason {
    match why {
        Why::Notice => ReadReason::Notice,
        Why::Transaction => ReadReason::Transaction,
        Why::Newcomer => ReadReason::Newcomer,
        Why::Unasked(unasked) => match unasked {
            Unasked::Trailing => ReadReason::Trailing,
            Unasked::Rollover => ReadReason::Rollover,
            Unasked::Recovery => ReadReason::Recovery,
            Unasked::Hint => ReadReason::Hint,
            Unasked::Sentinel => ReadReason::Sentinel,
            Unasked::Told => ReadReason::Told,
            Unasked::Newcomers => ReadReason::Freshness,
            Unasked::Interval => ReadReason::Interval,
            Unasked::Clock => ReadReason::Clock,
        },
    }
}
