//! The numbers about spans, of all calls that are followed together.

use prometheus_client::metrics::counter::Counter;

use super::register::Register;

#[derive(Debug)]
pub struct TraceMetrics {
    pub sent: Counter,
    pub dropped: Counter,
}

impl TraceMetrics {
    pub(super) fn register(register: &mut Register) -> Self {
        Self { sent: register.counter("pulso_spans_sent"), dropped: register.counter("pulso_spans_dropped") }
    }
}
