//! What a feed is given with a call of one of its hooks, and what it may do with it.
//!
//! Must not know HTTP, nor what a call is about.

mod rejection;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::broker::{Broker, Keyed, Published, Reach, Scope};
use crate::clock::Clock;
use crate::config::{PublishConfig, SyncConfig};
use crate::database::Database;
use crate::idempotency::Ticket;
use crate::model::{Answered, Channel, DeviceId, DeviceName, NegocioId};
use crate::publication::Draft;
use crate::queries::Queries;
use crate::refresh::{Noticed, Refresher, Unseen};
use crate::telemetry::traces::answered_by;

pub use rejection::Rejection;

/// How nearly every call that was dealt with is answered.
const OK: u16 = 200;
/// What it asks for is done later.
const ACCEPTED: u16 = 202;

/// The answer to a call, when it is there.
pub type Answering<'a> = BoxFuture<'a, Result<Reply, Rejection>>;

/// What calls work with.
#[derive(Debug)]
pub struct CallContext {
    pub broker: Arc<Broker>,
    pub database: Arc<Database>,
    pub refresher: Arc<Refresher>,
    pub queries: Arc<Queries>,
    pub clock: Clock,
    pub publish: PublishConfig,
    pub sync: SyncConfig,
    /// The types of everything that Pulso itself says or hears: a message of an application's own would pass for it.
    pub reserved: Vec<&'static str>,
    /// What is left to do of calls that cannot be waited for any longer; each holds its call's place.
    pub tasks: TaskTracker,
}

/// One call, authenticated and whole.
#[derive(Debug)]
pub struct Call {
    pub context: Arc<CallContext>,
    pub body: Bytes,
    /// By then it is answered, whatever goes on behind it.
    pub deadline: Instant,
    /// Of a call that is to have its effect once. Who takes it keeps the answer together with the effect; what is left
    /// here is settled with the events, or afterwards, and then remembered.
    pub ticket: Option<Ticket>,
    /// Goes with whatever is done for the call, also when it is answered before that is done.
    pub place: Option<OwnedSemaphorePermit>,
}

/// A call that was dealt with: a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    status: u16,
    body: String,
}

/// The usual answer.
#[derive(Debug, Serialize)]
struct Reached {
    ok: bool,
    /// How many were handed the message.
    clients: usize,
    /// `node`, where only those on this node are counted although there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
}

impl Reply {
    pub fn json(body: &impl Serialize) -> Self {
        // Structs of strings and numbers always serialise.
        Self { status: OK, body: serde_json::to_string(body).unwrap_or_default() }
    }

    /// What was asked for is done, but not by now.
    pub fn for_later(body: &impl Serialize) -> Self {
        Self { status: ACCEPTED, ..Self::json(body) }
    }

    /// `clients`: how many were handed the message.
    pub fn reached(clients: usize, scope: Scope) -> Self {
        Self::json(&Reached { ok: true, clients, scope: word_of(scope) })
    }

    /// Who is reached by one of several messages is reached.
    pub fn for_one_of(reach: &Reach) -> Self {
        Self::reached(reach.each.iter().copied().max().unwrap_or(0), reach.scope)
    }

    fn for_all_of(reach: &Reach) -> Self {
        Self::reached(reach.each.iter().sum(), reach.scope)
    }

    /// As an earlier call was answered.
    pub fn again(answered: Answered) -> Self {
        Self { status: answered.status, body: answered.body }
    }

    pub fn answered(&self) -> Answered {
        Answered { status: self.status, body: self.body.clone() }
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn into_body(self) -> String {
        self.body
    }
}

/// How an answer says that only this node's clients are counted.
pub fn word_of(scope: Scope) -> Option<&'static str> {
    match scope {
        Scope::All => None,
        Scope::Node => Some("node"),
    }
}

impl Call {
    /// Hands out the events of one happening: who is reached by one of them is reached.
    pub async fn publish(&self, drafts: Vec<Draft>) -> Result<Reply, Rejection> {
        self.hand_over(drafts, Reply::for_one_of).await
    }

    /// Hands out events that have nothing to do with each other.
    pub async fn publish_all(&self, drafts: Vec<Draft>) -> Result<Reply, Rejection> {
        self.hand_over(drafts, Reply::for_all_of).await
    }

    async fn hand_over(&self, drafts: Vec<Draft>, reply: fn(&Reach) -> Reply) -> Result<Reply, Rejection> {
        let answer = |reach: &Reach| reply(reach).answered();
        let keyed = self.ticket.as_ref().map(|ticket| Keyed { ticket, answer: &answer });
        Ok(match self.context.broker.publish(drafts, keyed.as_ref()).await? {
            Published::For(reach) => reply(&reach),
            Published::Repeated(answered) => Reply::again(answered),
        })
    }
}

impl CallContext {
    /// Now, as browsers write it: ISO 8601, UTC, in milliseconds.
    pub fn timestamp(&self) -> String {
        format!("{:.3}", self.clock.now())
    }

    /// A change of `channel` was announced, by the transaction that made it if that is told. `unavailable`: what is said where it
    /// cannot be read by `deadline`.
    pub async fn notice(
        &self,
        channel: &Channel,
        xid: Option<u64>,
        deadline: Instant,
        unavailable: fn() -> Rejection,
    ) -> Result<Noticed, Rejection> {
        let noticed = match xid {
            None => self.refresher.notice_by(channel, deadline).await.map_err(|_| unavailable()),
            Some(xid) => self.refresher.notice_seen(channel, xid, deadline).await.map_err(|unseen| match unseen {
                Unseen::Unavailable(_) => unavailable(),
                Unseen::TooMany => Rejection::too_many_transactions(),
                Unseen::TooOld => Rejection::bad(
                    "xid is too old to be told from others; send all of pg_current_xact_id(), with its epoch",
                ),
                Unseen::Unknown => Rejection::bad("xid: this database has no transactions that could be named"),
            }),
        }?;
        if let Noticed::Read(reading) = &noticed {
            answered_by(reading.place());
        }
        Ok(noticed)
    }

    /// The device that the database knows by this name.
    pub async fn device(&self, name: DeviceName, deadline: Instant) -> Result<DeviceId, Rejection> {
        let (uids, ids) = match name {
            DeviceName::Uid(uid) => (vec![uid], Vec::new()),
            DeviceName::Id(id) => (Vec::new(), vec![id]),
        };
        let found = timeout_at(deadline, self.database.devices(&uids, &ids)).await;
        let Ok(Ok(found)) = found else { return Err(Rejection::unanswered(self.database.is_down())) };
        found.first().map(|device| DeviceId::new(&device.id)).ok_or_else(Rejection::unknown_device)
    }
}

/// The business that a body names by `negocio_id`.
pub fn negocio(named: &str) -> Result<NegocioId, Rejection> {
    NegocioId::named(named).ok_or_else(|| Rejection::bad("negocio_id is no id"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn every_answer_says_first_that_all_is_well() {
        assert_eq!(Reply::reached(3, Scope::All).into_body(), r#"{"ok":true,"clients":3}"#);
        assert_eq!(Reply::reached(3, Scope::Node).into_body(), r#"{"ok":true,"clients":3,"scope":"node"}"#);
    }

    #[test]
    fn a_time_is_written_as_browsers_write_it() {
        assert_eq!(
            format!("{:.3}", Timestamp::from_millisecond(1_752_999_000_005).unwrap()),
            "2025-07-20T08:10:00.005Z"
        );
    }
}
