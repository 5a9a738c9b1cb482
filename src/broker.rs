//! The one seam in front of the hub: through it goes everything that other nodes have to know.
//!
//! Events, states, that changes are pending, who was dismissed, and whether anybody listens. Nothing else knows that there
//! may be several nodes. Must not know HTTP or SQL, nor how anything travels to a client.

pub mod bridge;
mod census;
mod cluster;
mod doorbells;
mod entry;
mod kept;
mod link;
mod local;
pub mod log;
mod peers;
mod reach;
pub mod redis;
mod spoiled;
mod states;
mod turn;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::token::Dismissed;
use crate::clock::Clock;
use crate::hub::{Full, Hub};
use crate::idempotency::{Answers, Ticket};
use crate::model::{Answered, Channel, CloseReason, Tenant, UserId};
use crate::publication::{Draft, Publication};
use crate::telemetry::metrics::Metrics;

use cluster::{Cluster, Written};
use doorbells::Doorbells;
use entry::{Dismissal, Events};
use local::Local;

pub use census::{Census, Present};
pub use cluster::{Several, Tidings};
pub use reach::{Published, Reach, Refused, Scope};
pub use turn::Turn;

/// What publishes, ends connections and asks for listeners goes by it; only who joins a channel goes to the hub itself.
#[derive(Debug)]
pub struct Broker {
    hub: Arc<Hub>,
    dismissed: Arc<Dismissed>,
    node: Local,
    doorbells: Arc<Doorbells>,
    /// What this node has in common with others; `None` if it is alone.
    cluster: Option<Cluster>,
}

/// The call that something comes from, if it is to have its effect once.
#[derive(Clone, Copy)]
pub struct Keyed<'a> {
    pub ticket: &'a Ticket,
    /// How it is answered when it reaches so many.
    pub answer: &'a (dyn Fn(&Reach) -> Answered + Sync),
}

impl Keyed<'_> {
    fn answered(&self, reach: &Reach) -> entry::Keyed {
        let once = self.ticket.once((self.answer)(reach));
        entry::Keyed { path: once.path, key: once.key, answered: once.answered }
    }
}

impl Broker {
    /// Of a node that is alone. `dismissed`: where those are remembered whose tokens are no good any more.
    pub fn of_one_node(hub: Arc<Hub>, dismissed: Arc<Dismissed>, clock: &Clock) -> Self {
        let node = Local::new(Arc::clone(&hub), clock);
        node.begin();
        let doorbells = Arc::new(Doorbells::new(Arc::clone(&hub)));
        Self { hub, dismissed, node, doorbells, cluster: None }
    }

    /// Of a node among several; [`Self::run`] has to run. `answers`: of the calls that this node knows of.
    pub fn of_several_nodes(
        several: Several,
        hub: Arc<Hub>,
        dismissed: Arc<Dismissed>,
        answers: Arc<Answers>,
        clock: &Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let node = Local::new(Arc::clone(&hub), clock);
        let doorbells = Arc::new(Doorbells::new(Arc::clone(&hub)));
        let shared = (Arc::clone(&hub), Arc::clone(&doorbells));
        let cluster = Cluster::new(several, shared, Arc::clone(&dismissed), answers, clock, metrics);
        Self { hub, dismissed, node, doorbells, cluster: Some(cluster) }
    }

    /// Whether [`Self::run`] has something to do.
    pub fn is_of_several_nodes(&self) -> bool {
        self.cluster.is_some()
    }

