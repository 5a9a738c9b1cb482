//! From an admitted connection to its conversation.
//!
//! What has to be asked of the database before is waited for here. Must not know sockets, nor who may listen to what.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::conversation::Conversation;
use super::dashboard::{Dashboard, Names};
use super::echo::Echo;
use super::enter::named::{self, Before, hello};
use super::enter::{Told, enter};
use super::expiry::Expiry;
use super::listener::Listener;
use crate::access::grant::{Denial, Grant, Speech};
use crate::config::Feed;
use crate::hub::history::Since;
use crate::hub::mailbox::Mailbox;
use crate::model::{CloseReason, Topic, Wording};
use crate::newcomers::NewcomerPlace;
use crate::session::SessionContext;

/// What a connection brings along from its handshake.
#[derive(Debug)]
pub struct Admitted {
    pub purpose: Purpose,
    /// `?since=`: it wants ids, and what it missed.
    pub since: Option<Since>,
    /// Whose endpoint it came to, if that is one feed's own.
    pub feed: Option<Feed>,
}

/// What a connection is for.
pub enum Purpose {
    /// `/ws` without a token: the first message must bring one. With one of the few places for that, where they are counted.
    Newcomer(Option<NewcomerPlace>),
    /// To hear what it was granted, or to be told why not: a browser can read that only after the upgrade.
    Listen(Result<Grant, Denial>),
    /// The same, once it is known.
    Ask(BoxFuture<'static, Result<Grant, Denial>>),
    /// To hear what it was granted on a stream, which is told where it stands.
    Stream(Grant),
    /// To hear what a stream of the second version asks for.
    Names(Box<Names>),
    /// To hear back what it says.
    Echo,
}

/// The conversation of an admitted connection, or why it has to end before it begins.
pub async fn open(
    purpose: Purpose,
    since: Option<Since>,
    context: &Arc<SessionContext>,
    mailbox: &Arc<Mailbox>,
) -> Result<Conversation, Denial> {
    let (granted, told) = match purpose {
        Purpose::Newcomer(place) => {
            return Ok(Conversation::Dashboard(newcomer(place, since, context, mailbox)));
        }
        Purpose::Names(asked) => {
            return Ok(Conversation::Dashboard(Dashboard::of_names(*asked, since, context, mailbox).await));
        }
        Purpose::Echo => return Ok(Conversation::Echo(Echo::new(Arc::clone(mailbox)))),
        Purpose::Listen(granted) => (granted, Told::Gap),
        Purpose::Ask(granting) => (granting.await, Told::Gap),
        Purpose::Stream(grant) => (Ok(grant), Told::GapAndPosition),
    };
    let grant = granted.inspect_err(|denial| context.metrics.refuse(denial.reason()))?;
    if mailbox.wording() == Wording::Second && matches!(grant.speech, Speech::Ping) {
        return Ok(Conversation::Listener(named_listener(&grant, since, context, mailbox)));
    }
    if matches!(grant.speech, Speech::AskByName { .. }) {
        return Ok(Conversation::Dashboard(Dashboard::of_bearer(grant, since, context, mailbox)));
    }
    let enter = || enter(&grant, since, told, context, mailbox).memberships;
    let mut memberships = match &grant.speech {
        // Defined otherwise since it was granted: who comes again is judged anew.
        Speech::Watch { topic: Topic::Consulta(defined), .. } => {
            context.queries.while_defined(defined, enter).ok_or(Denial::Withdrawn)?
        }
        _ => enter(),
    };
    Ok(match grant.speech {
        Speech::Ping | Speech::AskByName { .. } => {
            let expiry = grant.expires_at.map(|expires_at| Expiry::new(expires_at, mailbox.wording(), context));
            let (context, mailbox) = (Arc::clone(context), Arc::clone(mailbox));
            Conversation::Listener(Listener::new(context, mailbox, memberships, expiry))
        }
        Speech::Ask(identity) => {
            Conversation::Dashboard(Dashboard::of_user(identity, memberships, since, context, mailbox))
        }
        Speech::Watch { identity, topic, by_database } => {
            // Behind the user's names.
            let watched = memberships.pop();
            memberships.shrink_to_fit();
            let dashboard = Dashboard::of_user(identity, memberships, None, context, mailbox);
            Conversation::Dashboard(match watched {
                Some(watched) => dashboard.watching(topic, watched, by_database),
                None => dashboard,
            })
        }
    })
}

/// Who only listens, spoken to in the second version.
fn named_listener(
    grant: &Grant,
    since: Option<Since>,
    context: &Arc<SessionContext>,
    mailbox: &Arc<Mailbox>,
) -> Listener {
    let mut memberships = Vec::new();
    let since = since.unwrap_or(Since::Now);
    named::enter(grant, &mut memberships, &Before::default(), since, context, mailbox, |position| {
        hello(grant, position, None, context)
    });
    let expiry = grant.expires_at.map(|expires_at| Expiry::new(expires_at, mailbox.wording(), context));
    Listener::new(Arc::clone(context), Arc::clone(mailbox), memberships, expiry)
}

/// Ends a connection when another needs its place.
pub fn give_way(place: &NewcomerPlace, mailbox: &Arc<Mailbox>) {
    let mailbox = Arc::downgrade(mailbox);
    place.on_pushed_out(move || {
        if let Some(mailbox) = mailbox.upgrade() {
            mailbox.dismiss(CloseReason::TooManyUnauthenticated);
        }
    });
}

fn newcomer(
    place: Option<NewcomerPlace>,
    since: Option<Since>,
    context: &Arc<SessionContext>,
    mailbox: &Arc<Mailbox>,
) -> Dashboard {
    if let Some(place) = &place {
        give_way(place, mailbox);
    }
    Dashboard::of_newcomer(place, since, context, mailbox)
}

impl fmt::Debug for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newcomer(_) => "Newcomer",
            Self::Listen(_) => "Listen",
            Self::Ask(_) => "Ask",
            Self::Stream(_) => "Stream",
            Self::Names(_) => "Names",
            Self::Echo => "Echo",
        })
    }
}
