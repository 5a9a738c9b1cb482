//! Who comes in, and to what: from an admitted connection to its conversation.
//!
//! What has to be asked of the database before is asked here. Must not know sockets.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tracing::warn;

use super::Environment;
use super::conversation::Conversation;
use super::dashboard::Dashboard;
use super::echo::Echo;
use super::listener::Listener;
use super::session::{Expiry, end_if_dismissed};
use crate::auth::token::{Identity, StaffIdentity};
use crate::channel::Channel;
use crate::close::CloseReason;
use crate::dialect::stats::{self, ChannelName};
use crate::hub::history::Since;
use crate::hub::mailbox::Mailbox;
use crate::negocio::{DeviceId, NegocioId};
use crate::store::StoreError;
use crate::telemetry::metrics::RefusalReason;

/// What a connection brings along from its handshake.
#[derive(Debug)]
pub struct Admitted {
    pub purpose: Purpose,
    /// `?since=`: it wants ids, and what it missed.
    pub since: Option<Since>,
    /// For the log and for what is counted by address.
    pub address: IpAddr,
}

/// What a connection is for.
#[derive(Debug)]
pub enum Purpose {
    /// `/ws`. Without an identity the first message must bring one; `place` is one of the few for that.
    Dashboard { identity: Option<Identity>, place: Option<OwnedSemaphorePermit> },
    /// The staff of a clinic, or why it may not listen: a browser can read that only after the upgrade.
    Staff(Result<StaffIdentity, CloseReason>),
    /// A kiosk of a clinic, by the name it gives itself.
    Kiosk(Option<String>),
    /// One channel that its token may be allowed to watch, and nothing else.
    Watch { identity: Identity, name: ChannelName },
    /// Channels that were checked already, until a token ends (Unix seconds).
    /// `issued_at`: as the token says.
    Listen { channels: Vec<Channel>, issued_at: Option<i64>, expires_at: Option<i64> },
    /// To hear back what it says.
    Echo,
}

/// The conversation of an admitted connection, or why it has to end before it begins.
pub(super) async fn open(
    purpose: Purpose,
    since: Option<Since>,
    address: IpAddr,
    environment: &Arc<Environment>,
    mailbox: &Arc<Mailbox>,
) -> Result<Conversation, CloseReason> {
    let (channels, issued_at, expires_at) = match purpose {
        Purpose::Dashboard { identity, place } => {
            let (environment, mailbox) = (Arc::clone(environment), Arc::clone(mailbox));
            let dashboard = Dashboard::new(environment, mailbox, address, identity, place, since);
            return Ok(Conversation::Dashboard(dashboard));
        }
        Purpose::Watch { identity, name } => {
            let (environment, mailbox) = (Arc::clone(environment), Arc::clone(mailbox));
            return Ok(Conversation::Dashboard(Dashboard::watching(
                environment,
                mailbox,
                address,
                identity,
                name,
                since,
            )));
        }
        Purpose::Echo => return Ok(Conversation::Echo(Echo::new(Arc::clone(mailbox)))),
        Purpose::Listen { channels, issued_at, expires_at } => (channels, issued_at, expires_at),
        Purpose::Staff(identity) => {
            let identity = identity?;
            (staff_channels(&identity, environment), identity.issued_at, Some(identity.expires_at))
        }
        Purpose::Kiosk(uid) => (vec![kiosk_channel(uid.as_deref(), address, environment).await?], None, None),
    };
    let (memberships, outcome) = environment.hub.join_since(&channels, mailbox, since.unwrap_or(Since::Now));
    if outcome.is_err() {
        environment.metrics.resyncs.inc();
        // A full mailbox is noticed when it is read.
        let _ = mailbox.push_answer(stats::resync());
    }
    for user in channels.iter().filter_map(|channel| if let Channel::User(user) = channel { Some(user) } else { None })
    {
        end_if_dismissed(environment, user, issued_at, mailbox);
    }
    let expiry = expires_at.map(|expires_at| Expiry::new(expires_at, environment));
    let (environment, mailbox) = (Arc::clone(environment), Arc::clone(mailbox));
    Ok(Conversation::Listener(Listener::new(environment, mailbox, memberships, expiry)))
}

/// What a clinic's staff listens to.
pub fn staff_channels(identity: &StaffIdentity, environment: &Environment) -> Vec<Channel> {
    let mut channels: Vec<Channel> = identity.user.clone().map(Channel::User).into_iter().collect();
    let id_type = environment.database.id_type();
    let named = identity.negocios.iter().take(environment.limits.max_channels);
    let clinics: Vec<Option<NegocioId>> = match identity.negocios.as_slice() {
        [] => vec![None],
        _ => named.filter_map(|named| NegocioId::named(named, id_type)).map(Some).collect(),
    };
    for channel in clinics.into_iter().map(Channel::StaffOrders) {
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    channels
}

/// What a kiosk listens to, if the database knows it and it is switched on.
pub async fn kiosk_channel(
    uid: Option<&str>,
    address: IpAddr,
    environment: &Environment,
) -> Result<Channel, CloseReason> {
    let asked: Vec<String> = uid.into_iter().map(str::to_owned).collect();
    let known = if asked.is_empty() { Ok(Vec::new()) } else { environment.database.devices(&asked, &[]).await };
    let known = known.map_err(|failure| {
        if let StoreError::Refused(_) = failure {
            warn!(%failure, "a kiosk cannot be looked up: see DEVICE_SQL");
        }
        environment.metrics.refuse(RefusalReason::DatabaseUnavailable);
        CloseReason::CannotCheck
    })?;
    let device = known.into_iter().find(|device| device.is_active);
    let Some(device) = device else {
        environment.bad_devices.count(address);
        environment.metrics.refuse(RefusalReason::Device);
        return Err(CloseReason::DeviceRefused);
    };
    Ok(Channel::Device(DeviceId::new(&device.id)))
}