    /// Keeps in touch with the other nodes until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        match &self.cluster {
            Some(cluster) => cluster.run(stop).await,
            None => stop.cancelled().await,
        }
    }

    /// Returns when this node has all that may be replayed.
    pub async fn until_level(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.until_level().await;
        }
    }

    /// Clients are let in from now on. To be said once, after [`Self::until_level`] or when that took too long.
    pub fn open(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.open();
        }
    }

    /// Why events are refused just now, as a word of a fixed list.
    pub fn degraded(&self) -> Option<&'static str> {
        self.cluster.as_ref()?.degraded()
    }

    /// The nodes that are there; `None` for a node that is alone.
    pub fn census(&self) -> Option<Census> {
        self.cluster.as_ref().map(Cluster::census)
    }

    /// This node publishes nothing any more: returns when all that it has published was handed out here, or at `deadline`.
    pub async fn until_read(&self, deadline: Instant) {
        if let Some(cluster) = &self.cluster {
            cluster.until_read(deadline).await;
        }
    }

    /// Takes leave of the others.
    pub async fn leave(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.leave().await;
        }
    }

    /// Gives events their ids and hands them out, in their order and with nothing in between; tells how many each is for.
    /// With them `call` is settled. What is refused was not taken, none of it, unless that is not known.
    pub async fn publish(&self, drafts: Vec<Draft>, call: Option<&Keyed<'_>>) -> Result<Published, Refused> {
        if let Some(cluster) = self.cluster.as_ref().filter(|_| !drafts.is_empty()) {
            // By itself, so that a node that is alone does not carry the room for it.
            return Box::pin(self.append(cluster, drafts, call)).await;
        }
        let reach = Reach::of(self.node.publish(drafts).map_err(|Full| Refused::Busy)?);
        if let Some(Keyed { ticket, answer }) = call {
            self.settle(ticket, &answer(&reach));
        }
        Ok(Published::For(reach))
    }

    async fn append(
        &self,
        cluster: &Cluster,
        drafts: Vec<Draft>,
        call: Option<&Keyed<'_>>,
    ) -> Result<Published, Refused> {
        let begun = Instant::now();
        let channels: Vec<Channel> = drafts.iter().map(|draft| draft.channel.clone()).collect();
        let reach = self.reach_in(cluster, &channels).await;
        let keyed = call.map(|call| call.answered(&reach));
        let answered = keyed.as_ref().map(|keyed| keyed.answered.clone());
        let written = cluster.append_events(Events { call: keyed, drafts }, begun).await?;
        Ok(self.published(written, reach, call, answered))
    }

    /// A call has had its effect: every repetition of it gets this answer.
    pub fn settle(&self, ticket: &Ticket, answered: &Answered) {
        ticket.settle(answered);
    }

    fn published(
        &self,
        written: Written,
        reach: Reach,
        call: Option<&Keyed<'_>>,
        answered: Option<Answered>,
    ) -> Published {
        let (published, answered) = match written {
            Written::There => (Published::For(reach), answered),
            Written::Repeated(answered) => (Published::Repeated(answered.clone()), Some(answered)),
        };
        if let (Some(Keyed { ticket, .. }), Some(answered)) = (call, answered) {
            self.settle(ticket, &answered);
        }
        published
    }

    /// The version of a state that is about to be told: greater than that of every state read before, also by an earlier
    /// run of this node.
    pub fn next_version(&self) -> u64 {
        self.node.next_version()
    }

    /// Hands a state out; returns how many it is for.
    pub fn tell(&self, state: &Arc<Publication>) -> usize {
        self.hub.publish(state)
    }

    /// A change is stored, and `tenant` has it to pull. To be said after the commit: whoever is told looks at once.
    pub fn ring(&self, tenant: Tenant) {
        if let Some(cluster) = &self.cluster {
            cluster.ring(tenant.clone());
        }
        self.doorbells.ring(tenant);
    }

    /// Ends all connections of a user, whose tokens issued until `at` are no good any more; tells how many end here.
    pub async fn dismiss_user(
        &self,
        user: UserId,
        at: Timestamp,
        call: Option<&Keyed<'_>>,
    ) -> Result<Published, Refused> {
        let (at, channel) = (at.as_second(), Channel::User(user.clone()));
        let dismissal = Dismissal::User { user: user.clone(), at };
        self.dismiss_everywhere(&channel, dismissal, call, || self.dismissed.add(user, at)).await
    }

    /// Ends the connections of a channel on every node; tells how many end here.
    pub async fn dismiss_listeners(&self, channel: &Channel, call: Option<&Keyed<'_>>) -> Result<Published, Refused> {
        self.dismiss_everywhere(channel, Dismissal::Listeners(channel.clone()), call, || {}).await
    }

    async fn dismiss_everywhere(
        &self,
        channel: &Channel,
        dismissal: Dismissal,
        call: Option<&Keyed<'_>>,
        remember: impl FnOnce(),
    ) -> Result<Published, Refused> {
        let Some(cluster) = &self.cluster else {
            remember();
            let reach = Reach::of(vec![self.dismiss(channel, CloseReason::SessionEnded)]);
            return Ok(Published::For(reach));
        };
        let reach = Reach { each: vec![self.hub.subscribers(channel)], scope: Scope::Node };
        let keyed = call.map(|call| call.answered(&reach));
        let answered = keyed.as_ref().map(|keyed| keyed.answered.clone());
        let written = cluster.append_dismissal(dismissal, keyed).await;
        if !matches!(written, Ok(Written::Repeated(_))) {
            // Also where the others cannot be told yet: they hear of it when they can.
            remember();
            self.dismiss(channel, CloseReason::SessionEnded);
        }
        Ok(self.published(written?, reach, call, answered))
    }

    /// Ends the connections of a channel on this node; returns how many.
    pub fn dismiss(&self, channel: &Channel, reason: CloseReason) -> usize {
        self.hub.dismiss(channel, reason)
    }

    /// How many listen to a channel on this node.
    pub fn listeners(&self, channel: &Channel) -> usize {
        self.hub.subscribers(channel)
    }

    /// How many listen to a channel on all nodes, as far as that is known.
    pub async fn reach(&self, channel: &Channel) -> Reach {
        match &self.cluster {
            Some(cluster) => self.reach_in(cluster, std::slice::from_ref(channel)).await,
            None => Reach::of(vec![self.listeners(channel)]),
        }
    }

    async fn reach_in(&self, cluster: &Cluster, channels: &[Channel]) -> Reach {
        let elsewhere = cluster.listeners_elsewhere(channels).await;
        let scope = if elsewhere.is_some() { Scope::All } else { Scope::Node };
        let elsewhere = elsewhere.unwrap_or_default().into_iter().chain(std::iter::repeat(0));
        let each = channels
            .iter()
            .zip(elsewhere)
            .map(|(channel, more)| self.listeners(channel).saturating_add(usize::try_from(more).unwrap_or(usize::MAX)));
        Reach { each: each.collect(), scope }
    }

    /// Whether anybody listens to a channel, on whatever node.
    pub fn has_listeners(&self, channel: &Channel) -> bool {
        self.listeners(channel) > 0
    }
}

#[cfg(test)]
pub(crate) mod tests;
