//! What is said in one session: which namespaces its client has entered, and what it is told there.
//!
//! Everything that is said to it goes through its mailbox. Must not know what carries it.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::Doors;
use super::auth::{Auth, connect_error};
use super::message::{Message, What};
use super::namespace::{Admitted, Namespace};
use super::sid::Sid;
use super::words;
use crate::feeds::sync::changes::{Changes, News};
use crate::hub::Membership;
use crate::hub::mailbox::Mailbox;
use crate::model::CloseReason;
use crate::newcomers::NewcomerPlace;
use crate::session::enter::{Told, enter};
use crate::session::expiry::Expiry;
use crate::session::identity::Newcomer;
use crate::session::life::Ending;
use crate::session::opening::give_way;

/// A client that has left its last namespace may look for another one for this long.
const LINGER: Duration = Duration::from_secs(1);
/// A back end's wish for its pending orders. Whatever else it says is ignored.
const SYNC_ORDERS: &str = "sync:orders";

pub(super) struct Talk {
    doors: Arc<Doors>,
    mailbox: Arc<Mailbox>,
    /// The token in the header of its first request.
    bearer: Option<Box<str>>,
    /// Until it has entered a namespace.
    newcomer: Option<Newcomer>,
    /// One for each namespace.
    seats: [Seat; Namespace::ALL.len()],
    /// Attachments that have to come before anything else.
    attachments: usize,
    /// When it has been in no namespace for too long, and what is said of that.
    leaves: Option<(Instant, Ending)>,
}

/// Where a client stands in one namespace.
enum Seat {
    Empty,
    Taken(Box<Taken>),
    /// It was sent away: what it says until it knows means nothing.
    Ended,
}

struct Taken {
    memberships: Vec<Membership>,
    /// Of its token, if it has one.
    expiry: Option<Expiry>,
    changes: Option<Changes>,
    /// What had rung before it listened.
    heard: u64,
}

impl Talk {
    pub(super) fn new(doors: Arc<Doors>, mailbox: Arc<Mailbox>, bearer: Option<String>, place: NewcomerPlace) -> Self {
        give_way(&place, &mailbox);
        let newcomer = Newcomer::new(&doors.context, Some(place));
        Self {
            doors,
            mailbox,
            bearer: bearer.map(String::into_boxed_str),
            newcomer: Some(newcomer),
            seats: [Seat::Empty, Seat::Empty],
            attachments: 0,
            leaves: None,
        }
    }

    /// A packet of Socket.IO, as text.
    pub(super) fn on_text(&mut self, text: &str) -> Result<(), Ending> {
        if self.attachments > 0 {
            return Err(breach());
        }
        let Message { namespace, what, attachments } = Message::parse(text).map_err(|_| breach())?;
        self.attachments = attachments;
        let found = Namespace::find(namespace).filter(|found| self.doors.are_open(*found));
        let Some(found) = found else {
            return match what {
                What::Connect(_) => {
                    self.say(&words::refused(namespace, "Invalid namespace"));
                    Ok(())
                }
                _ => Err(breach()),
            };
        };
        match (what, &mut self.seats[found as usize]) {
            (What::Connect(auth), Seat::Empty | Seat::Ended) => self.connect(found, &Auth::read(auth)),
            (What::Disconnect, Seat::Taken(_)) => {
                self.leave(found, Seat::Empty);
                self.linger(Ending::ByPeer);
                Ok(())
            }
            (What::Event(name), Seat::Taken(taken)) => {
                if let Some(changes) = taken.changes.as_mut().filter(|_| name.as_deref() == Some(SYNC_ORDERS)) {
                    changes.ask();
                }
                Ok(())
            }
            (What::Disconnect, ended @ Seat::Ended) => {
                *ended = Seat::Empty;
                Ok(())
            }
            (What::Acknowledgement, Seat::Taken(_)) | (What::Event(_) | What::Acknowledgement, Seat::Ended) => Ok(()),
            _ => Err(breach()),
        }
    }

    /// An attachment: it is let go as it comes.
    pub(super) fn on_binary(&mut self) -> Result<(), Ending> {
        self.attachments = self.attachments.checked_sub(1).ok_or_else(breach)?;
        Ok(())
    }

    fn connect(&mut self, namespace: Namespace, auth: &Auth) -> Result<(), Ending> {
        let context = Arc::clone(&self.doors.context);
        let Admitted { grant, changes } = match namespace.admit(&self.doors, self.bearer.as_deref(), auth) {
            Ok(admitted) => admitted,
            Err(denial) => {
                context.metrics.refuse(denial.reason());
                let message = connect_error(denial);
                info!(namespace = namespace.name(), "{message}");
                self.say(&words::refused(namespace.name(), message));
                return Ok(());
            }
        };
        let since = auth.since().filter(|_| namespace == Namespace::Orders);
        if namespace == Namespace::Orders && !self.mailbox.set_ids(since.is_some()) {
            // An event of before, with ids or without, is half out: it cannot end as it began.
            return Err(Ending::Close(CloseReason::GoingAway));
        }
        // What it hears once it has entered comes behind this, and it has entered before it reads this. A full mailbox is
        // noticed when it is read.
        let _ = self.mailbox.leave_answer(words::connected(namespace.name(), Sid::random()));
        let memberships = enter(&grant, since, Told::GapAs(words::RESYNC), &context, &self.mailbox).memberships;
        let expiry = grant.expires_at.map(|expires_at| Expiry::new(expires_at, self.mailbox.wording(), &context));
        let mut taken = Taken { memberships, expiry, changes, heard: 0 };
        taken.heard = taken.rung(&self.mailbox);
        self.seats[namespace as usize] = Seat::Taken(Box::new(taken));
        self.newcomer = None;
        self.leaves = None;
        Ok(())
    }

