//! How somebody who wants to listen comes to a feed: by a WebSocket of its own or by a stream, with what it brings along.
//!
//! Each feed says in its `listen` who may. Must not know any feed, nor how a listener is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use crate::access::grant::{Denial, Grant};
use crate::access::token::{Claims, Identity};
use crate::address::Address;
use crate::model::{ChannelName, QueryName};
use crate::session::SessionContext;

/// How long who asks for a live query waits until it is known what its keys are.
const PATIENCE: Duration = Duration::from_secs(2);

/// A grant, or why there is none, when it is known.
pub type Granting = BoxFuture<'static, Result<Grant, Denial>>;

/// A WebSocket of a feed's own.
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    pub path: &'static str,
    pub listening: Listening,
}

/// A stream of `/sse`.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Of its `channel`, for documents; what is in angle brackets is the client's to say.
    pub form: &'static str,
    /// Whether this names one.
    pub is: fn(&str) -> bool,
    pub listening: Listening,
}

/// Who may listen.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// Who has a token; without a secret for tokens nobody can have one.
    pub needs_token: bool,
    /// Why an address need not even try just now.
    pub barred: fn(&SessionContext, Address) -> Option<Denial>,
    pub grant: fn(Guest) -> Granting,
}

/// What somebody who wants to listen brings along.
pub struct Guest {
    /// What its token claims; `None` without one, or where none is needed.
    pub claims: Result<Option<Claims>, Denial>,
    /// The name that a device gives itself.
    pub device_uid: Option<String>,
    /// What a stream is to be of.
    pub channel: Option<String>,
    pub address: Address,
    pub context: Arc<SessionContext>,
}

/// For where every address may try.
pub fn nobody(_: &SessionContext, _: Address) -> Option<Denial> {
    None
}

impl Guest {
    pub fn claims(&self) -> Result<&Claims, Denial> {
        self.claims.as_ref().map_err(|denial| *denial)?.as_ref().ok_or(Denial::NoToken)
    }

    pub fn identity(&self) -> Result<Identity, Denial> {
        Ok(self.claims()?.identity()?)
    }

    /// To hear the channel that is named, as if it were subscribed to on a dashboard.
    pub async fn watch(self) -> Result<Grant, Denial> {
        let identity = self.identity()?;
        let name = self.channel.as_deref().and_then(ChannelName::parse).ok_or(Denial::NoSuchChannel)?;
        if !self.context.database.is_down()
            && let ChannelName::Consulta { query, .. } = &name
            && let Some(query) = QueryName::parse(query)
        {
            // Of what was defined a moment ago the database is being asked.
            let _ = timeout(PATIENCE, self.context.queries.until_known(&query)).await;
        }
        self.context.gate().watch(&name, identity).await
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("address", &self.address).field("channel", &self.channel).finish_non_exhaustive()
    }
}
