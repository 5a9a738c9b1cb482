//! What travels from the source of a change to everybody who listens.
//!
//! Must not know what the payload means, nor how it is carried: what is made of it for that is in its encodings.

mod encoding;
pub mod frame;
mod lines;
mod named;
mod packets;
mod payload;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::{Channel, Code};
use crate::telemetry::commit::Arrival;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::{Delivery, Place};

pub use encoding::Encoding;
use encoding::Encodings;
pub use payload::Payload;

/// What a publication says, and so what may become of it on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How things stand: a later one makes an earlier one worthless.
    State,
    /// What happened: every one counts, in its order.
    Event,
}

/// One message of one channel.
#[derive(Debug)]
pub struct Publication {
    pub channel: Channel,
    pub kind: Kind,
    /// Grows with every state of the channel, or every event of this node: the version of the one, the id of the other.
    /// Never goes back, also not across a restart.
    pub version: u64,
    /// When it was taken, in µs since the epoch: ids follow that clock, unless who gave this one knows better.
    sent: u64,
    /// The event's name, where the transport has names (Socket.IO).
    pub event: &'static str,
    /// What is said, as JSON; empty for a doorbell.
    pub payload: Payload,
    encodings: Encodings,
    /// What it says is wrong, if it is that.
    wrong: Option<Code>,
    /// Taken by who has a publication of this very version, too.
    is_again: bool,
    /// Apart: most of what is kept was announced by nobody.
    announced: Option<Box<Announced>>,
    /// Of a call that is followed.
    delivery: Option<Box<Delivery>>,
}

/// When what a publication says was announced and committed, for who measures how long it takes to the first socket.
#[derive(Debug)]
struct Announced {
    arrival: Arrival,
    is_measured: AtomicBool,
}

impl Publication {
    pub fn state(channel: Channel, version: u64, payload: impl Into<Payload>, noticed: Option<Arrival>) -> Self {
        let announced = noticed.map(Announced::at).map(Box::new);
        Self { kind: Kind::State, announced, ..Self::event(channel, version, "", payload) }
    }

    pub fn event(channel: Channel, id: u64, event: &'static str, payload: impl Into<Payload>) -> Self {
        Self {
            channel,
            kind: Kind::Event,
            version: id,
            sent: id,
            event,
            payload: payload.into(),
            encodings: Encodings::default(),
            wrong: None,
            is_again: false,
            announced: Arrival::of_commit().map(Announced::at).map(Box::new),
            delivery: Place::current().map(Delivery::of).map(Box::new),
        }
    }

    /// Says only that something is pending: what, whoever hears it asks for.
    pub fn doorbell(channel: Channel, version: u64, event: &'static str) -> Self {
        Self { event, ..Self::state(channel, version, "", None) }
    }

    /// Says once more what was said: nothing has changed, and that is what is to be told.
    #[must_use]
    pub fn again(self) -> Self {
        Self { is_again: true, ..self }
    }

    /// It comes of what was done there for a call that is followed.
    #[must_use]
    pub fn below(self, place: Option<Place>) -> Self {
        Self { delivery: place.map(Delivery::of).map(Box::new), ..self }
    }

    /// Where in a call that is followed it was made.
    pub fn place(&self) -> Option<&Place> {
        self.delivery.as_ref().map(|delivery| delivery.place())
    }

    /// It says that something is wrong.
    #[must_use]
    pub fn of_failure(self, code: Code) -> Self {
        Self { wrong: Some(code), ..self }
    }

    pub fn failure(&self) -> Option<Code> {
        self.wrong
    }

    /// It was taken at this moment, in µs since the epoch.
    #[must_use]
    pub fn sent_at(self, sent: u64) -> Self {
        Self { sent, ..self }
    }

    pub fn sent(&self) -> u64 {
        self.sent
    }

    pub fn is_again(&self) -> bool {
        self.is_again
    }

    /// Every mailbox was handed it: `sent` sockets have it, for `waiting` others it waits.
    pub fn on_handed_out(&self, sent: u64, waiting: u64, metrics: &Metrics) {
        if sent > 0 {
            self.measure(metrics);
        }
        if let Some(delivery) = &self.delivery {
            delivery.handed_out(&self.channel, sent, waiting);
        }
    }

    /// A socket has it for which it had to wait.
    pub fn on_sent(&self, metrics: &Metrics) {
        self.measure(metrics);
        if let Some(delivery) = &self.delivery {
            delivery.written();
        }
    }

    /// How long it took is counted for the first socket.
    fn measure(&self, metrics: &Metrics) {
        let Some(announced) = &self.announced else { return };
        if announced.is_measured.swap(true, Ordering::Relaxed) {
            return;
        }
        let Arrival { at, committed } = announced.arrival;
        if self.kind == Kind::State {
            metrics.notice_to_socket_seconds.observe(at.elapsed().as_secs_f64());
        }
        if let Some(committed) = committed {
            metrics.commit_to_socket_seconds.observe(committed.elapsed().as_secs_f64());
        }
    }
}

impl Announced {
    fn at(arrival: Arrival) -> Self {
        Self { arrival, is_measured: AtomicBool::new(false) }
    }
}

/// An event that has no id yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub channel: Channel,
    /// Its name where the transport has names.
    pub event: &'static str,
    /// What is sent, as JSON.
    pub payload: Payload,
}

impl Draft {
    /// An event of a transport whose events have no names.
    pub fn new(channel: Channel, payload: impl Into<Payload>) -> Self {
        Self::named(channel, "", payload)
    }

    pub fn named(channel: Channel, event: &'static str, payload: impl Into<Payload>) -> Self {
        Self { channel, event, payload: payload.into() }
    }

    /// The event that everybody gets. Of all events of a node the later one has the greater id.
    pub fn with_id(self, id: u64) -> Publication {
        let Self { channel, event, payload } = self;
        Publication::event(channel, id, event, payload)
    }
}