    /// Leaves a namespace: nothing of what waits there is sent any more.
    fn leave(&mut self, namespace: Namespace, behind: Seat) {
        let before = std::mem::replace(&mut self.seats[namespace as usize], behind);
        if let Seat::Taken(taken) = before {
            for membership in &taken.memberships {
                self.mailbox.forget_channel(membership.channel());
            }
        }
    }

    /// Sends the client out of a namespace.
    fn send_away(&mut self, namespace: Namespace, why: CloseReason) {
        self.leave(namespace, Seat::Ended);
        self.say(&words::disconnected(namespace.name()));
        self.linger(Ending::Close(why));
    }

    /// Without a namespace it does not stay.
    fn linger(&mut self, ending: Ending) {
        if !self.seats.iter().any(|seat| matches!(seat, Seat::Taken(_))) {
            self.leaves = Some((Instant::now() + LINGER, ending));
        }
    }

    /// The mailbox says that the connection has to end. It goes on if only a user has to.
    pub(super) fn on_dismissed(&mut self, reason: CloseReason) -> Result<(), CloseReason> {
        let is_in = matches!(self.seats[Namespace::Orders as usize], Seat::Taken(_));
        if !is_in || reason == CloseReason::TooManyUnauthenticated {
            return Err(reason);
        }
        self.mailbox.reopen();
        self.send_away(Namespace::Orders, reason);
        // What rang meanwhile was not heard.
        if let Seat::Taken(back_end) = &mut self.seats[Namespace::Sync as usize]
            && let Some(changes) = &mut back_end.changes
        {
            changes.look();
            back_end.heard = back_end.rung(&self.mailbox);
        }
        Ok(())
    }

    /// When there is something to do by the clock.
    pub(super) fn due(&self) -> Option<Instant> {
        let expiries = self.seats.iter().filter_map(|seat| match seat {
            Seat::Taken(taken) => taken.expiry.as_ref().map(Expiry::due),
            Seat::Empty | Seat::Ended => None,
        });
        let leaves = self.leaves.map(|(at, _)| at);
        let newcomer = self.newcomer.as_ref().map(Newcomer::until);
        expiries.chain(leaves).chain(newcomer).min()
    }

    pub(super) fn on_time(&mut self, now: Instant) -> Result<(), Ending> {
        if self.newcomer.as_ref().is_some_and(|newcomer| newcomer.until() <= now) {
            return Err(Ending::Close(CloseReason::AuthenticationTimeout));
        }
        if let Some((_, ending)) = self.leaves.filter(|(at, _)| *at <= now) {
            return Err(ending);
        }
        for namespace in Namespace::ALL {
            let Seat::Taken(taken) = &mut self.seats[namespace as usize] else { continue };
            if let Some(expiry) = &mut taken.expiry
                && let Err(why) = expiry.look(now, &self.doors.context)
            {
                self.send_away(namespace, why);
            }
        }
        Ok(())
    }

    /// What the database has to say.
    pub(super) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        match &mut self.seats[Namespace::Sync as usize] {
            Seat::Taken(taken) => match &mut taken.changes {
                Some(changes) => changes.poll_next(cx),
                None => Poll::Pending,
            },
            Seat::Empty | Seat::Ended => Poll::Pending,
        }
    }

    pub(super) fn on_news(&mut self, news: News) {
        match news {
            News::Orders(orders) => self.say(&words::orders_pending(&orders)),
            // Not if it has been told meanwhile.
            News::Pending => {
                if let Seat::Taken(back_end) = &self.seats[Namespace::Sync as usize]
                    && back_end.rung(&self.mailbox) == back_end.heard
                {
                    self.say(words::CHANGES_PENDING);
                }
            }
        }
    }

    fn say(&self, packet: &str) {
        // A full mailbox is noticed when it is read.
        let _ = self.mailbox.push_answer(packet);
    }
}

impl Taken {
    /// The newest that its client has been told of its channels.
    fn rung(&self, mailbox: &Mailbox) -> u64 {
        let newest = |membership: &Membership| mailbox.newest_version(membership.channel());
        self.memberships.iter().map(newest).max().unwrap_or_default()
    }
}

fn breach() -> Ending {
    Ending::Close(CloseReason::Protocol)
}
